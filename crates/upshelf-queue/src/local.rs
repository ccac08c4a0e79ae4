use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use riverqueue::Client;
use sqlx::{PgConnection, PgPool, SqliteConnection, SqlitePool};

use crate::error::During;
use crate::{Batch, Broker, Entry, Job, JobId, Options, Page, Result, Settings, State, Stats};

mod insert;
pub(crate) mod list;
mod migrate;
pub(crate) mod operations;
mod periodic;
mod running;
pub(crate) mod stats;
pub(crate) mod tidy;
mod worker;

pub(crate) use running::Running;
pub(crate) use worker::Registrar;

/// The pools of the caller's database.
#[derive(Clone, Debug)]
pub enum Pools {
    /// SQLite has one writer; readers never wait for it (WAL).
    Sqlite {
        /// The one connection that writes.
        write: SqlitePool,
        /// The connections that read.
        read: SqlitePool,
    },
    /// PostgreSQL reads and writes on the same connections.
    Postgres(PgPool),
}

/// The caller's connection, in the middle of a transaction.
#[derive(Debug)]
pub enum Connection<'c> {
    /// To SQLite.
    Sqlite(&'c mut SqliteConnection),
    /// To PostgreSQL.
    Postgres(&'c mut PgConnection),
}

impl<'c> From<&'c mut SqliteConnection> for Connection<'c> {
    fn from(connection: &'c mut SqliteConnection) -> Self {
        Self::Sqlite(connection)
    }
}

impl<'c> From<&'c mut PgConnection> for Connection<'c> {
    fn from(connection: &'c mut PgConnection) -> Self {
        Self::Postgres(connection)
    }
}

/// Jobs in the caller's own database, worked by River. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Local {
    pools: Pools,
    settings: Arc<Settings>,
    working: Arc<Working>,
}

/// The River client that works each queue in this process.
#[derive(Debug, Default)]
struct Working {
    clients: Mutex<HashMap<&'static str, Client>>,
    woken: AtomicU32,
}

impl Local {
    pub(crate) fn open(pools: Pools, settings: Settings) -> Result<Self> {
        settings.check()?;
        Ok(Self { pools, settings: Arc::new(settings), working: Arc::default() })
    }

    /// A client for one operation on jobs, which inserts nothing and works nothing. Not kept: each holds 6 MiB for events
    /// that nobody reads, and operations are rare.
    pub(crate) fn river(&self) -> Result<Client> {
        let builder = match &self.pools {
            Pools::Sqlite { write, .. } => Client::builder(write.clone()),
            Pools::Postgres(pool) => Client::builder(pool.clone()),
        };
        builder.build().during("set up River")
    }

    /// The same on connections that only read.
    pub(crate) fn reader(&self) -> Result<Client> {
        let builder = match &self.pools {
            Pools::Sqlite { read, .. } => Client::builder(read.clone()),
            Pools::Postgres(pool) => Client::builder(pool.clone()),
        };
        builder.build().during("set up River")
    }

    pub(crate) fn pools(&self) -> &Pools {
        &self.pools
    }

    pub(crate) fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }
}

impl Working {
    fn clients(&self) -> MutexGuard<'_, HashMap<&'static str, Client>> {
        // Every change of the map is one call, so it is whole even after a panic.
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the producer of `queue` look for jobs now.
    ///
    /// River has no call for that, but it looks whenever a queue's settings change, and a nanosecond more or less of
    /// poll interval is a change. A counter, and not a toggle, because two changes may be seen as one.
    fn wake(&self, queue: &str, poll: Duration) {
        let Some(client) = self.clients().get(queue).cloned() else { return };
        let Some(config) = client.local_queues().configs().remove(queue) else { return };
        let nanos = 1 + self.woken.fetch_add(1, Ordering::Relaxed) % 1_000_000;
        let config = config.with_fetch_poll_interval(poll + Duration::from_nanos(nanos.into()));
        // Fails only for a queue that was removed in between, and then there is nobody to wake.
        let _ = client.local_queues().update(queue, config);
    }
}

impl Broker for Local {
    async fn enqueue<J: Job>(
        &self,
        connection: Connection<'_>,
        job: &J,
        options: Options,
    ) -> Result<Option<JobId>> {
        let mut batch = Batch::default();
        batch.add(job, options)?;
        Ok(insert::insert(connection, &batch.rows, &self.settings).await?.pop())
    }

    async fn enqueue_all(&self, connection: Connection<'_>, batch: &Batch) -> Result<u64> {
        Ok(insert::insert(connection, &batch.rows, &self.settings).await?.len() as u64)
    }

    async fn push<J: Job>(&self, job: &J, options: Options) -> Result<Option<JobId>> {
        let mut batch = Batch::default();
        batch.add(job, options)?;
        Ok(self.push_rows(&batch.rows).await?.pop())
    }

    fn wake(&self, queue: &str) {
        // PostgreSQL tells every process itself, with NOTIFY at the commit.
        if let Pools::Sqlite { .. } = self.pools {
            self.working.wake(queue, self.settings.poll);
        }
    }

    async fn stats(&self, queue: &str) -> Result<Stats> {
        stats::stats(&self.pools, queue, stats::HandedOver::Counted).await
    }

    async fn jobs(&self, queue: &str, state: State, cursor: Option<&str>, limit: u32) -> Result<Page> {
        list::page(&self.reader()?, queue, state, cursor, limit).await
    }

    async fn find_job(&self, id: JobId) -> Result<Option<Entry>> {
        match id {
            JobId::Row(row) => list::find(&self.reader()?, row).await,
            JobId::Shared { .. } => Ok(None),
        }
    }

    async fn pause(&self, queue: &str) -> Result<()> {
        self.set_paused(queue, true).await
    }

    async fn resume(&self, queue: &str) -> Result<()> {
        self.set_paused(queue, false).await
    }

    async fn retry_failed(&self, queue: &str) -> Result<u64> {
        let attempts = self.settings.of(queue).attempts;
        let count = operations::retry_failed(&self.pools, queue, attempts).await?;
        self.announce(queue, count).await?;
        Ok(count)
    }

    async fn promote(&self, id: JobId) -> Result<bool> {
        let JobId::Row(row) = id else { return Ok(false) };
        let Some(queue) = operations::promote(&self.pools, row).await? else {
            return match list::find(&self.reader()?, row).await? {
                Some(entry) if entry.state == State::Active => Err(crate::Error::Active(id)),
                _ => Ok(false),
            };
        };
        self.announce(&queue, 1).await?;
        Ok(true)
    }

    async fn remove(&self, id: JobId) -> Result<bool> {
        let JobId::Row(row) = id else { return Ok(false) };
        match self.river()?.jobs().delete(row).await {
            Ok(_) => Ok(true),
            Err(riverqueue::Error::NotFound(_)) => Ok(false),
            Err(riverqueue::Error::JobRunning) => Err(crate::Error::Active(id)),
            Err(error) => Err(error).during("remove a job"),
        }
    }

    async fn clean(&self, queue: &str, state: State, age: Duration) -> Result<u64> {
        tidy::clean(&self.pools, queue, state, age).await
    }

    async fn drain(&self, queue: &str) -> Result<u64> {
        operations::drain(&self.pools, queue).await
    }
}
