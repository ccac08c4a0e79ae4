//! Second opinions: governor's GCRA, ours and the scripts agree on any schedule, to the microsecond.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, FakeRelativeClock};
use governor::{Quota, RateLimiter};
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::runtime::Builder;
use upshelf_throttle::{Adjustment, Limiter, Local, Policy, Rate, Subject};

mod lua;

use lua::Lua;

/// A request: how long after the last one, in 16ths of an interval, and what it costs.
type Step = (u32, u32);

fn schedule() -> impl Strategy<Value = (u32, u32, u64, Vec<Step>)> {
    (1..40_u32, 1..20_u32, 1..100_000_u64).prop_flat_map(|(limit, burst, millis)| {
        (Just(limit), Just(burst), Just(millis), vec((0..40_u32, 1..=burst), 1..60))
    })
}

proptest! {
    #[test]
    fn governor_and_we_agree((limit, burst, millis, steps) in schedule()) {
        let period = Duration::from_millis(millis);
        let interval = Duration::from_micros((millis * 1000).div_ceil(limit.into()));
        let rate = Rate::new(limit, period).and_then(|rate| rate.with_burst(burst)).expect("a rate");
        let policy = Policy::new("drawn", rate).expect("it is a name");

        let clock = FakeRelativeClock::default();
        let burst = NonZeroU32::new(burst).expect("it is not zero");
        let quota = Quota::with_period(interval).expect("it is not zero").allow_burst(burst);
        let oracle = RateLimiter::direct_with_clock(quota, clock.clone());

        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
        runtime.block_on(async {
            let (local, subject) = (Local::default(), Subject::member("ada"));
            for (sixteenths, cost) in steps {
                let pause = Duration::from_micros(u64::from(sixteenths) * interval.as_micros() as u64 / 16);
                clock.advance(pause);
                tokio::time::advance(pause).await;
                let ours = local.take(&subject, &[&policy], cost).await.expect("it does not fail");
                let cost = NonZeroU32::new(cost).expect("it is not zero");
                match oracle.check_n(cost).expect("it is within the burst") {
                    Ok(()) => prop_assert!(ours.is_allowed, "governor lets it pass"),
                    Err(not_until) => {
                        prop_assert!(!ours.is_allowed, "governor refuses");
                        prop_assert_eq!(ours.retry_after(), not_until.wait_time_from(clock.now()));
                    }
                }
            }
            Ok(())
        })?;
    }

    /// Of several policies a request is charged to all or to none, and passes when each alone would let it.
    #[test]
    fn all_or_nothing(
        rates in vec((1..10_u32, 1..10_u32), 1..4),
        steps in vec((0..2_000_u64, 1..4_u32), 1..60),
    ) {
        const NAMES: [&str; 4] = ["a", "b", "c", "d"];
        let policies: Vec<_> = rates.iter().zip(NAMES).map(|((limit, burst), name)| {
            let rate = Rate::per_second(*limit).with_burst(*burst).expect("a rate");
            Policy::new(name, rate).expect("it is a name")
        }).collect();
        let asked: Vec<_> = policies.iter().collect();
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
        runtime.block_on(async {
            let (local, subject) = (Local::default(), Subject::member("ada"));
            for (millis, cost) in steps {
                tokio::time::advance(Duration::from_millis(millis)).await;
                let mut each_has_room = true;
                let mut before = Vec::new();
                for policy in &asked {
                    let alone = local.peek(&subject, &[policy], cost).await.expect("it does not fail");
                    each_has_room &= alone.is_allowed;
                    before.push(alone.usages[0].remaining);
                }
                let verdict = local.take(&subject, &asked, cost).await.expect("it does not fail");
                prop_assert_eq!(verdict.is_allowed, each_has_room);
                for ((usage, before), policy) in verdict.usages.iter().zip(before).zip(&asked) {
                    let taken = if verdict.is_allowed { cost.min(policy.rate().burst()) } else { 0 };
                    prop_assert_eq!(usage.remaining, before - taken);
                }
            }
            Ok(())
        })?;
    }
}

/// What one policy of one subject goes through.
#[derive(Clone, Copy, Debug)]
enum Event {
    Take(u32),
    Adjust(Adjustment),
}

fn event() -> impl Strategy<Value = Event> {
    let time = (0..100_000_u64).prop_map(Duration::from_secs);
    prop_oneof![
        8 => prop_oneof![0..12_u32, Just(u32::MAX)].prop_map(Event::Take),
        1 => prop_oneof![0..12_u32, Just(u32::MAX)].prop_map(|cost| Event::Adjust(Adjustment::Penalty(cost))),
        1 => prop_oneof![0..12_u32, Just(u32::MAX)].prop_map(|cost| Event::Adjust(Adjustment::Refund(cost))),
        1 => time.prop_map(|time| Event::Adjust(Adjustment::Block(time))),
    ]
}

// The scripts' keys live on a server's real time: what is owed here takes longer than any test to pay.
proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn governor_and_the_script_agree((limit, burst, seconds, steps) in schedule()) {
        let period = Duration::from_secs(1_000 * u64::from(limit)) + Duration::from_millis(seconds);
        let rate = Rate::new(limit, period).and_then(|rate| rate.with_burst(burst)).expect("a rate");
        let policy = Policy::new("drawn", rate).expect("it is a name");
        let interval = Duration::from_micros(lua::interval(&policy));

        let clock = FakeRelativeClock::default();
        let burst = NonZeroU32::new(burst).expect("it is not zero");
        let quota = Quota::with_period(interval).expect("it is not zero").allow_burst(burst);
        let oracle = RateLimiter::direct_with_clock(quota, clock.clone());
        let mut script = Lua::new();
        for (sixteenths, cost) in steps {
            let pause = Duration::from_micros(u64::from(sixteenths) * interval.as_micros() as u64 / 16);
            clock.advance(pause);
            script.advance(pause);
            let (is_allowed, _) = script.take(&[&policy], cost);
            let cost = NonZeroU32::new(cost).expect("it is not zero");
            let oracle = oracle.check_n(cost).expect("it is within the burst");
            prop_assert_eq!(is_allowed, oracle.is_ok());
        }
    }

    /// Several policies, one of them a shadow, and adjustments: what is owed is the same in Rust and in Lua.
    #[test]
    fn rust_and_the_scripts_agree(
        rates in vec((1..10_u32, 1..10_u32), 3),
        steps in vec((0..5_000_u64, 0..3_usize, event()), 1..60),
    ) {
        let policies: Vec<_> = rates.iter().zip(["a", "b", "shadow"]).map(|((limit, burst), name)| {
            let rate = Rate::per_day(*limit).with_burst(*burst).expect("a rate");
            let policy = Policy::new(name, rate).expect("it is a name");
            if name == "shadow" { policy.shadow() } else { policy }
        }).collect();
        let asked: Vec<_> = policies.iter().collect();
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
        let (local, subject, mut script) =
            runtime.block_on(async { (Local::default(), Subject::member("ada"), Lua::new()) });
        for (seconds, which, event) in steps {
            let pause = Duration::from_secs(seconds);
            runtime.block_on(tokio::time::advance(pause));
            script.advance(pause);
            match event {
                Event::Take(cost) => {
                    let rust = runtime.block_on(local.take(&subject, &asked, cost)).expect("it does not fail");
                    let owed = rust.usages.iter().map(|usage| usage.reset_after).collect();
                    prop_assert_eq!((rust.is_allowed, owed), script.take(&asked, cost));
                }
                Event::Adjust(by) => {
                    runtime.block_on(local.adjust(&subject, asked[which], by)).expect("it does not fail");
                    script.adjust(asked[which], by);
                }
            }
        }
    }
}
