//! The parts of the service, each on a server of the testkit.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upshelf_bus::{Buffer, Bus, Carrier, Event, Shared, Subscription};
use upshelf_redis::{Redis, Settings};
use upshelf_testkit::{Proxy, RedisCluster, RedisServer, unique_prefix, wait_until};

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A busy machine does not miss it.
const DEADLINE: Duration = Duration::from_secs(5);

/// The whole service, and the way to Redis that was broken for it.
pub(crate) struct Broken {
    bus: Bus,
    _proxy: Proxy,
}

impl Carrier for Broken {
    type Error = <Bus as Carrier>::Error;

    async fn publish(&self, channel: &str, payload: Bytes) -> Result<(), Self::Error> {
        Carrier::publish(&self.bus, channel, payload).await
    }

    async fn subscribe(&self, channel: &str) -> Result<Subscription, Self::Error> {
        Carrier::subscribe(&self.bus, channel).await
    }

    async fn subscribe_pattern(&self, pattern: &str) -> Result<Subscription, Self::Error> {
        Carrier::subscribe_pattern(&self.bus, pattern).await
    }
}

/// All processes' part alone, on one server.
pub(crate) async fn shared(buffer: Buffer) -> Shared {
    let shared = Shared::new(buffer, &redis(&RedisServer::shared().await.url(), &unique_prefix()));
    wait_until("a subscriber", PATIENCE, async || !shared.is_degraded()).await;
    shared
}

/// The whole service with one server.
pub(crate) async fn together(buffer: Buffer) -> Bus {
    process(&RedisServer::shared().await.url(), &unique_prefix(), buffer).await
}

/// The whole service with a cluster.
pub(crate) async fn cluster(buffer: Buffer) -> Bus {
    process(&RedisCluster::shared().await.url(), &unique_prefix(), buffer).await
}

/// The whole service while Redis cannot be reached.
pub(crate) async fn degraded(buffer: Buffer) -> Broken {
    let proxy = RedisServer::shared().await.proxy().await;
    proxy.cut();
    Broken { bus: Bus::shared_with(buffer, &redis(&proxy.url(), &unique_prefix())), _proxy: proxy }
}

/// The whole service after an outage during which it was used.
pub(crate) async fn restored(buffer: Buffer) -> Broken {
    let proxy = RedisServer::shared().await.proxy().await;
    let bus = process(&proxy.url(), &unique_prefix(), buffer).await;
    let mut listener = bus.subscribe("outage").await;
    proxy.cut();
    wait_until("the outage", PATIENCE, async || bus.is_degraded()).await;
    bus.publish("outage", "alone").await;
    assert_eq!(next(&mut listener).await, message("outage", "alone"));
    proxy.restore();
    is_back(&bus).await;
    assert_eq!(next(&mut listener).await, Some(Event::Resync));
    Broken { bus, _proxy: proxy }
}

/// One process among others with the same prefix.
pub(crate) async fn process(url: &str, prefix: &str, buffer: Buffer) -> Bus {
    let bus = Bus::shared_with(buffer, &redis(url, prefix));
    is_back(&bus).await;
    bus
}

pub(crate) async fn is_back(bus: &Bus) {
    wait_until("a bus of all processes", PATIENCE, async || !bus.is_degraded()).await;
}

/// A handle, whether Redis is there or not.
pub(crate) fn redis(url: &str, prefix: &str) -> Redis {
    redis_within(DEADLINE, url, prefix)
}

pub(crate) fn redis_within(deadline: Duration, url: &str, prefix: &str) -> Redis {
    let address = url.parse().expect("test servers have addresses");
    let settings = Settings { prefix: prefix.to_owned(), fail_fast: deadline, ..Settings::new(address) };
    Redis::open(settings, &TaskTracker::new(), CancellationToken::new())
}

/// What a listener hears next.
#[track_caller]
pub(crate) fn next(listener: &mut Subscription) -> impl Future<Output = Option<Event>> {
    let caller = std::panic::Location::caller();
    async move {
        let heard = timeout(PATIENCE, listener.recv()).await;
        heard.unwrap_or_else(|_| panic!("{caller}: nothing was heard for {PATIENCE:?}"))
    }
}

pub(crate) fn message(channel: &str, payload: &str) -> Option<Event> {
    Some(Event::Message { channel: channel.into(), payload: Bytes::copy_from_slice(payload.as_bytes()) })
}
