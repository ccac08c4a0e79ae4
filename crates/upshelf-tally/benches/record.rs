//! What a write, a page of counts, a top list and a rank cost among many.

use std::convert::Infallible;

use divan::Bencher;
use tokio::runtime::{Builder, Runtime};
use upshelf_tally::{Counts, Tally};

const SIZES: [u64; 3] = [100, 10_000, 100_000];

fn main() {
    divan::main();
}

fn filled(size: u64) -> (Runtime, Tally<u64>) {
    let runtime = Builder::new_current_thread().build().expect("a runtime without drivers needs nothing");
    let tally = Tally::local();
    runtime.block_on(async {
        for id in 0..size {
            tally.record(id, Counts { up: (id % 50) as u32, down: 0, version: 1 }).await;
        }
        tally.top(0, async || Ok::<_, Infallible>(Vec::new())).await.expect("an empty load cannot fail");
    });
    (runtime, tally)
}

#[divan::bench(args = SIZES)]
fn record(bencher: Bencher, size: u64) {
    let (runtime, tally) = filled(size);
    let mut version = 1;
    bencher.bench_local(|| {
        version += 1;
        let id = version * 7919 % size;
        runtime.block_on(tally.record(id, Counts { up: (version % 50) as u32, down: 0, version }));
    });
}

#[divan::bench(args = SIZES)]
fn counts_of_a_page_of_50(bencher: Bencher, size: u64) {
    let (runtime, tally) = filled(size);
    let ids: Vec<u64> = (0..50).map(|n| n * 7919 % size).collect();
    bencher.bench_local(|| runtime.block_on(tally.counts(&ids, async |_| Ok::<_, Infallible>(Vec::new()))));
}

#[divan::bench(args = SIZES)]
fn top_20(bencher: Bencher, size: u64) {
    let (runtime, tally) = filled(size);
    bencher.bench_local(|| runtime.block_on(tally.top(20, async || Ok::<_, Infallible>(Vec::new()))));
}

#[divan::bench(args = SIZES)]
fn rank(bencher: Bencher, size: u64) {
    let (runtime, tally) = filled(size);
    bencher.bench_local(|| runtime.block_on(tally.rank(size / 2, async || Ok::<_, Infallible>(Vec::new()))));
}
