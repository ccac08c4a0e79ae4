mod refusals;
mod rounds;

use std::borrow::Cow;
use std::sync::{LazyLock, RwLock};

use upshelf_redis::client;
use upshelf_redis::{Class, Error, Keys, Lane, Line, Redis, Script};

use self::refusals::Refusals;
use self::rounds::{Request, Rounds};
use crate::gcra::{Ask, LONGEST, Shift};
use crate::policy::Policy;
use crate::subject::Subject;
use crate::throttle::{Adjustment, Limiter};
use crate::verdict::{Usage, Verdict};

static ADJUST: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../lua/adjust-1.lua")));

const UNBROKEN: &str = "no code panics while it holds this lock";

/// Limits of all processes, through Redis.
///
/// Invariants: one request is decided by one script, whatever the number of its policies, and nothing else is sent for
/// it; requests that wait at the same time share a call, one after the other within it; only the server's clock decides; the keys of one subject lie in one slot. A subject that was refused is refused again
/// here, without Redis, until it may try again or for a second, whichever comes first. Answers come within the
/// deadline of [`Class::FailFast`], or are errors; an error is never a refusal.
#[derive(Debug)]
pub struct Shared {
    line: Line,
    rounds: Rounds,
    keys: Keys,
    /// The policies that subjects may owe something to, as far as this process knows.
    known: RwLock<Vec<Cow<'static, str>>>,
    refusals: Refusals,
}

impl Shared {
    /// Limits through `redis`. `policies` are all that there are: what [`forget`](Limiter::forget) forgives. One that
    /// is missing here is added when this process first uses it. Must be called on a runtime of tokio.
    pub fn new<'a>(redis: &Redis, policies: impl IntoIterator<Item = &'a Policy>) -> Self {
        let line = redis.line(Lane::Decisions, Class::FailFast);
        Self {
            rounds: Rounds::new(redis, line.clone()),
            line,
            keys: redis.keys().clone(),
            known: RwLock::new(policies.into_iter().map(Policy::shared_name).collect()),
            refusals: Refusals::default(),
        }
    }

    /// No two subjects share a key: a policy's name has no colon, so that the last one ends the subject.
    fn key(&self, subject: &Subject, policy: &str) -> String {
        let subject = self.keys.tag(subject.as_str());
        [self.keys.prefix(), "ratelimit:", &subject, ":", policy].concat()
    }

    fn know(&self, policies: &[&Policy]) {
        let is_new =
            |known: &[Cow<'static, str>], policy: &Policy| known.iter().all(|name| name != policy.name());
        let has_new = {
            let known = self.known.read().expect(UNBROKEN);
            policies.iter().any(|policy| is_new(&known, policy))
        };
        if has_new {
            let mut known = self.known.write().expect(UNBROKEN);
            for policy in policies {
                if is_new(&known, policy) {
                    known.push(policy.shared_name());
                }
            }
        }
    }

    /// Asks the server, and charges what is asked for if `is_charged`.
    async fn decide(
        &self,
        subject: &Subject,
        policies: &[&Policy],
        cost: u32,
        is_charged: bool,
    ) -> Result<Verdict, Error> {
        if policies.is_empty() {
            return Ok(Verdict::UNLIMITED);
        }
        self.know(policies);
        let asks = policies.iter().map(|policy| (*policy, Ask::new(policy.rate(), cost)));
        let mut request = Request::with_capacity(policies.len());
        for (policy, ask) in asks.clone() {
            let price = if is_charged { ask.price() } else { 0 };
            request.keys.push(self.key(subject, policy.name()));
            request.numbers.extend([price, ask.slack(), policy.is_shadow().into()]);
        }
        let answer = self.rounds.decide(request).await?;
        let is_allowed = answer.is_allowed();
        let usages = asks.zip(answer.tats()).map(|((policy, ask), tat)| {
            let reading = ask.of(Some(*tat), answer.now());
            Usage::new(policy, &reading, is_charged && is_allowed && reading.fits())
        });
        Ok(Verdict { is_allowed, usages: usages.collect() })
    }
}

impl Limiter for Shared {
    type Error = Error;

    async fn take(&self, subject: &Subject, policies: &[&Policy], cost: u32) -> Result<Verdict, Error> {
        let ticket = match self.refusals.find(subject, policies, cost) {
            Ok(refusal) => return Ok(refusal),
            Err(ticket) => ticket,
        };
        let verdict = self.decide(subject, policies, cost, true).await?;
        if verdict.is_allowed {
            self.refusals.allow(ticket, subject);
        } else {
            self.refusals.remember(ticket, subject, &verdict);
        }
        Ok(verdict)
    }

    async fn peek(&self, subject: &Subject, policies: &[&Policy], cost: u32) -> Result<Verdict, Error> {
        self.decide(subject, policies, cost, false).await
    }

    async fn adjust(&self, subject: &Subject, policy: &Policy, by: Adjustment) -> Result<(), Error> {
        self.know(&[policy]);
        let shift = Shift::new(policy.rate(), by);
        let key = self.key(subject, policy.name());
        let longest = i64::try_from(LONGEST).expect("it is far below 2^63");
        let least = i64::try_from(shift.least).expect("it is at most the longest");
        let done = self.line.eval(&ADJUST, &[key], &[shift.by, least, longest]).await;
        // Also after an error: a call that was given up may still arrive.
        self.refusals.drop_of(subject);
        done
    }

    async fn forget(&self, subject: &Subject) -> Result<(), Error> {
        let mut unlink = client::cmd("UNLINK");
        let has_keys = {
            let known = self.known.read().expect(UNBROKEN);
            unlink.arg(known.iter().map(|policy| self.key(subject, policy)).collect::<Vec<_>>());
            !known.is_empty()
        };
        let done = if has_keys { self.line.query(&unlink).await } else { Ok(()) };
        self.refusals.drop_of(subject);
        done
    }
}
