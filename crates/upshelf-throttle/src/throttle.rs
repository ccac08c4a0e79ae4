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
        let shared = async |shared: &Shared| shared.take(subject, policies, cost).await;
        let verdict = match self.try_shared(shared).await {
            Some(verdict) => verdict,
            None => {
                with_shares(policies, self.processes(), async |policies| {
                    sure(self.local.take(subject, policies, cost).await)
                })
                .await
            }
        };
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
        let shared = async |shared: &Shared| shared.peek(subject, policies, cost).await;
        let verdict = match self.try_shared(shared).await {
            Some(verdict) => verdict,
            None => {
                with_shares(policies, self.processes(), async |policies| {
                    sure(self.local.peek(subject, policies, cost).await)
                })
                .await
            }
        };
        self.in_mode(verdict)
    }

    /// Changes what a subject owes to one policy.
    pub async fn adjust(&self, subject: &Subject, policy: &Policy, by: Adjustment) {
        if self.try_shared(async |shared| shared.adjust(subject, policy, by).await).await.is_none() {
            let share = policy.share(self.processes());
            sure(self.local.adjust(subject, &share, by).await);
        }
    }

    /// Forgives a subject all that it owes.
    pub async fn forget(&self, subject: &Subject) {
        self.try_shared(async |shared| shared.forget(subject).await).await;
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

    /// Asks all processes' part; `None` when there is none, or when it cannot answer.
    async fn try_shared<T>(
        &self,
        ask: impl AsyncFnOnce(&Shared) -> Result<T, upshelf_redis::Error>,
    ) -> Option<T> {
        match ask(self.shared.as_ref()?).await {
            Ok(answer) => {
                if self.outage.succeeded() {
                    self.local.clear();
                }
                Some(answer)
            }
            Err(error) => {
                self.outage.failed(&error);
                None
            }
        }
    }

    fn in_mode(&self, verdict: Verdict) -> Verdict {
        Verdict { is_allowed: verdict.is_allowed || self.mode == Mode::Shadow, ..verdict }
    }
}

/// Hands over this process's share of each policy.
async fn with_shares<T>(policies: &[&Policy], processes: u32, ask: impl AsyncFnOnce(&[&Policy]) -> T) -> T {
    if processes == 1 {
        return ask(policies).await;
    }
    let shares: Vec<_> = policies.iter().map(|policy| policy.share(processes)).collect();
    ask(&shares.iter().collect::<Vec<_>>()).await
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
