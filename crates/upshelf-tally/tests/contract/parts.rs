//! The tally in its different positions.

use std::str::FromStr;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upshelf_redis::{Address, Redis, Settings};
use upshelf_tally::{Shared, Tally};
use upshelf_testkit::{Proxy, RedisCluster, RedisServer, unique_prefix, wait_until};
use uuid::Uuid;

use crate::database::Database;
use crate::{counts, id};

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A busy machine does not miss it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);

/// The whole service under test, and what stands between it and Redis.
pub(crate) struct Part {
    pub(crate) tally: Tally<Uuid>,
    _proxy: Option<Proxy>,
}

/// All processes' board alone, on one server.
pub(crate) async fn shared() -> Shared<Uuid> {
    let redis = redis(&RedisServer::shared().await.url(), &unique_prefix(), DEADLINE);
    is_up(&redis).await;
    Shared::new(&redis)
}

/// All processes' board alone, on a cluster.
pub(crate) async fn cluster() -> Shared<Uuid> {
    let redis = redis(&RedisCluster::shared().await.url(), &unique_prefix(), DEADLINE);
    is_up(&redis).await;
    Shared::new(&redis)
}

/// This process alone.
pub(crate) fn alone() -> Part {
    Part { tally: Tally::local(), _proxy: None }
}

/// The whole service with Redis, one server or a cluster.
pub(crate) async fn together(url: &str) -> Part {
    let redis = redis(url, &unique_prefix(), DEADLINE);
    Part { tally: believed(Tally::shared(&redis)).await, _proxy: None }
}

/// The whole service while Redis cannot be reached.
pub(crate) async fn degraded() -> Part {
    let proxy = RedisServer::shared().await.proxy().await;
    proxy.cut();
    let tally = Tally::shared(&redis(&proxy.url(), &unique_prefix(), DEADLINE));
    Part { tally, _proxy: Some(proxy) }
}

/// The whole service after an outage in which it was used.
pub(crate) async fn restored() -> Part {
    let proxy = RedisServer::shared().await.proxy().await;
    let tally = believed(Tally::shared(&redis(&proxy.url(), &unique_prefix(), DEADLINE))).await;
    let database = Database::default();
    database.write(100, counts(1, 0, 1));
    database.tell(&tally, 100).await;
    assert_eq!(database.top(&tally).await, [100]);
    proxy.cut();
    wait_until("the outage is noticed", PATIENCE, async || tally.is_degraded()).await;
    database.write(100, counts(2, 0, 2));
    database.tell(&tally, 100).await;
    database.write(101, counts(1, 0, 1));
    database.tell(&tally, 101).await;
    database.close(100);
    tally.remove(id(100)).await;
    proxy.restore();
    let (tally, asked) = (believed(tally).await, database.asked());
    assert_eq!(database.top(&tally).await, [101]);
    assert_eq!(database.asked(), asked, "the list was told, not loaded");
    // Each test brings a database of its own.
    tally.clear().await;
    Part { tally, _proxy: Some(proxy) }
}

pub(crate) async fn believed(tally: Tally<Uuid>) -> Tally<Uuid> {
    wait_until("Redis is believed", PATIENCE, async || !tally.is_degraded()).await;
    tally
}

pub(crate) async fn is_up(redis: &Redis) {
    wait_until("a connection", PATIENCE, async || redis.health().is_up()).await;
}

/// A handle that connects behind.
pub(crate) fn redis(url: &str, prefix: &str, deadline: Duration) -> Redis {
    let address = Address::from_str(url).expect("test servers have addresses");
    let settings = Settings { prefix: prefix.to_owned(), fail_fast: deadline, ..Settings::new(address) };
    Redis::open(settings, &TaskTracker::new(), CancellationToken::new())
}
