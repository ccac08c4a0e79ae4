//! What a publication costs, by how many listen.

use divan::Bencher;
use upshelf_bus::{Bus, Subscription};

fn main() {
    divan::main();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers needs nothing")
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

async fn listeners(bus: &Bus, count: usize, channel: impl Fn(usize) -> String) -> Vec<Subscription> {
    let mut all = Vec::with_capacity(count);
    for n in 0..count {
        all.push(bus.subscribe(&channel(n)).await);
    }
    all
}
