//! What Redis was not told, and telling it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;
use upshelf_redis::Error;

use crate::shared::Shared;
use crate::{Board, Counts, Id};

/// More counts than this are not remembered one by one: the board is emptied instead, and filled from the database.
const MOST: usize = 10_000;

/// The pause after an attempt that failed.
const PAUSE: Duration = Duration::from_millis(100);

/// What Redis was not told. While there is something, it is not believed.
#[derive(Debug)]
pub(crate) struct Untold<K: Id> {
    state: Mutex<State<K>>,
    changed: Notify,
}

#[derive(Debug)]
struct State<K> {
    counts: HashMap<K, Counts>,
    /// Something that cannot be told one by one.
    everything: bool,
    /// Of the reasons to empty the board: one that comes while it is being emptied is a new one.
    reasons: u64,
}

impl<K: Id> Default for Untold<K> {
    fn default() -> Self {
        let state = State { counts: HashMap::new(), everything: false, reasons: 0 };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }
}

impl<K: Id> Untold<K> {
    fn state(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_empty(&self) -> bool {
        let state = self.state();
        state.counts.is_empty() && !state.everything
    }

    /// Remembers counts; of two the newer.
    pub(crate) fn remember(&self, id: K, counts: Counts) {
        let mut state = self.state();
        let known = state.counts.entry(id).or_insert(counts);
        if known.version < counts.version {
            *known = counts;
        }
        if state.counts.len() > MOST {
            state.forget_all();
        }
        self.changed.notify_one();
    }

    /// Forgets counts that Redis has, or older ones.
    pub(crate) fn is_told(&self, id: K, counts: Counts) {
        let mut state = self.state();
        if state.counts.get(&id).is_some_and(|known| known.version <= counts.version) {
            state.counts.remove(&id);
        }
    }

    /// Remembers that the board lacks something that is not known one by one.
    pub(crate) fn remember_everything(&self) {
        self.state().forget_all();
        self.changed.notify_one();
    }

    /// Tells Redis as soon as it is there, for ever.
    pub(crate) async fn tell(self: Arc<Self>, shared: Shared<K>) {
        let mut health = shared.redis().watch_health();
        loop {
            self.changed.notified().await;
            let mut is_told = false;
            while !is_told {
                // Its answer must not be held across what is waited for next.
                if health.wait_for(|health| health.is_up()).await.is_err() {
                    return;
                }
                is_told = match self.tell_once(&shared).await {
                    Ok(()) => self.is_empty(),
                    Err(error) => {
                        if !error.is_away() {
                            let error = &error as &dyn std::error::Error;
                            tracing::warn!(error, "Redis refuses counts of votes");
                        }
                        false
                    }
                };
                if !is_told {
                    sleep(PAUSE).await;
                }
            }
            tracing::info!("Redis knows all counts of votes again");
        }
    }

    async fn tell_once(&self, shared: &Shared<K>) -> Result<(), Error> {
        let (counts, everything) = {
            let state = self.state();
            (state.counts.clone(), state.everything.then_some(state.reasons))
        };
        if let Some(reasons) = everything {
            shared.clear().await?;
            let mut state = self.state();
            state.everything = state.reasons != reasons;
        }
        for (id, told) in counts {
            shared.record(id, told).await?;
            self.is_told(id, told);
        }
        Ok(())
    }
}

impl<K> State<K> {
    fn forget_all(&mut self) {
        self.counts.clear();
        self.everything = true;
        self.reasons += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(version: u64) -> Counts {
        Counts { up: 1, down: 0, version }
    }

    #[test]
    fn of_two_counts_the_newer_is_remembered() {
        let untold = Untold::default();
        for version in [2, 3, 1] {
            untold.remember(7_u64, counts(version));
        }
        assert_eq!(untold.state().counts[&7], counts(3));
    }

    #[test]
    fn it_is_bounded() {
        let untold = Untold::default();
        for id in 0..=MOST as u64 {
            untold.remember(id, counts(1));
        }
        assert!(untold.state().counts.is_empty() && untold.state().everything && !untold.is_empty());
    }
}
