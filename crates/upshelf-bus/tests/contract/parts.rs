//! The bus in its different positions.

use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upshelf_bus::{Bus, Carrier, Event, Shared, Subscription};
use upshelf_redis::{Address, Redis, Settings};
use upshelf_testkit::{Proxy, RedisCluster, RedisServer, unique_prefix, wait_until};

use crate::SMALL;

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A busy machine does not miss it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);

/// A part under test, and what stands between it and Redis.
pub(crate) struct Part<C> {
    carrier: C,
    _proxy: Option<Proxy>,
}

impl<C: Carrier> Carrier for Part<C> {
    type Error = C::Error;

    async fn publish(&self, channel: &str, payload: Bytes) -> Result<(), C::Error> {
        self.carrier.publish(channel, payload).await
    }

    async fn subscribe(&self, channel: &str) -> Result<Subscription, C::Error> {
        self.carrier.subscribe(channel).await
    }

    async fn subscribe_pattern(&self, pattern: &str) -> Result<Subscription, C::Error> {
        self.carrier.subscribe_pattern(pattern).await
    }
}

fn alone<C>(carrier: C) -> Part<C> {
    Part { carrier, _proxy: None }
}

/// All processes' part alone, on one server.
pub(crate) async fn shared() -> Part<Shared> {
    let shared = Shared::new(SMALL, &redis(&RedisServer::shared().await.url(), &unique_prefix(), DEADLINE));
    wait_until("it is connected", PATIENCE, async || !shared.is_degraded()).await;
    alone(shared)
}

/// All processes' part alone, on a cluster.
pub(crate) async fn cluster() -> Part<Shared> {
    let shared = Shared::new(SMALL, &redis(&RedisCluster::shared().await.url(), &unique_prefix(), DEADLINE));
    wait_until("it is connected", PATIENCE, async || !shared.is_degraded()).await;
    alone(shared)
}

/// The whole service with Redis.
pub(crate) async fn together() -> Part<Bus> {
    let redis = redis(&RedisServer::shared().await.url(), &unique_prefix(), DEADLINE);
    alone(connected(Bus::shared_with(SMALL, &redis)).await)
}

/// The whole service while Redis cannot be reached.
pub(crate) async fn degraded() -> Part<Bus> {
    let proxy = RedisServer::shared().await.proxy().await;
    proxy.cut();
    let bus = Bus::shared_with(SMALL, &redis(&proxy.url(), &unique_prefix(), DEADLINE));
    Part { carrier: bus, _proxy: Some(proxy) }
}

/// The whole service after an outage in which it was used.
pub(crate) async fn restored() -> Part<Bus> {
    let proxy = RedisServer::shared().await.proxy().await;
    let redis = redis(&proxy.url(), &unique_prefix(), DEADLINE);
    let bus = connected(Bus::shared_with(SMALL, &redis)).await;
    let mut listener = bus.subscribe("before").await;
    proxy.cut();
    wait_until("the outage is noticed", PATIENCE, async || bus.is_degraded()).await;
    bus.publish("before", "meanwhile").await;
    assert!(matches!(listener.recv().await, Some(Event::Message { .. })), "this process hears itself");
    proxy.restore();
    let bus = connected(bus).await;
    assert_eq!(listener.recv().await, Some(Event::Resync));
    Part { carrier: bus, _proxy: Some(proxy) }
}

pub(crate) async fn connected(bus: Bus) -> Bus {
    wait_until("it is connected", PATIENCE, async || !bus.is_degraded()).await;
    bus
}

/// A handle that connects behind.
pub(crate) fn redis(url: &str, prefix: &str, deadline: Duration) -> Redis {
    let address = Address::from_str(url).expect("test servers have addresses");
    let settings = Settings { prefix: prefix.to_owned(), fail_fast: deadline, ..Settings::new(address) };
    Redis::open(settings, &TaskTracker::new(), CancellationToken::new())
}
