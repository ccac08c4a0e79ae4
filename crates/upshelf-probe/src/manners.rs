//! Good manners: a host is asked by one at a time, with a pause before each request, and not before it wants to be.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The longest time that a host is left alone because it asks for that.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);

/// So many hosts are remembered before those are forgotten that may be asked.
const REMEMBERED: usize = 4_096;

/// What is known of the hosts that were asked.
pub(crate) struct Manners {
    pause: Duration,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
}

struct Host {
    turn: Arc<tokio::sync::Mutex<()>>,
    /// When it may be asked again.
    from: Mutex<Instant>,
}

impl Host {
    fn from(&self) -> MutexGuard<'_, Instant> {
        self.from.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to ask a host; its pause begins when this is dropped.
pub(crate) struct Turn {
    host: Arc<Host>,
    pause: Duration,
    _alone: tokio::sync::OwnedMutexGuard<()>,
}

impl Manners {
    pub(crate) fn new(pause: Duration) -> Manners {
        Manners { pause, hosts: Mutex::default() }
    }

    fn hosts(&self) -> MutexGuard<'_, HashMap<String, Arc<Host>>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for one's turn at a host; `None` where that wants to be left alone for longer than a pause.
    pub(crate) async fn turn(&self, name: &str) -> Option<Turn> {
        let host = self.host(name);
        let alone = Arc::clone(&host.turn).lock_owned().await;
        let from = *host.from();
        if self.is_long(from) {
            return None;
        }
        sleep_until(from).await;
        Some(Turn { host, pause: self.pause, _alone: alone })
    }

    /// Says whether a host wants to be left alone for longer than a pause.
    pub(crate) fn is_to_be_left_alone(&self, name: &str) -> bool {
        let from = self.hosts().get(name).map(|host| *host.from());
        from.is_some_and(|from| self.is_long(from))
    }

    fn is_long(&self, from: Instant) -> bool {
        from > Instant::now() + self.pause
    }

    fn host(&self, name: &str) -> Arc<Host> {
        let mut hosts = self.hosts();
        if let Some(host) = hosts.get(name) {
            return Arc::clone(host);
        }
        let now = Instant::now();
        if hosts.len() >= REMEMBERED {
            hosts.retain(|_, host| Arc::strong_count(host) > 1 || *host.from() > now);
        }
        let host = Arc::new(Host { turn: Arc::default(), from: Mutex::new(now) });
        hosts.insert(name.to_owned(), Arc::clone(&host));
        host
    }
}

impl Turn {
    /// Notes that the host wants to be left alone for that long; more than a day is not believed.
    pub(crate) fn leave_alone(&mut self, time: Duration) {
        self.pause = self.pause.max(time.min(LONGEST));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *self.host.from() = Instant::now() + self.pause;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn a_host_has_its_pause_after_each_request_whoever_asks_and_others_are_not_waited_for() {
        let manners = Manners::new(PAUSE);
        let begun = Instant::now();
        let asked = ["a", "a", "b", "a"].map(async |host| {
            let _turn = manners.turn(host).await.expect("it may be asked");
            let at = begun.elapsed();
            tokio::time::sleep(Duration::from_secs(2)).await;
            at.as_secs()
        });
        let times = futures_util::future::join_all(asked).await;
        assert_eq!(times, [0, 7, 0, 14]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_wants_it_is_left_alone_but_not_for_ever() {
        let manners = Manners::new(PAUSE);
        manners.turn("a").await.expect("nobody knows it").leave_alone(Duration::from_secs(60));
        assert!(manners.is_to_be_left_alone("a") && !manners.is_to_be_left_alone("b"));
        assert!(manners.turn("a").await.is_none());
        tokio::time::advance(Duration::from_secs(56)).await;
        assert!(!manners.is_to_be_left_alone("a"));
        let begun = Instant::now();
        manners.turn("a").await.expect("it is a pause now").leave_alone(Duration::MAX);
        assert_eq!(begun.elapsed().as_secs(), 4);
        tokio::time::advance(LONGEST).await;
        assert!(manners.turn("a").await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_be_asked_is_forgotten_in_the_end_and_what_may_not_is_not() {
        let manners = Manners::new(PAUSE);
        manners.turn("a").await.expect("nobody knows it").leave_alone(Duration::from_secs(60));
        for n in 0..REMEMBERED {
            manners.turn(&n.to_string()).await.expect("nobody knows it");
        }
        tokio::time::advance(2 * PAUSE).await;
        manners.turn("b").await.expect("nobody knows it");
        assert_eq!(manners.hosts().len(), 2);
        assert!(manners.is_to_be_left_alone("a"));
    }
}
