//! What a read through the cache costs the process that reads, beside what people use in Node on the same Redis, and how soon
//! an invalidation is known elsewhere.
//!
//! Each reader is a process of its own, so that the processor time is its own too. Values are pages of ten resources.

use std::convert::Infallible;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use tokio::task::{JoinSet, yield_now};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upshelf_cache::{Cache, Inv, Policy, Region, Source};
use upshelf_redis::{Redis, Settings};

use crate::redis::{Cost, Server, cost, processor_micros};
use crate::table::{head, median, percentile, rate, row};

/// Reads from memory are so much cheaper that they need more of them.
const HITS: usize = 10_000_000;
const CALLS: usize = 100_000;
const CONCURRENCY: usize = 50;
const KEYS: usize = 1_000;
const INVALIDATIONS: usize = 3_000;
/// Enough for all values, in bytes.
const ROOM: u64 = 64 << 20;
const HOUR: Duration = Duration::from_secs(3_600);

/// A resource as a page shows it.
#[derive(Clone, Serialize, Deserialize)]
struct Shown {
    id: String,
    url: String,
    title: String,
    description: String,
    tags: Vec<String>,
    popularity: i64,
    votes: u32,
}

fn page() -> Vec<Shown> {
    let shown = |n: i64| Shown {
        id: format!("019313a2-7c00-7000-8000-{n:012}"),
        url: format!("https://example.org/{n}"),
        title: format!("Entry {n}"),
        description: "What it is good for, in a few words.".to_owned(),
        tags: vec!["web".to_owned(), "tools".to_owned()],
        popularity: 7 * n,
        votes: 3,
    };
    (0..10).map(shown).collect()
}

pub(crate) fn measure(rounds: usize) -> Result<()> {
    let server = Server::start()?;
    let this = std::env::current_exe()?;
    let script = server.script("cache.mjs", include_str!("../node/cache.mjs"))?;
    let json = serde_json::to_string(&page())?;
    let ours = |kind: &str| cost(Command::new(&this).args(["read", kind, &server.url()]));
    let theirs = |kind: &str, at_once: usize| {
        let numbers = [2 * CALLS, at_once, KEYS].map(|number| number.to_string());
        cost(Command::new("node").arg(&script).args([kind, &server.url(), &json]).args(numbers))
    };
    let mut all = [const { Vec::new() }; 5];
    let mut sooner = Vec::new();
    for _ in 0..rounds {
        all[0].push(ours("memory")?);
        all[1].push(theirs("memory", 1)?);
        all[2].push(ours("new")?);
        all[3].push(ours("unchanged")?);
        all[4].push(theirs("redis", CONCURRENCY)?);
        sooner.extend(heard(&server.url())?);
    }
    let micros = |costs: &[Cost]| median(&costs.iter().map(|cost| cost.0).collect::<Vec<_>>());
    head(
        &format!("A read through the cache: a page of {} bytes, {KEYS} keys", json.len()),
        &["who", "processor time of the reader", "of Node's", "reads per second"],
    );
    let names = [
        ("from memory", 1),
        ("from memory: bentocache, tiered get", 1),
        ("from Redis, 50 at once, new to this process", 4),
        ("from Redis, 50 at once, what it had before", 4),
        ("from Redis: ioredis get + JSON.parse, pipelining by itself", 4),
    ];
    for ((name, beside), costs) in names.into_iter().zip(&all) {
        let per_second = median(&costs.iter().map(|cost| cost.1).collect::<Vec<_>>());
        let (micros, ratio) = (micros(costs), micros(costs) / micros(&all[beside]));
        row(&[name, &format!("{micros:.3} µs"), &format!("{ratio:.3}"), &rate(per_second)]);
    }
    head("From acknowledged in one process to dropped in another", &["p50", "p99", "longest"]);
    let micros = |time: Duration| format!("{} µs", time.as_micros());
    let shares = [0.5, 0.99, 1.0].map(|share| micros(percentile(&mut sooner, share)));
    row(&[&shares[0], &shares[1], &shares[2]]);
    Ok(())
}

async fn linked(url: &str, cap: Duration, weight: u64) -> Result<Cache> {
    let settings = Settings { fail_fast: Duration::from_secs(5), ..Settings::new(url.parse()?) };
    let redis = Redis::open(settings, &TaskTracker::new(), CancellationToken::new());
    let cache = Cache::builder().shared(&redis).l1_cap(cap).weight(weight).build();
    while cache.is_degraded() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(cache)
}

/// Reads and prints what that costs: the side that is measured.
pub(crate) fn read(kind: &str, url: &str) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Without time every read asks Redis; without room it also makes the value anew.
        let (cap, weight, calls, at_once, source) = match kind {
            "memory" => (HOUR, ROOM, HITS, 1, Source::L1),
            "unchanged" => (Duration::ZERO, ROOM, CALLS, CONCURRENCY, Source::L2),
            _ => (Duration::ZERO, 1, CALLS, CONCURRENCY, Source::L2),
        };
        let cache = linked(url, cap, weight).await?;
        let region = cache.region::<Vec<Shown>>("pages", Policy::ttl(HOUR));
        let keys: Arc<Vec<String>> = Arc::new((0..KEYS).map(|n| format!("cache:value:{n}")).collect());
        for key in keys.iter() {
            region.get_or_load(key, |_| async { Ok::<_, Infallible>(page()) }).await?;
        }
        run(&region, &keys, calls / 10, at_once, source).await?;
        let (begun, before) = (Instant::now(), processor_micros());
        run(&region, &keys, calls, at_once, source).await?;
        println!(
            "{} {}",
            (processor_micros() - before) / calls as f64,
            calls as f64 / begun.elapsed().as_secs_f64()
        );
        Ok(())
    })
}

async fn run(
    region: &Region<Vec<Shown>>,
    keys: &Arc<Vec<String>>,
    calls: usize,
    at_once: usize,
    source: Source,
) -> Result<()> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut all = JoinSet::new();
    for _ in 0..at_once {
        let (region, keys, next) = (region.clone(), Arc::clone(keys), Arc::clone(&next));
        all.spawn(async move {
            loop {
                let call = next.fetch_add(1, Ordering::Relaxed);
                if call >= calls {
                    return true;
                }
                let hit = region
                    .get_or_load(&keys[call % keys.len()], |_| async { Ok::<_, Infallible>(Vec::new()) })
                    .await;
                if !hit.is_ok_and(|hit| hit.source() == source && hit.len() == 10) {
                    return false;
                }
            }
        });
    }
    ensure!(all.join_all().await.into_iter().all(|is_hit| is_hit), "a read was no hit of {source:?}");
    Ok(())
}

/// How long after its acknowledgement each invalidation was known to another process: threads of their own here, with
/// connections of their own.
fn heard(url: &str) -> Result<Vec<Duration>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let (near, far) = (linked(url, HOUR, ROOM).await?, linked(url, HOUR, ROOM).await?);
        let region = far.region::<u64>("numbers", Policy::ttl(HOUR));
        let mut times = Vec::with_capacity(INVALIDATIONS);
        for n in 0..INVALIDATIONS {
            let key = format!("cache:number:{}", n % 10);
            region.get_or_load(&key, |_| async { Ok::<_, Infallible>(7) }).await?;
            near.invalidate([Inv::key(&*key)]).await;
            let begun = Instant::now();
            while region.peek(&key).is_some() {
                ensure!(begun.elapsed() < Duration::from_secs(5), "an invalidation was not heard");
                yield_now().await;
            }
            times.push(begun.elapsed());
        }
        Ok(times)
    })
}
