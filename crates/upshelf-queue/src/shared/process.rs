//! One attempt at a job, from when it is handed out.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use upshelf_redis::client::cmd;

use super::registrar::{Kind, Payload};
use super::station::Station;
use super::{Link, jobs};
use crate::attempt::{Ended, timed_out};
use crate::handler::{Teller, Told};
use crate::ledger::Whereabouts;
use crate::{Context, Outcome, State};

mod ending;

/// How long a job waits that nothing can be said about now.
const LATER: Duration = Duration::from_secs(1);
/// How long a job waits for a process that knows its kind.
const UNKNOWN: Duration = Duration::from_secs(5);

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
            match self.shared.inner.looks.ask(self.shared.local().pools(), Whereabouts(row)).await {
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
            biased;
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
            AssertUnwindSafe(kind.attempt(payload, &context, &self.station.stop)).catch_unwind().await;
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

    /// The payload. What BullMQ's client cannot read it gives as `null`; then it is what stands there.
    async fn payload(&self) -> Payload<'_> {
        let data = self.job.data();
        if !data.is_null() {
            return Payload::Read(data);
        }
        let mut get = cmd("HGET");
        get.arg(self.key()).arg("data");
        let mut connection = self.link.connection();
        let raw = get.query_async::<Option<Vec<u8>>>(&mut connection).await.ok().flatten();
        Payload::Raw(raw.unwrap_or_else(|| b"null".to_vec()))
    }

    fn key(&self) -> String {
        format!("{}:{}:{}", self.link.prefix(), self.station.queue, self.job.id())
    }
}

fn log_waiting(queue: &str, row: i64, error: &crate::Error) {
    let error = error as &dyn std::error::Error;
    tracing::warn!(queue, row, error, "a job waits for the database");
}

fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&'static str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("panicked without a word")
}
