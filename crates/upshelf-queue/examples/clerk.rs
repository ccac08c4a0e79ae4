//! Works jobs of the kind `note`, each of which (but those named `nothing`) leaves its effect in the table `effects`: what a
//! test kills in the middle.
//! The arguments are PostgreSQL and, where there is one, Redis and the prefix of its keys.

use std::time::Duration;

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upshelf_queue::{BoxError, Context, Handlers, Job, Outcome, Pools, Queue, QueueSettings, Settings};
use upshelf_redis::Redis;

#[derive(serde::Serialize, serde::Deserialize)]
struct Note {
    name: String,
}

impl Job for Note {
    const NAME: &'static str = "note";
    const QUEUE: &'static str = "notes";
    const TIMEOUT: Duration = Duration::from_secs(5);
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let mut places = std::env::args().skip(1);
    let pool = PgPool::connect(&places.next().ok_or("usage: clerk POSTGRES [REDIS PREFIX]")?).await?;
    let default = QueueSettings { rate: None, ..QueueSettings::default() };
    let settings = Settings { default, rescue_after: Duration::from_secs(5), ..Settings::default() };
    let pools = Pools::Postgres(pool.clone());
    let queue = match (places.next(), places.next()) {
        (Some(redis), Some(prefix)) => {
            let place = upshelf_redis::Settings { prefix, ..upshelf_redis::Settings::new(redis.parse()?) };
            let redis = Redis::open(place, &TaskTracker::new(), CancellationToken::new());
            Queue::shared(pools, settings, &redis)?
        }
        _ => Queue::local(pools, settings)?,
    };
    let note = move |note: Note, _: Context| {
        let pool = pool.clone();
        async move {
            if note.name == "nothing" {
                return Ok(Outcome::Done);
            }
            let sql =
                "INSERT INTO effects VALUES ($1, 1) ON CONFLICT (job) DO UPDATE SET runs = effects.runs + 1";
            sqlx::query(sql).bind(note.name).execute(&pool).await?;
            Ok::<_, BoxError>(Outcome::Done)
        }
    };
    let _running = queue.work(Handlers::default().on(note)).await?;
    println!("ready");
    std::future::pending().await
}
