//! What a publication costs, by how many listen; and how long one takes through Redis and back, beside a PING.

use std::sync::LazyLock;

use divan::Bencher;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upshelf_bus::{Bus, Subscription};
use upshelf_redis::{Class, Lane, Redis, Settings, client};
use upshelf_testkit::RedisServer;

fn main() {
    divan::main();
}

fn runtime() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime without drivers needs nothing")
}

#[divan::bench(args = [0, 1, 100, 10_000])]
fn to_subscribers(bencher: Bencher, subscribers: usize) {
    let (runtime, bus) = (runtime(), Bus::local());
    let _listeners: Vec<Subscription> =
        runtime.block_on(async { listeners(&bus, subscribers, |_| "suggestions:votes".to_owned()).await });
    bencher.bench_local(|| runtime.block_on(bus.publish("suggestions:votes", "{}")));
}

#[divan::bench]
fn among_ten_thousand_channels(bencher: Bencher) {
    let (runtime, bus) = (runtime(), Bus::local());
    let _listeners =
        runtime.block_on(async { listeners(&bus, 10_000, |n| format!("notifications:{n}")).await });
    bencher.bench_local(|| runtime.block_on(bus.publish("notifications:42", "{}")));
}

/// A connection, and the runtime that it lives on.
static REDIS: LazyLock<(Runtime, Redis)> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let redis = runtime.block_on(async {
        let address = RedisServer::shared().await.url().parse().expect("test servers have addresses");
        let redis = Redis::open(Settings::new(address), &TaskTracker::new(), CancellationToken::new());
        let mut health = redis.watch_health();
        let _ = health.wait_for(|health| health.is_up()).await;
        redis
    });
    (runtime, redis)
});

#[divan::bench(args = [1, 100, 10_000])]
fn through_redis_and_back(bencher: Bencher, subscribers: usize) {
    let (runtime, redis) = &*REDIS;
    let (bus, mut listeners) = runtime.block_on(async {
        let bus = Bus::shared(redis);
        let listeners = listeners(&bus, subscribers, |_| "suggestions:votes".to_owned()).await;
        (bus, listeners)
    });
    bencher.bench_local(|| {
        runtime.block_on(async {
            bus.publish("suggestions:votes", "{}").await;
            listeners[0].recv().await
        })
    });
}

#[divan::bench]
fn a_ping(bencher: Bencher) {
    let (runtime, redis) = &*REDIS;
    let line = redis.line(Lane::General, Class::FailFast);
    bencher.bench_local(|| runtime.block_on(line.query::<()>(&client::cmd("PING"))));
}

async fn listeners(bus: &Bus, count: usize, channel: impl Fn(usize) -> String) -> Vec<Subscription> {
    let mut all = Vec::with_capacity(count);
    for n in 0..count {
        all.push(bus.subscribe(&channel(n)).await);
    }
    all
}
