#![doc = include_str!("../README.md")]

mod attempt;
mod error;
mod handler;
mod id;
mod job;
mod ledger;
mod local;
mod pace;
mod report;
mod running;
mod settings;
mod shared;

pub use error::{Error, Result};
pub use handler::{BoxError, Context, Handler, Handlers, Outcome};
pub use id::{InvalidJobId, JobId};
pub use job::{Batch, Job, Options, Priority};
pub use local::{Connection, Local, Pools};
pub use report::{Entry, Page, RowStats, State, Stats};
pub use running::Running;
pub use settings::{Backoff, Keep, QueueSettings, Rate, Settings};
pub use shared::Shared;

use upshelf_redis::Redis;

/// What a queue promises, whichever part keeps it.
///
/// Counts, pauses and lists are of the whole fleet. Nothing here runs a job; [`Queue::work`] does.
pub trait Broker: Send + Sync {
    /// Inserts a job in the caller's transaction: it exists when, and only when, that is committed.
    ///
    /// `None` when a job of the same kind and [key](Options::key) already waits or runs. After the commit, call
    /// [`wake`](Self::wake).
    fn enqueue<J: Job>(
        &self,
        connection: Connection<'_>,
        job: &J,
        options: Options,
    ) -> impl Future<Output = Result<Option<JobId>>> + Send;

    /// Inserts many jobs in the caller's transaction with one statement; says how many were new.
    fn enqueue_all(
        &self,
        connection: Connection<'_>,
        batch: &Batch,
    ) -> impl Future<Output = Result<u64>> + Send;

    /// Inserts a job that has no cause in the database, in a transaction of its own, or straight into Redis.
    ///
    /// Never while holding a transaction on SQLite: its one writer would wait for itself.
    fn push<J: Job>(&self, job: &J, options: Options) -> impl Future<Output = Result<Option<JobId>>> + Send;

    /// Tells the workers of this process that a transaction with jobs for `queue` was committed.
    ///
    /// Only speed depends on it: without, the jobs are found at the next poll.
    fn wake(&self, queue: &str);

    /// Counts the jobs of a queue.
    fn stats(&self, queue: &str) -> impl Future<Output = Result<Stats>> + Send;

    /// Lists the jobs of a queue that are in `state`, newest first, at most `limit` (1 to 1,000) from `cursor` on.
    fn jobs(
        &self,
        queue: &str,
        state: State,
        cursor: Option<&str>,
        limit: u32,
    ) -> impl Future<Output = Result<Page>> + Send;

    /// Finds one job.
    fn find_job(&self, id: JobId) -> impl Future<Output = Result<Option<Entry>>> + Send;

    /// Stops handing out jobs of a queue, everywhere; what runs is finished.
    fn pause(&self, queue: &str) -> impl Future<Output = Result<()>> + Send;

    /// Hands out jobs of a queue again.
    fn resume(&self, queue: &str) -> impl Future<Output = Result<()>> + Send;

    /// Makes the failed jobs of a queue wait again, each with the queue's number of attempts; says how many.
    ///
    /// A failed job whose unique key is taken by another meanwhile stays failed.
    fn retry_failed(&self, queue: &str) -> impl Future<Output = Result<u64>> + Send;

    /// Makes a delayed job due now; `false` when it is not delayed.
    fn promote(&self, id: JobId) -> impl Future<Output = Result<bool>> + Send;

    /// Removes a job that is not running; `false` when there is none.
    fn remove(&self, id: JobId) -> impl Future<Output = Result<bool>> + Send;

    /// Removes the completed or failed jobs of a queue that finished longer ago than `age`; says how many.
    fn clean(
        &self,
        queue: &str,
        state: State,
        age: std::time::Duration,
    ) -> impl Future<Output = Result<u64>> + Send;

    /// Removes all jobs of a queue that have not begun, delayed ones included; says how many.
    fn drain(&self, queue: &str) -> impl Future<Output = Result<u64>> + Send;
}

/// Background jobs, each committed with its cause. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Queue {
    local: Local,
    shared: Option<Shared>,
}

impl Queue {
    /// Opens the queue in the caller's own database; call [`migrate`](Self::migrate) before anything else.
    ///
    /// # Errors
    /// [`Error::Settings`] when a setting is out of range.
    pub fn local(pools: Pools, settings: Settings) -> Result<Self> {
        Ok(Self { local: Local::open(pools, settings)?, shared: None })
    }

    /// Opens the queue in the caller's own database and in Redis, which works the jobs for the whole fleet. Every process
    /// of the fleet opens it so.
    ///
    /// Returns at once, whether Redis is there or not; connecting goes on behind it.
    ///
    /// # Errors
    /// [`Error::Settings`] when a setting is out of range.
    pub fn shared(pools: Pools, settings: Settings, redis: &Redis) -> Result<Self> {
        let local = Local::open(pools, settings)?;
        let shared = Some(Shared::open(local.clone(), redis));
        Ok(Self { local, shared })
    }

    /// Says whether it is to use Redis, and cannot at the moment: committed jobs wait.
    pub fn is_degraded(&self) -> bool {
        self.shared.as_ref().is_some_and(Shared::is_degraded)
    }

    /// Counts what the database alone knows of a queue, for while Redis is away. Where there is no Redis, `handed_over` is zero.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn row_stats(&self, queue: &str) -> Result<RowStats> {
        self.local.row_stats(queue).await
    }

    /// Gives the pools it was opened with.
    pub fn pools(&self) -> &Pools {
        self.local.pools()
    }

    /// Makes or updates the queue's tables (`river_…`); safe to call at every start, of several processes at once.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn migrate(&self) -> Result<()> {
        self.local.migrate().await
    }

    /// Begins to work the queues of `handlers`; returns when everything listens. A process works a queue once.
    ///
    /// A process that only inserts never calls it.
    ///
    /// # Errors
    /// [`Error::Settings`] for handlers that contradict each other, [`Error::Database`].
    pub async fn work(&self, handlers: Handlers) -> Result<Running> {
        Ok(Running(match &self.shared {
            Some(shared) => running::Part::Shared(shared.work(handlers).await?),
            None => running::Part::Local(self.local.work(handlers).await?),
        }))
    }
}

/// Calls the part that is in charge.
macro_rules! ask {
    ($queue:expr, $part:ident => $call:expr) => {
        match &$queue.shared {
            Some($part) => $call,
            None => {
                let $part = &$queue.local;
                $call
            }
        }
    };
}

impl Broker for Queue {
    async fn enqueue<J: Job>(
        &self,
        connection: Connection<'_>,
        job: &J,
        options: Options,
    ) -> Result<Option<JobId>> {
        self.local.enqueue(connection, job, options).await
    }

    async fn enqueue_all(&self, connection: Connection<'_>, batch: &Batch) -> Result<u64> {
        self.local.enqueue_all(connection, batch).await
    }

    async fn push<J: Job>(&self, job: &J, options: Options) -> Result<Option<JobId>> {
        ask!(self, part => part.push(job, options).await)
    }

    fn wake(&self, queue: &str) {
        ask!(self, part => part.wake(queue));
    }

    async fn stats(&self, queue: &str) -> Result<Stats> {
        ask!(self, part => part.stats(queue).await)
    }

    async fn jobs(&self, queue: &str, state: State, cursor: Option<&str>, limit: u32) -> Result<Page> {
        ask!(self, part => part.jobs(queue, state, cursor, limit).await)
    }

    async fn find_job(&self, id: JobId) -> Result<Option<Entry>> {
        ask!(self, part => part.find_job(id).await)
    }

    async fn pause(&self, queue: &str) -> Result<()> {
        ask!(self, part => part.pause(queue).await)
    }

    async fn resume(&self, queue: &str) -> Result<()> {
        ask!(self, part => part.resume(queue).await)
    }

    async fn retry_failed(&self, queue: &str) -> Result<u64> {
        ask!(self, part => part.retry_failed(queue).await)
    }

    async fn promote(&self, id: JobId) -> Result<bool> {
        ask!(self, part => part.promote(id).await)
    }

    async fn remove(&self, id: JobId) -> Result<bool> {
        ask!(self, part => part.remove(id).await)
    }

    async fn clean(&self, queue: &str, state: State, age: std::time::Duration) -> Result<u64> {
        ask!(self, part => part.clean(queue, state, age).await)
    }

    async fn drain(&self, queue: &str) -> Result<u64> {
        ask!(self, part => part.drain(queue).await)
    }
}
