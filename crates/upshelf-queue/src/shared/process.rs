//! One attempt at a job.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bullmq::types::BackoffStrategy;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use upshelf_redis::client::{cmd, pipe};

use super::registrar::Kind;
use super::station::Station;
use super::{Link, jobs};
use crate::attempt::{Ended, timed_out};
use crate::handler::{LOG_LINES, Teller, Told};
use crate::ledger::{self, End};
use crate::{Backoff, Context, Outcome, State};

/// How long a job waits that nothing can be said about now.
const LATER: Duration = Duration::from_secs(1);
/// How long a job waits for a process that knows its kind.
const UNKNOWN: Duration = Duration::from_secs(5);
/// How soon the database is asked again to note the end of a job.
const AGAIN: Duration = Duration::from_millis(250);

/// A job that was handed out, and what is known of it.
struct Attempt<'a> {
    station: &'a Station,
    link: &'a Link,
    job: Arc<bullmq::Job>,
    /// When it was handed out, which was at `processedOn` by the clock of this machine.
    begun: Instant,
    row: Option<i64>,
    /// Attempts made before the job came to Redis.
    before: u16,
}

impl Station {
    /// Makes an attempt at a job. What is returned is what BullMQ's worker then does with it.
    pub(super) async fn process(&self, link: &Link, job: bullmq::Job) -> Result<Value, bullmq::Error> {
        let mut attempt = Attempt {
            station: self,
            link,
            row: jobs::row_of(job.id()),
            job: Arc::new(job),
            begun: Instant::now(),
            before: 0,
        };
        let Some(kind) = self.kinds.get(attempt.job.name()) else { return attempt.again_in(UNKNOWN).await };
        if let Some(row) = attempt.row {
            match ledger::standing(self.shared.local().pools(), row).await {
                // It was completed here, and the process or Redis died before it was noted there.
                Ok(Some(standing)) if standing.state == State::Completed => return Ok(Value::Null),
                Ok(Some(standing)) => attempt.before = standing.attempt,
                // It was removed, and nobody wants it any more.
                Ok(None) => return Ok(Value::Null),
                Err(error) => {
                    log_waiting(self.queue, row, &error);
                    return attempt.again_in(LATER).await;
                }
            }
        }
        let permit = tokio::select! {
            permit = self.permits.acquire() => permit,
            () = self.stop.cancelled() => return attempt.hand_back().await,
        };
        let _permit = permit.expect("the semaphore is never closed");
        attempt.make(&**kind).await
    }
}

impl Attempt<'_> {
    async fn make(&self, kind: &dyn Kind) -> Result<Value, bullmq::Error> {
        let context = self.context();
        let payload = self.payload().await;
        let ended =
            AssertUnwindSafe(kind.attempt(&payload, &context, &self.station.stop)).catch_unwind().await;
        self.write_log(&context).await;
        match ended {
            Ok(Ended::Itself(Ok(Outcome::Done))) => match self.settle(&context, None).await {
                true => Ok(Value::Null),
                false => self.hand_back().await,
            },
            Ok(Ended::Itself(Ok(Outcome::Snooze(time)))) => self.again_in(time).await,
            Ok(Ended::Itself(Ok(Outcome::Fail(reason)))) => self.fail(&context, reason).await,
            Ok(Ended::Itself(Err(error))) => self.try_again(&context, error.to_string()).await,
            Ok(Ended::TimedOut) => self.try_again(&context, timed_out(kind.time_out())).await,
            Ok(Ended::HandedBack) => self.hand_back().await,
            Err(panic) => self.try_again(&context, words(&*panic).to_owned()).await,
        }
    }

    fn made(&self) -> u16 {
        u16::try_from(self.job.attempts_made()).unwrap_or(u16::MAX)
    }

    fn context(&self) -> Context {
        let attempts =
            self.job.opts().attempts.map_or(1, |attempts| u16::try_from(attempts).unwrap_or(u16::MAX));
        Context {
            id: jobs::job_id(self.station.queue, self.job.id()),
            attempt: self.before.saturating_add(self.made()).saturating_add(1),
            attempts: self.before.saturating_add(attempts.max(1)),
            cancellation: CancellationToken::new(),
            told: Arc::new(Told::default().into()),
            teller: Teller::Redis(Arc::clone(&self.job)),
        }
    }

    /// The payload as JSON. What BullMQ's client cannot read it gives as `null`; then it is what stands there.
    async fn payload(&self) -> String {
        let data = self.job.data();
        if !data.is_null() {
            return data.to_string();
        }
        let mut get = cmd("HGET");
        get.arg(self.key()).arg("data");
        let mut connection = self.link.connection();
        let raw = get.query_async::<Option<Vec<u8>>>(&mut connection).await.ok().flatten();
        raw.map_or_else(|| "null".to_owned(), |raw| String::from_utf8_lossy(&raw).into_owned())
    }

    fn key(&self) -> String {
        format!("{}:{}:{}", self.link.prefix(), self.station.queue, self.job.id())
    }

    /// Notes in the database that the job has ended; `false` when the process closes before that succeeds.
    async fn settle(&self, context: &Context, error: Option<&str>) -> bool {
        let Some(row) = self.row else { return true };
        let (progress, mut log) = context.tell(|told| (told.progress, told.log.clone()));
        if self.made() > 0 {
            log = self.whole_log().await.unwrap_or(log);
        }
        let end =
            End { error, attempt: context.attempt, begun_at: self.job.processed_on(), progress, log: &log };
        loop {
            match ledger::settle(self.station.shared.local().pools(), row, &end).await {
                Ok(_) => return true,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(
                        queue = self.station.queue,
                        row,
                        error,
                        "could not note the end of a job yet"
                    );
                }
            }
            tokio::select! {
                () = tokio::time::sleep(AGAIN) => {}
                () = self.station.stop.cancelled() => return false,
            }
        }
    }

    /// Fails the job for good.
    async fn fail(&self, context: &Context, reason: String) -> Result<Value, bullmq::Error> {
        match self.settle(context, Some(&reason)).await {
            true => Err(bullmq::Error::Unrecoverable(reason)),
            false => self.hand_back().await,
        }
    }

    /// Counts the attempt as failed, and has the job wait for the next, if it has one.
    ///
    /// BullMQ's worker would do so itself, but with a wait that does not differ between jobs, and without the reason.
    async fn try_again(&self, context: &Context, reason: String) -> Result<Value, bullmq::Error> {
        if context.is_last() {
            return self.fail(context, reason).await;
        }
        let mut note = pipe();
        let traces = Value::from(vec![reason.as_str()]).to_string();
        note.atomic().cmd("HINCRBY").arg(self.key()).arg("atm").arg(1).ignore();
        note.cmd("HSET")
            .arg(self.key())
            .arg("failedReason")
            .arg(&reason)
            .arg("stacktrace")
            .arg(traces)
            .ignore();
        let mut connection = self.link.connection();
        if let Err(error) = note.query_async::<()>(&mut connection).await {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(
                queue = self.station.queue,
                job = self.job.id(),
                error,
                "could not count an attempt"
            );
        }
        self.again_in(self.wait()).await
    }

    /// How long to wait after this failed attempt.
    fn wait(&self) -> Duration {
        let attempt = self.made().saturating_add(1);
        let ours = self.station.shared.local().settings().of(self.station.queue).backoff;
        let chance = self.row.map_or_else(|| of_text(self.job.id()), i64::unsigned_abs);
        match &self.job.opts().backoff {
            None => Duration::ZERO,
            Some(BackoffStrategy::Fixed(wait)) => Duration::from_millis(*wait),
            Some(BackoffStrategy::Exponential(first)) => {
                Backoff { first: Duration::from_millis(*first), ..ours }.after(attempt, chance)
            }
            Some(BackoffStrategy::Custom(_)) => ours.after(attempt, chance),
        }
    }

    /// Has the job wait; no attempt is counted. If that fails, it will be found stalled.
    async fn again_in(&self, time: Duration) -> Result<Value, bullmq::Error> {
        let passed = u64::try_from(self.begun.elapsed().saturating_add(time).as_millis()).unwrap_or(u64::MAX);
        let at = self.job.processed_on().unwrap_or_default().saturating_add(passed);
        if let Err(error) = self.job.move_to_delayed(at).await {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(queue = self.station.queue, job = self.job.id(), error, "could not delay a job");
        }
        Err(bullmq::Error::Delayed)
    }

    /// Gives the job to another process, now; no attempt is counted.
    async fn hand_back(&self) -> Result<Value, bullmq::Error> {
        if let Err(error) = self.job.move_to_wait(None).await {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(
                queue = self.station.queue,
                job = self.job.id(),
                error,
                "could not hand a job back"
            );
        }
        // To BullMQ's worker it is all the same where the job was moved.
        Err(bullmq::Error::Delayed)
    }

    async fn write_log(&self, context: &Context) {
        let lines = context.tell(|told| told.log.clone());
        if lines.is_empty() {
            return;
        }
        let written = join_all(lines.iter().map(|line| self.job.log(line))).await;
        let keep = u32::try_from(LOG_LINES).expect("some lines");
        let trimmed = self.job.clear_logs(Some(keep)).await;
        if let Some(error) = written.into_iter().find_map(Result::err).or(trimmed.err()) {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(
                queue = self.station.queue,
                job = self.job.id(),
                error,
                "could not write a job's log"
            );
        }
    }

    /// The log of all attempts.
    async fn whole_log(&self) -> Option<Vec<String>> {
        let queue = self.link.queue(self.station.queue).await.ok()?;
        Some(queue.get_job_logs(self.job.id(), 0, -1, true).await.ok()?.0)
    }
}

fn log_waiting(queue: &str, row: i64, error: &crate::Error) {
    let error = error as &dyn std::error::Error;
    tracing::warn!(queue, row, error, "a job waits for the database");
}

/// Some number that differs between texts (FNV-1a).
fn of_text(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&'static str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("panicked without a word")
}
