//! What readers get while Redis is slow, gone, emptied or back in time.

use std::time::Duration;

use tokio::time::Instant;
use upshelf_cache::{Cache, Inv, Policy, Region, Source};
use upshelf_testkit::{Keep, RedisSentinel, RedisServer, unique_prefix, wait_until};

use crate::parts::{DEADLINE, PATIENCE, is_linked, linked, redis};
use crate::support::{Database, KEY, builder};

/// What the product uses.
const SHORT: Duration = Duration::from_millis(50);

fn numbers(cache: &Cache) -> Region<u64> {
    cache.region("numbers", Policy::ttl(Duration::from_secs(600)))
}

async fn read(region: &Region<u64>, database: &Database) -> (u64, Source) {
    let hit = region.get_or_load(KEY, database.load()).await.expect("the database is there");
    (*hit, hit.source())
}

/// Two processes on a server of the test's own.
async fn pair(deadline: Duration) -> (RedisServer, [Cache; 2]) {
    let (server, prefix) = (RedisServer::start().await, unique_prefix());
    let [one, two] = [(), ()].map(|()| redis(&server.url(), &prefix, deadline));
    let caches = [linked(builder(), &one).await, linked(builder(), &two).await];
    (server, caches)
}

#[tokio::test]
async fn a_frozen_server_holds_up_nobody_and_an_invalidation_is_told_when_it_wakes() {
    let (server, caches) = pair(SHORT).await;
    let (regions, database) = (caches.each_ref().map(numbers), Database::default());
    wait_until("it is loaded and shared", PATIENCE, async || {
        read(&regions[0], &database).await;
        read(&regions[1], &database).await == (0, Source::L2) || database.asked() > 50
    })
    .await;
    server.pause();
    database.write(1);
    let begun = Instant::now();
    let receipt = caches[0].invalidate([Inv::tag("member:7")]).await;
    assert!(!receipt.is_everywhere(), "Redis could not be told");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    let begun = Instant::now();
    assert_eq!(read(&regions[0], &database).await, (1, Source::Loaded));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(read(&regions[0], &database).await, (1, Source::L1));
    server.resume();
    for (cache, region) in caches.iter().zip(&regions) {
        is_linked(cache).await;
        wait_until("the invalidation is heard", PATIENCE, async || read(region, &database).await.0 == 1)
            .await;
    }
}

#[tokio::test]
async fn what_was_not_told_is_told_before_redis_is_believed_again() {
    let (server, prefix) = (RedisServer::start().await, unique_prefix());
    let proxy = server.proxy().await;
    let (cut, whole) = (redis(&proxy.url(), &prefix, DEADLINE), redis(&server.url(), &prefix, DEADLINE));
    let caches = [linked(builder(), &cut).await, linked(builder(), &whole).await];
    let (regions, database) = (caches.each_ref().map(numbers), Database::default());
    read(&regions[1], &database).await;
    proxy.cut();
    wait_until("the outage is noticed", PATIENCE, async || caches[0].is_degraded()).await;
    database.write(1);
    assert!(!caches[0].invalidate([Inv::key(KEY), Inv::tag("other")]).await.is_everywhere());
    assert_eq!(read(&regions[1], &database).await, (0, Source::L1), "nobody could tell the other one");
    assert_eq!(read(&regions[0], &database).await, (1, Source::Loaded));
    proxy.restore();
    is_linked(&caches[0]).await;
    wait_until("the other one is told", PATIENCE, async || regions[1].peek(KEY).is_none()).await;
    assert_eq!(read(&regions[1], &database).await.0, 1);
    assert_eq!(caches[0].stats().remembered, 1);
}

#[tokio::test]
async fn what_cannot_be_heard_about_is_served_for_max_stale_and_no_longer() {
    let (server, prefix) = (RedisServer::start().await, unique_prefix());
    let proxy = server.proxy().await;
    let limit = Duration::from_millis(300);
    let cache = linked(builder().max_stale(limit), &redis(&proxy.url(), &prefix, DEADLINE)).await;
    let (region, database) = (numbers(&cache), Database::default());
    read(&region, &database).await;
    proxy.cut();
    wait_until("the outage is noticed", PATIENCE, async || cache.is_degraded()).await;
    database.write(1);
    let begun = Instant::now();
    wait_until("it is loaded anew", PATIENCE, async || read(&region, &database).await.0 == 1).await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_server_back_from_an_old_dump_revives_nothing() {
    let (server, caches) = pair(DEADLINE).await;
    let (regions, database) = (caches.each_ref().map(numbers), Database::default());
    assert_eq!(read(&regions[0], &database).await.0, 0);
    server.command(&["SAVE"]).await;
    database.write(1);
    caches[0].invalidate([Inv::key(KEY)]).await;
    wait_until("the other one hears", PATIENCE, async || regions[1].peek(KEY).is_none()).await;
    server.kill9();
    server.restart(Keep::Data).await;
    assert!(
        server.command(&["KEYS", "*cache:profile:7"]).await.contains(KEY),
        "the old value is there again"
    );
    for (cache, region) in caches.iter().zip(&regions) {
        is_linked(cache).await;
        assert_eq!(read(region, &database).await.0, 1);
    }
}

#[tokio::test]
async fn an_emptied_server_costs_misses_and_fills_again() {
    let (server, caches) = pair(DEADLINE).await;
    let (regions, database) = (caches.each_ref().map(numbers), Database::default());
    read(&regions[0], &database).await;
    server.command(&["FLUSHALL"]).await;
    database.write(1);
    let receipt = caches[0].invalidate([Inv::tag("member:7")]).await;
    wait_until("the other one hears", PATIENCE, async || caches[1].has_heard(&receipt)).await;
    assert_eq!(read(&regions[0], &database).await, (1, Source::Loaded));
    assert_eq!(read(&regions[1], &database).await, (1, Source::L2));
    server.command(&["FLUSHALL"]).await;
    database.write(2);
    caches[1].invalidate([Inv::all()]).await;
    assert_eq!(read(&regions[1], &database).await.0, 2);
    wait_until("the other one hears", PATIENCE, async || read(&regions[0], &database).await.0 == 2).await;
}

#[tokio::test]
async fn a_lost_subscription_drops_what_may_have_been_invalidated_unheard() {
    let (server, caches) = pair(DEADLINE).await;
    let (regions, database) = (caches.each_ref().map(numbers), Database::default());
    for region in &regions {
        read(region, &database).await;
    }
    let flushes = caches[1].stats().flushes;
    server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    wait_until("everything is dropped", PATIENCE, async || caches[1].stats().flushes > flushes).await;
    for cache in &caches {
        is_linked(cache).await;
    }
    assert_eq!(read(&regions[1], &database).await.0, 0);
}

#[tokio::test]
async fn a_message_that_cannot_be_read_may_have_been_an_invalidation() {
    let (server, prefix) = (RedisServer::start().await, unique_prefix());
    let cache = linked(builder(), &redis(&server.url(), &prefix, DEADLINE)).await;
    let (region, database) = (numbers(&cache), Database::default());
    read(&region, &database).await;
    server.command(&["PUBLISH", &format!("{prefix}upshelf:cache"), "{}"]).await;
    wait_until("it is dropped", PATIENCE, async || region.peek(KEY).is_none()).await;
    is_linked(&cache).await;
}

#[tokio::test]
async fn a_missing_number_drops_what_may_have_been_invalidated() {
    let (server, prefix) = (RedisServer::start().await, unique_prefix());
    let cache = linked(builder(), &redis(&server.url(), &prefix, DEADLINE)).await;
    let (region, database) = (numbers(&cache), Database::default());
    let stranger = async |number: u32| {
        let message = format!(r#"{{"from":7,"number":{number},"news":{{"beat":null}}}}"#);
        server.command(&["PUBLISH", &format!("{prefix}upshelf:cache"), &message]).await;
    };
    stranger(4).await;
    wait_until("it is heard", PATIENCE, async || cache.processes() == 2).await;
    read(&region, &database).await;
    let flushes = cache.stats().flushes;
    stranger(5).await;
    wait_until("a gap is noticed", PATIENCE, async || cache.stats().flushes > flushes).await;
}

#[tokio::test]
async fn a_new_primary_is_believed_with_nothing_of_before() {
    let (sentinel, prefix) = (RedisSentinel::start().await, unique_prefix());
    let [one, two] = [(), ()].map(|()| redis(&sentinel.url(), &prefix, DEADLINE));
    let caches = [linked(builder(), &one).await, linked(builder(), &two).await];
    let (regions, database) = (caches.each_ref().map(numbers), Database::default());
    read(&regions[0], &database).await;
    sentinel.kill_primary().await;
    database.write(1);
    let begun = Instant::now();
    caches[0].invalidate([Inv::key(KEY)]).await;
    for (cache, region) in caches.iter().zip(&regions) {
        is_linked(cache).await;
        wait_until("it reads what is true", PATIENCE, async || read(region, &database).await.0 == 1).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_process_that_starts_before_redis_joins_when_it_appears() {
    let server = RedisServer::start().await;
    server.kill9();
    let cache = builder().shared(&redis(&server.url(), &unique_prefix(), DEADLINE)).build();
    let (region, database) = (numbers(&cache), Database::default());
    assert_eq!(read(&region, &database).await, (0, Source::Loaded));
    assert!(cache.is_degraded() && cache.is_shared());
    server.restart(Keep::Nothing).await;
    is_linked(&cache).await;
}
