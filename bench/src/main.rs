//! Measures the program from outside: a load from another process, over HTTP, on SQLite and PostgreSQL.
//!
//! Numbers per second say little about a program and much about a machine, so everything is also told as a ratio to what
//! the same machine does in the same minute: to the same server where it answers a fixed body of the same size (what reading
//! costs beside the requests themselves), to a bare HTTP stack that does nothing else, and to the same program with one
//! commit for each vote (what is had without sharing); the services are measured beside what people use for the same. What is compared is measured in turns, round
//! after round; each number is the median of its rounds.

mod cache;
mod crowd;
mod fixed;
mod lab;
mod latency;
mod library;
mod limits;
mod live;
mod load;
mod postgres;
mod queue;
mod reads;
mod redis;
mod search;
mod server;
mod startup;
mod table;
mod votes;
mod watchers;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::lab::{Engine, Lab};

/// The product's own.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const USAGE: &str = "usage: upshelf-bench votes|reads|startup|search|all --server PATH \
    [--engine sqlite|postgres] [--rounds 5] [--seconds 2], or: upshelf-bench limits|cache|queue [--rounds 5], \
    or: upshelf-bench queue --memory yes, or: upshelf-bench live --server PATH [--watchers 5000] [--seconds 60] [--cut 15], \
    or: upshelf-bench live-crowd|live-latency --server PATH [--watchers 2000] [--rounds 5] [--seconds 10]";

/// What was asked for.
struct Options {
    engines: Vec<Engine>,
    rounds: usize,
    time: Duration,
    watchers: usize,
    /// How often each watcher is cut off.
    cut: Duration,
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let what = args.next().context(USAGE)?;
    if what == "fixed" {
        return fixed::serve(args.next().context("how many bytes?")?.parse()?);
    }
    if what == "decide" {
        let mut next = || args.next().context("an address, how many threads, how many policies?");
        return limits::decide(&next()?, next()?.parse()?, next()?.parse()?);
    }
    if what == "read" {
        let mut next = || args.next().context("from where, an address?");
        return cache::read(&next()?, &next()?);
    }
    if what == "clerk" {
        return queue::clerk::run(&args.collect::<Vec<_>>());
    }
    let (mut server, mut memory) = (None, false);
    let mut options = Options {
        engines: vec![Engine::Sqlite, Engine::Postgres],
        rounds: 5,
        time: Duration::from_secs(2),
        watchers: 5_000,
        cut: Duration::from_secs(15),
    };
    while let Some(flag) = args.next() {
        let value = args.next().context(USAGE)?;
        match flag.as_str() {
            "--server" => server = Some(PathBuf::from(value)),
            "--engine" => options.engines = vec![value.parse()?],
            "--rounds" => options.rounds = value.parse().ok().filter(|rounds| *rounds > 0).context(USAGE)?,
            "--memory" => memory = value == "yes",
            "--seconds" => options.time = Duration::from_secs_f64(value.parse()?),
            "--cut" => options.cut = Duration::from_secs_f64(value.parse()?),
            "--watchers" => {
                options.watchers = value.parse().ok().filter(|many| *many >= 10).context(USAGE)?
            }
            _ => bail!(USAGE),
        }
    }
    if what == "limits" {
        return limits::measure(options.rounds);
    }
    if what == "cache" {
        return cache::measure(options.rounds);
    }
    if what == "queue" {
        return if memory { queue::memory() } else { queue::measure(options.rounds) };
    }
    let lab = Lab::open(server.context(USAGE)?)?;
    // One thread: a load that takes every core leaves none to what it measures.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match what.as_str() {
            "votes" => votes::measure(&lab, &options).await,
            "reads" => reads::measure(&lab, &options).await,
            "startup" => startup::measure(&lab, &options).await,
            "search" => search::measure(&lab, &options).await,
            "live" => live::measure(&lab, &options).await,
            "live-crowd" => crowd::measure(&lab, options.watchers, options.rounds, options.time).await,
            "live-latency" => latency::measure(&lab, options.watchers, options.time).await,
            "all" => {
                votes::measure(&lab, &options).await?;
                reads::measure(&lab, &options).await?;
                startup::measure(&lab, &options).await?;
                search::measure(&lab, &options).await
            }
            _ => bail!(USAGE),
        }
    })
}
