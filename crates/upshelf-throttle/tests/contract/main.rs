//! What limits promise, on each part.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::advance;
use upshelf_throttle::{Adjustment, Limiter, Local, Mode, Policy, Rate, Subject, Throttle, Verdict};

mod parts;
mod shared;

use parts::{Part, ada, policy, ten_a_minute};

const SURE: &str = "this limiter does not fail";

async fn take(limiter: &impl Limiter, policies: &[&Policy]) -> Verdict {
    limiter.take(&ada(), policies, 1).await.expect(SURE)
}

async fn remaining(limiter: &impl Limiter, policy: &Policy) -> u32 {
    limiter.peek(&ada(), &[policy], 0).await.expect(SURE).usages[0].remaining
}

async fn use_up(limiter: &impl Limiter, policy: &Policy) {
    let verdict = limiter.take(&ada(), &[policy], policy.rate().burst()).await.expect(SURE);
    assert!(verdict.is_allowed && verdict.usages[0].remaining == 0);
}

upshelf_testkit::contract! {
    parts {
        local => parts::local().await,
        whole => parts::whole().await,
        shared => parts::shared().await,
        cluster => parts::cluster().await,
        together => parts::together().await,
        degraded => parts::degraded().await,
        restored => parts::restored().await,
    }

    async fn exactly_ten_of_two_hundred_at_once_pass_a_limit_of_ten(part: Part<impl Limiter + 'static>) {
        let limiter = Arc::new(part.into_limiter());
        let mut requests = JoinSet::new();
        for _ in 0..200 {
            let limiter = limiter.clone();
            requests.spawn(async move { take(&*limiter, &[&ten_a_minute()]).await.is_allowed });
        }
        let passed = requests.join_all().await.into_iter().filter(|is_allowed| *is_allowed).count();
        assert_eq!(passed, 10);
    }

    async fn room_comes_back_evenly(part: Part<impl Limiter>) {
        let ten = ten_a_minute();
        use_up(&*part, &ten).await;
        part.advance(Duration::from_secs(6) - part.moment()).await;
        let early = take(&*part, &[&ten]).await;
        assert!(!early.is_allowed);
        part.assert_time(early.retry_after(), part.moment());
        part.advance(early.retry_after()).await;
        assert!(take(&*part, &[&ten]).await.is_allowed, "it came back when it was told to");
        assert!(!take(&*part, &[&ten]).await.is_allowed, "one unit, not two");
        part.advance(Duration::from_secs(3600)).await;
        assert_eq!(remaining(&*part, &ten).await, 10, "no more than the burst is saved up");
    }

    async fn a_refused_request_is_charged_nowhere(part: Part<impl Limiter>) {
        let (tight, wide) = (policy("tight", Rate::per_hour(1)), policy("wide", Rate::per_hour(100)));
        assert!(take(&*part, &[&tight, &wide]).await.is_allowed);
        for policies in [[&tight, &wide], [&wide, &tight]] {
            let refused = take(&*part, &policies).await;
            assert!(!refused.is_allowed);
            assert_eq!(refused.violated().collect::<Vec<_>>(), ["tight"]);
        }
        assert_eq!(remaining(&*part, &wide).await, 99);
        assert!(take(&*part, &[&wide]).await.is_allowed);
    }

    async fn subjects_and_policies_are_counted_apart(part: Part<impl Limiter>) {
        let (ten, other) = (ten_a_minute(), policy("other", Rate::per_minute(10)));
        use_up(&*part, &ten).await;
        assert!(take(&*part, &[&other]).await.is_allowed);
        let bob = part.take(&Subject::member("bob"), &[&ten], 1).await.expect(SURE);
        assert_eq!(bob.usages[0].remaining, 9);
    }

    async fn a_verdict_says_what_is_left_and_when_there_is_more(part: Part<impl Limiter>) {
        let ten = ten_a_minute();
        let usage = part.take(&ada(), &[&ten], 4).await.expect(SURE).usages.remove(0);
        assert_eq!((&*usage.policy, usage.remaining, usage.has_room), ("ten", 6, true));
        part.assert_time(usage.next_after, Duration::from_secs(6));
        part.assert_time(usage.reset_after, Duration::from_secs(24));
        let refused = part.take(&ada(), &[&ten], 8).await.expect(SURE).usages.remove(0);
        assert_eq!((refused.remaining, refused.has_room), (6, false));
        part.assert_time(refused.retry_after, Duration::from_secs(12));
    }

    async fn more_is_left_when_the_verdict_said_so(part: Part<impl Limiter>) {
        let ten = ten_a_minute();
        part.take(&ada(), &[&ten], 4).await.expect(SURE);
        part.advance(Duration::from_secs(2)).await;
        let usage = part.peek(&ada(), &[&ten], 1).await.expect(SURE).usages.remove(0);
        assert_eq!(usage.remaining, 6);
        part.assert_time(usage.next_after, Duration::from_secs(4));
        part.adjust(&ada(), &ten, Adjustment::Penalty(8)).await.expect(SURE);
        let usage = part.peek(&ada(), &[&ten], 1).await.expect(SURE).usages.remove(0);
        assert_eq!(usage.remaining, 0);
        part.assert_time(usage.next_after, Duration::from_secs(16));
        part.advance(usage.next_after - part.moment()).await;
        assert_eq!(remaining(&*part, &ten).await, 0);
        part.advance(part.moment()).await;
        assert_eq!(remaining(&*part, &ten).await, 1);
    }

    async fn a_peek_charges_nothing(part: Part<impl Limiter>) {
        let ten = ten_a_minute();
        for _ in 0..3 {
            let peeked = part.peek(&ada(), &[&ten], 10).await.expect(SURE);
            assert!(peeked.is_allowed);
            assert_eq!(peeked.usages[0].remaining, 10);
        }
        use_up(&*part, &ten).await;
        assert!(!part.peek(&ada(), &[&ten], 1).await.expect(SURE).is_allowed);
    }

    async fn a_cost_above_the_burst_takes_the_whole_burst(part: Part<impl Limiter>) {
        let ten = ten_a_minute();
        assert!(part.take(&ada(), &[&ten], u32::MAX).await.expect(SURE).is_allowed);
        let again = part.take(&ada(), &[&ten], u32::MAX).await.expect(SURE);
        assert!(!again.is_allowed);
        part.advance(again.retry_after()).await;
        assert!(part.take(&ada(), &[&ten], u32::MAX).await.expect(SURE).is_allowed);
    }

    async fn a_shadow_counts_and_refuses_nobody(part: Part<impl Limiter>) {
        let (wide, shadow) = (policy("wide", Rate::per_hour(100)), policy("new", Rate::per_hour(1)).shadow());
        assert!(!take(&*part, &[&wide, &shadow]).await.is_shadowed());
        let second = take(&*part, &[&wide, &shadow]).await;
        assert!(second.is_allowed && second.is_shadowed());
        assert_eq!(second.violated().count(), 0);
        assert_eq!(second.usages[0].remaining, 98, "what it would have refused is charged to the others");
        assert!(!second.fields().expect("one policy is told of").policy.contains("new"));
    }

    async fn a_penalty_and_a_refund_change_what_is_left(part: Part<impl Limiter>) {
        let ten = ten_a_minute();
        part.adjust(&ada(), &ten, Adjustment::Penalty(3)).await.expect(SURE);
        assert_eq!(remaining(&*part, &ten).await, 7);
        part.adjust(&ada(), &ten, Adjustment::Refund(2)).await.expect(SURE);
        assert_eq!(remaining(&*part, &ten).await, 9);
        part.adjust(&ada(), &ten, Adjustment::Refund(u32::MAX)).await.expect(SURE);
        assert_eq!(remaining(&*part, &ten).await, 10, "nobody can be owed anything");
        part.adjust(&ada(), &ten, Adjustment::Penalty(12)).await.expect(SURE);
        part.assert_time(take(&*part, &[&ten]).await.retry_after(), Duration::from_secs(18));
        part.adjust(&ada(), &ten, Adjustment::Penalty(u32::MAX)).await.expect(SURE);
        assert!(!take(&*part, &[&ten]).await.is_allowed);
    }

    async fn a_block_ends_when_it_should(part: Part<impl Limiter>) {
        let ten = ten_a_minute();
        part.adjust(&ada(), &ten, Adjustment::Block(Duration::from_secs(90))).await.expect(SURE);
        part.advance(Duration::from_secs(90) - part.moment()).await;
        assert!(!take(&*part, &[&ten]).await.is_allowed);
        part.advance(part.moment()).await;
        assert!(take(&*part, &[&ten]).await.is_allowed);
        part.adjust(&ada(), &ten, Adjustment::Block(Duration::MAX)).await.expect(SURE);
        assert!(!take(&*part, &[&ten]).await.is_allowed);
    }

    async fn who_is_forgotten_starts_anew(part: Part<impl Limiter>) {
        let (ten, other) = (ten_a_minute(), policy("other", Rate::per_minute(2)));
        use_up(&*part, &ten).await;
        use_up(&*part, &other).await;
        part.forget(&ada()).await.expect(SURE);
        let verdict = take(&*part, &[&ten, &other]).await;
        assert_eq!((verdict.usages[0].remaining, verdict.usages[1].remaining), (9, 1));
    }

    async fn a_client_is_never_told_to_come_back_too_early(part: Part<impl Limiter>) {
        let odd = policy("odd", "7/10s burst 1".parse().expect("it is a rate"));
        assert!(take(&*part, &[&odd]).await.is_allowed);
        let refused = take(&*part, &[&odd]).await;
        part.assert_time(refused.retry_after(), Duration::from_micros(1_428_572));
        let seconds = refused.retry_after().as_secs_f64().ceil();
        let fields = refused.fields().expect("a policy was asked");
        assert_eq!(fields.retry_after, Some(format!("{seconds}")), "rounded up: 2 if no time has passed");
        assert_eq!(fields.limit, format!(r#""odd";r=0;t={seconds}"#));
        assert_eq!(fields.policy, r#""odd";q=7;w=10"#);
        part.advance(Duration::from_secs(2)).await;
        assert!(take(&*part, &[&odd]).await.is_allowed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_in_shadow_counts_as_if_it_refused_and_refuses_nobody() {
    let throttle = Throttle::local(Mode::Shadow);
    let (tight, wide) = (policy("tight", Rate::per_hour(1)), policy("wide", Rate::per_hour(100)));
    throttle.take(&ada(), &[&tight, &wide], 1).await;
    let second = throttle.take(&ada(), &[&tight, &wide], 1).await;
    assert!(second.is_allowed && second.is_shadowed());
    assert_eq!(second.usages[1].remaining, 99, "a refused request would have been charged nowhere");
    assert_eq!(second.fields().and_then(|fields| fields.retry_after), None);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_off_neither_counts_nor_tells() {
    let throttle = Throttle::local(Mode::Off);
    for _ in 0..20 {
        let verdict = throttle.take(&ada(), &[&ten_a_minute()], 1).await;
        assert!(verdict.is_allowed);
        assert_eq!(verdict.fields(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn memory_is_bounded_and_a_flood_does_not_free_who_owes_most() {
    let local = Local::with_capacity(6_400);
    let (long, short) = (policy("long", Rate::per_day(1)), policy("short", Rate::per_minute(1)));
    local.take(&ada(), &[&long], 1).await.expect(SURE);
    for visitor in 0..50_000 {
        local.take(&Subject::member(visitor), &[&short], 1).await.expect(SURE);
    }
    assert!(local.held() <= 6_400, "{} subjects are held", local.held());
    assert!(!take(&local, &[&long]).await.is_allowed);
}

#[tokio::test(start_paused = true)]
async fn who_owes_nothing_any_more_is_swept_away() {
    let local = Local::default();
    let short = policy("short", Rate::per_second(1));
    for visitor in 0..20_000 {
        local.take(&Subject::member(visitor), &[&short], 1).await.expect(SURE);
    }
    advance(Duration::from_secs(2)).await;
    for visitor in 20_000..30_000 {
        local.take(&Subject::member(visitor), &[&short], 1).await.expect(SURE);
    }
    assert!(local.held() < 12_000, "{} subjects are held, 10,000 of them owe something", local.held());
}
