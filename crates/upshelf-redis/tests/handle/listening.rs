use std::time::Duration;

use tokio::time::{Instant, timeout};
use upshelf_redis::{Push, Subscriber};
use upshelf_testkit::{Keep, RedisCluster, RedisServer, contract, unique_prefix};

use crate::fixture::{Handle, PATIENCE, assert_away};

async fn next(subscriber: &mut Subscriber) -> Push {
    timeout(PATIENCE, subscriber.next()).await.expect("something is heard").expect("the handle is open")
}

fn heard(channel: &str, pattern: Option<&str>, payload: &str) -> Push {
    Push::Message {
        channel: channel.into(),
        pattern: pattern.map(Into::into),
        payload: payload.to_owned().into(),
    }
}

contract! {
    threads parts {
        server => Handle::up(&RedisServer::shared().await.url()).await,
        cluster => Handle::up(&RedisCluster::shared().await.url()).await,
    }

    async fn what_is_published_after_a_subscription_is_heard_in_order(handle: &Handle) {
        let channel = unique_prefix();
        let (mut subscriber, subscriptions) = handle.redis.subscriber(256);
        assert_eq!(next(&mut subscriber).await, Push::Up);
        subscriptions.subscribe(&channel).await.expect("Redis is there");
        let line = handle.queued();
        for n in 0..100 {
            line.publish(&channel, n.to_string().as_bytes()).await.expect("Redis is there");
        }
        for n in 0..100 {
            assert_eq!(next(&mut subscriber).await, heard(&channel, None, &n.to_string()));
        }
        subscriptions.unsubscribe(&channel).await;
        line.publish(&channel, b"unheard").await.expect("Redis is there");
        let silence = timeout(Duration::from_millis(200), subscriber.next()).await;
        assert!(silence.is_err(), "{silence:?}");
    }

    async fn a_pattern_hears_what_it_covers_and_sharded_channels_their_own(handle: &Handle) {
        let prefix = unique_prefix();
        let (mut subscriber, subscriptions) = handle.redis.subscriber(256);
        assert_eq!(next(&mut subscriber).await, Push::Up);
        let (pattern, line) = (format!("{prefix}a*"), handle.queued());
        subscriptions.subscribe_pattern(&pattern).await.expect("Redis is there");
        for (name, payload) in [("b", "no"), ("ab", "yes")] {
            line.publish(&format!("{prefix}{name}"), payload.as_bytes()).await.expect("Redis is there");
        }
        assert_eq!(next(&mut subscriber).await, heard(&format!("{prefix}ab"), Some(&pattern), "yes"));
        for n in 0..10 {
            let channel = format!("{prefix}s{n}");
            subscriptions.subscribe_sharded(&channel).await.expect("Redis is there");
            line.publish_sharded(&channel, b"shard").await.expect("Redis is there");
            assert_eq!(next(&mut subscriber).await, heard(&channel, None, "shard"));
        }
        for n in 0..10 {
            subscriptions.unsubscribe_sharded(&format!("{prefix}s{n}")).await;
        }
        let silence = timeout(Duration::from_millis(200), subscriber.next()).await;
        assert!(silence.is_err(), "ending our own subscriptions is no outage: {silence:?}");
    }
}

#[tokio::test]
async fn what_is_wanted_is_heard_again_after_an_outage_and_the_outage_is_told() {
    let server = RedisServer::start().await;
    let handle = Handle::up(&server.url()).await;
    let (mut subscriber, subscriptions) = handle.redis.subscriber(16);
    assert_eq!(next(&mut subscriber).await, Push::Up);
    subscriptions.subscribe("a").await.expect("Redis is there");
    for _ in 0..2 {
        server.kill9();
        assert_eq!(next(&mut subscriber).await, Push::Down);
        assert_away(subscriptions.subscribe("b").await);
        server.restart(Keep::Nothing).await;
        let restarted = Instant::now();
        assert_eq!(next(&mut subscriber).await, Push::Up);
        assert!(restarted.elapsed() < Duration::from_secs(3), "{:?}", restarted.elapsed());
        handle.is_up().await;
        for channel in ["a", "b"] {
            handle.queued().publish(channel, b"x").await.expect("Redis is there");
            assert_eq!(next(&mut subscriber).await, heard(channel, None, "x"));
        }
        subscriptions.unsubscribe("b").await;
    }
}

#[tokio::test]
async fn a_connection_that_died_in_silence_is_noticed_by_its_heartbeat() {
    let server = RedisServer::start().await;
    let proxy = server.proxy().await;
    let handle = Handle::up(&proxy.url()).await;
    let (mut subscriber, subscriptions) = handle.redis.subscriber(16);
    assert_eq!(next(&mut subscriber).await, Push::Up);
    subscriptions.subscribe("a").await.expect("Redis is there");
    proxy.freeze();
    assert_eq!(next(&mut subscriber).await, Push::Down);
    proxy.restore();
    assert_eq!(next(&mut subscriber).await, Push::Up);
}

#[tokio::test]
async fn a_slow_reader_is_told_of_what_it_missed_and_costs_no_memory() {
    let handle = Handle::up(&RedisServer::shared().await.url()).await;
    let channel = unique_prefix();
    let (mut subscriber, subscriptions) = handle.redis.subscriber(8);
    assert_eq!(next(&mut subscriber).await, Push::Up);
    subscriptions.subscribe(&channel).await.expect("Redis is there");
    let line = handle.queued();
    for n in 0..1_000 {
        line.publish(&channel, n.to_string().as_bytes()).await.expect("Redis is there");
    }
    let mut messages = 0;
    loop {
        match next(&mut subscriber).await {
            Push::Message { .. } => messages += 1,
            Push::Down => break,
            Push::Up => panic!("up without down"),
        }
    }
    assert!(messages <= 17, "{messages} were kept for a reader of 8");
    assert_eq!(next(&mut subscriber).await, Push::Up);
    line.publish(&channel, b"again").await.expect("Redis is there");
    assert_eq!(next(&mut subscriber).await, heard(&channel, None, "again"));
}

#[tokio::test]
async fn thousands_of_channels_are_subscribed_anew() {
    let server = RedisServer::start().await;
    let handle = Handle::up(&server.url()).await;
    let (mut subscriber, subscriptions) = handle.redis.subscriber(64);
    assert_eq!(next(&mut subscriber).await, Push::Up);
    for n in 0..3_000 {
        subscriptions.subscribe(&format!("c{n}")).await.expect("Redis is there");
    }
    server.kill9();
    assert_eq!(next(&mut subscriber).await, Push::Down);
    server.restart(Keep::Nothing).await;
    assert_eq!(next(&mut subscriber).await, Push::Up);
    handle.is_up().await;
    for n in [0, 1_500, 2_999] {
        handle.queued().publish(&format!("c{n}"), b"x").await.expect("Redis is there");
        assert_eq!(next(&mut subscriber).await, heard(&format!("c{n}"), None, "x"));
    }
}
