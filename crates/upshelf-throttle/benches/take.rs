//! What a decision costs, beside governor on the same work.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};

use divan::{Bencher, black_box};
use governor::{Quota, RateLimiter};
use tokio::runtime::{Builder, Runtime};
use upshelf_throttle::{Mode, Policy, Rate, Subject, Throttle};

/// As many as a limit in whole microseconds can allow.
const PLENTY: u32 = 60_000_000;
const THREADS: [usize; 2] = [1, 2];

fn main() {
    divan::main();
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("a runtime starts")
}

fn policies() -> [Policy; 2] {
    let rate = |name, rate| Policy::new(name, rate).expect("it is a name");
    [rate("minute", Rate::per_minute(PLENTY)), rate("day", Rate::per_day(PLENTY))]
}

fn subjects(count: usize) -> Vec<Subject> {
    (0..count).map(Subject::member).collect()
}

/// Hands each thread's calls one subject after the other.
fn next<'a, T>(of: &'a [T], turn: &AtomicUsize) -> &'a T {
    &of[turn.fetch_add(1, Ordering::Relaxed) % of.len()]
}

fn bench(bencher: Bencher, count: usize, policies: &[&Policy]) {
    let (throttle, subjects, turn) = (Throttle::local(Mode::On), subjects(count), AtomicUsize::new(0));
    bencher.with_inputs(runtime_of_thread).bench_refs(|runtime| {
        runtime.block_on(throttle.take(black_box(next(&subjects, &turn)), policies, 1)).is_allowed
    });
}

fn runtime_of_thread() -> &'static Runtime {
    thread_local! { static RUNTIME: &'static Runtime = Box::leak(Box::new(runtime())); }
    RUNTIME.with(|runtime| *runtime)
}

#[divan::bench(args = [1, 10_000], threads = THREADS)]
fn one_policy(bencher: Bencher, subjects: usize) {
    let [minute, _] = policies();
    bench(bencher, subjects, &[&minute]);
}

#[divan::bench(args = [1, 10_000], threads = THREADS)]
fn two_policies(bencher: Bencher, subjects: usize) {
    let [minute, day] = policies();
    bench(bencher, subjects, &[&minute, &day]);
}

#[divan::bench(args = [1, 10_000], threads = THREADS)]
fn governor_one_quota(bencher: Bencher, count: usize) {
    let quota = Quota::per_minute(NonZeroU32::new(PLENTY).expect("it is not zero"));
    let (limiter, turn) = (RateLimiter::keyed(quota), AtomicUsize::new(0));
    let subjects: Vec<String> = subjects(count).iter().map(Subject::to_string).collect();
    bencher.with_inputs(runtime_of_thread).bench_refs(|runtime| {
        runtime.block_on(async { limiter.check_key(black_box(next(&subjects, &turn))).is_ok() })
    });
}
