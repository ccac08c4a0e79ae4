//! What this process may have missed while Redis was away.

use std::sync::{Mutex, MutexGuard};

use tokio::sync::watch;
use upshelf_redis::{Health, Redis};

use super::names::Names;

/// How far the clocks of two nodes of a cluster may be apart, in ms.
const SKEW: u64 = 5_000;

/// Remembers since when Redis's word counts for this process: an end that another process could not tell it of during an
/// outage would be missing.
///
/// Invariant: a reply counts only if Redis has been there without a break since before the call, and only for what the
/// vault confirmed after the last break. A connection that was lost and made again is a break, however short: the handle
/// tells of the loss before it connects anew.
pub(super) struct Outages {
    state: Mutex<State>,
    skew: u64,
}

struct State {
    health: watch::Receiver<Health>,
    /// Counts the changes of health; the first is the one to [`Health::Up`].
    breaks: u64,
    /// After which of them `since` was read.
    settled: u64,
    /// The server's time, in ms.
    since: u64,
}

/// A call to Redis.
pub(super) struct Visit {
    breaks: u64,
    counts_since: Option<u64>,
}

impl Visit {
    /// Since when an answer must have been confirmed to count, by the server's clock; `None` while nothing counts.
    pub(super) fn counts_since(&self) -> Option<u64> {
        self.counts_since
    }
}

impl Outages {
    pub(super) fn of(redis: &Redis, names: &Names) -> Self {
        let state = State { health: redis.watch_health(), breaks: 1, settled: 0, since: 0 };
        Self { state: Mutex::new(state), skew: if names.is_cluster() { SKEW } else { 0 } }
    }

    /// Begins a call; `None` while Redis is away.
    pub(super) fn visit(&self) -> Option<Visit> {
        let mut state = self.state();
        state.look();
        let is_settled = state.settled == state.breaks;
        let visit = Visit { breaks: state.breaks, counts_since: is_settled.then_some(state.since) };
        state.health.borrow().is_up().then_some(visit)
    }

    /// Ends a call that was answered at `now`, by the server's clock; says whether there was no break meanwhile.
    pub(super) fn ended(&self, visit: Visit, now: u64) -> bool {
        let mut state = self.state();
        state.look();
        let is_unbroken = state.breaks == visit.breaks;
        if is_unbroken && state.settled != state.breaks {
            (state.settled, state.since) = (state.breaks, now + self.skew);
        }
        is_unbroken
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no code panics while it holds this lock")
    }
}

impl State {
    fn look(&mut self) {
        if self.health.has_changed().unwrap_or(true) {
            self.health.mark_unchanged();
            self.breaks += 1;
        }
    }
}
