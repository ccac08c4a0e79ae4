//! A queue on a fresh database, the jobs of the tests, and what their handlers saw.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{PgPool, Postgres as Pg, Sqlite, Transaction};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upshelf_queue::{
    Backoff, Batch, Broker, Connection, Context, Entry, Handlers, Job, JobId, Options, Outcome, Pools, Queue,
    QueueSettings, Running, Settings, State,
};
use upshelf_redis::Redis;
use upshelf_testkit::{
    Database, Postgres, Proxy, RedisCluster, RedisServer, temp_dir, unique_prefix, wait_until,
};

pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// A queue, its database, and the record of what ran.
pub(crate) struct Shelf {
    pub(crate) queue: Queue,
    pub(crate) pools: Pools,
    pub(crate) seen: Seen,
    place: Place,
    pub(crate) beside: Option<Beside>,
}

/// The Redis beside the database, under a prefix of the test's own.
pub(crate) struct Beside {
    pub(crate) redis: Redis,
    pub(crate) prefix: String,
    pub(crate) url: String,
    pub(crate) server: Server,
    /// A way to it that can be cut.
    pub(crate) proxy: Option<Proxy>,
}

/// Where commands of the test itself go.
pub(crate) enum Server {
    One(&'static RedisServer),
    Own(Box<RedisServer>),
    Cluster(&'static RedisCluster),
    OwnCluster(Box<RedisCluster>),
}

impl Server {
    pub(crate) async fn command(&self, words: &[&str]) -> String {
        match self {
            Self::One(server) => server.command(words).await,
            Self::Own(server) => server.command(words).await,
            Self::Cluster(cluster) => cluster.command(words).await,
            Self::OwnCluster(cluster) => cluster.command(words).await,
        }
    }

    pub(crate) fn own(&self) -> &RedisServer {
        match self {
            Self::Own(server) => server,
            _ => panic!("a test ends its own server only"),
        }
    }
}

impl Beside {
    pub(crate) fn open(url: String, server: Server, proxy: Option<Proxy>) -> Self {
        let prefix = unique_prefix();
        Self { redis: redis(&url, &prefix), prefix, url, server, proxy }
    }

    pub(crate) async fn one() -> Self {
        let server = RedisServer::shared().await;
        Self::open(server.url(), Server::One(server), None)
    }

    pub(crate) async fn cluster() -> Self {
        let cluster = RedisCluster::shared().await;
        Self::open(cluster.url(), Server::Cluster(cluster), None)
    }

    /// One server behind a proxy.
    pub(crate) async fn cuttable() -> Self {
        let server = RedisServer::shared().await;
        let proxy = server.proxy().await;
        Self::open(proxy.url(), Server::One(server), Some(proxy))
    }

    /// A server of the test's own behind a proxy; it has never seen a script.
    pub(crate) async fn cuttable_own() -> Self {
        let server = RedisServer::start().await;
        let proxy = server.proxy().await;
        Self::open(proxy.url(), Server::Own(Box::new(server)), Some(proxy))
    }

    /// A server of the test's own.
    pub(crate) async fn own() -> Self {
        let server = RedisServer::start().await;
        Self::open(server.url(), Server::Own(Box::new(server)), None)
    }

    /// BullMQ's prefix here.
    pub(crate) fn bull(&self) -> String {
        let plain = format!("{}queue", self.prefix).replace(':', "-");
        match self.server {
            Server::Cluster(_) | Server::OwnCluster(_) => format!("{{{plain}}}"),
            _ => plain,
        }
    }

    /// One of the keys of a queue.
    pub(crate) fn key(&self, queue: &str, name: &str) -> String {
        format!("{}:{queue}:{name}", self.bull())
    }
}

/// A handle, as a process has one.
pub(crate) fn redis(url: &str, prefix: &str) -> Redis {
    let address = url.parse().expect("test servers have addresses");
    let settings =
        upshelf_redis::Settings { prefix: prefix.to_owned(), ..upshelf_redis::Settings::new(address) };
    Redis::open(settings, &TaskTracker::new(), CancellationToken::new())
}

enum Place {
    Folder {
        guard: TempDir,
    },
    Server {
        guard: Database,
    },
    /// A server that the test ends and starts.
    Own {
        url: String,
    },
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
        Self::open(sqlite(&guard), Place::Folder { guard }, None).await
    }

    pub(crate) async fn postgres() -> Self {
        let guard = Postgres::shared().await.database().await;
        Self::open(postgres(&guard.url), Place::Server { guard }, None).await
    }

    /// SQLite and Redis.
    pub(crate) async fn small() -> Self {
        let guard = temp_dir();
        Self::open(sqlite(&guard), Place::Folder { guard }, Some(Beside::one().await)).await.connected().await
    }

    /// PostgreSQL and Redis.
    pub(crate) async fn shared() -> Self {
        Self::with_redis(Beside::one().await).await.connected().await
    }

    /// PostgreSQL and a cluster.
    pub(crate) async fn cluster() -> Self {
        Self::with_redis(Beside::cluster().await).await.connected().await
    }

    /// PostgreSQL and a Redis that was never reached.
    pub(crate) async fn never() -> Self {
        let beside = Beside::cuttable().await;
        beside.proxy.as_ref().expect("it is behind a proxy").cut();
        Self::with_redis(beside).await
    }

    /// PostgreSQL and a Redis that was reached, and is away now.
    pub(crate) async fn gone() -> Self {
        let shelf = Self::with_redis(Beside::cuttable().await).await.connected().await;
        shelf.beside().proxy.as_ref().expect("it is behind a proxy").cut();
        wait_until("the outage to be noticed", LIMIT, async || shelf.queue.is_degraded()).await;
        shelf
    }

    /// PostgreSQL and Redis after an outage, during which there was work, and in which it forgot everything.
    pub(crate) async fn restored() -> Self {
        let shelf = Self::with_redis(Beside::cuttable().await).await.connected().await;
        let running = shelf.work().await;
        let before = shelf.push("before").await;
        shelf.until(&before, State::Completed).await;
        let proxy = shelf.beside().proxy.as_ref().expect("it is behind a proxy");
        proxy.cut();
        wait_until("the outage to be noticed", LIMIT, async || shelf.queue.is_degraded()).await;
        let during = shelf.push("during").await;
        // It comes back empty: as if it had been restarted without its data.
        let beside = shelf.beside();
        if let Server::One(server) = &beside.server {
            for key in server.keys(&beside.bull()).await {
                server.command(&["DEL", &key.name]).await;
            }
        }
        proxy.restore();
        shelf.until(&during, State::Completed).await;
        running.close(LIMIT).await.expect("it closes");
        for state in [State::Completed, State::Failed] {
            shelf.queue.clean(Note::QUEUE, state, Duration::ZERO).await.expect("it cleans");
        }
        shelf.seen.0.lock().expect("no handler panics here").clear();
        shelf
    }

    /// PostgreSQL and a Redis that may not be there yet.
    pub(crate) async fn with_redis(beside: Beside) -> Self {
        let guard = Postgres::shared().await.database().await;
        Self::open(postgres(&guard.url), Place::Server { guard }, Some(beside)).await
    }

    /// PostgreSQL at an address, and Redis if there is one.
    pub(crate) async fn at(url: &str, beside: Option<Beside>) -> Self {
        let place = Place::Own { url: url.to_owned() };
        Self::open(postgres(url), place, beside).await
    }

    async fn open(pools: Pools, place: Place, beside: Option<Beside>) -> Self {
        let queue = open(pools.clone(), quick(), beside.as_ref().map(|beside| &beside.redis));
        queue.migrate().await.expect("an empty database takes the tables");
        Self { queue, pools, seen: Seen::default(), place, beside }
    }

    pub(crate) async fn connected(self) -> Self {
        connected(&self.queue).await;
        self
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.beside.is_some()
    }

    pub(crate) fn beside(&self) -> &Beside {
        self.beside.as_ref().expect("this part has a Redis")
    }

    /// The same database, as another process sees it, with connections of its own.
    pub(crate) async fn elsewhere(&self) -> Queue {
        self.elsewhere_with(|_| {}).await
    }

    /// Another process with other settings, whether it reaches Redis or not.
    pub(crate) fn elsewhere_away(&self, change: impl FnOnce(&mut Settings)) -> Queue {
        let mut settings = quick();
        change(&mut settings);
        let beside = self.beside();
        open(self.pools.clone(), settings, Some(&redis(&beside.url, &beside.prefix)))
    }

    /// Another process with other settings, which reaches Redis without the proxy.
    pub(crate) async fn elsewhere_near(&self, change: impl FnOnce(&mut Settings)) -> Queue {
        let mut settings = quick();
        change(&mut settings);
        let beside = self.beside();
        let Server::One(server) = &beside.server else { panic!("it is one server behind a proxy") };
        let queue = open(self.pools.clone(), settings, Some(&redis(&server.url(), &beside.prefix)));
        connected(&queue).await;
        queue
    }

    /// Another process with other settings.
    pub(crate) async fn elsewhere_with(&self, change: impl FnOnce(&mut Settings)) -> Queue {
        let pools = match &self.place {
            Place::Folder { guard } => sqlite(guard),
            Place::Server { guard } => postgres(&guard.url),
            Place::Own { url } => postgres(url),
        };
        let mut settings = quick();
        change(&mut settings);
        let redis = self.beside.as_ref().map(|beside| redis(&beside.url, &beside.prefix));
        let queue = open(pools, settings, redis.as_ref());
        connected(&queue).await;
        queue
    }

    /// Where the database is, for another program.
    pub(crate) fn address(&self) -> String {
        match &self.place {
            Place::Folder { guard } => format!("sqlite:{}", guard.path().join("queue.db").display()),
            Place::Server { guard } => guard.url.clone(),
            Place::Own { url } => url.clone(),
        }
    }

    /// The same database with other settings.
    pub(crate) async fn with(&self, change: impl FnOnce(&mut Settings)) -> Queue {
        let mut settings = quick();
        change(&mut settings);
        let queue = open(self.pools.clone(), settings, self.beside.as_ref().map(|beside| &beside.redis));
        connected(&queue).await;
        queue
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

    /// Asks the database for a number.
    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        match &self.pools {
            Pools::Sqlite { read, .. } => sqlx::query_scalar(sql).fetch_one(read).await,
            Pools::Postgres(pool) => sqlx::query_scalar(sql).fetch_one(pool).await,
        }
        .expect("the database counts")
    }

    /// Counts the rows in a state.
    pub(crate) async fn rows(&self, state: &str) -> i64 {
        const SQL: &str = "SELECT count(*) FROM river_job WHERE CAST(state AS text) = $1";
        match &self.pools {
            Pools::Sqlite { read, .. } => sqlx::query_scalar(SQL).bind(state).fetch_one(read).await,
            Pools::Postgres(pool) => sqlx::query_scalar(SQL).bind(state).fetch_one(pool).await,
        }
        .expect("the database counts")
    }

    /// Commits many jobs at once.
    pub(crate) async fn enqueue_all(&self, names: impl Iterator<Item = String>) {
        let mut batch = Batch::default();
        for name in names {
            batch.add(&Note::new(&name), Options::default()).expect("plain text");
        }
        let mut tx = self.begin().await;
        self.queue.enqueue_all(tx.connection(), &batch).await.expect("they are inserted");
        tx.commit().await;
        self.queue.wake(Note::QUEUE);
    }

    /// Makes what has finished as if it had two hours ago.
    pub(crate) async fn age(&self) {
        self.execute(
            "UPDATE river_job SET finalized_at = datetime('now', 'subsec', '-2 hours') WHERE finalized_at IS NOT NULL",
            "UPDATE river_job SET finalized_at = now() - interval '2 hours' WHERE finalized_at IS NOT NULL",
        )
        .await;
        const AGE: &str = "for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
            local at = redis.call('ZINCRBY', KEYS[1], -7200000, id)
            redis.call('HSET', ARGV[1] .. id, 'finishedOn', at, 'processedOn', at, 'timestamp', at) end";
        let Some(beside) = &self.beside else { return };
        for state in ["completed", "failed"] {
            let (key, jobs) = (beside.key(Note::QUEUE, state), beside.key(Note::QUEUE, ""));
            beside.server.command(&["EVAL", AGE, "1", &key, &jobs]).await;
        }
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

    pub(crate) async fn entry(&self, id: &JobId) -> Entry {
        self.queue.find_job(id.clone()).await.expect("the database answers").expect("the job exists")
    }

    /// Waits until the job is in `state` and gives it.
    pub(crate) async fn until(&self, id: &JobId, state: State) -> Entry {
        wait_until(&format!("job {id} to be {state:?}"), LIMIT, async || self.entry(id).await.state == state)
            .await;
        self.entry(id).await
    }
}

fn open(pools: Pools, settings: Settings, redis: Option<&Redis>) -> Queue {
    match redis {
        Some(redis) => Queue::shared(pools, settings, redis),
        None => Queue::local(pools, settings),
    }
    .expect("the settings are in range")
}

/// Waits until a queue reaches its Redis, if it has one.
pub(crate) async fn connected(queue: &Queue) {
    wait_until("Redis to be reached", LIMIT, async || !queue.is_degraded()).await;
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

fn postgres(url: &str) -> Pools {
    Pools::Postgres(PgPool::connect_lazy(url).expect("the kit gives an address"))
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
