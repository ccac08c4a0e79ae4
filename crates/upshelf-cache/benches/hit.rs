//! What a hit costs, beside what it stands on: the bare store and the clock. Allocations are counted.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use divan::{AllocProfiler, Bencher, black_box};
use tokio::runtime::{Builder, Runtime};
use upshelf_cache::{Cache, Inv, Policy, Region};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const TAGS: [usize; 3] = [0, 4, 16];

fn filled(tags: usize) -> (Runtime, Cache, Region<u64>) {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a clock is always there");
    let cache = Cache::builder().build();
    let region = cache.region("numbers", Policy::ttl(Duration::from_secs(3600)));
    let names = (0..tags).map(|n| format!("tag:{n}"));
    runtime.block_on(region.set_with_tags("cache:number", 42, names));
    (runtime, cache, region)
}

#[divan::bench(args = TAGS)]
fn get_or_load_a_hit(bencher: Bencher, tags: usize) {
    let (runtime, _cache, region) = filled(tags);
    bencher.bench_local(|| {
        runtime.block_on(async {
            for _ in 0..1000 {
                let hit = region.get_or_load("cache:number", |_| async { Ok::<_, Infallible>(0) });
                black_box(hit.await).expect("it is there");
            }
        })
    });
}

#[divan::bench(args = TAGS)]
fn peek_a_hit(bencher: Bencher, tags: usize) {
    let (_runtime, _cache, region) = filled(tags);
    bencher.bench_local(|| {
        for _ in 0..1000 {
            black_box(region.peek("cache:number"));
        }
    });
}

#[divan::bench]
fn bare_store(bencher: Bencher) {
    let store = quick_cache::sync::Cache::<Arc<str>, Arc<u64>>::new(1024);
    store.insert("cache:number".into(), Arc::new(42));
    bencher.bench_local(|| {
        for _ in 0..1000 {
            black_box(store.get("cache:number"));
        }
    });
}

#[divan::bench]
fn bare_clock(bencher: Bencher) {
    bencher.bench_local(|| {
        for _ in 0..1000 {
            black_box(tokio::time::Instant::now());
        }
    });
}

#[divan::bench(args = [1, 1000, 100_000])]
fn invalidate_a_tag_that_so_many_entries_carry(bencher: Bencher, entries: usize) {
    let (runtime, cache, region) = filled(0);
    runtime.block_on(async {
        for n in 0..entries {
            region.set_with_tags(&format!("cache:number:{n}"), 1, ["tag"]).await;
        }
    });
    bencher.bench_local(|| runtime.block_on(cache.invalidate([Inv::tag("tag")])));
}
