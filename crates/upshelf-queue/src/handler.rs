use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::job::Row;
use crate::{Error, Job, JobId, Options, Result, local, shared};

/// Any error: what a handler returns when an attempt failed and another may succeed.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How an attempt ended, unless it failed; an error instead means "try again", until the attempts are used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The work is done.
    Done,
    /// No attempt can succeed, for this reason; the job has failed now.
    Fail(String),
    /// Not yet: run it again after this time. The attempt does not count.
    Snooze(Duration),
}

/// Does the work of one kind of job.
///
/// A closure `|job, context| async move { … }` is a handler, too. A panic is a failed attempt.
pub trait Handler<J: Job>: Send + Sync + 'static {
    /// Makes one attempt.
    ///
    /// When [`Job::TIMEOUT`] has passed, or the queue is closed and its limit has passed, [`Context::cancellation`] is
    /// cancelled; one second later the attempt is dropped at its next await point.
    fn run(&self, job: J, context: Context) -> impl Future<Output = Result<Outcome, BoxError>> + Send;
}

impl<J, F, Attempt> Handler<J> for F
where
    J: Job,
    F: Fn(J, Context) -> Attempt + Send + Sync + 'static,
    Attempt: Future<Output = Result<Outcome, BoxError>> + Send,
{
    fn run(&self, job: J, context: Context) -> impl Future<Output = Result<Outcome, BoxError>> + Send {
        self(job, context)
    }
}

/// What a handler knows about its attempt, and whom it can tell.
#[derive(Clone, Debug)]
pub struct Context {
    /// The job's id.
    pub id: JobId,
    /// Which attempt this is; the first is 1.
    pub attempt: u16,
    /// How many attempts the job has.
    pub attempts: u16,
    /// Cancelled when the attempt should come to an end: its time is up, or the process is closing.
    pub cancellation: CancellationToken,
    pub(crate) told: Arc<Mutex<Told>>,
    pub(crate) teller: Teller,
}

/// Where progress is written while the attempt runs.
#[derive(Clone, Debug)]
pub(crate) enum Teller {
    /// Nowhere before its end.
    Nobody,
    /// Into the job's row.
    River(i64, riverqueue::Client),
    /// Into the job in Redis.
    Redis(Arc<bullmq::Job>),
}

impl Teller {
    async fn progress(&self, percent: u8) -> Result<(), BoxError> {
        match self {
            Self::Nobody => Ok(()),
            Self::River(id, client) => {
                let update = riverqueue::JobUpdateParams::default()
                    .metadata(Map::from_iter([("progress".to_owned(), Value::from(percent))]));
                Ok(client.jobs().update(*id, update).await.map(drop)?)
            }
            Self::Redis(job) => {
                let mut job = bullmq::Job::clone(job);
                Ok(job.update_progress(bullmq::JobProgress::Number(percent.into())).await?)
            }
        }
    }
}

/// What a handler has told so far; it is stored when the attempt ends.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) progress: Option<u8>,
    pub(crate) log: Vec<String>,
}

/// A job keeps its newest lines.
pub(crate) const LOG_LINES: usize = 100;

impl Context {
    /// Says whether a failure now is final.
    pub fn is_last(&self) -> bool {
        self.attempt >= self.attempts
    }

    /// Notes how far the work is, in percent; everybody can read it at once.
    ///
    /// Progress is not worth a failed job: when it cannot be written, that is logged and the work goes on.
    pub async fn progress(&self, percent: u8) {
        let percent = percent.min(100);
        if self.tell(|told| told.progress.replace(percent)) == Some(percent) {
            return;
        }
        if let Err(error) = self.teller.progress(percent).await {
            tracing::debug!(job = %self.id, error = &*error as &dyn std::error::Error, "could not note progress");
        }
    }

    /// Adds a line to the job's log, which keeps the newest 100.
    pub fn log(&self, line: impl Into<String>) {
        self.tell(|told| {
            if told.log.len() == LOG_LINES {
                told.log.remove(0);
            }
            told.log.push(line.into());
        });
    }

    pub(crate) fn tell<T>(&self, note: impl FnOnce(&mut Told) -> T) -> T {
        note(&mut self.told.lock().expect("nothing panics while it holds this lock"))
    }
}

/// The jobs a process can do, and those it starts by the clock.
#[derive(Default)]
pub struct Handlers {
    pub(crate) queues: BTreeSet<&'static str>,
    pub(crate) register: Vec<Register>,
    pub(crate) periodic: Vec<Periodic>,
}

pub(crate) type Register = Box<dyn FnOnce(Registry<'_, '_>) -> Result<()> + Send>;

/// Where a handler is registered: with who will run it.
pub(crate) enum Registry<'r, 's> {
    Local(&'r mut local::Registrar<'s>),
    Shared(&'r mut shared::Registrar),
}

/// A job that is due once in every period, whoever is awake to start it.
pub(crate) struct Periodic {
    pub(crate) row: Result<Row>,
    pub(crate) every: Duration,
    pub(crate) at_start: bool,
}

impl Periodic {
    pub(crate) fn checked(self) -> Result<(Row, Duration, bool)> {
        if self.every < Duration::from_secs(1) {
            return Err(Error::Settings("a period is at least one second".to_owned()));
        }
        Ok((self.row?, self.every, self.at_start))
    }
}

impl Handlers {
    /// Takes a handler for jobs of kind `J`; this process then works [`Job::QUEUE`].
    pub fn on<J: Job>(mut self, handler: impl Handler<J>) -> Self {
        self.queues.insert(J::QUEUE);
        self.register.push(Box::new(move |registry| match registry {
            Registry::Local(registrar) => registrar.add::<J, _>(handler),
            Registry::Shared(registrar) => registrar.add::<J, _>(handler),
        }));
        self
    }

    /// Inserts `job` once in each period of `every` (from one second up), counted from 1970 by the database's clock.
    ///
    /// Every process tries, and the period itself is the unique key, so it runs once in the whole fleet, however many
    /// processes start, stop or die meanwhile. With `at_start`, a period that began while nobody was awake is caught
    /// up with; without, the first run is at the next turn of the period.
    pub fn periodic<J: Job>(mut self, job: &J, every: Duration, at_start: bool) -> Self {
        self.periodic.push(Periodic { row: Row::new(job, Options::default()), every, at_start });
        self
    }
}
