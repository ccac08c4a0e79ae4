//! How many jobs a second: inserted one by one, inserted at once, and worked. In one run, to be read as ratios.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upshelf_queue::{
    Batch, BoxError, Broker, Context, Handlers, Job, Options, Outcome, Pools, Queue, QueueSettings, Settings,
};
use upshelf_redis::Redis;
use upshelf_testkit::{Postgres, RedisServer, temp_dir, unique_prefix, wait_until};

const JOBS: usize = 2_000;

fn main() {
    divan::main();
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Count {
    suggestion: u64,
}

impl Job for Count {
    const NAME: &'static str = "count";
    const QUEUE: &'static str = "analytics";
}

#[derive(Debug, Clone, Copy)]
enum Engine {
    Sqlite,
    Postgres,
    /// PostgreSQL, and BullMQ in Redis.
    Redis,
}

const ENGINES: [Engine; 3] = [Engine::Sqlite, Engine::Postgres, Engine::Redis];

/// A queue on a fresh database, without a rate, and what keeps that database.
async fn open(engine: Engine) -> (Queue, Box<dyn std::any::Any>) {
    let (pools, guard): (_, Box<dyn std::any::Any>) = match engine {
        Engine::Sqlite => {
            let folder = temp_dir();
            let options = SqliteConnectOptions::new()
                .filename(folder.path().join("queue.db"))
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full);
            let write = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await;
            let read = SqlitePoolOptions::new().max_connections(4).connect_lazy_with(options);
            (Pools::Sqlite { write: write.expect("a folder takes a file"), read }, Box::new(folder))
        }
        Engine::Postgres | Engine::Redis => {
            let database = Postgres::shared().await.database().await;
            let pool = sqlx::PgPool::connect(&database.url).await.expect("the server answers");
            (Pools::Postgres(pool), Box::new(database))
        }
    };
    let default = QueueSettings { rate: None, concurrency: 200, ..QueueSettings::default() };
    let settings = Settings { default, ..Settings::default() };
    let queue = if matches!(engine, Engine::Redis) {
        let address = RedisServer::shared().await.url().parse().expect("the kit gives an address");
        let place =
            upshelf_redis::Settings { prefix: unique_prefix(), ..upshelf_redis::Settings::new(address) };
        let redis = Redis::open(place, &TaskTracker::new(), CancellationToken::new());
        let queue = Queue::shared(pools, settings, &redis).expect("in range");
        wait_until("Redis to be reached", Duration::from_secs(10), async || !queue.is_degraded()).await;
        queue
    } else {
        Queue::local(pools, settings).expect("in range")
    };
    queue.migrate().await.expect("an empty database takes the tables");
    (queue, guard)
}

fn batch() -> Batch {
    let mut batch = Batch::default();
    for suggestion in 0..JOBS as u64 {
        batch.add(&Count { suggestion }, Options::default()).expect("numbers are JSON");
    }
    batch
}

async fn insert(queue: &Queue, pools: &Pools, batch: &Batch) {
    match pools {
        Pools::Sqlite { write, .. } => {
            let mut tx = write.begin().await.expect("the writer is free");
            queue.enqueue_all((&mut *tx).into(), batch).await.expect("they are inserted");
            tx.commit().await.expect("it commits");
        }
        Pools::Postgres(pool) => {
            let mut tx = pool.begin().await.expect("the server answers");
            queue.enqueue_all((&mut *tx).into(), batch).await.expect("they are inserted");
            tx.commit().await.expect("it commits");
        }
    }
    queue.wake(Count::QUEUE);
}

#[divan::bench(args = ENGINES, sample_count = 5, sample_size = 1)]
fn push_one_by_one(bencher: Bencher<'_, '_>, engine: Engine) {
    let runtime = Runtime::new().expect("a runtime can be made");
    let (queue, _guard) = runtime.block_on(open(engine));
    bencher.counter(ItemsCount::new(200_usize)).bench_local(|| {
        runtime.block_on(async {
            for suggestion in 0..200 {
                black_box(
                    queue.push(&Count { suggestion }, Options::default()).await.expect("it is inserted"),
                );
            }
        });
    });
}

#[divan::bench(args = ENGINES, sample_count = 5, sample_size = 1)]
fn enqueue_all_at_once(bencher: Bencher<'_, '_>, engine: Engine) {
    let runtime = Runtime::new().expect("a runtime can be made");
    let (queue, _guard) = runtime.block_on(open(engine));
    let pools = queue.pools().clone();
    let batch = batch();
    bencher.counter(ItemsCount::new(JOBS)).bench_local(|| runtime.block_on(insert(&queue, &pools, &batch)));
}

#[divan::bench(args = ENGINES, sample_count = 5, sample_size = 1)]
fn work_from_insertion_to_completion(bencher: Bencher<'_, '_>, engine: Engine) {
    let runtime = Runtime::new().expect("a runtime can be made");
    let (queue, _guard) = runtime.block_on(open(engine));
    let pools = queue.pools().clone();
    let (done, all) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let handler = {
        let (done, all) = (Arc::clone(&done), Arc::clone(&all));
        move |_: Count, _: Context| {
            if (done.fetch_add(1, Ordering::SeqCst) + 1).is_multiple_of(JOBS) {
                all.notify_one();
            }
            std::future::ready(Ok::<_, BoxError>(Outcome::Done))
        }
    };
    let running = runtime.block_on(queue.work(Handlers::default().on(handler))).expect("the workers start");
    let batch = batch();
    bencher.counter(ItemsCount::new(JOBS)).bench_local(|| {
        runtime.block_on(async {
            insert(&queue, &pools, &batch).await;
            all.notified().await;
        });
    });
    runtime.block_on(running.close(Duration::from_secs(30))).expect("it closes");
}
