//! The cache in its different positions.

use std::ops::Deref;
use std::str::FromStr;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upshelf_cache::{Builder, Cache, Inv, Policy};
use upshelf_redis::{Address, Redis, Settings};
use upshelf_testkit::{Proxy, RedisCluster, RedisServer, unique_prefix, wait_until};

use crate::support::{Database, KEY, builder, of_one_process};

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A busy machine does not miss it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);

/// A cache, and what stands between it and Redis.
pub(crate) struct Part {
    pub(crate) cache: Cache,
    _proxy: Option<Proxy>,
}

impl Deref for Part {
    type Target = Cache;

    fn deref(&self) -> &Cache {
        &self.cache
    }
}

/// This process alone.
pub(crate) fn local() -> Part {
    Part { cache: of_one_process(), _proxy: None }
}

/// All processes' level on one server.
pub(crate) async fn shared() -> Part {
    let redis = redis(&RedisServer::shared().await.url(), &unique_prefix(), DEADLINE);
    Part { cache: linked(builder(), &redis).await, _proxy: None }
}

/// All processes' level on a cluster.
pub(crate) async fn cluster() -> Part {
    let redis = redis(&RedisCluster::shared().await.url(), &unique_prefix(), DEADLINE);
    Part { cache: linked(builder(), &redis).await, _proxy: None }
}

/// The cache while Redis cannot be reached.
pub(crate) async fn degraded() -> Part {
    let proxy = RedisServer::shared().await.proxy().await;
    proxy.cut();
    let redis = redis(&proxy.url(), &unique_prefix(), DEADLINE);
    let cache = builder().shared(&redis).build();
    assert!(cache.is_degraded());
    Part { cache, _proxy: Some(proxy) }
}

/// The cache after an outage in which it was read and written.
pub(crate) async fn restored() -> Part {
    let proxy = RedisServer::shared().await.proxy().await;
    let redis = redis(&proxy.url(), &unique_prefix(), DEADLINE);
    let cache = linked(builder(), &redis).await;
    let (region, database) = (cache.region("numbers", Policy::ttl(PATIENCE)), Database::default());
    region.get_or_load(KEY, database.load()).await.expect("the database is there");
    proxy.cut();
    wait_until("the outage is noticed", PATIENCE, async || cache.is_degraded()).await;
    assert!(!cache.invalidate([Inv::tag("member:7")]).await.is_everywhere());
    region.get_or_load(KEY, database.load()).await.expect("the database is there");
    proxy.restore();
    is_linked(&cache).await;
    Part { cache, _proxy: Some(proxy) }
}

/// Makes a cache that believes Redis.
pub(crate) async fn linked(builder: Builder, redis: &Redis) -> Cache {
    let cache = builder.shared(redis).build();
    is_linked(&cache).await;
    cache
}

pub(crate) async fn is_linked(cache: &Cache) {
    wait_until("the cache is shared", PATIENCE, async || !cache.is_degraded()).await;
}

/// A handle that connects behind.
pub(crate) fn redis(url: &str, prefix: &str, deadline: Duration) -> Redis {
    let address = Address::from_str(url).expect("test servers have addresses");
    let settings = Settings { prefix: prefix.to_owned(), fail_fast: deadline, ..Settings::new(address) };
    Redis::open(settings, &TaskTracker::new(), CancellationToken::new())
}
