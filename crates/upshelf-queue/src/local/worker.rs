use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use riverqueue::{
    JobArgs, JobCancelError, JobRow, RetryPolicy, WorkCancelled, WorkContext, WorkError, WorkOutcome, Worker,
    WorkerTimeout, Workers,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

use crate::attempt::{Ended, attempt, misfit, timed_out};
use crate::handler::Teller;
use crate::pace::Pace;
use crate::{BoxError, Context, Error, Handler, Job, JobId, Outcome, Rate, Result, Settings};

/// What River's own time-out adds to ours, so that ours comes first and names the reason.
const BACKSTOP: Duration = Duration::from_secs(5);

/// Collects the workers of one process.
pub(crate) struct Registrar<'r> {
    pub(super) workers: Workers,
    pub(super) settings: &'r Settings,
    pub(super) paces: HashMap<&'static str, Arc<Pace>>,
    pub(super) closing: CancellationToken,
}

impl Registrar<'_> {
    pub(crate) fn add<J: Job, H: Handler<J>>(&mut self, handler: H) -> Result<()> {
        let settings = self.settings.of(J::QUEUE);
        let pace = self.paces.entry(J::QUEUE).or_insert_with(|| Arc::new(Pace::new(settings.rate)));
        let attempt = Attempts {
            handler,
            pace: Arc::clone(pace),
            // A job that River has handed out may have to wait for its permit behind all the others.
            backstop: BACKSTOP
                + settings.rate.map_or(Duration::ZERO, |rate| longest_wait(rate, settings.concurrency)),
            closing: self.closing.clone(),
            job: PhantomData,
        };
        self.workers.add(attempt).map_err(|error| Error::Settings(error.to_string()))?;
        Ok(())
    }
}

/// A payload that is not read yet, so that one which does not fit is our failure to name, and not River's to retry.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Payload<J> {
    json: Box<RawValue>,
    #[serde(skip)]
    job: PhantomData<fn() -> J>,
}

impl<J: Job> JobArgs for Payload<J> {
    const KIND: &'static str = J::NAME;
}

/// Runs attempts of one kind of job.
struct Attempts<J, H> {
    handler: H,
    pace: Arc<Pace>,
    backstop: Duration,
    closing: CancellationToken,
    job: PhantomData<fn() -> J>,
}

impl<J: Job, H: Handler<J>> Worker<Payload<J>> for Attempts<J, H> {
    type Error = BoxError;

    fn timeout(&self, _job: &riverqueue::Job<Payload<J>>) -> WorkerTimeout {
        WorkerTimeout::After(J::TIMEOUT + self.backstop)
    }

    async fn work(
        &self,
        work: WorkContext,
        job: riverqueue::Job<Payload<J>>,
    ) -> Result<WorkOutcome, BoxError> {
        let payload = match serde_json::from_str::<J>(job.args.json.get()) {
            Ok(payload) => payload,
            Err(error) => return fail(&misfit::<J>(&error)),
        };
        if !self.pace.permit(&self.closing).await {
            // It has not begun: handed back at once, and the attempt does not count.
            return Ok(WorkOutcome::Snooze(Duration::ZERO));
        }
        let context = context(&work, &job.row);
        let ended = attempt(&self.handler, payload, &context, work.cancellation_token()).await;
        context.tell(|told| {
            let _ = work.metadata_set("log", &told.log);
            told.progress.map(|percent| work.metadata_set("progress", percent))
        });
        match ended {
            Ended::Itself(Ok(Outcome::Done)) => Ok(WorkOutcome::Complete),
            Ended::Itself(Ok(Outcome::Snooze(time))) => Ok(WorkOutcome::Snooze(time)),
            Ended::Itself(Ok(Outcome::Fail(reason))) => fail(&reason),
            Ended::Itself(Err(error)) => Err(error),
            Ended::TimedOut => Err(timed_out(J::TIMEOUT).into()),
            Ended::HandedBack => Err(WorkCancelled.into()),
        }
    }
}

/// How long the last of `concurrency` jobs waits for its permit when the whole rate has just been used.
fn longest_wait(rate: Rate, concurrency: u16) -> Duration {
    rate.per.saturating_mul(u32::from(concurrency).div_ceil(rate.jobs))
}

fn fail(reason: &str) -> Result<WorkOutcome, BoxError> {
    Err(JobCancelError::new(reason).into())
}

fn context(work: &WorkContext, row: &JobRow) -> Context {
    let told = crate::handler::Told {
        progress: None,
        log: row.metadata.get("log").ok().flatten().unwrap_or_default(),
    };
    Context {
        id: JobId::Row(row.id),
        attempt: u16::try_from(row.attempt).unwrap_or(u16::MAX),
        attempts: u16::try_from(row.max_attempts).unwrap_or(u16::MAX),
        // Not a child of River's: a handler that cancels its own token must not look like an operator's order.
        cancellation: CancellationToken::new(),
        told: Arc::new(told.into()),
        teller: work.client().map_or(Teller::Nobody, |client| Teller::River(row.id, client.clone())),
    }
}

/// Waits between attempts as the queue's settings say.
pub(super) struct Backoffs(pub(super) Arc<Settings>);

impl RetryPolicy for Backoffs {
    fn next_retry(&self, job: &JobRow, _error: &WorkError, _now: Timestamp) -> Duration {
        let attempt = u16::try_from(job.attempt).unwrap_or(u16::MAX);
        self.0.of(&job.queue).backoff.after(attempt, job.id.unsigned_abs())
    }
}
