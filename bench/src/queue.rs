//! What a job costs, beside BullMQ in Node on the same Redis, and in the database alone.
//!
//! Whoever adds or works is a process of its own, so that its processor time is its own too; the servers' is read beside
//! it. A tenth as many jobs come before each measure. No job does anything, and no rate holds any back.
//!
//! Three things of ours are told apart. "Jobs of Node" were added by Node and are worked by our workers: what BullMQ does in
//! both, and no row is asked about. "As configured" is the whole: a row in PostgreSQL for each job, handed over to Redis,
//! looked at before the attempt and settled after it, with a database that waits for its disk. "River" is the database alone.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::postgres::Postgres;
use crate::redis::Server;
use crate::table::{head, median, rate, row};

pub(crate) mod clerk;
mod cost;

use cost::{Cost, cost};

const JOBS: usize = 20_000;
const MANY: [usize; 2] = [5, 50];
/// How much more a process may hold at the end than after the first fifth.
const FLAT: f64 = 1.15;

/// Where jobs are measured. Databases are made anew for each measure, and Redis is emptied.
struct Place {
    redis: Server,
    postgres: Postgres,
    folder: TempDir,
    made: std::cell::Cell<usize>,
}

/// Where a process of ours keeps its jobs.
#[derive(Clone, Copy)]
enum Home {
    Sqlite,
    Postgres,
    /// PostgreSQL, handed over to Redis.
    Both,
    /// Redis; the database beside it stays empty.
    Redis,
}

impl Place {
    fn open() -> Result<Place> {
        let folder = tempfile::Builder::new().prefix("upshelf-bench-").tempdir()?;
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open)?;
        let postgres = Postgres::start(folder.path().join("postgres"))?;
        Ok(Place { redis: Server::start()?, postgres, folder, made: std::cell::Cell::new(0) })
    }

    fn node(&self, what: &str, at_once: usize) -> Result<Cost> {
        let script = self.redis.script("queue.mjs", include_str!("../node/queue.mjs"))?;
        let numbers = [JOBS, at_once].map(|number| number.to_string());
        let mut command = Command::new("node");
        cost(command.arg(script).args([what, &self.redis.url()]).args(numbers), JOBS, self.redis.id(), None)
    }

    fn clerk(&self, what: &str, threads: usize, jobs: usize, at_once: usize, home: Home) -> Result<Command> {
        self.made.set(self.made.get() + 1);
        let name = format!("queue{}", self.made.get());
        let database = match home {
            Home::Sqlite | Home::Redis => format!("sqlite:{}", self.folder.path().join(name).display()),
            Home::Postgres | Home::Both => self.postgres.database(&name)?,
        };
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["clerk", what]).args([threads, jobs, at_once].map(|number| number.to_string()));
        command.arg(database);
        if let Home::Both | Home::Redis = home {
            command.arg(self.redis.url());
        }
        Ok(command)
    }

    fn ours(&self, what: &str, threads: usize, at_once: usize, home: Home) -> Result<Cost> {
        let mut command = self.clerk(what, threads, JOBS, at_once, home)?;
        let postgres = match home {
            Home::Postgres | Home::Both => Some(self.postgres.id()?),
            Home::Sqlite | Home::Redis => None,
        };
        let cost = cost(&mut command, JOBS, self.redis.id(), postgres);
        self.redis.empty()?;
        cost
    }
}

pub(crate) fn measure(rounds: usize) -> Result<()> {
    let place = Place::open()?;
    adding(&place, rounds)?;
    for at_once in MANY {
        working(&place, rounds, at_once)?;
    }
    Ok(())
}

fn adding(place: &Place, rounds: usize) -> Result<()> {
    let names = [
        "one by one: BullMQ in Node, `add`",
        "one by one: ours, `push`, straight to Redis",
        "one by one: ours, `push`, River on SQLite",
        "one by one: ours, `push`, River on PostgreSQL",
        "1,000 at once: BullMQ in Node, `addBulk`",
        "1,000 at once: ours, committed in PostgreSQL",
        "1,000 at once: ours, until Redis has them too",
        "1,000 at once: ours, committed in SQLite",
    ];
    let mut all = [const { Vec::new() }; 8];
    for _ in 0..rounds {
        let node = |what| {
            let cost = place.node(what, 1);
            place.redis.empty()?;
            cost
        };
        all[0].push(node("one")?);
        all[1].push(place.ours("push", 1, 50, Home::Redis)?);
        all[2].push(place.ours("push", 1, 50, Home::Sqlite)?);
        all[3].push(place.ours("push", 1, 50, Home::Postgres)?);
        all[4].push(node("bulk")?);
        all[5].push(place.ours("commit", 1, 50, Home::Postgres)?);
        all[6].push(place.ours("hand-over", 1, 50, Home::Both)?);
        all[7].push(place.ours("commit", 1, 50, Home::Sqlite)?);
    }
    table("Adding 20,000 jobs", &names, &all, |at| if at < 4 { 0 } else { 4 });
    Ok(())
}

fn working(place: &Place, rounds: usize, at_once: usize) -> Result<()> {
    let names = [
        "BullMQ in Node",
        "ours, jobs of Node, one thread",
        "ours, jobs of Node, two threads",
        "ours as configured (PostgreSQL and Redis), two threads",
        "ours, River on SQLite, two threads",
        "ours, River on PostgreSQL, two threads",
    ];
    let mut all = [const { Vec::new() }; 6];
    for _ in 0..rounds {
        place.node("fill", 1)?;
        all[0].push(place.node("work", at_once)?);
        place.redis.empty()?;
        for (at, threads) in [(1, 1), (2, 2)] {
            place.node("fill", 1)?;
            all[at].push(place.ours("work", threads, at_once, Home::Redis)?);
        }
        for (at, home) in [(3, Home::Both), (4, Home::Sqlite), (5, Home::Postgres)] {
            all[at].push(place.ours("ledger", 2, at_once, home)?);
        }
    }
    table(&format!("Working 20,000 jobs, {at_once} side by side"), &names, &all, |_| 0);
    Ok(())
}

/// Prints costs, each beside the one that it is to be compared with.
fn table(title: &str, names: &[&str], all: &[Vec<Cost>], beside: impl Fn(usize) -> usize) {
    let titles = ["who", "jobs/s", "of Node's", "its CPU per 1,000", "of Node's", "Redis' CPU", "of Node's"];
    head(title, &[&titles[..], &["PostgreSQL's CPU"]].concat());
    let middle = |at: usize, part: fn(&Cost) -> f64| median(&all[at].iter().map(part).collect::<Vec<_>>());
    // Microseconds of one job are milliseconds of a thousand.
    let millis = |micros: f64| if micros > 0.0 { format!("{micros:.1} ms") } else { "-".to_owned() };
    for (at, name) in names.iter().enumerate() {
        let mut cells = vec![(*name).to_owned()];
        let parts: [(fn(&Cost) -> f64, bool); 3] =
            [(|cost| cost.per_second, true), (|cost| cost.client, false), (|cost| cost.redis, false)];
        for (part, is_rate) in parts {
            let (own, other) = (middle(at, part), middle(beside(at), part));
            cells.push(if is_rate { rate(own) } else { millis(own) });
            cells.push(if own > 0.0 { format!("{:.2}", own / other) } else { "-".to_owned() });
        }
        cells.push(millis(middle(at, |cost| cost.postgres)));
        row(&cells);
    }
}

/// Ten times as many jobs through one process as configured: what it holds must not grow.
pub(crate) fn memory() -> Result<()> {
    let place = Place::open()?;
    let done = place.clerk("memory", 2, JOBS, 50, Home::Both)?.output()?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    head("What a process holds that works 200,000 jobs", &["jobs so far", "resident"]);
    let mut held = Vec::new();
    for line in String::from_utf8(done.stdout)?.lines() {
        let (jobs, memory) = line.split_once(' ').context("two numbers were expected")?;
        held.push(memory.parse::<f64>()?);
        row(&[rate(jobs.parse()?), format!("{memory} MiB")]);
    }
    ensure!(held.len() == 10, "ten samples were expected");
    println!("\nThe last is {:.2} of the second; flat is up to {FLAT}.", held[9] / held[1]);
    ensure!(held[9] <= FLAT * held[1], "it grows");
    Ok(())
}
