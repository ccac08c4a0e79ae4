//! What a decision costs, beside governor on the same work; and how long one takes through Redis, beside a PING.

use std::num::NonZeroU32;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use divan::{Bencher, black_box};
use governor::{Quota, RateLimiter};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upshelf_redis::{Class, Lane, Redis, Settings, client};
use upshelf_testkit::RedisServer;
use upshelf_throttle::{Mode, Policy, Rate, Subject, Throttle};

/// As many as a limit in whole microseconds can allow.
const PLENTY: u32 = 60_000_000;
const THREADS: [usize; 2] = [1, 2];

fn main() {
    divan::main();
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime starts")
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

/// A connection, and the runtime that it lives on.
static REDIS: LazyLock<(Runtime, Redis)> = LazyLock::new(|| {
    let runtime = runtime();
    let redis = runtime.block_on(async {
        let address = RedisServer::shared().await.url().parse().expect("test servers have addresses");
        let redis = Redis::open(Settings::new(address), &TaskTracker::new(), CancellationToken::new());
        redis.watch_health().wait_for(|health| health.is_up()).await.expect("the handle lives");
        redis
    });
    (runtime, redis)
});

#[divan::bench(args = [1, 2])]
fn shared(bencher: Bencher, count: usize) {
    let (runtime, redis) = &*REDIS;
    let (policies, subjects, turn) = (policies(), subjects(10_000), AtomicUsize::new(0));
    let policies: Vec<_> = policies.iter().take(count).collect();
    let throttle = runtime.block_on(async { Throttle::shared(Mode::On, redis, []) });
    bencher.bench(|| {
        let verdict = runtime.block_on(throttle.take(black_box(next(&subjects, &turn)), &policies, 1));
        assert!(!throttle.is_alone());
        verdict.is_allowed
    });
}

/// A subject that was refused a moment ago.
#[divan::bench]
fn shared_refusal(bencher: Bencher) {
    let (runtime, redis) = &*REDIS;
    let (once, ada) = (Policy::new("once", Rate::per_day(1)).expect("it is a name"), Subject::member("ada"));
    let throttle = runtime.block_on(async { Throttle::shared(Mode::On, redis, []) });
    runtime.block_on(throttle.take(&ada, &[&once], 1));
    bencher.bench(|| runtime.block_on(throttle.take(black_box(&ada), &[&once], 1)).is_allowed);
}

#[divan::bench]
fn ping(bencher: Bencher) {
    let (runtime, redis) = &*REDIS;
    let line = redis.line(Lane::Decisions, Class::FailFast);
    bencher.bench(|| runtime.block_on(line.query::<String>(&client::cmd("PING"))));
}
