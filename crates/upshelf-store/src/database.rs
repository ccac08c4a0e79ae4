//! The open database: two engines, one SQL text.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Executor as _, PgPool, Postgres, Sqlite, SqlitePool, Transaction};

use crate::error::During;
use crate::{Error, Result};

/// The library's database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) pools: Pools,
}

/// The pools behind a store, for what brings its own tables (River's jobs).
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

/// A transaction: every query of the store is one of its methods. Dropped without [`Tx::commit`], it leaves nothing.
#[derive(Debug)]
pub enum Tx {
    /// On SQLite.
    Sqlite(Transaction<'static, Sqlite>),
    /// On PostgreSQL.
    Postgres(Transaction<'static, Postgres>),
}

/// Runs one expression on whichever engine a transaction is on; `$db` is its connection.
macro_rules! on {
    ($tx:expr, $db:ident => $run:expr) => {
        match $tx {
            $crate::Tx::Sqlite(tx) => {
                let $db = &mut **tx;
                $run
            }
            $crate::Tx::Postgres(tx) => {
                let $db = &mut **tx;
                $run
            }
        }
    };
}
pub(crate) use on;

/// Pages in memory per connection, in KiB as SQLite counts them. A large import fits the writer's; a reader finds what it lacks in
/// the system's cache of the file.
const WRITER_CACHE: &str = "-8192";
const READER_CACHE: &str = "-2048";

pub(crate) static SQLITE: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: sqlx::migrate::Migrator = sqlx::migrate!("migrations/postgres");

/// PostgreSQL takes a random read for four times as dear as the next page, as on a turning disk, and reads whole tables where
/// an index is at hand. On anything else the two cost nearly the same.
const NO_DISK_HEADS: &str = "SET random_page_cost = 1.1";

impl Store {
    /// Opens the database at `url` (`sqlite:PATH` or `postgres://…`), makes it if it is a SQLite file that does not
    /// exist yet, and brings its tables up to date.
    ///
    /// # Errors
    /// [`Error::Address`] for an address of another kind, [`Error::Migration`] when the tables are newer than this
    /// program, [`Error::Database`] when the database cannot be reached.
    pub async fn open(url: &str) -> Result<Store> {
        let pools = if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let options = PgConnectOptions::from_str(url)
                .map_err(|error| Error::Address(error.to_string()))?
                // Batches of votes come in all sizes, and each size is a statement of its own.
                .statement_cache_capacity(1_024);
            let pool = PgPoolOptions::new()
                .max_connections(16)
                .acquire_timeout(Duration::from_secs(10))
                .after_connect(|connection, _| {
                    Box::pin(async move { connection.execute(NO_DISK_HEADS).await.map(|_| ()) })
                })
                .connect_with(options)
                .await
                .during("connect to PostgreSQL")?;
            POSTGRES.run(&pool).await?;
            Pools::Postgres(pool)
        } else if url.starts_with("sqlite:") {
            let options = sqlite_options(url)?;
            let write = SqlitePoolOptions::new()
                .max_connections(1)
                .idle_timeout(None)
                .max_lifetime(None)
                .acquire_timeout(Duration::from_secs(30))
                .connect_with(options.clone().create_if_missing(true))
                .await
                .during("open the SQLite file")?;
            SQLITE.run(&write).await?;
            let read = SqlitePoolOptions::new()
                .max_connections(4)
                .connect_with(options.read_only(true).pragma("cache_size", READER_CACHE))
                .await
                .during("open the SQLite file for reading")?;
            Pools::Sqlite { write, read }
        } else {
            return Err(Error::Address("it must begin with sqlite: or postgres://".to_owned()));
        };
        Ok(Store { pools })
    }

    /// Gives the address of a SQLite file.
    pub fn sqlite_url(file: &Path) -> String {
        format!("sqlite:{}", file.display())
    }

    /// Begins a transaction that only reads.
    pub async fn read(&self) -> Result<Tx> {
        // Apart, here and below: a connection may have to be made, and what that takes (4 KB) would be part of whatever may
        // come to ask the database, and be moved about with it.
        Ok(match &self.pools {
            Pools::Sqlite { read, .. } => Tx::Sqlite(Box::pin(read.begin()).await.during("begin reading")?),
            Pools::Postgres(pool) => Tx::Postgres(Box::pin(pool.begin()).await.during("begin reading")?),
        })
    }

    /// Begins a transaction that may write. SQLite takes its one writer now, not at the first write, so that two
    /// writers wait for each other and never fail.
    pub async fn write(&self) -> Result<Tx> {
        Ok(match &self.pools {
            Pools::Sqlite { write, .. } => {
                Tx::Sqlite(Box::pin(write.begin_with("BEGIN IMMEDIATE")).await.during("begin writing")?)
            }
            Pools::Postgres(pool) => Tx::Postgres(Box::pin(pool.begin()).await.during("begin writing")?),
        })
    }

    /// The pools, for what brings its own tables.
    pub fn pools(&self) -> &Pools {
        &self.pools
    }

    /// Asks the database for a sign of life.
    pub async fn ping(&self) -> Result<()> {
        let mut tx = self.read().await?;
        on!(&mut tx, db => sqlx::query("SELECT 1").execute(db).await.map(|_| ())).during("reach the database")
    }

    /// Closes every connection; what is under way finishes first.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { write, read } => {
                read.close().await;
                write.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }
}

fn sqlite_options(url: &str) -> Result<SqliteConnectOptions> {
    Ok(SqliteConnectOptions::from_str(url)
        .map_err(|error| Error::Address(error.to_string()))?
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10))
        .pragma("temp_store", "memory")
        .pragma("cache_size", WRITER_CACHE)
        .statement_cache_capacity(1_024))
}

impl Tx {
    /// Makes what was written in this transaction last.
    pub async fn commit(self) -> Result<()> {
        match self {
            Tx::Sqlite(tx) => tx.commit().await,
            Tx::Postgres(tx) => tx.commit().await,
        }
        .during("commit")
    }
}
