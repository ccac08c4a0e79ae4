//! Works jobs of the kind `note`, each of which (but those named `nothing`) leaves its effect in the table `effects`: what a
//! test kills in the middle.
//! The arguments are PostgreSQL, Redis, and the prefix of its keys.

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
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let mut places = std::env::args().skip(1);
    let usage = "usage: clerk POSTGRES REDIS PREFIX";
    let mut place = || places.next().ok_or(usage);
    let pool = PgPool::connect(&place()?).await?;
    let settings = upshelf_redis::Settings::new(place()?.parse()?);
    let settings = upshelf_redis::Settings { prefix: place()?, ..settings };
    let redis = Redis::open(settings, &TaskTracker::new(), CancellationToken::new());
    let default = QueueSettings { rate: None, ..QueueSettings::default() };
    let settings = Settings { default, ..Settings::default() };
    let queue = Queue::shared(Pools::Postgres(pool.clone()), settings, &redis)?;
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
