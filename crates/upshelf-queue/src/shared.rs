use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use upshelf_redis::Redis;

use crate::ledger::{End, Gather, NextDue, Whereabouts};
use crate::{
    Batch, Broker, Connection, Entry, Error, Job, JobId, Local, Options, Page, Result, State, Stats,
};

mod entry;
mod handover;
mod jobs;
mod link;
mod listen;
mod listing;
mod look;
mod operations;
mod process;
mod registrar;
mod running;
mod station;
mod stats;
mod trouble;

use link::Link;
pub(crate) use registrar::Registrar;
pub(crate) use running::Running;

/// How long an operation waits for a connection that is being made.
const CONNECTING: Duration = Duration::from_secs(2);
/// How long an operation in Redis may take.
const ANSWER: Duration = Duration::from_secs(5);

/// Jobs worked by BullMQ in Redis, where each committed job has its row as a ledger. Cheap to clone.
#[derive(Clone)]
pub struct Shared {
    inner: Arc<Inner>,
}

struct Inner {
    local: Local,
    link: watch::Receiver<Option<Link>>,
    worked: Mutex<HashMap<&'static str, Arc<Notify>>>,
    /// What those who hand over ask all the time.
    dues: Gather<NextDue>,
    /// What attempts ask before they begin.
    looks: Gather<Whereabouts>,
    /// What they note when they end.
    ends: Gather<End>,
}

impl Shared {
    pub(crate) fn open(local: Local, redis: &Redis) -> Self {
        let (sender, link) = watch::channel(None);
        redis.spawn(link::keep(redis.clone(), sender));
        Self {
            inner: Arc::new(Inner {
                local,
                link,
                worked: Mutex::default(),
                dues: Gather::default(),
                looks: Gather::default(),
                ends: Gather::default(),
            }),
        }
    }

    /// Says whether there is no connection for jobs at the moment.
    pub fn is_degraded(&self) -> bool {
        self.inner.link.borrow().is_none()
    }

    fn local(&self) -> &Local {
        &self.inner.local
    }

    /// The connection, or the next one if it comes soon.
    async fn link(&self, doing: &'static str) -> Result<Link> {
        let mut link = self.inner.link.clone();
        match tokio::time::timeout(CONNECTING, link.wait_for(Option::is_some)).await {
            Ok(Ok(link)) => link.clone().ok_or(Error::Redis { doing, source: None }),
            _ => Err(Error::Redis { doing, source: None }),
        }
    }

    /// The queues that this process works, and who is woken when there may be something to hand over.
    fn worked(&self) -> MutexGuard<'_, HashMap<&'static str, Arc<Notify>>> {
        // Every change of the map is one call, so it is whole even after a panic.
        self.inner.worked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_all(&self) {
        for woken in self.worked().values() {
            woken.notify_one();
        }
    }
}

/// Names an operation in Redis that failed, and bounds the time it may take.
async fn ask<T>(doing: &'static str, asked: impl Future<Output = Result<T, bullmq::Error>>) -> Result<T> {
    match tokio::time::timeout(ANSWER, asked).await {
        Ok(answer) => answer.map_err(|error| Error::Redis { doing, source: Some(error.into()) }),
        Err(late) => Err(Error::Redis { doing, source: Some(late.into()) }),
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("is_degraded", &self.is_degraded()).finish_non_exhaustive()
    }
}

impl Broker for Shared {
    async fn enqueue<J: Job>(
        &self,
        connection: Connection<'_>,
        job: &J,
        options: Options,
    ) -> Result<Option<JobId>> {
        self.local().enqueue(connection, job, options).await
    }

    async fn enqueue_all(&self, connection: Connection<'_>, batch: &Batch) -> Result<u64> {
        self.local().enqueue_all(connection, batch).await
    }

    /// A job that is due now and has no key goes straight to Redis when that is there; every other one becomes a row.
    async fn push<J: Job>(&self, job: &J, options: Options) -> Result<Option<JobId>> {
        let mut batch = Batch::default();
        batch.add(job, options)?;
        let link = self.inner.link.borrow().clone();
        if let (Some(link), [row]) = (link, &*batch.rows)
            && row.unique.is_none()
            && row.run_at.is_none()
        {
            match jobs::push(&link, row, self.local().settings()).await {
                Ok(id) => return Ok(Some(id)),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::debug!(error, job = J::NAME, "a job becomes a row, as Redis did not take it");
                }
            }
        }
        let id = self.local().push_rows(&batch.rows).await?.pop();
        self.wake(J::QUEUE);
        Ok(id)
    }

    fn wake(&self, queue: &str) {
        if let Some(woken) = self.worked().get(queue) {
            woken.notify_one();
        }
    }

    async fn stats(&self, queue: &str) -> Result<Stats> {
        self.count(queue).await
    }

    async fn jobs(&self, queue: &str, state: State, cursor: Option<&str>, limit: u32) -> Result<Page> {
        self.list(queue, state, cursor, limit).await
    }

    async fn find_job(&self, id: JobId) -> Result<Option<Entry>> {
        self.find(id).await
    }

    async fn pause(&self, queue: &str) -> Result<()> {
        self.set_paused(queue, true).await
    }

    async fn resume(&self, queue: &str) -> Result<()> {
        self.set_paused(queue, false).await
    }

    async fn retry_failed(&self, queue: &str) -> Result<u64> {
        self.retry_all_failed(queue).await
    }

    async fn promote(&self, id: JobId) -> Result<bool> {
        self.promote_job(id).await
    }

    async fn remove(&self, id: JobId) -> Result<bool> {
        self.remove_job(id).await
    }

    async fn clean(&self, queue: &str, state: State, age: Duration) -> Result<u64> {
        self.clean_finished(queue, state, age).await
    }

    async fn drain(&self, queue: &str) -> Result<u64> {
        self.drain_queue(queue).await
    }
}

/// Names the failure of a command that was sent by our own hand.
trait Asked<T> {
    fn asked(self) -> Result<T, bullmq::Error>;
}

impl<T> Asked<T> for upshelf_redis::client::RedisResult<T> {
    fn asked(self) -> Result<T, bullmq::Error> {
        self.map_err(bullmq::Error::Redis)
    }
}

/// Logs an error of the database as one of a task that goes on.
fn log_and_go_on<T>(result: Result<T>, what: &'static str, queue: &str) -> Option<T> {
    result
        .inspect_err(|error| {
            let error = error as &dyn std::error::Error;
            tracing::warn!(queue, error, what, "the queue could not do all of its work");
        })
        .ok()
}
