//! How an attempt ends: noted in the row, or in Redis that there will be another.

use std::sync::LazyLock;
use std::time::Duration;

use bullmq::types::BackoffStrategy;
use serde_json::Value;
use tokio::time::Instant;
use upshelf_redis::client::{RedisResult, Script};

use super::Attempt;
use crate::handler::LOG_LINES;
use crate::ledger::End;
use crate::shared::trouble::Trouble;
use crate::{Backoff, Context};

/// How soon the database is asked again to note the end of a job.
const AGAIN: Duration = Duration::from_millis(250);

static NOTE_FAILURE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("../../../lua/note_failure-1.lua")));
static WRITE_LOG: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("../../../lua/write_log-2.lua")));

impl Attempt<'_> {
    /// Notes in the database that the job has ended; `false` when the process closes before that succeeds.
    pub(super) async fn settle(&self, context: &Context, error: Option<&str>) -> bool {
        let Some(row) = self.row else { return true };
        let (progress, mut log) = context.tell(|told| (told.progress, told.log.clone()));
        if self.made() > 0 {
            log = self.whole_log().await.unwrap_or(log);
        }
        let end = End {
            row,
            error: error.map(ToOwned::to_owned),
            attempt: context.attempt,
            begun_at: self.job.processed_on(),
            progress,
            log,
        };
        let shared = &self.station.shared;
        let mut trouble = Trouble::default();
        loop {
            match shared.inner.ends.ask(shared.local().pools(), end.clone()).await {
                Ok(()) => return true,
                Err(error) => {
                    let (queue, error) = (self.station.queue, &*error as &(dyn std::error::Error + 'static));
                    if trouble.is_news(error, Instant::now()) {
                        tracing::warn!(queue, row, error, "could not note the end of a job yet");
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(AGAIN) => {}
                () = self.station.stop.cancelled() => return false,
            }
        }
    }

    /// Fails the job for good.
    pub(super) async fn fail(&self, context: &Context, reason: String) -> Result<Value, bullmq::Error> {
        match self.settle(context, Some(&reason)).await {
            true => Err(bullmq::Error::Unrecoverable(reason)),
            false => self.hand_back().await,
        }
    }

    /// Counts the attempt as failed, and has the job wait for the next, if it has one.
    ///
    /// BullMQ's worker would do so itself, but with a wait that does not differ between jobs, and without the reason.
    pub(super) async fn try_again(&self, context: &Context, reason: String) -> Result<Value, bullmq::Error> {
        if context.is_last() {
            return self.fail(context, reason).await;
        }
        if let Err(error) = self.note_failure(&reason).await {
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

    async fn note_failure(&self, reason: &str) -> RedisResult<()> {
        let mut note = NOTE_FAILURE.prepare_invoke();
        note.key(self.key()).arg(reason).arg(Value::from(vec![reason]).to_string());
        note.invoke_async(&mut self.link.connection()).await
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
    pub(super) async fn again_in(&self, time: Duration) -> Result<Value, bullmq::Error> {
        let passed = u64::try_from(self.begun.elapsed().saturating_add(time).as_millis()).unwrap_or(u64::MAX);
        let at = self.job.processed_on().unwrap_or_default().saturating_add(passed);
        if let Err(error) = self.job.move_to_delayed(at).await {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(queue = self.station.queue, job = self.job.id(), error, "could not delay a job");
        }
        Err(bullmq::Error::Delayed)
    }

    /// Gives the job to another process, now; no attempt is counted.
    pub(super) async fn hand_back(&self) -> Result<Value, bullmq::Error> {
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

    pub(super) async fn write_log(&self, context: &Context) {
        let lines = context.tell(|told| told.log.clone());
        if lines.is_empty() {
            return;
        }
        let mut write = WRITE_LOG.prepare_invoke();
        write.key(self.key()).key(format!("{}:logs", self.key())).arg(LOG_LINES).arg(lines);
        if let Err(error) = write.invoke_async::<()>(&mut self.link.connection()).await {
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

/// Some number that differs between texts (FNV-1a).
fn of_text(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
