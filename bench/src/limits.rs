//! What a decision through Redis costs the process that asks, beside rate-limiter-flexible on the same Redis.
//!
//! Each is a process of its own, so that the processor time is its own too: user and system, its threads included,
//! after a tenth as many decisions to warm up.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upshelf_redis::{Redis, Settings};
use upshelf_throttle::{Mode, Policy, Rate, Subject, Throttle};

use crate::redis::{Cost, Server, cost, processor_micros};
use crate::table::{head, median, rate, row};

const CALLS: usize = 200_000;
const CONCURRENCY: usize = 50;
const SUBJECTS: usize = 10_000;
/// As many as a limit in whole microseconds can allow.
const PLENTY: u32 = 60_000_000;

pub(crate) fn measure(rounds: usize) -> Result<()> {
    let server = Server::start()?;
    let this = std::env::current_exe()?;
    let ours = |threads: &str, policies: &str| {
        cost(Command::new(&this).args(["decide", &server.url(), threads, policies]))
    };
    let script = server.script("limits.mjs", include_str!("../node/limits.mjs"))?;
    let theirs = |mode: &str| {
        let numbers = [CALLS, CONCURRENCY, SUBJECTS].map(|number| number.to_string());
        cost(Command::new("node").arg(&script).arg(server.url()).args(numbers).arg(mode))
    };
    let mut all = [const { Vec::new() }; 5];
    for _ in 0..rounds {
        all[0].push(ours("1", "1")?);
        all[1].push(theirs("plain")?);
        all[2].push(theirs("pipelined")?);
        all[3].push(ours("2", "1")?);
        all[4].push(ours("2", "2")?);
    }
    let micros = |costs: &[Cost]| median(&costs.iter().map(|cost| cost.0).collect::<Vec<_>>());
    let least = micros(&all[1]).min(micros(&all[2]));
    head(
        "A decision through Redis, 50 at once, 10,000 subjects",
        &["who", "processor time of the client", "of rate-limiter-flexible's least", "decisions per second"],
    );
    let names = [
        "one policy, on one thread",
        "rate-limiter-flexible, one limiter",
        "the same, ioredis pipelining by itself",
        "one policy, on two threads",
        "two policies on two threads, all or nothing",
    ];
    for (name, costs) in names.into_iter().zip(&all) {
        let per_second = median(&costs.iter().map(|cost| cost.1).collect::<Vec<_>>());
        let (micros, ratio) = (micros(costs), micros(costs) / least);
        row(&[name, &format!("{micros:.1} µs"), &format!("{ratio:.2}"), &rate(per_second)]);
    }
    Ok(())
}

/// Makes the decisions and prints their cost: the side that is measured.
pub(crate) fn decide(address: &str, threads: usize, policies: usize) -> Result<()> {
    let mut runtime = match threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = runtime.worker_threads(threads).enable_all().build()?;
    runtime.block_on(async {
        let settings = Settings { fail_fast: Duration::from_secs(5), ..Settings::new(address.parse()?) };
        let redis = Redis::open(settings, &TaskTracker::new(), CancellationToken::new());
        redis.watch_health().wait_for(|health| health.is_up()).await?;
        let throttle = Arc::new(Throttle::shared(Mode::On, &redis, []));
        run(&throttle, policies, CALLS / 10).await?;
        let (begun, before) = (Instant::now(), processor_micros());
        run(&throttle, policies, CALLS).await?;
        let cost = (processor_micros() - before) / CALLS as f64;
        println!("{cost} {}", CALLS as f64 / begun.elapsed().as_secs_f64());
        ensure!(!throttle.is_alone(), "Redis did not answer in time");
        Ok(())
    })
}

async fn run(throttle: &Arc<Throttle>, policies: usize, calls: usize) -> Result<()> {
    let named = [("minute", Rate::per_minute(PLENTY)), ("day", Rate::per_day(PLENTY))];
    let policies = named.into_iter().take(policies).map(|(name, rate)| Policy::new(name, rate));
    let policies = Arc::new(policies.collect::<Result<Vec<_>, _>>()?);
    let turn = Arc::new(AtomicUsize::new(0));
    let mut all = JoinSet::new();
    for _ in 0..CONCURRENCY {
        let (throttle, policies, turn) = (throttle.clone(), policies.clone(), turn.clone());
        all.spawn(async move {
            let policies: Vec<_> = policies.iter().collect();
            loop {
                let call = turn.fetch_add(1, Ordering::Relaxed);
                if call >= calls {
                    return true;
                }
                let subject = Subject::member(call % SUBJECTS);
                if !throttle.take(&subject, &policies, 1).await.is_allowed {
                    return false;
                }
            }
        });
    }
    ensure!(all.join_all().await.into_iter().all(|is_allowed| is_allowed), "a request was refused");
    Ok(())
}
