//! A queue on a fresh database, the jobs of the tests, and what their handlers saw.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{PgPool, Postgres as Pg, Sqlite, Transaction};
use tempfile::TempDir;
use upshelf_queue::{
    Backoff, Broker, Connection, Context, Entry, Handlers, Job, JobId, Options, Outcome, Pools, Queue,
    QueueSettings, Running, Settings, State,
};
use upshelf_testkit::{Database, Postgres, temp_dir, wait_until};

pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// A queue, its database, and the record of what ran.
pub(crate) struct Shelf {
    pub(crate) queue: Queue,
    pub(crate) pools: Pools,
    pub(crate) seen: Seen,
    place: Place,
}

enum Place {
    Folder { guard: TempDir },
    Server { guard: Database },
}

/// A transaction on either engine.
pub(crate) enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Pg>),
}

impl Tx {
    pub(crate) fn connection(&mut self) -> Connection<'_> {
        match self {
            Tx::Sqlite(tx) => Connection::Sqlite(tx),
            Tx::Postgres(tx) => Connection::Postgres(tx),
        }
    }

    pub(crate) async fn commit(self) {
        match self {
            Tx::Sqlite(tx) => tx.commit().await.expect("SQLite commits"),
            Tx::Postgres(tx) => tx.commit().await.expect("PostgreSQL commits"),
        }
    }
}

/// Fast settings: no rate, short waits, so that a test lasts as long as what it tests.
pub(crate) fn quick() -> Settings {
    Settings {
        default: QueueSettings {
            rate: None,
            backoff: Backoff { first: Duration::from_millis(50), limit: Duration::from_secs(1) },
            ..QueueSettings::default()
        },
        poll: Duration::from_millis(30),
        ..Settings::default()
    }
}

impl Shelf {
    pub(crate) async fn sqlite() -> Self {
        let guard = temp_dir();
        Self::open(sqlite(&guard), Place::Folder { guard }).await
    }

    pub(crate) async fn postgres() -> Self {
        let guard = Postgres::shared().await.database().await;
        Self::open(postgres(&guard), Place::Server { guard }).await
    }

    async fn open(pools: Pools, place: Place) -> Self {
        let queue = Queue::local(pools.clone(), quick()).expect("the settings are in range");
        queue.migrate().await.expect("an empty database takes the tables");
        Self { queue, pools, seen: Seen::default(), place }
    }

    /// The same database, as another process sees it, with connections of its own.
    pub(crate) async fn elsewhere(&self) -> Queue {
        let pools = match &self.place {
            Place::Folder { guard } => sqlite(guard),
            Place::Server { guard } => postgres(guard),
        };
        Queue::local(pools, quick()).expect("the settings are in range")
    }

    /// Where the database is, for another program.
    pub(crate) fn address(&self) -> String {
        match &self.place {
            Place::Folder { guard } => format!("sqlite:{}", guard.path().join("queue.db").display()),
            Place::Server { guard } => guard.url.clone(),
        }
    }

    /// The same database with other settings.
    pub(crate) fn with(&self, change: impl FnOnce(&mut Settings)) -> Queue {
        let mut settings = quick();
        change(&mut settings);
        Queue::local(self.pools.clone(), settings).expect("the settings are in range")
    }

    pub(crate) async fn begin(&self) -> Tx {
        begin(&self.pools).await
    }

    pub(crate) async fn execute(&self, sqlite: &'static str, postgres: &'static str) {
        let done = match &self.pools {
            Pools::Sqlite { write, .. } => sqlx::raw_sql(sqlite).execute(write).await.map(|_| ()),
            Pools::Postgres(pool) => sqlx::raw_sql(postgres).execute(pool).await.map(|_| ()),
        };
        done.expect("valid SQL");
    }

    pub(crate) async fn push(&self, name: &str) -> JobId {
        self.push_with(name, Options::default()).await.expect("it has no key")
    }

    pub(crate) async fn push_with(&self, name: &str, options: Options) -> Option<JobId> {
        self.queue.push(&Note::new(name), options).await.expect("the database takes a job")
    }

    /// Works the queue `notes` with a handler that records each attempt and then does `what`.
    pub(crate) async fn work(&self) -> Running {
        self.work_as(&self.queue).await
    }

    pub(crate) async fn work_as(&self, queue: &Queue) -> Running {
        queue.work(self.handlers()).await.expect("the workers start")
    }

    pub(crate) fn handlers(&self) -> Handlers {
        Handlers::default().on(self.seen.clone())
    }

    pub(crate) async fn entry(&self, id: JobId) -> Entry {
        self.queue.find_job(id).await.expect("the database answers").expect("the job exists")
    }

    /// Waits until the job is in `state` and gives it.
    pub(crate) async fn until(&self, id: JobId, state: State) -> Entry {
        wait_until(&format!("job {id} to be {state:?}"), LIMIT, async || self.entry(id).await.state == state)
            .await;
        self.entry(id).await
    }
}

/// Begins as the store does: SQLite's writer is taken now, not at the first write.
pub(crate) async fn begin(pools: &Pools) -> Tx {
    match pools {
        Pools::Sqlite { write, .. } => {
            Tx::Sqlite(write.begin_with("BEGIN IMMEDIATE").await.expect("the writer is free"))
        }
        Pools::Postgres(pool) => Tx::Postgres(pool.begin().await.expect("the server answers")),
    }
}

fn sqlite(folder: &TempDir) -> Pools {
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("queue.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(Duration::from_secs(5));
    let write = SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options.clone());
    let read = SqlitePoolOptions::new().max_connections(4).connect_lazy_with(options.read_only(true));
    Pools::Sqlite { write, read }
}

fn postgres(database: &Database) -> Pools {
    Pools::Postgres(PgPool::connect_lazy(&database.url).expect("the kit gives an address"))
}

/// The job of the tests; its name tells its handler what to do.
#[derive(serde::Serialize, serde::Deserialize, Clone, Debug)]
pub(crate) struct Note {
    pub(crate) name: String,
}

impl Note {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned() }
    }
}

impl Job for Note {
    const NAME: &'static str = "note";
    const QUEUE: &'static str = "notes";
    const TIMEOUT: Duration = Duration::from_secs(2);
}

/// Every attempt that ran, in order, with the moment it began.
#[derive(Clone, Default, Debug)]
pub(crate) struct Seen(pub(crate) Arc<Mutex<Vec<(String, u16, tokio::time::Instant)>>>);

impl Seen {
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.lock().expect("no handler panics here").iter().map(|(name, ..)| name.clone()).collect()
    }

    pub(crate) fn count(&self, name: &str) -> usize {
        self.names().iter().filter(|seen| *seen == name).count()
    }

    pub(crate) fn moments(&self) -> Vec<tokio::time::Instant> {
        self.0.lock().expect("no handler panics here").iter().map(|(.., at)| *at).collect()
    }

    pub(crate) async fn wait_for(&self, name: &str, count: usize) {
        wait_until(&format!("{count} runs of {name}"), LIMIT, async || self.count(name) >= count).await;
    }
}

impl upshelf_queue::Handler<Note> for Seen {
    async fn run(&self, note: Note, context: Context) -> Result<Outcome, upshelf_queue::BoxError> {
        let moment = tokio::time::Instant::now();
        self.0.lock().expect("no handler panics here").push((note.name.clone(), context.attempt, moment));
        match note.name.as_str() {
            "panics" => panic!("the shelf fell"),
            "errs" => Err("the shelf is full".into()),
            "errs twice" if context.attempt <= 2 => Err("not yet".into()),
            "fails" => Ok(Outcome::Fail("no such shelf".to_owned())),
            "snoozes" if self.count("snoozes") <= 5 => Ok(Outcome::Snooze(Duration::from_millis(20))),
            "talks" => {
                context.progress(40).await;
                context.log("first line");
                context.log("second line");
                Ok(Outcome::Done)
            }
            "hangs" => std::future::pending().await,
            "obeys" => {
                context.cancellation.cancelled().await;
                Err("told to stop".into())
            }
            "finishes late" => {
                context.cancellation.cancelled().await;
                Ok(Outcome::Done)
            }
            "takes a moment" => {
                // The work of a moment: real time, because River's clock is real.
                tokio::time::sleep(Duration::from_millis(200)).await;
                Ok(Outcome::Done)
            }
            _ => Ok(Outcome::Done),
        }
    }
}
