//! Processes, Redis and PostgreSQL are killed while jobs are inserted and worked by other processes. Each job notes its effect in
//! the database, the ledger of effects: none may be missing, and only what ran at such a moment may have run again.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;
use upshelf_queue::{Batch, Broker, Job, Options, Pools};
use upshelf_testkit::{Keep, Patience, PostgresServer, Program, RedisCluster, RedisServer, wait_until};

use crate::fixture::{Beside, LIMIT, Note, Server, Shelf};

/// For what takes long on a busy machine.
const LONG: Duration = Duration::from_secs(120);
/// Jobs that one process works side by side.
const SIDE_BY_SIDE: i64 = 5;

struct Ledger {
    shelf: Shelf,
    clerks: Vec<Program>,
    /// Jobs whose commit was acknowledged.
    committed: Vec<String>,
    /// Jobs that were sent to a database which did not answer: they may be there or not.
    in_doubt: usize,
}

impl Ledger {
    /// Begins with two processes that work.
    async fn open(shelf: Shelf) -> Self {
        let table = "CREATE TABLE effects (job TEXT PRIMARY KEY, runs BIGINT NOT NULL)";
        shelf.execute(table, table).await;
        let mut ledger = Self { shelf, clerks: Vec::new(), committed: Vec::new(), in_doubt: 0 };
        for _ in 0..2 {
            ledger.hire().await;
        }
        ledger
    }

    async fn hire(&mut self) {
        let tests = std::env::current_exe().expect("a test runs from a file");
        let clerk =
            tests.parent().and_then(|deps| deps.parent()).expect("target/debug/deps").join("examples/clerk");
        let redis = self.shelf.beside.as_ref().map(|beside| [beside.url.clone(), beside.prefix.clone()]);
        let places = [self.shelf.address()].into_iter().chain(redis.into_iter().flatten());
        let mut clerk = Program::start(clerk, places, &[]);
        clerk.wait_for("ready", LIMIT).await;
        self.clerks.push(clerk);
    }

    fn pool(&self) -> &sqlx::PgPool {
        let Pools::Postgres(pool) = &self.shelf.pools else { panic!("these tests are on PostgreSQL") };
        pool
    }

    /// Commits `count` jobs in one transaction; where that fails they are in doubt.
    async fn commit(&mut self, count: usize) {
        let from = self.committed.len() + self.in_doubt;
        let names: Vec<_> = (from..from + count).map(|job| format!("job {job}")).collect();
        let mut batch = Batch::default();
        for name in &names {
            batch.add(&Note::new(name), Options::default()).expect("plain text");
        }
        let inserted = async {
            let mut tx = self.pool().begin().await?;
            let inserted = self.shelf.queue.enqueue_all((&mut *tx).into(), &batch).await;
            inserted.map_err(|error| sqlx::Error::Protocol(error.to_string()))?;
            tx.commit().await
        };
        match inserted.await {
            Ok(()) => self.committed.extend(names),
            Err(_) => self.in_doubt += count,
        }
        self.shelf.queue.wake(Note::QUEUE);
    }

    async fn effects(&self) -> i64 {
        self.shelf.number("SELECT count(*) FROM effects").await
    }

    async fn until_effects(&self, count: i64) {
        wait_until("so many effects", LONG, async || self.effects().await >= count).await;
    }

    /// Waits until all is done, and looks at every job: those that ran twice were running at one of `moments` when what
    /// they need was lost.
    async fn settle(&self, moments: i64) {
        let begun = Instant::now();
        let unfinished = "SELECT count(*) FROM river_job WHERE state <> 'completed'";
        wait_until("every row to be completed", LONG, async || self.shelf.number(unfinished).await == 0)
            .await;
        let effects: Vec<(String, i64)> =
            sqlx::query_as("SELECT job, runs FROM effects").fetch_all(self.pool()).await.expect("it reads");
        let runs: i64 = effects.iter().map(|(_, runs)| runs).sum();
        let jobs = i64::try_from(effects.len()).expect("some thousands");
        eprintln!("{jobs} effects, {runs} runs; all was settled after {:?}", begun.elapsed());
        let done: std::collections::HashSet<_> = effects.iter().map(|(job, _)| job.as_str()).collect();
        let lost: Vec<_> = self.committed.iter().filter(|job| !done.contains(job.as_str())).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
        let without = "SELECT count(*) FROM river_job WHERE args ->> 'name' NOT IN (SELECT job FROM effects)";
        assert_eq!(self.shelf.number(without).await, 0, "a job is completed and has no effect");
        let again = runs - jobs;
        let at_most = moments * SIDE_BY_SIDE * i64::try_from(self.clerks.len()).expect("a few");
        assert!(again <= at_most, "{again} ran again, {at_most} may have");
    }
}

const JOBS: usize = 900;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_postgresql_loses_no_effect_whoever_works_the_jobs() {
    for with_redis in [true, false] {
        let server = PostgresServer::start().await;
        let beside = if with_redis { Some(Beside::one().await) } else { None };
        let mut ledger = Ledger::open(Shelf::at(server.url(), beside).await).await;
        for _ in 0..JOBS / 20 {
            ledger.commit(10).await;
        }
        ledger.until_effects(i64::try_from(JOBS / 8).expect("small")).await;
        for moment in 0..2 {
            let is_back = Cell::new(false);
            let outage = async {
                server.kill9().await;
                server.restart().await;
                is_back.set(true);
            };
            // While the server dies, is away, and begins again.
            let inserting = async {
                while !is_back.get() {
                    ledger.commit(1).await;
                }
            };
            tokio::join!(outage, inserting);
            for _ in 0..JOBS / 40 {
                ledger.commit(10).await;
            }
            eprintln!("moment {moment}: {} committed, {} in doubt", ledger.committed.len(), ledger.in_doubt);
        }
        ledger.settle(2).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_redis_that_kept_its_data_loses_no_effect() {
    // What was written in the last second before a crash may be missing with the second.
    for sync in ["always", "everysec"] {
        let server = RedisServer::start_with(&["--appendonly", "yes", "--appendfsync", sync]).await;
        let beside = Beside::open(server.url(), Server::Own(Box::new(server)), None);
        let mut ledger = Ledger::open(Shelf::with_redis(beside).await.connected().await).await;
        ledger.commit(JOBS).await;
        for effects in [JOBS / 4, JOBS / 2] {
            ledger.until_effects(i64::try_from(effects).expect("small")).await;
            ledger.shelf.beside().server.own().kill9();
            ledger.shelf.beside().server.own().restart(Keep::Data).await;
        }
        ledger.settle(2).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_go_on_soon_after_a_primary_of_a_cluster_was_killed() {
    let cluster = RedisCluster::start_with_replicas().await;
    let beside = Beside::open(cluster.url(), Server::OwnCluster(Box::new(cluster)), None);
    let mut ledger = Ledger::open(Shelf::with_redis(beside).await.connected().await).await;
    ledger.commit(JOBS / 2).await;
    ledger.until_effects(50).await;
    let beside = ledger.shelf.beside();
    let key = beside.key(Note::QUEUE, "wait");
    let Server::OwnCluster(cluster) = &beside.server else { panic!("it has a cluster of its own") };
    cluster.primary_of(&key).await.expect("every slot is served").kill9();
    let killed = Instant::now();
    ledger.commit(JOBS / 2).await;
    let (before, mut patience) = (ledger.effects().await, Patience::of(LONG));
    // Ten more than what had been taken before.
    while ledger.effects().await < before + 3 * SIDE_BY_SIDE {
        assert!(patience.more().await, "jobs did not go on");
    }
    eprintln!("jobs went on {:?} after the kill", killed.elapsed());
    assert!(killed.elapsed() <= Duration::from_secs(30), "{:?}", killed.elapsed());
    // The place of every job is taken by another attempt after the failover, at most.
    ledger.settle(2).await;
}

/// Kills one of two processes, and Redis, which comes back empty, in the middle of many jobs.
#[tokio::test(flavor = "multi_thread")]
async fn killed_processes_and_an_emptied_redis_lose_no_effect() {
    const JOBS: i64 = 5_000;
    let mut ledger = Ledger::open(Shelf::with_redis(Beside::own().await).await.connected().await).await;
    ledger.commit(usize::try_from(JOBS).expect("it is positive")).await;
    ledger.until_effects(JOBS / 4).await;
    ledger.clerks[0].kill9();
    ledger.until_effects(JOBS / 2).await;
    ledger.shelf.beside().server.own().kill9();
    ledger.shelf.beside().server.own().restart(Keep::Nothing).await;
    ledger.hire().await;
    ledger.settle(1).await;
}
