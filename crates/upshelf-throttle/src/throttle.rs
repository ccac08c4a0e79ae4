use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use upshelf_redis::Redis;

use crate::local::Local;
use crate::outage::Outage;
use crate::policy::Policy;
use crate::shared::Shared;
use crate::subject::Subject;
use crate::verdict::Verdict;

/// The contract that each part of the service keeps.
///
/// Policies are told apart by name; one name must always mean one rate. Calls for one subject happen one after the
/// other, in some order that all policies share.
pub trait Limiter: Send + Sync {
    /// What goes wrong; a limiter that is away is not a refusal.
    type Error: std::error::Error + Send + Sync;

    /// Takes `cost` units from every policy, or from none if one that is not a shadow has too little room.
    ///
    /// A cost above a policy's burst takes its whole burst. A shadow without room is left as it is.
    fn take(
        &self,
        subject: &Subject,
        policies: &[&Policy],
        cost: u32,
    ) -> impl Future<Output = Result<Verdict, Self::Error>> + Send;

    /// Says what `take` would have answered, and charges nothing: what is left is what is left now.
    fn peek(
        &self,
        subject: &Subject,
        policies: &[&Policy],
        cost: u32,
    ) -> impl Future<Output = Result<Verdict, Self::Error>> + Send;

    /// Changes what a subject owes to one policy.
    fn adjust(
        &self,
        subject: &Subject,
        policy: &Policy,
        by: Adjustment,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Forgives a subject all that it owes, to every policy.
    fn forget(&self, subject: &Subject) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// A change that no request asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adjustment {
    /// Takes this many units whether or not there is room.
    Penalty(u32),
    /// Gives this many units back, as for a request that failed through no fault of its subject.
    Refund(u32),
    /// Refuses every request for this long.
    Block(Duration),
}

/// What the whole service does with a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Refuses.
    #[default]
    On,
    /// Counts as if it refused, reports it, and lets everything through.
    Shadow,
    /// Neither counts nor refuses.
    Off,
}

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        match text {
            "on" => Ok(Self::On),
            "shadow" => Ok(Self::Shadow),
            "off" => Ok(Self::Off),
            _ => Err(UnknownMode),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::On => "on",
            Self::Shadow => "shadow",
            Self::Off => "off",
        })
    }
}

/// A text that names no [`Mode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not one of on, shadow, off")]
pub struct UnknownMode;

/// Decides who may go on, for the whole program.
///
/// With Redis, all processes count together. While Redis is away, or answers wrongly, this process decides alone, by
/// its share of each policy ([`set_processes`](Self::set_processes)); that a limit cannot be looked up is never a
/// refusal. Once Redis has answered for a second without a failure, what was counted alone is dropped.
///
/// What is adjusted or forgiven meanwhile is so in this process only, and is over when Redis is back.
#[derive(Debug)]
pub struct Throttle {
    local: Local,
    shared: Option<Shared>,
    outage: Outage,
    mode: Mode,
}

impl Throttle {
    /// Limits within this process.
    pub fn local(mode: Mode) -> Self {
        Self { local: Local::default(), shared: None, outage: Outage::default(), mode }
    }

    /// Limits all processes together, through `redis`. `policies` are all that there are; see [`Shared::new`].
    pub fn shared<'a>(mode: Mode, redis: &Redis, policies: impl IntoIterator<Item = &'a Policy>) -> Self {
        Self { shared: Some(Shared::new(redis, policies)), ..Self::local(mode) }
    }

    /// Takes `cost` units from every policy, or from none; see [`Limiter::take`].
    pub async fn take(&self, subject: &Subject, policies: &[&Policy], cost: u32) -> Verdict {
        if self.mode == Mode::Off {
            return Verdict::UNLIMITED;
        }
        let shared = match &self.shared {
            // Apart: every request is as large as this, also where there is no Redis.
            Some(shared) => self.heard(Box::pin(shared.take(subject, policies, cost)).await),
            None => None,
        };
        let verdict = shared.unwrap_or_else(|| self.alone(subject, policies, cost, true));
        for usage in verdict.usages.iter().filter(|usage| !usage.has_room) {
            // Not the subject: addresses do not belong into logs.
            let is_allowed = verdict.is_allowed || self.mode == Mode::Shadow;
            tracing::debug!(policy = %usage.policy, is_allowed, "no room for a request");
        }
        self.in_mode(verdict)
    }

    /// Says what [`take`](Self::take) would answer, and charges nothing.
    pub async fn peek(&self, subject: &Subject, policies: &[&Policy], cost: u32) -> Verdict {
        if self.mode == Mode::Off {
            return Verdict::UNLIMITED;
        }
        let shared = match &self.shared {
            Some(shared) => self.heard(shared.peek(subject, policies, cost).await),
            None => None,
        };
        self.in_mode(shared.unwrap_or_else(|| self.alone(subject, policies, cost, false)))
    }

    /// Changes what a subject owes to one policy.
    pub async fn adjust(&self, subject: &Subject, policy: &Policy, by: Adjustment) {
        if let Some(shared) = &self.shared
            && self.heard(shared.adjust(subject, policy, by).await).is_some()
        {
            return;
        }
        sure(self.local.adjust(subject, &policy.share(self.processes()), by).await);
    }

    /// Forgives a subject all that it owes.
    pub async fn forget(&self, subject: &Subject) {
        if let Some(shared) = &self.shared {
            self.heard(shared.forget(subject).await);
        }
        // Also after Redis did: it may have been away a moment ago.
        sure(self.local.forget(subject).await);
    }

    /// Says among how many processes the limits are divided while each decides alone; 1 unless it is set.
    pub fn set_processes(&self, processes: NonZeroU32) {
        self.outage.set_processes(processes);
    }

    /// Says whether this process decides alone although it should not have to.
    pub fn is_alone(&self) -> bool {
        self.outage.is_on()
    }

    fn processes(&self) -> u32 {
        if self.shared.is_some() { self.outage.processes() } else { 1 }
    }

    /// Notes what came of asking Redis; `None` when it did not answer.
    fn heard<T>(&self, answer: Result<T, upshelf_redis::Error>) -> Option<T> {
        match &answer {
            Ok(_) => {
                if self.outage.succeeded() {
                    self.local.clear();
                }
            }
            Err(error) => self.outage.failed(error),
        }
        answer.ok()
    }

    /// Decides in this process, by its share of each policy.
    fn alone(&self, subject: &Subject, policies: &[&Policy], cost: u32, is_charged: bool) -> Verdict {
        let processes = self.processes();
        if processes == 1 {
            return self.local.decide(subject, policies, cost, is_charged);
        }
        let shares: Vec<_> = policies.iter().map(|policy| policy.share(processes)).collect();
        self.local.decide(subject, &shares.iter().collect::<Vec<_>>(), cost, is_charged)
    }

    fn in_mode(&self, verdict: Verdict) -> Verdict {
        Verdict { is_allowed: verdict.is_allowed || self.mode == Mode::Shadow, ..verdict }
    }
}

impl Limiter for Throttle {
    type Error = Infallible;

    async fn take(&self, subject: &Subject, policies: &[&Policy], cost: u32) -> Result<Verdict, Infallible> {
        Ok(Self::take(self, subject, policies, cost).await)
    }

    async fn peek(&self, subject: &Subject, policies: &[&Policy], cost: u32) -> Result<Verdict, Infallible> {
        Ok(Self::peek(self, subject, policies, cost).await)
    }

    async fn adjust(&self, subject: &Subject, policy: &Policy, by: Adjustment) -> Result<(), Infallible> {
        Self::adjust(self, subject, policy, by).await;
        Ok(())
    }

    async fn forget(&self, subject: &Subject) -> Result<(), Infallible> {
        Self::forget(self, subject).await;
        Ok(())
    }
}

fn sure<T>(result: Result<T, Infallible>) -> T {
    let Ok(value) = result;
    value
}
