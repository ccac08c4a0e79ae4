//! Stops asking a server that does not answer.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// So many failures …
const FAILURES: usize = 5;
/// … within this time open it.
const WINDOW: Duration = Duration::from_secs(1);
/// How long it stays open before the server is asked again, at first …
const SHORTEST: Duration = Duration::from_millis(500);
/// … and when it opens again and again.
const LONGEST: Duration = Duration::from_secs(5);

/// Open when commands failed again and again; closed again by a probe that succeeded.
///
/// Only the path of failures takes the lock: a command that goes well reads one flag.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    is_open: AtomicBool,
    history: Mutex<History>,
}

#[derive(Debug, Default)]
struct History {
    failures: VecDeque<Instant>,
    pause: Duration,
    closed_at: Option<Instant>,
}

impl Breaker {
    pub(crate) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// Notes that a command had no answer; says whether that opened it.
    pub(crate) fn failed(&self, now: Instant) -> bool {
        let mut history = self.history();
        while history.failures.front().is_some_and(|failed| now.duration_since(*failed) > WINDOW) {
            history.failures.pop_front();
        }
        history.failures.push_back(now);
        if history.failures.len() < FAILURES || self.is_open() {
            return false;
        }
        history.failures.clear();
        let again = history.closed_at.is_some_and(|closed| now.duration_since(closed) < LONGEST);
        history.pause = if again { (history.pause * 2).clamp(SHORTEST, LONGEST) } else { SHORTEST };
        self.is_open.store(true, Ordering::Relaxed);
        true
    }

    /// How long to wait before the server is asked whether it answers again.
    pub(crate) fn pause(&self) -> Duration {
        self.history().pause
    }

    /// Notes that the server answers.
    pub(crate) fn close(&self, now: Instant) {
        let mut history = self.history();
        history.failures.clear();
        if self.is_open.swap(false, Ordering::Relaxed) {
            history.closed_at = Some(now);
        }
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn five_failures_within_a_second_open_it_and_five_slower_ones_do_not() {
        let breaker = Breaker::default();
        for _ in 0..10 {
            assert!(!breaker.failed(Instant::now()));
            tokio::time::advance(Duration::from_millis(300)).await;
        }
        let opened: Vec<bool> = (0..5).map(|_| breaker.failed(Instant::now())).collect();
        assert_eq!(opened.iter().filter(|opened| **opened).count(), 1);
        assert!(breaker.is_open());
        breaker.close(Instant::now());
        assert!(!breaker.is_open());
    }

    #[tokio::test(start_paused = true)]
    async fn it_waits_longer_each_time_it_opens_again_soon() {
        let breaker = Breaker::default();
        let mut pauses = Vec::new();
        for _ in 0..6 {
            while !breaker.failed(Instant::now()) {}
            pauses.push(breaker.pause().as_millis());
            breaker.close(Instant::now());
        }
        assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 5_000, 5_000]);
        tokio::time::advance(LONGEST).await;
        while !breaker.failed(Instant::now()) {}
        assert_eq!(breaker.pause(), SHORTEST);
    }
}
