use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use upshelf_redis::{Error, Health, Line, client};

/// More channels than this are told as all.
const FULL: usize = 1_000;
/// What is lost soon after something was told is told together.
const PAUSE: Duration = Duration::from_secs(1);
/// When to try again to tell it.
const RETRY: Duration = Duration::from_millis(100);

/// What was published here and did not, or perhaps did not, reach the other processes, until they know.
///
/// They cannot see it by themselves: it may have been our connection that broke and not theirs.
#[derive(Debug, Default)]
pub(super) struct Losses {
    lost: Mutex<Lost>,
    /// Kept beside it, because it is asked often; also while the others are being told.
    is_any: AtomicBool,
    is_wrong: AtomicBool,
    added: Notify,
}

#[derive(Debug, Default)]
struct Lost {
    channels: HashSet<Box<str>>,
    is_everywhere: bool,
    /// When the last publication of these began.
    last: Option<Instant>,
}

/// That publications went missing, as the processes tell each other.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Missed {
    /// How long ago the last one was made: whoever has read the truth since then knows.
    #[serde(default)]
    pub(super) age_ms: u64,
    /// On which channels; all of them without it.
    pub(super) channels: Option<Vec<String>>,
}

impl Missed {
    /// Says whether all of it was published before this point in time. The way here counts as part of the time since.
    pub(super) fn is_before(&self, moment: Instant) -> bool {
        moment.elapsed() < Duration::from_millis(self.age_ms)
    }
}

impl Losses {
    pub(super) fn is_any(&self) -> bool {
        self.is_any.load(Ordering::Acquire)
    }

    /// Remembers that a publication begun at this time failed.
    pub(super) fn add(&self, channel: &str, begun: Instant, error: &Error) {
        let was_any = {
            let mut lost = self.lost();
            lost.last = lost.last.max(Some(begun));
            if !lost.is_everywhere && !lost.channels.contains(channel) {
                lost.channels.insert(channel.into());
                lost.bound();
            }
            self.is_any.swap(true, Ordering::AcqRel)
        };
        self.added.notify_one();
        let is_away = error.is_away();
        let error = error as &dyn std::error::Error;
        if !is_away && !self.is_wrong.swap(true, Ordering::Relaxed) {
            tracing::error!(error, "publications are delivered in this process alone");
        } else if !was_any {
            tracing::warn!(error, "publications are delivered in this process alone");
        }
    }

    /// Tells the other processes as soon as they can be told, for ever.
    pub(super) async fn tell(
        self: Arc<Self>,
        line: Line,
        control: String,
        mut health: watch::Receiver<Health>,
    ) {
        loop {
            self.added.notified().await;
            while self.is_any() {
                let _ = timeout(PAUSE, health.wait_for(|health| health.is_up())).await;
                // What waits before a server that hangs is done when it goes on, late and besides what is told anew: so
                // first something that does no harm, of the same node.
                let asked = line.query::<()>(client::cmd("EXISTS").arg(&control)).await;
                if asked.is_err_and(|error| error.is_away()) {
                    sleep(RETRY).await;
                    continue;
                }
                let lost = std::mem::take(&mut *self.lost());
                match line.publish(&control, &lost.as_message(Instant::now())).await {
                    Ok(_) => {
                        self.have_been_told();
                        sleep(PAUSE).await;
                    }
                    Err(error) => {
                        self.take_back(lost, &error);
                        sleep(RETRY).await;
                    }
                }
            }
        }
    }

    fn have_been_told(&self) {
        let lost = self.lost();
        if lost.last.is_none() {
            self.is_any.store(false, Ordering::Release);
            self.is_wrong.store(false, Ordering::Relaxed);
            drop(lost);
            tracing::info!("publications reach the other processes again");
        }
    }

    fn take_back(&self, untold: Lost, error: &Error) {
        let mut lost = self.lost();
        lost.last = lost.last.max(untold.last);
        lost.is_everywhere |= untold.is_everywhere;
        lost.channels.extend(untold.channels);
        lost.bound();
        if !error.is_away() && !self.is_wrong.swap(true, Ordering::Relaxed) {
            let error = error as &dyn std::error::Error;
            tracing::error!(error, "Redis refuses what the processes tell each other");
        }
    }

    fn lost(&self) -> MutexGuard<'_, Lost> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lost {
    /// Keeps it small.
    fn bound(&mut self) {
        if self.is_everywhere || self.channels.len() > FULL {
            self.is_everywhere = true;
            self.channels = HashSet::new();
        }
    }

    fn as_message(&self, now: Instant) -> Vec<u8> {
        let age = self.last.map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        let channels = self.channels.iter().map(|channel| String::from(&**channel)).collect();
        let missed = Missed {
            // Rounded down, as if it had been later: rather a resync too many.
            age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
            channels: (!self.is_everywhere).then_some(channels),
        };
        serde_json::to_vec(&missed).expect("numbers and texts have a JSON form")
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_began_anew_since_the_loss_is_not_concerned() {
        let losses = Losses::default();
        let before = Instant::now();
        advance(Duration::from_millis(20)).await;
        losses.add("votes", Instant::now(), &Error::Away(None));
        advance(Duration::from_millis(20)).await;
        let since = Instant::now();
        advance(Duration::from_millis(20)).await;
        let message = losses.lost().as_message(Instant::now());
        assert_eq!(message, br#"{"age_ms":40,"channels":["votes"]}"#);
        // It is under way for a while.
        advance(Duration::from_millis(15)).await;
        let missed: Missed = serde_json::from_slice(&message).expect("it is what was written");
        assert!(missed.is_before(since));
        assert!(!missed.is_before(before));
    }

    #[test]
    fn many_channels_are_all_channels_and_take_no_memory() {
        let losses = Losses::default();
        for n in 0..=FULL {
            losses.add(&format!("notifications:{n}"), Instant::now(), &Error::Away(None));
        }
        losses.add("votes", Instant::now(), &Error::Away(None));
        let lost = losses.lost();
        assert!(lost.is_everywhere && lost.channels.capacity() == 0);
        let missed: Missed = serde_json::from_slice(&lost.as_message(Instant::now())).expect("it is JSON");
        assert_eq!(missed.channels, None);
    }

    #[test]
    fn what_could_not_be_told_is_told_with_what_came_after_it() {
        let losses = Losses::default();
        losses.add("a", Instant::now(), &Error::Away(None));
        let untold = std::mem::take(&mut *losses.lost());
        losses.add("b", Instant::now(), &Error::Away(None));
        losses.have_been_told();
        assert!(losses.is_any(), "b was added while a was told");
        losses.take_back(untold, &Error::Away(None));
        assert_eq!(losses.lost().channels.len(), 2);
    }
}
