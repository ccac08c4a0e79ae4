//! How long a value is good.

use std::time::Duration;

use tokio::time::Instant;

/// Longer than any program runs, and short enough to be added to any moment.
const FOREVER: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 30);

/// How long the values of a region are good, and what happens when a loader is slow or fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    ttl: Duration,
    grace: Duration,
    jitter: f64,
    early: f64,
    pub(crate) soft_timeout: Option<Duration>,
    pub(crate) hard_timeout: Duration,
    pub(crate) backoff: Duration,
}

/// The turning points in the life of an entry.
pub(crate) struct Deadlines {
    pub(crate) early: Instant,
    pub(crate) fresh: Instant,
    pub(crate) keep: Instant,
}

impl Policy {
    /// Begins a policy: values are fresh for `ttl`, without grace, jitter, early refresh or soft timeout; a loader has 30 s;
    /// a failed refresh is not repeated for 10 s.
    pub fn ttl(ttl: Duration) -> Self {
        Self {
            ttl: ttl.min(FOREVER),
            grace: Duration::ZERO,
            jitter: 0.0,
            early: 1.0,
            soft_timeout: None,
            hard_timeout: Duration::from_secs(30),
            backoff: Duration::from_secs(10),
        }
    }

    /// Keeps the value so much longer than its ttl, to be served while the loader fails or is slow.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace.min(FOREVER);
        self
    }

    /// Shortens each ttl by up to this share of it (0 to 1), so that what was loaded together does not end together.
    #[must_use]
    pub fn jitter(mut self, share: f64) -> Self {
        self.jitter = share.clamp(0.0, 1.0);
        self
    }

    /// Refreshes in the background what is read after this share of its ttl (0 to 1).
    #[must_use]
    pub fn early(mut self, share: f64) -> Self {
        self.early = share.clamp(0.0, 1.0);
        self
    }

    /// Serves the grace value, if there is one, when the loader takes longer than this. The load goes on.
    #[must_use]
    pub fn soft_timeout(mut self, limit: Duration) -> Self {
        self.soft_timeout = Some(limit);
        self
    }

    /// Cancels a loader that takes longer than this.
    #[must_use]
    pub fn hard_timeout(mut self, limit: Duration) -> Self {
        self.hard_timeout = limit.min(FOREVER);
        self
    }

    /// Waits so long after a failed refresh before the next one, while there is a value to serve.
    #[must_use]
    pub fn backoff(mut self, pause: Duration) -> Self {
        self.backoff = pause;
        self
    }

    /// Lays out the life of a value that is there `now`; `chance` in 0..1 places it within the jitter.
    pub(crate) fn deadlines(&self, ttl: Option<Duration>, now: Instant, chance: f64) -> Deadlines {
        let ttl = ttl.unwrap_or(self.ttl).min(FOREVER).mul_f64(1.0 - self.jitter * chance);
        let fresh = now + ttl;
        Deadlines { early: now + ttl.mul_f64(self.early), fresh, keep: fresh + self.grace }
    }

    /// The share of its ttl that a value must have left where a refresh would otherwise be due.
    pub(crate) fn spare(&self) -> f64 {
        1.0 - self.early
    }

    /// Lays out what is left of the life of a value of this age, which was laid out elsewhere.
    pub(crate) fn rest(
        &self,
        ttl: Duration,
        age: Duration,
        left: Duration,
        grace: Duration,
        now: Instant,
    ) -> Deadlines {
        let fresh = now + left.saturating_sub(grace);
        Deadlines {
            early: now + ttl.min(FOREVER).mul_f64(self.early).saturating_sub(age).min(FOREVER),
            fresh,
            keep: now + left.min(FOREVER * 2),
        }
    }

    pub(crate) fn grace_of(&self) -> Duration {
        self.grace
    }
}
