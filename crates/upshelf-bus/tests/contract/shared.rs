//! Several processes on one Redis, and what becomes of them without it.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use upshelf_bus::{Buffer, Bus, Event, Subscription};
use upshelf_testkit::{Keep, RedisCluster, RedisSentinel, RedisServer, contract, unique_prefix, wait_until};

use crate::message;
use crate::parts::{DEADLINE, PATIENCE, connected, redis};

const WIDE: Buffer = Buffer { messages: 10_000, bytes: 1 << 24 };

/// What the product uses.
const SHORT: Duration = Duration::from_millis(50);

/// Two processes.
struct Pair([Bus; 2]);

async fn pair(url: &str, deadline: Duration) -> Pair {
    let prefix = unique_prefix();
    let bus = || Bus::shared_with(WIDE, &redis(url, &prefix, deadline));
    Pair([connected(bus()).await, connected(bus()).await])
}

async fn next(subscription: &mut Subscription) -> Option<Event> {
    timeout(PATIENCE, subscription.recv()).await.expect("something comes in time")
}

/// Waits for the one resync after an outage, and that messages of the other process come again.
async fn hears_again(pair: &Pair, subscription: &mut Subscription) {
    while next(subscription).await != Some(Event::Resync) {}
    let Pair([one, two]) = pair;
    wait_until("both are back", PATIENCE, async || !one.is_degraded() && !two.is_degraded()).await;
    two.publish("votes", "again").await;
    assert_eq!(next(subscription).await, message("votes", "again"), "one resync, and then what is new");
}

contract! {
    threads parts {
        one_server => pair(&RedisServer::shared().await.url(), DEADLINE).await,
        one_cluster => pair(&RedisCluster::shared().await.url(), DEADLINE).await,
    }

    async fn what_one_process_publishes_all_hear_once_and_in_order(pair: Pair) {
        let Pair([one, two]) = pair;
        let mut listeners = [
            one.subscribe("votes").await,
            two.subscribe("votes").await,
            two.subscribe("votes").await,
            one.subscribe_pattern("v?tes").await,
            two.subscribe_pattern("*").await,
        ];
        for n in 0..200 {
            one.publish("votes", n.to_string()).await;
        }
        for listener in &mut listeners {
            for n in 0..200 {
                assert_eq!(next(listener).await, message("votes", &n.to_string()));
            }
            assert_eq!(listener.try_recv(), None);
        }
    }

    async fn publishers_in_two_processes_are_heard_in_one_order_by_all(pair: Pair) {
        let Pair(buses) = pair;
        let mut listeners = [buses[0].subscribe("votes").await, buses[1].subscribe("votes").await];
        let mut publishers = JoinSet::new();
        for (publisher, bus) in buses.iter().cloned().enumerate() {
            publishers.spawn(async move {
                for n in 0..200 {
                    bus.publish("votes", format!("{publisher} {n}")).await;
                }
            });
        }
        publishers.join_all().await;
        let mut heard = [Vec::new(), Vec::new()];
        for (listener, heard) in listeners.iter_mut().zip(&mut heard) {
            for _ in 0..400 {
                heard.push(next(listener).await);
            }
        }
        assert_eq!(heard[0], heard[1]);
    }

    async fn a_subscription_is_there_from_the_moment_it_is_given(pair: Pair) {
        let Pair([one, two]) = pair;
        for n in 0..100 {
            let channel = format!("notifications:{n}");
            let mut listener = one.subscribe(&channel).await;
            two.publish(&channel, "hello").await;
            assert_eq!(next(&mut listener).await, message(&channel, "hello"));
        }
    }

    async fn joining_and_leaving_at_the_same_time_loses_no_subscription(pair: Pair) {
        let Pair([one, two]) = pair;
        for _ in 0..200 {
            let leaving = one.subscribe("votes").await;
            let ((), mut staying) = tokio::join!(async { drop(leaving) }, one.subscribe("votes"));
            two.publish("votes", "hello").await;
            assert_eq!(next(&mut staying).await, message("votes", "hello"));
        }
    }
}

#[tokio::test]
async fn a_program_after_the_note_is_heard_and_hears() {
    let (server, prefix) = (RedisServer::shared().await, unique_prefix());
    let bus = connected(Bus::shared(&redis(&server.url(), &prefix, DEADLINE))).await;
    let mut listener = bus.subscribe("suggestions:votes").await;
    let channel = format!("{prefix}suggestions:votes");
    server.command(&["PUBLISH", &channel, r#"{"up":1}"#]).await;
    assert_eq!(next(&mut listener).await, message("suggestions:votes", r#"{"up":1}"#));
    let monitor = server.monitor().await;
    bus.publish("suggestions:votes", "{}").await;
    wait_until("it is published", PATIENCE, async || {
        monitor.heard(&channel).await.iter().any(|line| line.contains("PUBLISH"))
    })
    .await;
}

#[tokio::test]
async fn a_process_is_subscribed_to_what_somebody_there_listens_to_and_to_nothing_else() {
    let (server, prefix) = (RedisServer::shared().await, unique_prefix());
    let bus = connected(Bus::shared(&redis(&server.url(), &prefix, DEADLINE))).await;
    let channels = async || server.command(&["PUBSUB", "CHANNELS", &format!("{prefix}*")]).await;
    let (first, second) = (bus.subscribe("votes").await, bus.subscribe("votes").await);
    let third = bus.subscribe("notifications:7").await;
    assert_eq!(channels().await.lines().count(), 2);
    drop((first, third));
    wait_until("one is left", PATIENCE, async || channels().await == format!("{prefix}votes")).await;
    drop(second);
    wait_until("none is left", PATIENCE, async || channels().await.is_empty()).await;
}

#[tokio::test]
async fn a_frozen_server_holds_up_no_publisher_and_this_process_hears_itself() {
    let server = RedisServer::start().await;
    let pair = pair(&server.url(), SHORT).await;
    let Pair([one, _]) = &pair;
    let mut listener = one.subscribe("votes").await;
    server.pause();
    let begun = Instant::now();
    one.publish("votes", "meanwhile").await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    while next(&mut listener).await != message("votes", "meanwhile") {}
    // Until its heartbeat finds out that it hears nothing.
    wait_until("the outage is noticed", PATIENCE, async || one.is_degraded()).await;
    server.resume();
    wait_until("both are back", PATIENCE, async || !pair.0.iter().any(Bus::is_degraded)).await;
    pair.0[1].publish("votes", "again").await;
    while next(&mut listener).await != message("votes", "again") {}
}

#[tokio::test]
async fn after_an_outage_there_is_one_resync_and_then_what_is_new() {
    let server = RedisServer::start().await;
    let pair = pair(&server.url(), SHORT).await;
    let mut listener = pair.0[0].subscribe("votes").await;
    for keep in [Keep::Nothing, Keep::Data] {
        server.kill9();
        wait_until("the outage is noticed", PATIENCE, async || pair.0[0].is_degraded()).await;
        server.restart(keep).await;
        hears_again(&pair, &mut listener).await;
    }
}

#[tokio::test]
async fn who_subscribes_while_redis_is_away_is_told_to_resync_when_it_is_there() {
    let server = RedisServer::start().await;
    server.kill9();
    let bus = Bus::shared(&redis(&server.url(), &unique_prefix(), SHORT));
    let mut listener = bus.subscribe("votes").await;
    bus.publish("votes", "alone").await;
    assert_eq!(next(&mut listener).await, message("votes", "alone"));
    server.restart(Keep::Nothing).await;
    assert_eq!(next(&mut listener).await, Some(Event::Resync));
    assert!(!connected(bus).await.is_degraded());
}

#[tokio::test]
async fn a_new_primary_carries_on() {
    let sentinel = RedisSentinel::start().await;
    let pair = pair(&sentinel.url(), SHORT).await;
    let mut listener = pair.0[0].subscribe("votes").await;
    let begun = Instant::now();
    sentinel.kill_primary().await;
    hears_again(&pair, &mut listener).await;
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}
