//! A queue without Upshelf: a job in the transaction of its cause, worked in the same program. Given `redis://HOST:PORT`, it
//! is worked through BullMQ there.

use std::time::Duration;

use sqlx::sqlite::SqlitePoolOptions;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upshelf_queue::{BoxError, Broker, Context, Handlers, Job, Options, Outcome, Pools, Queue, Settings};
use upshelf_redis::Redis;

#[derive(serde::Serialize, serde::Deserialize)]
struct Welcome {
    member: String,
}

impl Job for Welcome {
    const NAME: &'static str = "welcome";
    const QUEUE: &'static str = "email";
}

async fn welcome(job: Welcome, context: Context) -> Result<Outcome, BoxError> {
    println!("attempt {}: welcome, {}!", context.attempt, job.member);
    Ok(Outcome::Done)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    // One connection, because a database in memory is gone with it; a file would have a second pool that reads.
    let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await?;
    let pools = Pools::Sqlite { write: pool.clone(), read: pool.clone() };
    let queue = match std::env::args().nth(1) {
        Some(address) => {
            let settings = upshelf_redis::Settings::new(address.parse()?);
            let redis = Redis::open(settings, &TaskTracker::new(), CancellationToken::new());
            Queue::shared(pools, Settings::default(), &redis)?
        }
        None => Queue::local(pools, Settings::default())?,
    };
    queue.migrate().await?;
    sqlx::raw_sql("CREATE TABLE members (name TEXT)").execute(&pool).await?;
    let running = queue.work(Handlers::default().on(welcome)).await?;

    let mut transaction = pool.begin().await?;
    sqlx::raw_sql("INSERT INTO members VALUES ('Ada')").execute(&mut *transaction).await?;
    let job = Welcome { member: "Ada".to_owned() };
    queue.enqueue((&mut *transaction).into(), &job, Options::default()).await?;
    transaction.commit().await?;
    queue.wake(Welcome::QUEUE);

    // While Redis is not there yet, nothing is known.
    while !queue.stats(Welcome::QUEUE).await.is_ok_and(|stats| stats.completed > 0) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    running.close(Duration::from_secs(30)).await?;
    Ok(())
}
