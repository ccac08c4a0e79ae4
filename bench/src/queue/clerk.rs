//! The process that is measured: adds jobs, or works them, through the queue as the program sets it up, but without a rate.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upshelf_queue::{
    Batch, BoxError, Broker as _, Connection, Context, Handlers, Job, Options, Outcome, Pools, Queue,
    QueueSettings, Settings,
};
use upshelf_redis::Redis;
use upshelf_store::Store;

use crate::redis::processor_micros;

/// Rows of one transaction.
const AT_ONCE: usize = 1_000;

#[derive(Serialize, Deserialize)]
struct Count {
    number: usize,
}

impl Job for Count {
    const NAME: &'static str = "count";
    const QUEUE: &'static str = "counts";
}

/// What to do: its name, how many jobs, how many side by side, the database and, where there is one, Redis.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let [what, threads, jobs, concurrency, database, redis @ ..] = args else {
        bail!("what, threads, jobs, concurrency, a database, and Redis if there is one?")
    };
    let mut runtime = match &**threads {
        "1" => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = runtime.worker_threads(threads.parse()?).enable_all().build()?;
    runtime.block_on(async {
        let clerk = Clerk::open(jobs.parse()?, concurrency.parse()?, database, redis.first()).await?;
        match &**what {
            "push" => clerk.push().await,
            "commit" => clerk.commit().await,
            "hand-over" => clerk.hand_over().await,
            "ledger" => {
                clerk.insert(0, clerk.all()).await?;
                clerk.work().await
            }
            "work" => clerk.work().await,
            "memory" => clerk.memory().await,
            other => bail!("{other:?} is nothing that can be measured"),
        }
    })
}

struct Clerk {
    queue: Queue,
    jobs: usize,
}

impl Clerk {
    async fn open(jobs: usize, concurrency: u16, database: &str, redis: Option<&String>) -> Result<Clerk> {
        let store = Store::open(database).await?;
        let pools = match store.pools() {
            upshelf_store::Pools::Sqlite { write, read } => {
                Pools::Sqlite { write: write.clone(), read: read.clone() }
            }
            upshelf_store::Pools::Postgres(pool) => Pools::Postgres(pool.clone()),
        };
        let default = QueueSettings { rate: None, concurrency, ..QueueSettings::default() };
        let settings = Settings { default, ..Settings::default() };
        let queue = match redis {
            Some(url) => {
                let place = upshelf_redis::Settings::new(url.parse()?);
                let redis = Redis::open(place, &TaskTracker::new(), CancellationToken::new());
                Queue::shared(pools, settings, &redis)?
            }
            None => Queue::local(pools, settings)?,
        };
        queue.migrate().await?;
        while queue.is_degraded() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(Clerk { queue, jobs })
    }

    /// A tenth before the measure begins.
    fn warm(&self) -> usize {
        self.jobs / 10
    }

    fn all(&self) -> usize {
        self.jobs + self.warm()
    }

    async fn push(&self) -> Result<()> {
        let mut meter = None;
        for number in 0..self.all() {
            if number == self.warm() {
                meter = Some(Meter::begin(self.jobs)?);
            }
            self.queue.push(&Count { number }, Options::default()).await?;
        }
        meter.context("there was something to add")?.end()
    }

    async fn commit(&self) -> Result<()> {
        self.insert(0, self.warm()).await?;
        let meter = Meter::begin(self.jobs)?;
        self.insert(self.warm(), self.all()).await?;
        meter.end()
    }

    /// Commits jobs until Redis has them all, where nobody works them.
    async fn hand_over(&self) -> Result<()> {
        self.queue.pause(Count::QUEUE).await?;
        let _running = self.queue.work(Handlers::default().on(nothing)).await?;
        let until = async |count: usize| -> Result<()> {
            while handed_over(self.queue.pools()).await? < i64::try_from(count)? {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        };
        self.insert(0, self.warm()).await?;
        until(self.warm()).await?;
        let meter = Meter::begin(self.jobs)?;
        self.insert(self.warm(), self.all()).await?;
        until(self.all()).await?;
        meter.end()
    }

    /// Works what waits.
    async fn work(&self) -> Result<()> {
        let done = Arc::new(AtomicUsize::new(0));
        let meter = Arc::new(Mutex::new(None::<Meter>));
        let ended = Arc::new(Notify::new());
        let (warm, all, jobs) = (self.warm(), self.all(), self.jobs);
        let handler = {
            let (meter, ended) = (Arc::clone(&meter), Arc::clone(&ended));
            move |_: Count, _: Context| {
                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                let noted = match done {
                    done if done == warm => Meter::begin(jobs).map(|begun| {
                        meter.lock().expect("nobody panics here").replace(begun);
                    }),
                    done if done == all => {
                        ended.notify_one();
                        meter.lock().expect("nobody panics here").take().map_or(Ok(()), Meter::end)
                    }
                    _ => Ok(()),
                };
                std::future::ready(noted.map(|()| Outcome::Done).map_err(BoxError::from))
            }
        };
        let running = self.queue.work(Handlers::default().on(handler)).await?;
        ended.notified().await;
        running.close(Duration::from_secs(30)).await?;
        Ok(())
    }

    /// Works ten heaps of jobs, and says after each what this process holds.
    async fn memory(&self) -> Result<()> {
        let done = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&done);
        let handler = move |_: Count, _: Context| {
            counted.fetch_add(1, Ordering::Relaxed);
            std::future::ready(Ok::<_, BoxError>(Outcome::Done))
        };
        let running = self.queue.work(Handlers::default().on(handler)).await?;
        for heap in 1..=10 {
            self.insert((heap - 1) * self.jobs, heap * self.jobs).await?;
            while done.load(Ordering::Relaxed) < heap * self.jobs {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            println!("{} {}", heap * self.jobs, crate::server::memory(std::process::id())?);
        }
        running.close(Duration::from_secs(30)).await?;
        Ok(())
    }

    async fn insert(&self, from: usize, to: usize) -> Result<()> {
        for from in (from..to).step_by(AT_ONCE) {
            let mut batch = Batch::default();
            for number in from..to.min(from + AT_ONCE) {
                batch.add(&Count { number }, Options::default())?;
            }
            match self.queue.pools() {
                Pools::Sqlite { write, .. } => {
                    let mut tx = write.begin_with("BEGIN IMMEDIATE").await?;
                    self.queue.enqueue_all(Connection::Sqlite(&mut tx), &batch).await?;
                    tx.commit().await?;
                }
                Pools::Postgres(pool) => {
                    let mut tx = pool.begin().await?;
                    self.queue.enqueue_all(Connection::Postgres(&mut tx), &batch).await?;
                    tx.commit().await?;
                }
            }
            self.queue.wake(Count::QUEUE);
        }
        Ok(())
    }
}

async fn nothing(_: Count, _: Context) -> Result<Outcome, BoxError> {
    Ok(Outcome::Done)
}

async fn handed_over(pools: &Pools) -> Result<i64> {
    const SQL: &str = "SELECT count(*) FROM river_job WHERE state = 'pending'";
    Ok(match pools {
        Pools::Sqlite { read, .. } => sqlx::query_scalar(SQL).fetch_one(read).await?,
        Pools::Postgres(pool) => sqlx::query_scalar(SQL).fetch_one(pool).await?,
    })
}

/// Time and processor time of this process since it began.
struct Meter {
    jobs: usize,
    begun: Instant,
    micros: f64,
}

impl Meter {
    fn begin(jobs: usize) -> Result<Meter> {
        say("begun")?;
        Ok(Meter { jobs, begun: Instant::now(), micros: processor_micros() })
    }

    fn end(self) -> Result<()> {
        let (micros, jobs) = (processor_micros() - self.micros, self.jobs as f64);
        say(&format!("{} {}", micros / jobs, jobs / self.begun.elapsed().as_secs_f64()))
    }
}

/// At once: a pipe is written to in blocks otherwise.
fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
