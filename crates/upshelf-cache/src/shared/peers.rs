//! Who else is there, and whether all they said has been heard.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

/// Processes that are remembered after they fell silent, so that one that comes back is known.
const MOST: usize = 1000;

/// A process not heard for so long may have said what was not heard.
pub(super) const SILENCE: Duration = Duration::from_secs(5);

/// The processes heard of, this one among them: what it says must come back to it as well.
#[derive(Debug, Default)]
pub(super) struct Peers(HashMap<u64, Peer>);

#[derive(Debug)]
struct Peer {
    /// Of its last invalidation heard.
    number: u64,
    heard_at: Instant,
    is_silent: bool,
}

impl Peers {
    /// Notes a message; `false` when one before it is missing.
    pub(super) fn hear(&mut self, process: u64, number: u64, is_numbered: bool, now: Instant) -> bool {
        let Some(peer) = self.0.get_mut(&process) else {
            self.make_room();
            self.0.insert(process, Peer { number, heard_at: now, is_silent: false });
            return true;
        };
        let expected = peer.number + u64::from(is_numbered);
        // A lesser number was sent before what is known already; it has done no harm.
        let is_complete = number <= expected;
        *peer = Peer { number: peer.number.max(number), heard_at: now, is_silent: false };
        is_complete
    }

    /// The number of a process's last invalidation heard.
    pub(super) fn number(&self, process: u64) -> Option<u64> {
        self.0.get(&process).map(|peer| peer.number)
    }

    /// Notes that a process has left.
    pub(super) fn leave(&mut self, process: u64) {
        self.0.remove(&process);
    }

    /// Finds those that have fallen silent since the last look.
    pub(super) fn silenced(&mut self, now: Instant) -> Vec<u64> {
        let mut found = Vec::new();
        for (process, peer) in &mut self.0 {
            if !peer.is_silent && now.saturating_duration_since(peer.heard_at) >= SILENCE {
                peer.is_silent = true;
                found.push(*process);
            }
        }
        found
    }

    /// How many there are besides `this`.
    pub(super) fn others(&self, this: u64) -> usize {
        self.0.iter().filter(|(process, peer)| **process != this && !peer.is_silent).count()
    }

    fn make_room(&mut self) {
        if self.0.len() >= MOST {
            let oldest =
                self.0.iter().filter(|(_, peer)| peer.is_silent).min_by_key(|(_, peer)| peer.heard_at);
            if let Some(oldest) = oldest.map(|(process, _)| *process) {
                self.0.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_missing_is_noticed_by_the_next_message_or_the_next_beat() {
        let (mut peers, now) = (Peers::default(), Instant::now());
        assert!(peers.hear(1, 7, true, now), "what came before is none of ours");
        assert!(peers.hear(1, 8, true, now));
        assert!(peers.hear(1, 8, false, now));
        assert!(!peers.hear(1, 10, true, now));
        assert!(peers.hear(1, 11, true, now));
        assert!(!peers.hear(1, 12, false, now));
        assert!(peers.hear(1, 12, false, now));
        assert_eq!(peers.number(1), Some(12));
    }

    #[tokio::test(start_paused = true)]
    async fn who_falls_silent_is_told_once_and_does_not_count_until_heard_again() {
        let mut peers = Peers::default();
        for process in [1, 2, 3] {
            peers.hear(process, 0, false, Instant::now());
        }
        tokio::time::advance(SILENCE / 2).await;
        peers.hear(1, 0, false, Instant::now());
        tokio::time::advance(SILENCE / 2).await;
        let mut silenced = peers.silenced(Instant::now());
        silenced.sort_unstable();
        assert_eq!(silenced, [2, 3]);
        assert!(peers.silenced(Instant::now()).is_empty());
        assert_eq!(peers.others(1), 0);
        assert!(!peers.hear(2, 1, false, Instant::now()), "it said something meanwhile");
        assert_eq!(peers.others(1), 1);
        peers.leave(2);
        assert_eq!(peers.others(1), 0);
    }
}
