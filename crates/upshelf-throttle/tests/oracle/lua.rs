//! The scripts on a server, with a clock set by hand.

use std::future::Future;
use std::sync::LazyLock;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upshelf_redis::{Class, Lane, Line, Redis, Script, Settings};
use upshelf_testkit::{RedisServer, unique_prefix};
use upshelf_throttle::{Adjustment, Policy};

/// No debt is longer.
const LONGEST: i64 = 1 << 52;
/// In November 2026.
const START: u64 = 1_795_000_000_000_000;

static TAKE: LazyLock<Script> = LazyLock::new(|| with_hand_clock(include_str!("../../lua/take-n.lua")));
static ADJUST: LazyLock<Script> = LazyLock::new(|| with_hand_clock(include_str!("../../lua/adjust-1.lua")));
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime starts"));
static LINE: LazyLock<Line> = LazyLock::new(|| {
    RUNTIME.block_on(async {
        let address = RedisServer::shared().await.url().parse().expect("test servers have addresses");
        let settings = Settings::new(address);
        // It may have to wait for the connection.
        Redis::open(settings, &TaskTracker::new(), CancellationToken::new())
            .line(Lane::Decisions, Class::Queue)
    })
});

/// The same script, but the time is the last argument.
fn with_hand_clock(text: &'static str) -> Script {
    const CLOCK: &str = "redis.call('TIME')";
    assert_eq!(text.matches(CLOCK).count(), 1, "a script looks at the clock once");
    Script::new(text.replace(CLOCK, "{ 0, ARGV[#ARGV] }").leak())
}

/// One subject's debts, where the service would keep them.
pub(crate) struct Lua {
    prefix: String,
    now: u64,
}

impl Lua {
    pub(crate) fn new() -> Self {
        Self { prefix: unique_prefix(), now: START }
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.now += micros(by);
    }

    /// Says whether a request is allowed, and what is owed to each policy afterwards.
    pub(crate) fn take(&self, policies: &[&Policy], cost: u32) -> (bool, Vec<Duration>) {
        let keys: Vec<_> = policies.iter().map(|policy| self.key(policy)).collect();
        let mut args = vec![policies.len() as u64];
        for policy in policies {
            let (price, slack) = price_and_slack(policy, cost);
            args.extend([price, slack, u64::from(policy.is_shadow())]);
        }
        args.push(self.now);
        let reply: Vec<u64> = run(LINE.eval(&TAKE, &keys, args));
        assert_eq!((reply.len(), reply[0]), (policies.len() + 2, self.now));
        let is_allowed = reply[1] == 1;
        let owed = policies.iter().zip(&reply[2..]).map(|(policy, tat)| {
            let (price, slack) = price_and_slack(policy, cost);
            let owed = tat.saturating_sub(self.now);
            Duration::from_micros(if is_allowed && owed <= slack { owed + price } else { owed })
        });
        (is_allowed, owed.collect())
    }

    pub(crate) fn adjust(&self, policy: &Policy, by: Adjustment) {
        let (interval, slack) = (interval(policy), price_and_slack(policy, 1).1);
        let signed = |micros: u64| i64::try_from(micros).unwrap_or(LONGEST).min(LONGEST);
        let price = |cost: u32| signed(interval.saturating_mul(cost.into()));
        let (by, least) = match by {
            Adjustment::Penalty(cost) => (price(cost), 0),
            Adjustment::Refund(cost) => (-price(cost), 0),
            Adjustment::Block(time) => (0, signed(slack + micros(time))),
        };
        let now = i64::try_from(self.now).expect("it is not that late");
        let () = run(LINE.eval(&ADJUST, &[self.key(policy)], &[by, least, LONGEST, now]));
    }

    fn key(&self, policy: &Policy) -> String {
        format!("{}{}", self.prefix, policy.name())
    }
}

pub(crate) fn interval(policy: &Policy) -> u64 {
    micros(policy.rate().period()).div_ceil(policy.rate().limit().into())
}

fn price_and_slack(policy: &Policy, cost: u32) -> (u64, u64) {
    let burst = policy.rate().burst();
    let price = interval(policy) * u64::from(cost.min(burst));
    (price, interval(policy) * u64::from(burst) - price)
}

fn micros(time: Duration) -> u64 {
    time.as_micros().try_into().expect("a test's time is short")
}

fn run<T>(reply: impl Future<Output = upshelf_redis::Result<T>>) -> T {
    RUNTIME.block_on(reply).expect("Redis is there")
}
