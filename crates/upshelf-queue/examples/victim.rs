//! Begins jobs of the kind `note`, says so, and never ends one: what a test kills. The arguments are the database and,
//! where there is one, Redis and the prefix of its keys.

use sqlx::PgPool;
use sqlx::sqlite::SqlitePoolOptions;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upshelf_queue::{BoxError, Context, Handlers, Job, Outcome, Pools, Queue, Settings};
use upshelf_redis::Redis;

#[derive(serde::Serialize, serde::Deserialize)]
struct Note {
    name: String,
}

impl Job for Note {
    const NAME: &'static str = "note";
    const QUEUE: &'static str = "notes";
}

async fn begin(note: Note, _: Context) -> Result<Outcome, BoxError> {
    println!("began {}", note.name);
    std::future::pending().await
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let address = std::env::args().nth(1).ok_or("usage: victim DATABASE")?;
    let pools = if address.starts_with("sqlite:") {
        let pool = SqlitePoolOptions::new().max_connections(1).connect(&address).await?;
        Pools::Sqlite { write: pool.clone(), read: pool }
    } else {
        Pools::Postgres(PgPool::connect(&address).await?)
    };
    let queue = match (std::env::args().nth(2), std::env::args().nth(3)) {
        (Some(redis), Some(prefix)) => {
            let settings = upshelf_redis::Settings { prefix, ..upshelf_redis::Settings::new(redis.parse()?) };
            let redis = Redis::open(settings, &TaskTracker::new(), CancellationToken::new());
            Queue::shared(pools, Settings::default(), &redis)?
        }
        _ => Queue::local(pools, Settings::default())?,
    };
    queue.migrate().await?;
    let _running = queue.work(Handlers::default().on(begin)).await?;
    std::future::pending().await
}
