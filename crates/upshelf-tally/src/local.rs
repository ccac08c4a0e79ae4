//! The tally of this process.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use quick_cache::unsync;

use crate::ranking::Ranking;
use crate::{Board, Counts, Epoch, Id, Limits};

/// The part of the tally within this process: the whole tally when there is nothing else.
#[derive(Clone)]
pub struct Local<K: Id> {
    limits: Limits,
    state: Arc<RwLock<State<K>>>,
}

/// Invariant: an id is either `listed`, and then in `ranking` at its score, or `unlisted`, or unknown.
struct State<K: Id> {
    epoch: u64,
    listed: HashMap<K, Counts>,
    ranking: Ranking<K>,
    /// Everything that competes is listed.
    complete: bool,
    unlisted: unsync::Cache<K, Unlisted>,
}

/// Known, but not on the top list.
#[derive(Clone, Copy)]
struct Unlisted {
    counts: Option<Counts>,
    /// It was on the list, or might have come: late writes must not list it.
    removed: bool,
}

impl<K: Id> Local<K> {
    /// Makes an empty tally.
    pub fn new(limits: Limits) -> Self {
        Self { limits, state: Arc::new(RwLock::new(State::new(0, limits))) }
    }

    fn read(&self) -> RwLockReadGuard<'_, State<K>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State<K>> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Id> Board<K> for Local<K> {
    type Error = Infallible;

    async fn record(&self, id: K, counts: Counts) -> Result<(), Infallible> {
        self.write().record(id, counts);
        Ok(())
    }

    async fn find(&self, ids: &[K]) -> Result<Vec<Option<Counts>>, Infallible> {
        let state = self.read();
        Ok(ids.iter().map(|id| state.find(*id)).collect())
    }

    async fn epoch(&self) -> Result<Epoch, Infallible> {
        Ok(Epoch(self.read().epoch))
    }

    async fn fill(&self, loaded: &[(K, Counts)], since: Epoch) -> Result<(), Infallible> {
        let mut state = self.write();
        if state.epoch == since.0 {
            for (id, counts) in loaded {
                state.fill(*id, *counts);
            }
        }
        Ok(())
    }

    async fn fill_top(&self, loaded: &[(K, Counts)], since: Epoch) -> Result<(), Infallible> {
        let mut state = self.write();
        if state.epoch == since.0 {
            for (id, counts) in loaded {
                state.record(*id, *counts);
            }
            state.complete = true;
        }
        Ok(())
    }

    async fn top(&self, limit: usize) -> Result<Option<Vec<(K, Counts)>>, Infallible> {
        let state = self.read();
        Ok(state
            .complete
            .then(|| state.ranking.iter().take(limit).map(|id| (id, state.listed[&id])).collect()))
    }

    async fn rank(&self, id: K) -> Result<Option<Option<usize>>, Infallible> {
        let state = self.read();
        let rank = || state.ranking.rank(state.listed.get(&id)?.score(), id);
        Ok(state.complete.then(rank))
    }

    async fn remove(&self, id: K) -> Result<(), Infallible> {
        self.write().remove(id);
        Ok(())
    }

    async fn restore(&self, id: K, counts: Counts) -> Result<(), Infallible> {
        let mut state = self.write();
        let known = state.unlisted.remove(&id).and_then(|(_, unlisted)| unlisted.counts);
        state.list(id, newest(known, counts));
        Ok(())
    }

    async fn clear(&self) -> Result<(), Infallible> {
        let mut state = self.write();
        *state = State::new(state.epoch + 1, self.limits);
        Ok(())
    }
}

impl<K: Id> State<K> {
    fn new(epoch: u64, limits: Limits) -> Self {
        Self {
            epoch,
            listed: HashMap::new(),
            ranking: Ranking::default(),
            complete: false,
            unlisted: unsync::Cache::new(limits.unlisted),
        }
    }

    fn find(&self, id: K) -> Option<Counts> {
        self.listed.get(&id).copied().or_else(|| self.unlisted.get(&id)?.counts)
    }

    fn record(&mut self, id: K, counts: Counts) {
        match self.unlisted.peek(&id).copied() {
            Some(known) if known.removed => self.fill(id, counts),
            Some(known) => {
                self.unlisted.remove(&id);
                self.list(id, newest(known.counts, counts));
            }
            None => self.list(id, counts),
        }
    }

    /// Keeps counts where `id` stands now.
    fn fill(&mut self, id: K, counts: Counts) {
        if self.listed.contains_key(&id) {
            self.list(id, counts);
        } else {
            let known = self.unlisted.peek(&id).copied();
            let counts = Some(newest(known.and_then(|known| known.counts), counts));
            self.unlisted.insert(id, Unlisted { counts, removed: known.is_some_and(|known| known.removed) });
        }
    }

    fn list(&mut self, id: K, counts: Counts) {
        match self.listed.insert(id, counts) {
            None => self.ranking.insert(counts.score(), id),
            Some(known) if known.version >= counts.version => {
                self.listed.insert(id, known);
            }
            Some(known) if known.score() != counts.score() => {
                self.ranking.remove(known.score(), id);
                self.ranking.insert(counts.score(), id);
            }
            Some(_) => {}
        }
    }

    fn remove(&mut self, id: K) {
        let counts = self.find(id);
        if let Some(known) = self.listed.remove(&id) {
            self.ranking.remove(known.score(), id);
        }
        self.unlisted.insert(id, Unlisted { counts, removed: true });
    }
}

/// Returns the counts with the greater version, the known ones when they are equal.
fn newest(known: Option<Counts>, counts: Counts) -> Counts {
    known.filter(|known| known.version >= counts.version).unwrap_or(counts)
}

impl<K: Id> fmt::Debug for Local<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.read();
        f.debug_struct("Local")
            .field("listed", &state.listed.len())
            .field("unlisted", &state.unlisted.len())
            .field("complete", &state.complete)
            .finish()
    }
}
