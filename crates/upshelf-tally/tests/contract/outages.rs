//! Two processes on one Redis, through whatever befalls it.

use std::time::Duration;

use proptest::prelude::*;
use tokio::task::JoinSet;
use tokio::time::Instant;
use upshelf_tally::{Board, Counts, Shared, Tally};
use upshelf_testkit::{Keep, Patience, RedisCluster, RedisSentinel, RedisServer, unique_prefix, wait_until};
use uuid::Uuid;

use crate::database::Database;
use crate::parts::{DEADLINE, PATIENCE, believed, is_up, redis};
use crate::{counts, id};

/// What the product uses.
const SHORT: Duration = Duration::from_millis(50);

/// How soon everything agrees after an outage; a busy machine is given a little more than the two seconds promised.
const SOON: Duration = Duration::from_secs(4);

const THINGS: u128 = 40;

/// Two processes that vote on everything all the time.
struct Voters {
    tallies: [Tally<Uuid>; 2],
    database: Database,
    voting: JoinSet<()>,
}

impl Voters {
    async fn start(url: &str, prefix: &str) -> Self {
        let tally = || Tally::shared(&redis(url, prefix, SHORT));
        let tallies = [believed(tally()).await, believed(tally()).await];
        let (database, mut voting) = (Database::default(), JoinSet::new());
        for n in 0..THINGS {
            database.vote(n);
        }
        for (process, tally) in tallies.iter().cloned().enumerate() {
            let database = database.clone();
            voting.spawn(async move {
                for turn in 0_u128.. {
                    let n = (turn * 7 + process as u128 * 3) % THINGS;
                    let counts = database.vote(n);
                    let begun = Instant::now();
                    tally.record(id(n), counts).await;
                    assert!(begun.elapsed() < Duration::from_secs(2), "a vote waited {:?}", begun.elapsed());
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            });
        }
        let voters = Self { tallies, database, voting };
        wait_until("it goes", PATIENCE, async || {
            voters.database.top(&voters.tallies[0]).await.len() == THINGS as usize
        })
        .await;
        voters
    }

    /// Stops voting, and waits until both processes, Redis and the database say the same.
    async fn agree(mut self, server: &RedisServer, prefix: &str) {
        self.voting.shutdown().await;
        let ended = Instant::now();
        let mut patience = Patience::of(PATIENCE);
        while let Err(difference) = self.compare(server, prefix).await {
            assert!(patience.more().await, "{difference}");
        }
        assert!(ended.elapsed() < SOON, "it took {:?}", ended.elapsed());
    }

    async fn compare(&self, server: &RedisServer, prefix: &str) -> Result<(), String> {
        let numbers: Vec<_> = (0..THINGS).collect();
        let expected: Vec<_> = self.database.all().into_iter().map(|(_, counts)| Some(counts)).collect();
        let expected_top = self.database.expected_top();
        for (process, tally) in self.tallies.iter().enumerate() {
            same(&format!("counts in {process}"), &self.database.counts(tally, &numbers).await, &expected)?;
            same(&format!("top in {process}"), &self.database.top(tally).await, &expected_top)?;
            same(&format!("degraded in {process}"), &tally.is_degraded(), &false)?;
        }
        // To a program that knows only the names.
        for (id, counts) in self.database.all() {
            let key = format!("{prefix}vote:suggestion:{id}:votes");
            let held = server.command(&["HMGET", &key, "up", "down", "score", "version"]).await;
            let Counts { up, down, version } = counts;
            same(&key, &held, &format!("{up}\n{down}\n{}\n{version}", counts.score()))?;
        }
        let top = server.command(&["ZREVRANGE", &format!("{prefix}suggestions:top:voted"), "0", "-1"]).await;
        let top: Vec<_> = top.lines().filter_map(|line| line.parse::<Uuid>().ok()).collect();
        same("top in Redis", &top.iter().map(Uuid::as_u128).collect(), &expected_top)
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?}, not {expected:?}")) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_freeze_all_agree() {
    let (server, prefix) = (RedisServer::start().await, unique_prefix());
    let voters = Voters::start(&server.url(), &prefix).await;
    server.pause();
    wait_until("the outage is noticed", PATIENCE, async || voters.tallies.iter().all(Tally::is_degraded))
        .await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    server.resume();
    voters.agree(&server, &prefix).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_and_an_empty_start_all_agree() {
    let (server, prefix) = (RedisServer::start().await, unique_prefix());
    let voters = Voters::start(&server.url(), &prefix).await;
    server.kill9();
    wait_until("the outage is noticed", PATIENCE, async || voters.tallies.iter().all(Tally::is_degraded))
        .await;
    server.restart(Keep::Nothing).await;
    voters.agree(&server, &prefix).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_dump_is_not_believed() {
    let (server, prefix) = (RedisServer::start().await, unique_prefix());
    let voters = Voters::start(&server.url(), &prefix).await;
    server.command(&["SAVE"]).await;
    let version = voters.database.vote(0).version;
    wait_until("votes go on", PATIENCE, async || voters.database.vote(1).version > version + 20).await;
    server.kill9();
    server.restart(Keep::Data).await;
    voters.agree(&server, &prefix).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_flush_all_agree() {
    let (server, prefix) = (RedisServer::start().await, unique_prefix());
    let voters = Voters::start(&server.url(), &prefix).await;
    for _ in 0..5 {
        server.command(&["FLUSHALL"]).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    voters.agree(&server, &prefix).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_primary_is_told_everything() {
    let (sentinel, prefix) = (RedisSentinel::start().await, unique_prefix());
    let voters = Voters::start(&sentinel.url(), &prefix).await;
    let begun = Instant::now();
    sentinel.kill_primary().await;
    wait_until("the outage is noticed", PATIENCE, async || voters.tallies.iter().all(Tally::is_degraded))
        .await;
    wait_until("the failover", PATIENCE, async || !voters.tallies.iter().any(Tally::is_degraded)).await;
    voters.agree(sentinel.primary().await, &prefix).await;
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_list_that_something_took_away_is_loaded_again() {
    let (server, prefix) = (RedisServer::shared().await, unique_prefix());
    let tally = believed(Tally::shared(&redis(&server.url(), &prefix, DEADLINE))).await;
    let database = Database::default();
    for n in 1..=5 {
        database.write(n, counts(1, 0, 1));
    }
    for key in server.keys(&prefix).await.into_iter().map(|key| key.name).chain([String::new()]) {
        assert_eq!(database.top(&tally).await, [5, 4, 3, 2, 1]);
        server.try_command(&["DEL", &key]).await.ok();
        assert_eq!(database.top(&tally).await, [5, 4, 3, 2, 1], "without {key}");
    }
}

#[tokio::test]
async fn keys_are_the_notes_and_all_of_them_end() {
    let (server, prefix) = (RedisServer::shared().await, unique_prefix());
    let tally = believed(Tally::shared(&redis(&server.url(), &prefix, DEADLINE))).await;
    let database = Database::default();
    database.write(7, counts(3, 1, 4));
    database.write(8, counts(3, 1, 4));
    database.top(&tally).await;
    tally.remove(id(8)).await;
    let votes = server.command(&["HGETALL", &format!("{prefix}vote:suggestion:{}:votes", id(7))]).await;
    let votes: Vec<_> = votes.lines().collect();
    let pairs: std::collections::BTreeMap<_, _> = votes.chunks(2).map(|pair| (pair[0], pair[1])).collect();
    assert_eq!(
        pairs.into_iter().collect::<Vec<_>>(),
        [("down", "1"), ("score", "2"), ("up", "3"), ("version", "4")]
    );
    let top = server
        .command(&["ZREVRANGE", &format!("{prefix}suggestions:top:voted"), "0", "9", "WITHSCORES"])
        .await;
    assert_eq!(top, format!("{}\n2", id(7)));
    for key in server.keys(&prefix).await {
        assert!(key.ttl.is_some(), "{} stays for ever", key.name);
    }
}

#[tokio::test]
async fn a_cluster_is_sent_nothing_across_its_slots() {
    let cluster = RedisCluster::shared().await;
    let tally = believed(Tally::shared(&redis(&cluster.url(), &unique_prefix(), DEADLINE))).await;
    let database = Database::default();
    for n in 0..THINGS {
        database.vote(n);
        database.tell(&tally, n).await;
    }
    database.top(&tally).await;
    tally.clear().await;
    let errors = cluster.errorstats().await;
    assert!(!errors.contains_key("CROSSSLOT"), "{errors:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    /// Whatever the order of arrival over two processes, the newest version stands in the counts and on the list.
    #[test]
    fn of_all_versions_the_newest_stands(order in Just((1..=12_u64).collect::<Vec<_>>()).prop_shuffle()) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
        runtime.block_on(async {
            let (url, prefix) = (RedisServer::shared().await.url(), unique_prefix());
            let handles = [redis(&url, &prefix, DEADLINE), redis(&url, &prefix, DEADLINE)];
            let mut boards = Vec::new();
            for handle in &handles {
                is_up(handle).await;
                boards.push(Shared::<Uuid>::new(handle));
            }
            let mut writes = JoinSet::new();
            for version in order {
                let board = boards[version as usize % 2].clone();
                let votes = u32::try_from(version).expect("it is small");
                writes.spawn(async move { board.record(id(1), counts(votes, 0, version)).await });
            }
            assert!(writes.join_all().await.iter().all(Result::is_ok));
            let since = boards[0].epoch().await.expect("Redis is there");
            boards[0].fill_top(&[], since).await.expect("Redis is there");
            for board in &boards {
                assert_eq!(board.find(&[id(1)]).await.expect("Redis is there"), [Some(counts(12, 0, 12))]);
                let top = board.top(1).await.expect("Redis is there");
                assert_eq!(top, Some(vec![(id(1), counts(12, 0, 12))]));
            }
        });
    }
}

#[tokio::test]
async fn a_list_from_which_something_was_removed_is_kept_again_after_any_key_was_lost() {
    let (server, prefix) = (RedisServer::shared().await, unique_prefix());
    let tally = believed(Tally::shared(&redis(&server.url(), &prefix, DEADLINE))).await;
    let database = Database::default();
    for n in 1..=3 {
        database.write(n, counts(1, 0, 1));
    }
    assert_eq!(database.top(&tally).await, [3, 2, 1]);
    database.close(2);
    tally.remove(id(2)).await;
    for key in server.keys(&prefix).await {
        assert_eq!(database.top(&tally).await, [3, 1]);
        server.command(&["DEL", &key.name]).await;
        assert_eq!(database.top(&tally).await, [3, 1], "without {}", key.name);
        let asked = database.asked();
        assert_eq!(database.top(&tally).await, [3, 1]);
        assert_eq!(database.asked(), asked, "loaded again and again without {}", key.name);
    }
}

#[tokio::test]
async fn votes_keep_the_marks_of_what_was_removed_as_long_as_the_list() {
    let (server, prefix) = (RedisServer::shared().await, unique_prefix());
    let tally = believed(Tally::shared(&redis(&server.url(), &prefix, DEADLINE))).await;
    let database = Database::default();
    for n in 1..=3 {
        database.write(n, counts(1, 0, 1));
    }
    assert_eq!(database.top(&tally).await, [3, 2, 1]);
    database.close(2);
    tally.remove(id(2)).await;
    let list = server.keys(&format!("{prefix}suggestions:top:")).await;
    for key in &list {
        server.command(&["EXPIRE", &key.name, "60"]).await;
    }
    database.vote(1);
    database.tell(&tally, 1).await;
    for key in server.keys(&format!("{prefix}suggestions:top:")).await {
        assert!(key.ttl.is_some_and(|ttl| ttl > Duration::from_secs(3600)), "{key:?} was not kept");
    }
}

#[tokio::test]
async fn a_vote_that_redis_is_told_late_does_not_list_what_was_closed_meanwhile() {
    let (server, prefix) = (RedisServer::shared().await, unique_prefix());
    let (here, there) = (server.proxy().await, server.proxy().await);
    let voter = believed(Tally::shared(&redis(&here.url(), &prefix, DEADLINE))).await;
    let closer = believed(Tally::shared(&redis(&there.url(), &prefix, DEADLINE))).await;
    let database = Database::default();
    for n in 1..=3 {
        database.write(n, counts(1, 0, 1));
    }
    assert_eq!(database.top(&voter).await, [3, 2, 1]);
    here.cut();
    there.cut();
    wait_until("the outage is noticed", PATIENCE, async || voter.is_degraded() && closer.is_degraded()).await;
    database.vote(2);
    database.tell(&voter, 2).await;
    database.close(2);
    closer.remove(id(2)).await;
    there.restore();
    let closer = believed(closer).await;
    assert_eq!(database.top(&closer).await, [3, 1]);
    here.restore();
    let voter = believed(voter).await;
    assert_eq!(database.top(&voter).await, [3, 1]);
    assert_eq!(database.top(&closer).await, [3, 1]);
}

#[tokio::test]
async fn a_write_whose_caller_has_gone_arrives_all_the_same() {
    let server = RedisServer::start().await;
    let tally = believed(Tally::shared(&redis(&server.url(), "", PATIENCE))).await;
    let database = Database::default();
    for n in 1..=3 {
        database.write(n, counts(1, 0, 1));
    }
    assert_eq!(database.top(&tally).await, [3, 2, 1]);
    let give_up = async |write: &mut (dyn std::marker::Unpin + Future<Output = ()>)| {
        server.pause();
        tokio::select! {
            biased;
            () = write => panic!("a frozen server has answered"),
            () = std::future::ready(()) => {}
        }
    };
    database.vote(1);
    database.close(3);
    give_up(&mut Box::pin(tally.remove(id(3)))).await;
    give_up(&mut Box::pin(database.tell(&tally, 1))).await;
    assert!(tally.is_degraded(), "nobody knows whether they arrived");
    server.resume();
    let tally = believed(tally).await;
    let asked = database.asked();
    assert_eq!(database.top(&tally).await, [1, 2]);
    assert_eq!(database.asked(), asked);
}

#[tokio::test]
async fn after_a_flush_the_list_is_kept_again_also_where_it_is_all_that_is_asked_for() {
    let server = RedisServer::start().await;
    let tally = believed(Tally::shared(&redis(&server.url(), "", DEADLINE))).await;
    let database = Database::default();
    for n in 1..=3 {
        database.write(n, counts(1, 0, 1));
    }
    assert_eq!(database.top(&tally).await, [3, 2, 1]);
    server.command(&["FLUSHALL"]).await;
    assert_eq!(database.rank(&tally, 2).await, Some(1));
    let top = server.command(&["ZREVRANGE", "suggestions:top:voted", "0", "9"]).await;
    assert_eq!(top.lines().count(), 3, "another program reads it too");
    let asked = database.asked();
    assert_eq!(database.top(&tally).await, [3, 2, 1]);
    assert_eq!(database.asked(), asked);
}
