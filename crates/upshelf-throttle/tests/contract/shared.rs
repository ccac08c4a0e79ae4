//! What holds only where Redis is.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, advance, pause, resume, sleep_until};
use upshelf_testkit::{RedisCluster, RedisSentinel, RedisServer, unique_prefix, wait_until};
use upshelf_throttle::{Adjustment, Limiter, Mode, Policy, Rate, Shared, Subject, Throttle};

use crate::parts::{self, PATIENCE, ada, policy, redis, redis_within, ten_a_minute};

const THERE: &str = "Redis is there";

/// Counts the decisions that a server was asked for.
async fn calls(server: &RedisServer) -> u64 {
    let stats = server.info("commandstats", "cmdstat_evalsha").await.unwrap_or_default();
    let calls = stats.strip_prefix("calls=").and_then(|rest| rest.split(',').next());
    calls.map_or(0, |calls| calls.parse().expect("it is a number"))
}

async fn use_up(limiter: &impl Limiter, policy: &Policy) {
    assert!(limiter.take(&ada(), &[policy], u32::MAX).await.expect(THERE).is_allowed);
    assert!(!limiter.take(&ada(), &[policy], 1).await.expect(THERE).is_allowed);
}

#[tokio::test]
async fn a_flood_of_a_refused_subject_costs_one_call_a_second() {
    let server = RedisServer::start().await;
    let throttle = std::sync::Arc::new(Throttle::shared(Mode::On, &redis(&server.url(), "").await, []));
    let (slow, shadow) = (policy("slow", Rate::per_hour(2)), policy("shadow", Rate::per_hour(1)).shadow());
    for _ in 0..3 {
        throttle.take(&ada(), &[&slow, &shadow], 1).await;
    }
    let asked = calls(&server).await;

    // While the clock stands still no second passes, however slow the machine.
    pause();
    for _ in 0..10_000 {
        let refused = throttle.take(&ada(), &[&slow, &shadow], 1).await;
        assert_eq!(refused.violated().collect::<Vec<_>>(), ["slow"]);
        assert_eq!((refused.usages[0].remaining, refused.usages[1].remaining), (0, 0));
    }
    assert_eq!(calls(&server).await, asked);
    let before = throttle.take(&ada(), &[&slow], 1).await.retry_after();
    advance(Duration::from_millis(900)).await;
    let after = throttle.take(&ada(), &[&slow], 1).await.retry_after();
    assert_eq!(before - after, Duration::from_millis(900), "what it is told goes on");

    advance(Duration::from_millis(100)).await;
    resume();
    let mut flood = JoinSet::new();
    for _ in 0..200 {
        let (throttle, slow) = (throttle.clone(), slow.clone());
        flood.spawn(async move { throttle.take(&ada(), &[&slow], 1).await.is_allowed });
    }
    assert!(flood.join_all().await.into_iter().all(|is_allowed| !is_allowed));
    assert_eq!(calls(&server).await, asked + 1, "one asks for all");
}

#[tokio::test]
async fn a_subject_that_was_refused_without_redis_passes_when_it_was_told_to() {
    let part = parts::shared().await;
    let quick = policy("quick", "5/2s burst 1".parse().expect("it is a rate"));
    let mut refused = part.take(&ada(), &[&quick], 1).await.expect(THERE);
    for times in [2, 3] {
        wait_until("a refusal", PATIENCE, async || {
            refused = part.take(&ada(), &[&quick], 1).await.expect(THERE);
            !refused.is_allowed
        })
        .await;
        let since = Instant::now();
        wait_until("the time it was told", PATIENCE, async || since.elapsed() >= refused.retry_after()).await;
        assert!(part.take(&ada(), &[&quick], 1).await.expect(THERE).is_allowed, "for the {times}th time");
    }
}

#[tokio::test]
async fn what_is_forgiven_here_is_seen_at_once_and_there_after_a_second() {
    let (server, prefix) = (RedisServer::shared().await, unique_prefix());
    let of_process = async || Shared::new(&redis(&server.url(), &prefix).await, []);
    let (here, there) = (of_process().await, of_process().await);
    let ten = policy("ten", Rate::per_day(10));
    let is_allowed = async |limiter: &Shared| limiter.take(&ada(), &[&ten], 1).await.expect(THERE).is_allowed;
    for forgive in [None, Some(Adjustment::Refund(10))] {
        use_up(&here, &ten).await;
        assert!(!is_allowed(&there).await);
        match forgive {
            None => here.forget(&ada()).await.expect(THERE),
            Some(by) => here.adjust(&ada(), &ten, by).await.expect(THERE),
        }
        assert!(is_allowed(&here).await);
        pause();
        advance(Duration::from_secs(1)).await;
        resume();
        assert!(is_allowed(&there).await);
        here.forget(&ada()).await.expect(THERE);
    }
}

#[tokio::test]
async fn to_forget_reaches_policies_that_only_others_have_used() {
    let (server, prefix) = (RedisServer::shared().await, unique_prefix());
    let (ten, other) = (ten_a_minute(), policy("other", Rate::per_hour(1)));
    let elsewhere = Shared::new(&redis(&server.url(), &prefix).await, []);
    elsewhere.take(&ada(), &[&ten, &other], 1).await.expect(THERE);
    assert_eq!(server.keys(&prefix).await.len(), 2);
    let here = Throttle::shared(Mode::On, &redis(&server.url(), &prefix).await, [&ten, &other]);
    here.forget(&ada()).await;
    assert_eq!(server.keys(&prefix).await.len(), 0);
}

#[tokio::test]
async fn keys_are_named_as_the_note_says_and_live_as_long_as_something_is_owed() {
    let (server, prefix) = (RedisServer::shared().await, unique_prefix());
    let shared = Shared::new(&redis(&server.url(), &prefix).await, []);
    let (minute, hour) = (ten_a_minute(), policy("hour", Rate::per_hour(30)));
    let visitor = Subject::ip("2001:db8:1:2::7".parse().expect("it is an address"));
    let neighbour = Subject::ip("2001:db8:1:2:ffff::".parse().expect("it is an address"));
    shared.take(&visitor, &[&minute, &hour], 1).await.expect(THERE);
    let verdict = shared.take(&neighbour, &[&minute, &hour], 1).await.expect(THERE);
    assert_eq!(verdict.usages[0].remaining, 8, "one network is one subject");

    let found = server.keys(&prefix).await;
    let names: Vec<_> = found.iter().map(|key| key.name.strip_prefix(&prefix).expect("it has it")).collect();
    assert_eq!(names, ["ratelimit:ip:2001:db8:1:2::/64:hour", "ratelimit:ip:2001:db8:1:2::/64:ten"]);
    for (key, owed) in found.iter().zip([240, 12]) {
        let ttl = key.ttl.expect("it goes away by itself");
        assert!(key.kind == "string" && ttl.as_secs() <= owed && ttl.as_secs() + 4 >= owed, "{key:?}");
        assert!(server.command(&["GET", &key.name]).await.parse::<u64>().is_ok(), "in microseconds");
    }
    shared.adjust(&visitor, &minute, Adjustment::Refund(2)).await.expect(THERE);
    assert_eq!(server.keys(&prefix).await.len(), 1, "who owes nothing has no key");
}

#[tokio::test]
async fn in_a_cluster_all_that_a_subject_owes_lies_in_one_slot() {
    let (cluster, prefix) = (RedisCluster::shared().await, unique_prefix());
    let shared = Shared::new(&redis(&cluster.url(), &prefix).await, []);
    let policies = [ten_a_minute(), policy("hour", Rate::per_hour(30)), policy("day", Rate::per_day(90))];
    let asked: Vec<_> = policies.iter().collect();
    let mut subjects: Vec<_> = (0..50).map(Subject::member).collect();
    subjects.extend(["}", "{}", "a}b{c", "{a", ":", "ada:ten", "ä\n"].map(Subject::member));
    subjects.extend(["}{", "x:y"].map(|name| Subject::other("account", name)));
    subjects.push(Subject::ip("2001:db8::1".parse().expect("it is an address")));
    for subject in &subjects {
        assert!(shared.take(subject, &asked, 1).await.expect(THERE).is_allowed);
        shared.adjust(subject, asked[0], Adjustment::Penalty(1)).await.expect(THERE);
    }
    let found = cluster.keys(&prefix).await;
    assert_eq!(found.len(), 3 * subjects.len(), "no two of them share a key");
    assert!(found.iter().any(|key| key.name == format!("{prefix}ratelimit:{{ip:2001:db8::/64}}:day")));
    let mut slots = HashSet::new();
    for key in &found {
        let (subject, _) = key.name.rsplit_once(':').expect("a policy follows");
        slots.insert((subject, cluster.command(&["CLUSTER", "KEYSLOT", &key.name]).await));
    }
    assert_eq!(slots.len(), subjects.len());
    for subject in &subjects {
        shared.forget(subject).await.expect(THERE);
    }
    assert!(cluster.keys(&prefix).await.is_empty());
    assert_eq!(cluster.errorstats().await.get("CROSSSLOT"), None);
}

#[tokio::test]
async fn requests_that_wait_together_share_a_call_and_are_decided_each_by_itself() {
    let server = RedisServer::start().await;
    let shared = std::sync::Arc::new(Shared::new(&redis(&server.url(), "").await, []));
    let before = calls(&server).await;
    let mut requests = JoinSet::new();
    for request in 0..300 {
        let shared = shared.clone();
        requests.spawn(async move {
            let (two, ten) = (policy("two", Rate::per_day(2)), policy("ten", Rate::per_day(10)));
            let subject = Subject::member(request % 100);
            // The third request of each is refused by one policy and asks others too.
            let policies: &[_] = if request % 2 == 0 { &[&ten, &two] } else { &[&two] };
            let verdict = shared.take(&subject, policies, 1).await.expect(THERE);
            (request % 100, verdict.is_allowed, verdict.usages.len() == policies.len())
        });
    }
    let mut passed = [0; 100];
    for (subject, is_allowed, is_complete) in requests.join_all().await {
        passed[subject] += usize::from(is_allowed);
        assert!(is_complete);
    }
    assert_eq!(passed, [2; 100]);
    let asked = calls(&server).await - before;
    assert!(asked <= 30, "{asked} calls for 300 requests");
}

#[tokio::test]
async fn while_redis_is_slow_answers_come_in_time() {
    let proxy = RedisServer::shared().await.proxy().await;
    let prefix = unique_prefix();
    let redis = redis_within(Duration::from_millis(50), &proxy.url(), &prefix);
    let throttle = std::sync::Arc::new(Throttle::shared(Mode::On, &redis, []));
    let ten = ten_a_minute();
    wait_until("a first answer", PATIENCE, async || {
        throttle.peek(&ada(), &[&ten], 1).await;
        !throttle.is_alone()
    })
    .await;
    proxy.delay(Duration::from_millis(20));
    let mut requests = JoinSet::new();
    let begun = Instant::now();
    for visitor in 0..20 {
        let (throttle, ten) = (throttle.clone(), ten.clone());
        requests.spawn(async move {
            sleep_until(begun + Duration::from_millis(3 * visitor)).await;
            let begun = Instant::now();
            let verdict = throttle.take(&Subject::member(visitor), &[&ten], 1).await;
            (begun.elapsed(), verdict.is_allowed)
        });
    }
    let (mut waits, allowed): (Vec<_>, Vec<_>) = requests.join_all().await.into_iter().unzip();
    assert!(allowed.into_iter().all(|is_allowed| is_allowed));
    waits.sort_unstable();
    assert!(waits[10] <= Duration::from_millis(60) && waits[19] < Duration::from_millis(500), "{waits:?}");
}

#[tokio::test]
async fn while_redis_hangs_answers_come_in_time_and_nobody_is_refused_for_it() {
    let server = RedisServer::start().await;
    let throttle =
        Throttle::shared(Mode::On, &redis_within(Duration::from_millis(50), &server.url(), ""), []);
    let ten = ten_a_minute();
    wait_until("a first answer", PATIENCE, async || {
        throttle.peek(&ada(), &[&ten], 1).await;
        !throttle.is_alone()
    })
    .await;
    server.pause();
    let mut waits = Vec::new();
    for request in 1..=10 {
        let begun = Instant::now();
        assert!(throttle.take(&ada(), &[&ten], 1).await.is_allowed, "request {request}");
        waits.push(begun.elapsed());
    }
    assert!(throttle.is_alone());
    assert!(!throttle.take(&ada(), &[&ten], 1).await.is_allowed, "it decides alone, not at will");
    waits.sort_unstable();
    assert!(waits[5] <= Duration::from_millis(60) && waits[9] < Duration::from_millis(500), "{waits:?}");
    server.resume();
    wait_until("Redis is back", PATIENCE, async || {
        throttle.peek(&ada(), &[&ten], 1).await;
        !throttle.is_alone()
    })
    .await;
}

#[tokio::test]
async fn a_new_primary_counts_on() {
    let sentinel = RedisSentinel::start().await;
    let processes = [(), ()].map(|()| redis_within(Duration::from_millis(200), &sentinel.url(), ""));
    let throttles = processes.each_ref().map(|redis| Throttle::shared(Mode::On, redis, []));
    let (ada, day) = (ada(), policy("day", Rate::per_day(100)));
    let counts_together = async |throttle: &Throttle| {
        throttle.peek(&ada, &[&day], 0).await;
        !throttle.is_alone()
    };
    for throttle in &throttles {
        wait_until("the primary", PATIENCE, async || {
            throttle.take(&ada, &[&day], 1).await;
            counts_together(throttle).await
        })
        .await;
    }
    let begun = Instant::now();
    sentinel.kill_primary().await;
    for throttle in &throttles {
        wait_until("the outage to be noticed", PATIENCE, async || {
            assert!(throttle.take(&ada, &[&day], 1).await.is_allowed, "nobody is refused for it");
            throttle.is_alone()
        })
        .await;
    }
    for throttle in &throttles {
        wait_until("the new primary", 3 * PATIENCE, async || counts_together(throttle).await).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    let [one, two] = &throttles;
    let before = two.peek(&ada, &[&day], 0).await.usages[0].remaining;
    one.take(&ada, &[&day], 10).await;
    assert_eq!(
        two.peek(&ada, &[&day], 0).await.usages[0].remaining,
        before - 10,
        "they count together again"
    );
}

#[tokio::test]
async fn a_redis_that_answers_wrongly_refuses_nobody() {
    let server = RedisServer::start().await;
    let throttle = Throttle::shared(Mode::On, &redis(&server.url(), "").await, []);
    let ten = ten_a_minute();
    use_up(&throttle, &ten).await;
    throttle.forget(&ada()).await;
    server.command(&["CONFIG", "SET", "maxmemory", "1"]).await;
    for _ in 0..10 {
        assert!(throttle.take(&ada(), &[&ten], 1).await.is_allowed);
    }
    assert!(throttle.is_alone());
    assert!(!throttle.take(&ada(), &[&ten], 1).await.is_allowed, "this process counts");
    server.command(&["CONFIG", "SET", "maxmemory", "0"]).await;
    wait_until("it answers as it should", PATIENCE, async || {
        throttle.peek(&ada(), &[&ten], 1).await;
        !throttle.is_alone()
    })
    .await;
    assert!(throttle.take(&ada(), &[&ten], 1).await.is_allowed, "what was counted alone is dropped");
}

#[tokio::test]
async fn a_process_alone_allows_its_share_and_at_least_one() {
    let throttle = parts::degraded().await;
    throttle.set_processes(NonZeroU32::new(4).expect("it is not zero"));
    for (name, limit, share) in [("ten", 10, 2), ("four", 4, 1), ("three", 3, 1)] {
        let policy = policy(name, Rate::per_minute(limit));
        for _ in 0..share {
            assert!(throttle.take(&ada(), &[&policy], 1).await.is_allowed);
        }
        let refused = throttle.take(&ada(), &[&policy], 1).await;
        assert!(!refused.is_allowed);
        throttle.assert_time(refused.retry_after(), Duration::from_secs(60) * 4 / limit);
    }
}

#[tokio::test]
async fn a_service_in_shadow_counts_in_redis_and_one_that_is_off_asks_nobody() {
    let server = RedisServer::start().await;
    let redis = redis(&server.url(), "").await;
    let one = policy("one", Rate::per_hour(1));
    let shadow = Throttle::shared(Mode::Shadow, &redis, []);
    assert!(!shadow.take(&ada(), &[&one], 1).await.is_shadowed());
    for _ in 0..2 {
        assert!(shadow.take(&ada(), &[&one], 1).await.is_shadowed());
    }
    let asked = calls(&server).await;
    let off = Throttle::shared(Mode::Off, &redis, []);
    assert_eq!(off.take(&ada(), &[&one], 1).await.fields(), None);
    assert_eq!(calls(&server).await, asked);
}
