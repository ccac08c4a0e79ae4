//! What holds while Redis is away, and when it is back.

use std::time::Duration;

use tokio::time::Instant;
use upshelf_bus::{Buffer, Bus, Carrier, Event, Shared, Subscription};
use upshelf_testkit::{Keep, Proxy, RedisCluster, RedisSentinel, RedisServer, unique_prefix, wait_until};

use crate::LARGE;
use crate::parts::{PATIENCE, is_back, message, next, process, redis, redis_within};

/// The next event must be this one, and the message published after it must come right behind: nothing between.
async fn exactly(event: Event, listener: &mut Subscription, publisher: &Bus) {
    assert_eq!(next(listener).await, Some(event));
    hears(listener, publisher).await;
}

async fn hears(listener: &mut Subscription, publisher: &Bus) {
    publisher.publish("votes", "again").await;
    assert_eq!(next(listener).await, message("votes", "again"));
}

/// Two processes on one server, one of them behind a proxy.
async fn one_behind_a_proxy() -> (Bus, Proxy, Bus) {
    let (server, prefix) = (RedisServer::shared().await, unique_prefix());
    let proxy = server.proxy().await;
    let cut_off = process(&proxy.url(), &prefix, LARGE).await;
    (cut_off, proxy, process(&server.url(), &prefix, LARGE).await)
}

#[tokio::test]
async fn a_process_that_is_cut_off_tells_itself_and_the_others_once_it_is_back() {
    let (cut_off, proxy, other) = one_behind_a_proxy().await;
    let mut here = cut_off.subscribe("votes").await;
    let mut there = other.subscribe("votes").await;
    let mut there_too = other.subscribe_pattern("v*").await;
    let mut unconcerned = other.subscribe("news").await;
    proxy.cut();
    wait_until("the outage", PATIENCE, async || cut_off.is_degraded()).await;
    for n in 0..3 {
        cut_off.publish("votes", n.to_string()).await;
        assert_eq!(next(&mut here).await, message("votes", &n.to_string()), "its own listeners hear it");
    }
    other.publish("votes", "unheard here").await;
    assert_eq!(next(&mut there).await, message("votes", "unheard here"));
    assert_eq!(next(&mut there_too).await, message("votes", "unheard here"));
    assert!(!other.is_degraded());

    proxy.restore();
    is_back(&cut_off).await;
    exactly(Event::Resync, &mut here, &other).await;
    // It never lost Redis, and has missed something all the same.
    for listener in [&mut there, &mut there_too] {
        assert_eq!(next(listener).await, Some(Event::Resync));
        assert_eq!(next(listener).await, message("votes", "again"));
    }
    cut_off.publish("news", "to both").await;
    assert_eq!(next(&mut unconcerned).await, message("news", "to both"));
}

#[tokio::test]
async fn after_a_common_outage_everybody_is_told_once() {
    let server = RedisServer::start().await;
    for keep in [Keep::Nothing, Keep::Data] {
        let (here, there) =
            (process(&server.url(), "", LARGE).await, process(&server.url(), "", LARGE).await);
        let (mut one, mut two) = (here.subscribe("votes").await, there.subscribe_pattern("v*").await);
        hears(&mut one, &there).await;
        assert_eq!(next(&mut two).await, message("votes", "again"));
        server.kill9();
        wait_until("the outage", PATIENCE, async || here.is_degraded() && there.is_degraded()).await;
        there.publish("votes", "alone").await;
        assert_eq!(next(&mut two).await, message("votes", "alone"));
        server.restart(keep).await;
        is_back(&here).await;
        is_back(&there).await;
        exactly(Event::Resync, &mut one, &there).await;
        assert_eq!(next(&mut two).await, Some(Event::Resync));
        assert_eq!(next(&mut two).await, message("votes", "again"));
    }
}

#[tokio::test]
async fn while_redis_hangs_a_publication_is_heard_here_in_time_and_the_others_are_told() {
    let server = RedisServer::start().await;
    let quick = Bus::shared_with(LARGE, &redis_within(Duration::from_millis(50), &server.url(), ""));
    is_back(&quick).await;
    let other = process(&server.url(), "", LARGE).await;
    let (mut here, mut there) = (quick.subscribe("votes").await, other.subscribe("votes").await);
    server.pause();
    let mut waits = Vec::new();
    for n in 0..10 {
        let begun = Instant::now();
        quick.publish("votes", n.to_string()).await;
        waits.push(begun.elapsed());
        assert_eq!(here.try_recv(), message("votes", &n.to_string()), "it is heard when it is published");
    }
    waits.sort_unstable();
    assert!(waits[5] <= Duration::from_millis(80) && waits[9] < Duration::from_millis(500), "{waits:?}");
    assert!(quick.is_degraded());
    server.resume();
    is_back(&quick).await;
    is_back(&other).await;
    other.publish("votes", "again").await;
    // What Redis had after all comes late, and here for the second time.
    for listener in [&mut here, &mut there] {
        let mut resyncs = 0;
        loop {
            match next(listener).await {
                Some(Event::Message { payload, .. }) if payload == "again" => break,
                Some(Event::Message { .. }) => {}
                event => resyncs += usize::from(event == Some(Event::Resync)),
            }
        }
        assert_eq!(resyncs, 1);
    }
}

#[tokio::test]
async fn a_connection_that_hangs_holds_nobody_up_and_who_did_not_wait_for_it_is_told() {
    let (frozen, proxy, other) = one_behind_a_proxy().await;
    let mut early = frozen.subscribe("votes").await;
    proxy.freeze();
    let begun = Instant::now();
    let mut late = frozen.subscribe("news").await;
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert!(frozen.is_degraded());
    other.publish("votes", "held back").await;
    other.publish("news", "unheard here").await;
    proxy.restore();
    is_back(&frozen).await;
    assert_eq!(next(&mut early).await, message("votes", "held back"));
    hears(&mut early, &other).await;
    assert_eq!(next(&mut late).await, Some(Event::Resync));
    other.publish("news", "heard").await;
    assert_eq!(next(&mut late).await, message("news", "heard"));
}

#[tokio::test]
async fn who_subscribes_while_redis_is_away_hears_this_process_and_is_told_when_it_hears_the_others() {
    let (server, prefix) = (RedisServer::shared().await, unique_prefix());
    let proxy = server.proxy().await;
    let other = process(&server.url(), &prefix, LARGE).await;
    proxy.cut();
    let bus = Bus::shared_with(LARGE, &redis(&proxy.url(), &prefix));
    assert!(bus.is_degraded());
    // Before Redis was ever there, and after it was.
    for _ in 0..2 {
        let mut listeners = [bus.subscribe("votes").await, bus.subscribe_pattern("v*").await];
        let left = bus.subscribe("news").await;
        bus.publish("votes", "alone").await;
        for listener in &mut listeners {
            assert_eq!(listener.try_recv(), message("votes", "alone"));
        }
        drop(left);
        proxy.restore();
        is_back(&bus).await;
        let mut late = bus.subscribe("votes").await;
        other.publish("votes", "together").await;
        for listener in &mut listeners {
            assert_eq!(next(listener).await, Some(Event::Resync));
            assert_eq!(next(listener).await, message("votes", "together"));
        }
        assert_eq!(next(&mut late).await, message("votes", "together"), "who came later has missed nothing");
        let news = format!("{prefix}news");
        assert_eq!(server.command(&["PUBSUB", "NUMSUB", &news]).await, format!("{news}\n0"));
        proxy.cut();
        wait_until("the outage", PATIENCE, async || bus.is_degraded()).await;
    }
}

#[tokio::test]
async fn who_subscribes_while_the_bus_connects_waits_for_it_and_has_missed_nothing() {
    let (url, prefix) = (RedisServer::shared().await.url(), unique_prefix());
    let other = process(&url, &prefix, LARGE).await;
    for n in 0..10 {
        let redis = redis(&url, &prefix);
        wait_until("Redis", PATIENCE, async || redis.health().is_up()).await;
        let bus = Bus::shared_with(LARGE, &redis);
        let mut listeners = [bus.subscribe("votes").await, bus.subscribe_pattern("v*").await];
        let payload = n.to_string();
        other.publish("votes", payload.clone()).await;
        for listener in &mut listeners {
            assert_eq!(next(listener).await, message("votes", &payload));
        }
        bus.publish("votes", "own").await;
        for listener in &mut listeners {
            assert_eq!(next(listener).await, message("votes", "own"));
        }
    }
}

#[tokio::test]
async fn in_a_cluster_everybody_is_told_once_too() {
    let cluster = RedisCluster::start().await;
    let (here, there) = (process(&cluster.url(), "", LARGE).await, process(&cluster.url(), "", LARGE).await);
    let (mut one, mut two) = (here.subscribe("votes").await, there.subscribe_pattern("v*").await);
    for _ in 0..2 {
        cluster.kill9();
        wait_until("the outage", PATIENCE, async || here.is_degraded() && there.is_degraded()).await;
        there.publish("votes", "alone").await;
        assert_eq!(next(&mut two).await, message("votes", "alone"));
        cluster.restart(Keep::Data).await;
        is_back(&here).await;
        is_back(&there).await;
        // Subscribed, left and subscribed anew: it must not come twice.
        drop(here.subscribe("news").await);
        let mut news = here.subscribe("news").await;
        exactly(Event::Resync, &mut one, &there).await;
        assert_eq!(next(&mut two).await, Some(Event::Resync));
        assert_eq!(next(&mut two).await, message("votes", "again"));
        there.publish("news", "once").await;
        assert_eq!(next(&mut news).await, message("news", "once"));
        hears(&mut one, &there).await;
        assert_eq!(next(&mut two).await, message("votes", "again"));
        assert_eq!(news.try_recv(), None);
    }
}

#[tokio::test]
async fn the_shared_part_alone_says_that_redis_is_away() {
    let proxy = RedisServer::shared().await.proxy().await;
    proxy.cut();
    let shared = Shared::new(Buffer::default(), &redis(&proxy.url(), &unique_prefix()));
    assert!(shared.is_degraded());
    assert!(shared.publish("votes", "unheard".into()).await.is_err_and(|error| error.is_away()));
    assert!(shared.subscribe("votes").await.is_err_and(|error| error.is_away()));
    assert!(shared.subscribe_pattern("v*").await.is_err_and(|error| error.is_away()));
}

#[tokio::test]
async fn behind_sentinels_a_new_primary_costs_a_resync() {
    let sentinel = RedisSentinel::start().await;
    let (here, there) =
        (process(&sentinel.url(), "", LARGE).await, process(&sentinel.url(), "", LARGE).await);
    let mut listener = here.subscribe("votes").await;
    hears(&mut listener, &there).await;
    sentinel.kill_primary().await;
    assert_eq!(next(&mut listener).await, Some(Event::Resync));
    is_back(&here).await;
    is_back(&there).await;
    hears(&mut listener, &there).await;
}
