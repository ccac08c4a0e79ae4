//! What holds among processes: each here is a bus of its own, on connections of its own.

use std::sync::Arc;

use bytes::Bytes;
use upshelf_bus::{Buffer, Bus, Event, Subscription};
use upshelf_redis::{Class, Lane};
use upshelf_testkit::{Program, RedisCluster, RedisServer, contract, unique_prefix, wait_until};

use crate::LARGE;
use crate::parts::{PATIENCE, message, next, process, redis};

/// Two processes of one site.
async fn pair(url: &str) -> (Bus, Bus) {
    let prefix = unique_prefix();
    (process(url, &prefix, LARGE).await, process(url, &prefix, LARGE).await)
}

contract! {
    threads parts {
        server => pair(&RedisServer::shared().await.url()).await,
        cluster => pair(&RedisCluster::shared().await.url()).await,
    }

    async fn processes_hear_each_other(pair: (Bus, Bus)) {
        let (here, there) = pair;
        let mut exact = here.subscribe("notifications:1").await;
        let mut pattern = here.subscribe_pattern("notif*").await;
        there.publish("notifications:1", "from there").await;
        here.publish("notifications:1", "from here").await;
        there.publish("notifications:2", "for the pattern").await;
        for listener in [&mut exact, &mut pattern] {
            assert_eq!(next(listener).await, message("notifications:1", "from there"));
            assert_eq!(next(listener).await, message("notifications:1", "from here"));
        }
        assert_eq!(next(&mut pattern).await, message("notifications:2", "for the pattern"));
    }

    async fn racing_processes_are_heard_in_one_order_by_all(pair: (Bus, Bus)) {
        const EACH: usize = 300;
        let (here, there) = pair;
        let mut listeners = [
            here.subscribe("votes").await,
            here.subscribe_pattern("v*").await,
            there.subscribe("votes").await,
            there.subscribe_pattern("*").await,
        ];
        let mut publishers = tokio::task::JoinSet::new();
        for (name, bus) in [("here", &here), ("there", &there)] {
            for task in 0..2 {
                let bus = bus.clone();
                publishers.spawn(async move {
                    for n in 0..EACH {
                        bus.publish("votes", format!("{name} {task} {n:03}")).await;
                    }
                });
            }
        }
        publishers.join_all().await;
        let mut heard = Vec::new();
        for listener in &mut listeners {
            heard.push(take(listener, 4 * EACH).await);
        }
        assert!(heard.iter().all(|order| *order == heard[0]));
        let mut sorted = heard.swap_remove(0);
        for task in ["here 0", "here 1", "there 0", "there 1"] {
            let own = sorted.iter().filter(|payload| payload.starts_with(task.as_bytes()));
            assert!(own.is_sorted(), "{task}");
        }
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), 4 * EACH, "each came once");
    }

    async fn what_one_leaves_another_joins_at_once(pair: (Bus, Bus)) {
        let (here, there) = pair;
        for address in ["votes", "v*"] {
            let listen = async || match address {
                "votes" => here.subscribe(address).await,
                _ => here.subscribe_pattern(address).await,
            };
            let mut listener = listen().await;
            for n in 0..200 {
                drop(listener);
                listener = listen().await;
                let payload = format!("{address} {n}");
                there.publish("votes", payload.clone()).await;
                assert_eq!(next(&mut listener).await, message("votes", &payload));
            }
        }
    }

    async fn racing_to_join_and_to_leave_loses_no_subscription(pair: (Bus, Bus)) {
        let (here, there) = pair;
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..8 {
            let (here, there) = (here.clone(), there.clone());
            tasks.spawn(async move {
                for n in 0..50 {
                    // Given up half of the time before it is there.
                    let given_up = here.subscribe("votes");
                    if n % 2 == 0 {
                        let _ = tokio::time::timeout(std::time::Duration::ZERO, given_up).await;
                    }
                    let mut listener = here.subscribe("votes").await;
                    let own = format!("{task} {n}");
                    there.publish("votes", own.clone()).await;
                    loop {
                        match next(&mut listener).await {
                            Some(Event::Message { payload, .. }) if payload == own => break,
                            Some(Event::Message { .. }) => {}
                            other => panic!("only messages were published, and there is {other:?}"),
                        }
                    }
                }
            });
        }
        tasks.join_all().await;
    }

    async fn what_comes_from_redis_is_shared_by_all_who_hear_it(pair: (Bus, Bus)) {
        let (here, there) = pair;
        let mut ada = here.subscribe("votes").await;
        let mut bob = here.subscribe("votes").await;
        there.publish("votes", "a payload long enough to stand somewhere").await;
        let (Some(Event::Message { payload: one, .. }), Some(Event::Message { payload: two, .. })) =
            (next(&mut ada).await, next(&mut bob).await)
        else {
            panic!("both are subscribed")
        };
        assert_eq!(one.as_ptr(), two.as_ptr());
    }

    async fn the_end_of_a_bus_ends_its_subscriptions_and_no_others(pair: (Bus, Bus)) {
        let (here, there) = pair;
        let (mut mine, mut theirs) = (here.subscribe("votes").await, there.subscribe("votes").await);
        here.publish("votes", "last words").await;
        assert_eq!(next(&mut mine).await, message("votes", "last words"));
        drop(here);
        assert_eq!(next(&mut mine).await, None);
        there.publish("votes", "more").await;
        assert_eq!(next(&mut theirs).await, message("votes", "last words"));
        assert_eq!(next(&mut theirs).await, message("votes", "more"));
    }
}

async fn take(listener: &mut Subscription, count: usize) -> Vec<Bytes> {
    let mut payloads = Vec::with_capacity(count);
    for _ in 0..count {
        match next(listener).await {
            Some(Event::Message { payload, .. }) => payloads.push(payload),
            other => panic!("only messages were published, and there is {other:?}"),
        }
    }
    payloads
}

#[tokio::test]
async fn redis_sends_what_somebody_listens_to_and_nothing_else() {
    let server = RedisServer::start().await;
    let bus = process(&server.url(), "", Buffer::default()).await;
    let channels = async || {
        let mut channels: Vec<_> =
            server.command(&["PUBSUB", "CHANNELS"]).await.lines().map(str::to_owned).collect();
        channels.sort_unstable();
        channels
    };
    let subscribers =
        async || server.command(&["PUBSUB", "NUMSUB", "notifications:1"]).await.replace('\n', " ");
    assert_eq!(channels().await, ["upshelf:bus"]);
    let (ada, mut bob) = (bus.subscribe("notifications:1").await, bus.subscribe("notifications:1").await);
    let (one, two) = (bus.subscribe_pattern("resource:*").await, bus.subscribe_pattern("resource:*").await);
    assert_eq!(channels().await, ["notifications:1", "upshelf:bus"]);
    assert_eq!(subscribers().await, "notifications:1 1", "once, however many listen");
    assert_eq!(server.command(&["PUBSUB", "NUMPAT"]).await, "1");

    drop((ada, one));
    bus.publish("notifications:1", "for bob").await;
    assert_eq!(next(&mut bob).await, message("notifications:1", "for bob"));
    assert_eq!(subscribers().await, "notifications:1 1");
    assert_eq!(server.command(&["PUBSUB", "NUMPAT"]).await, "1");

    drop((bob, two));
    wait_until("nobody to listen", PATIENCE, async || channels().await == ["upshelf:bus"]).await;
    wait_until("no pattern", PATIENCE, async || server.command(&["PUBSUB", "NUMPAT"]).await == "0").await;
}

#[tokio::test]
async fn subscriptions_that_are_given_up_leave_nothing_on_redis() {
    let server = RedisServer::start().await;
    let bus = process(&server.url(), "", Buffer::default()).await;
    for n in 0..100 {
        let (channel, pattern) = (format!("c{n}"), format!("p{n}*"));
        // It has been sent, and is dropped before it is answered; or after.
        assert!(futures_util::poll!(std::pin::pin!(bus.subscribe(&channel))).is_pending());
        assert!(futures_util::poll!(std::pin::pin!(bus.subscribe_pattern(&pattern))).is_pending());
        if n % 2 == 0 {
            drop(bus.subscribe(&channel).await);
        }
    }
    // Whatever was asked before is done when this is.
    let mut listener = bus.subscribe("votes").await;
    bus.publish("votes", "heard").await;
    assert_eq!(next(&mut listener).await, message("votes", "heard"));
    let count = async || server.command(&["PUBSUB", "CHANNELS"]).await.lines().count();
    wait_until("only the two that are listened to", PATIENCE, async || count().await == 2).await;
    wait_until("no pattern", PATIENCE, async || server.command(&["PUBSUB", "NUMPAT"]).await == "0").await;
}

#[tokio::test]
async fn a_foreign_program_is_heard_and_hears_by_the_names_of_the_note() {
    let server = RedisServer::start().await;
    let bus = process(&server.url(), "", Buffer::default()).await;
    let port = server.address().port().to_string();
    let mut listener = bus.subscribe("suggestions:votes").await;
    let mut program =
        Program::start("redis-cli", ["-p", &port, "PUBLISH", "suggestions:votes", "{\"up\":1}"], &[]);
    assert!(program.wait(PATIENCE).await.success());
    assert_eq!(next(&mut listener).await, message("suggestions:votes", "{\"up\":1}"));

    let channel = "resource:updates:7";
    let mut program = Program::start("redis-cli", ["-p", &port, "SUBSCRIBE", channel], &[]);
    wait_until("the program to listen", PATIENCE, async || {
        server.command(&["PUBSUB", "NUMSUB", channel]).await == format!("{channel}\n1")
    })
    .await;
    bus.publish_json(channel, &[1, 2]).await.expect("numbers have a JSON form");
    program.wait_for("[1,2]", PATIENCE).await;
}

#[tokio::test]
async fn in_a_cluster_a_foreign_program_hears_at_every_node() {
    let (cluster, prefix) = (RedisCluster::shared().await, unique_prefix());
    let bus = process(&cluster.url(), &prefix, Buffer::default()).await;
    let channel = format!("{prefix}{{upshelf:bus}}:suggestions:votes");
    let mut programs = Vec::new();
    for node in cluster.nodes() {
        let port = node.address().port().to_string();
        programs.push(Program::start("redis-cli", ["-p", &port, "SUBSCRIBE", &channel], &[]));
        wait_until("the program to listen", PATIENCE, async || {
            node.command(&["PUBSUB", "NUMSUB", &channel]).await == format!("{channel}\n1")
        })
        .await;
    }
    bus.publish("suggestions:votes", "heard everywhere").await;
    for program in &mut programs {
        program.wait_for("heard everywhere", PATIENCE).await;
    }
}

#[tokio::test]
async fn sites_with_different_prefixes_do_not_hear_each_other() {
    let (url, prefix) = (RedisServer::shared().await.url(), unique_prefix());
    let ours = process(&url, &format!("{prefix}[a]*"), Buffer::default()).await;
    let theirs = process(&url, &format!("{prefix}a-"), Buffer::default()).await;
    let mut all = ours.subscribe_pattern("*").await;
    theirs.publish("votes", "theirs").await;
    ours.publish("votes", "ours").await;
    assert_eq!(next(&mut all).await, message("votes", "ours"));
}

#[tokio::test]
async fn what_the_processes_tell_each_other_is_no_message() {
    let (url, prefix) = (RedisServer::shared().await.url(), unique_prefix());
    let bus = process(&url, &prefix, Buffer::default()).await;
    let mut all = bus.subscribe_pattern("*").await;
    let mut votes = bus.subscribe("votes").await;
    let mut news = bus.subscribe("news").await;
    let line = redis(&url, &prefix).line(Lane::General, Class::Queue);
    let control = format!("{prefix}upshelf:bus");
    for odd in ["", "no JSON", "{\"channels\":7}"] {
        line.publish(&control, odd.as_bytes()).await.expect("Redis is there");
    }
    line.publish(&control, br#"{"age_ms":0,"channels":["votes"]}"#).await.expect("Redis is there");
    line.publish(&control, br#"{"age_ms":3600000,"channels":["news"]}"#).await.expect("Redis is there");
    bus.publish("votes", "one").await;
    bus.publish("news", "one").await;
    assert_eq!(next(&mut votes).await, Some(Event::Resync));
    assert_eq!(next(&mut votes).await, message("votes", "one"));
    assert_eq!(next(&mut news).await, message("news", "one"), "what was missed before it began is no gap");
    assert_eq!(next(&mut all).await, Some(Event::Resync));
    assert_eq!(next(&mut all).await, message("votes", "one"));
    assert_eq!(next(&mut all).await, message("news", "one"));
}

#[tokio::test]
async fn thousands_of_subscriptions_are_there_when_they_say_so() {
    let (here, there) = pair(&RedisServer::shared().await.url()).await;
    let here = Arc::new(here);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..2_000 {
        let here = Arc::clone(&here);
        tasks.spawn(async move { (n, here.subscribe(&format!("notifications:{n}")).await) });
    }
    for (n, mut listener) in tasks.join_all().await {
        let channel = format!("notifications:{n}");
        there.publish(&channel, "hello").await;
        assert_eq!(next(&mut listener).await, message(&channel, "hello"));
    }
}
