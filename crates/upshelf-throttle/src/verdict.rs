use std::borrow::Cow;
use std::time::Duration;

use crate::gcra::Reading;
use crate::policy::{Policy, Rate};

/// What became of a request, and what is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the request may go on.
    pub is_allowed: bool,
    /// What each policy says, in the order in which they were asked; empty when limits are off.
    pub usages: Vec<Usage>,
}

/// What one policy says about one subject, after the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The policy's name.
    pub policy: Cow<'static, str>,
    /// What it allows.
    pub rate: Rate,
    /// Whether it only counts.
    pub is_shadow: bool,
    /// Whether it had room for the request.
    pub has_room: bool,
    /// How many units are left.
    pub remaining: u32,
    /// How long until it has room for this request; zero if it had.
    pub retry_after: Duration,
    /// How long until one more unit is left; zero if all are.
    pub next_after: Duration,
    /// How long until all units are left.
    pub reset_after: Duration,
}

impl Usage {
    pub(crate) fn new(policy: &Policy, asked: &Reading, is_charged: bool) -> Self {
        let after = if is_charged { asked.charged() } else { *asked };
        Self {
            policy: policy.shared_name(),
            rate: policy.rate(),
            is_shadow: policy.is_shadow(),
            has_room: asked.fits(),
            remaining: after.remaining(),
            retry_after: asked.retry_after(),
            next_after: after.next_after(),
            reset_after: after.reset_after(),
        }
    }

    fn refuses(&self) -> bool {
        !self.has_room && !self.is_shadow
    }
}

impl Verdict {
    pub(crate) const UNLIMITED: Self = Self { is_allowed: true, usages: Vec::new() };

    /// Lists the policies that had no room for the request, shadows left out: the `violated-policies` of a problem.
    pub fn violated(&self) -> impl Iterator<Item = &str> {
        self.usages.iter().filter(|usage| usage.refuses()).map(|usage| &*usage.policy)
    }

    /// Says how long until all policies have room for the request; zero if they had.
    pub fn retry_after(&self) -> Duration {
        let refusing = self.usages.iter().filter(|usage| usage.refuses());
        refusing.map(|usage| usage.retry_after).max().unwrap_or_default()
    }

    /// Says whether the request was let through although a policy, or the whole service, would have refused it.
    pub fn is_shadowed(&self) -> bool {
        self.is_allowed && self.usages.iter().any(|usage| !usage.has_room)
    }
}
