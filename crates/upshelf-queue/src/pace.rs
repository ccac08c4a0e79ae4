use std::collections::VecDeque;
use std::sync::Mutex;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Rate;

/// Lets so many jobs begin in any window of time, in the order they ask.
///
/// It remembers the last `rate.jobs` beginnings: the next may begin when the oldest of them is one window old.
/// River has no rate limit of its own, so a job it has handed out waits here before it runs.
#[derive(Debug)]
pub(crate) struct Pace {
    rate: Option<Rate>,
    begun: Mutex<VecDeque<Instant>>,
}

impl Pace {
    pub(crate) fn new(rate: Option<Rate>) -> Self {
        Self { rate, begun: Mutex::default() }
    }

    /// Waits for a permit; `false` when `closing` came first.
    pub(crate) async fn permit(&self, closing: &CancellationToken) -> bool {
        if closing.is_cancelled() {
            return false;
        }
        let Some(at) = self.reserve(Instant::now()) else { return true };
        tokio::select! {
            () = tokio::time::sleep_until(at) => true,
            () = closing.cancelled() => false,
        }
    }

    /// Takes the next permit; `None` when it is good at once.
    fn reserve(&self, now: Instant) -> Option<Instant> {
        let rate = self.rate?;
        let mut begun = self.begun.lock().expect("nothing panics while it holds this lock");
        let full = begun.len() >= usize::try_from(rate.jobs).unwrap_or(usize::MAX);
        let at =
            if full { begun.pop_front().map_or(now, |oldest| (oldest + rate.per).max(now)) } else { now };
        begun.push_back(at);
        (at > now).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_window_sees_more_than_the_rate() {
        let rate = Rate { jobs: 10, per: Duration::from_secs(1) };
        let (pace, closing) = (Pace::new(Some(rate)), CancellationToken::new());
        let mut begun = Vec::new();
        for job in 0..45_u64 {
            // Jobs come unevenly: some in a heap, some after a pause.
            tokio::time::advance(Duration::from_millis(if job % 7 == 0 { 130 } else { 0 })).await;
            assert!(pace.permit(&closing).await);
            begun.push(Instant::now());
        }
        for window in begun.windows(11) {
            assert!(window[10] - window[0] >= rate.per, "{:?}", window[10] - window[0]);
        }
        assert!(begun[44] - begun[0] <= Duration::from_millis(4_600), "{:?}", begun[44] - begun[0]);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_rate_nobody_waits_and_closing_ends_the_wait() {
        let closing = CancellationToken::new();
        let free = Pace::new(None);
        for _ in 0..1_000 {
            assert!(free.permit(&closing).await);
        }
        let slow = Pace::new(Some(Rate { jobs: 1, per: Duration::from_secs(3600) }));
        assert!(slow.permit(&closing).await);
        let start = Instant::now();
        let (permitted, ()) = tokio::join!(slow.permit(&closing), async { closing.cancel() });
        assert!(!permitted && start.elapsed() < Duration::from_secs(1));
    }
}
