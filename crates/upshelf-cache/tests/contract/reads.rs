//! Reads that wait for Redis together.

use std::sync::Arc;

use futures_util::future::join_all;
use tokio::time::Duration;
use upshelf_cache::{Cache, Context, Policy, Region, Source};
use upshelf_testkit::{RedisServer, unique_prefix, wait_until};

use crate::parts::{DEADLINE, linked, redis};
use crate::support::{Away, builder};

/// Two processes on a server of the test's own.
async fn pair() -> (RedisServer, [Cache; 2]) {
    let (server, prefix) = (RedisServer::start().await, unique_prefix());
    let [one, two] = [(), ()].map(|()| redis(&server.url(), &prefix, DEADLINE));
    let caches = [linked(builder(), &one).await, linked(builder(), &two).await];
    (server, caches)
}

fn texts(cache: &Cache) -> Region<String> {
    cache.region("texts", Policy::ttl(Duration::from_secs(600)))
}

fn key(n: usize) -> String {
    format!("cache:text:{n}")
}

fn load(text: String) -> impl FnOnce(Context) -> std::future::Ready<Result<String, Away>> + Send + 'static {
    move |_| std::future::ready(Ok(text))
}

async fn calls(server: &RedisServer) -> u64 {
    let calls = server.info("commandstats", "cmdstat_evalsha").await.unwrap_or_default();
    let calls = calls.strip_prefix("calls=").and_then(|calls| calls.split(',').next());
    calls.map_or(0, |calls| calls.parse().expect("a count"))
}

/// Reads all at once: what each got, and from where.
async fn read_all(region: &Region<String>, count: usize) -> Vec<(String, Source)> {
    let reads = (0..count).map(async |n| {
        let hit = region.get_or_load(&key(n), load(format!("loaded {n}"))).await.expect("it does not fail");
        (hit.to_string(), hit.source())
    });
    join_all(reads).await
}

#[tokio::test]
async fn reads_that_wait_together_share_a_call_and_each_gets_its_own() {
    let (server, caches) = pair().await;
    let [one, two] = caches.each_ref().map(texts);
    for n in (0..200).filter(|n| n % 10 != 3) {
        one.set(&key(n), format!("set {n}")).await;
    }
    let before = calls(&server).await;
    let found = read_all(&two, 200).await;
    // Each miss stores what it loaded, with a call of its own.
    let (calls, stored) = (calls(&server).await - before, 20);
    assert!(calls < stored + 20, "{calls} calls for 200 reads");
    for (n, found) in found.into_iter().enumerate() {
        let expected = match n % 10 {
            3 => (format!("loaded {n}"), Source::Loaded),
            _ => (format!("set {n}"), Source::L2),
        };
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn values_too_big_for_one_call_come_in_several() {
    let (_server, caches) = pair().await;
    let [one, two] = caches.each_ref().map(texts);
    let text = |n: usize| format!("{n} {}", "x".repeat(600 << 10));
    for n in 0..7 {
        one.set(&key(n), text(n)).await;
    }
    for (n, found) in read_all(&two, 8).await.into_iter().enumerate() {
        let expected = if n < 7 { (text(n), Source::L2) } else { ("loaded 7".to_owned(), Source::Loaded) };
        assert!(found == expected, "value {n}");
    }
}

#[tokio::test]
async fn a_server_whose_memory_is_full_goes_on_to_be_read() {
    let (server, caches) = pair().await;
    let [one, two] = caches.each_ref().map(texts);
    one.set(&key(0), "set".to_owned()).await;
    server.command(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let found = read_all(&two, 2).await;
    assert_eq!(found, [("set".to_owned(), Source::L2), ("loaded 1".to_owned(), Source::Loaded)]);
}

#[tokio::test]
async fn a_value_that_is_what_it_was_is_the_same_object_again() {
    let (server, prefix) = (RedisServer::start().await, unique_prefix());
    let [one, two] = [(), ()].map(|()| redis(&server.url(), &prefix, DEADLINE));
    let writer = texts(&linked(builder(), &one).await);
    // Asks Redis at every read.
    let reader = texts(&linked(builder().l1_cap(Duration::ZERO), &two).await);
    let read = async || {
        let hit = reader.get_or_load(&key(0), load("loaded".to_owned())).await.expect("it does not fail");
        assert_eq!(hit.source(), Source::L2);
        hit.into_arc()
    };
    writer.set(&key(0), "set".to_owned()).await;
    // What the reader holds goes once, when it hears of what was set.
    wait_until("two reads to be of the same object", DEADLINE, async || {
        Arc::ptr_eq(&read().await, &read().await)
    })
    .await;
    writer.set(&key(0), "set anew".to_owned()).await;
    assert_eq!(*read().await, "set anew");
    writer.set(&key(0), "set".to_owned()).await;
    assert_eq!(*read().await, "set");
}
