//! A channel that this process numbers, and remembers for a while.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::house::{Past, Publication};
use crate::members::Members;
use crate::outbox::Outbox;
use crate::stream::line;

/// The last publications, in memory.
pub(crate) struct Brief {
    pub(crate) name: Arc<str>,
    length: usize,
    time: Duration,
    state: Mutex<State>,
}

struct State {
    members: Members,
    epoch: String,
    top: u64,
    kept: VecDeque<(Instant, Publication)>,
}

impl Brief {
    pub(crate) fn new(name: Arc<str>, epoch: String, length: usize, time: Duration) -> Brief {
        let state = State { members: Members::default(), epoch, top: 0, kept: VecDeque::new() };
        Brief { name, length, time, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn join(&self, outbox: &Arc<Outbox>) {
        self.state().members.join(outbox);
    }

    pub(crate) fn leave(&self, id: u64) {
        self.state().members.leave(id);
    }

    pub(crate) fn has(&self, id: u64) -> bool {
        self.state().members.has(id)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.state().members.is_empty()
    }

    pub(crate) fn settle(&self, id: u64, offset: u64) {
        self.state().members.settle(id, offset);
    }

    /// Publishes, and gives those for whom it waits now.
    pub(crate) fn hear(&self, data: bytes::Bytes, now: Instant) -> Vec<Arc<Outbox>> {
        let mut state = self.state();
        state.top += 1;
        let offset = state.top;
        let told = state.members.give(&line(&self.name, offset, &data));
        state.kept.push_back((now, Publication { offset, data }));
        self.forget(&mut state, now);
        told
    }

    /// Begins another numbering: something may have been missed, nobody knows what.
    pub(crate) fn begin_anew(&self, epoch: String) {
        let mut state = self.state();
        state.members.unsubscribe(&self.name);
        state.epoch = epoch;
        state.top = 0;
        state.kept.clear();
    }

    /// Reads what is remembered behind `since`, at most `limit`.
    pub(crate) fn past(&self, since: Option<u64>, limit: usize, now: Instant) -> Past {
        let mut state = self.state();
        self.forget(&mut state, now);
        let kept = state.kept.iter().map(|(_, publication)| publication);
        let publications = match since {
            Some(since) => kept.filter(|one| one.offset > since).take(limit).cloned().collect(),
            None => Vec::new(),
        };
        Past { epoch: state.epoch.clone(), top: state.top, publications }
    }

    fn forget(&self, state: &mut State, now: Instant) {
        while state.kept.len() > self.length
            || state.kept.front().is_some_and(|(at, _)| now.duration_since(*at) >= self.time)
        {
            state.kept.pop_front();
        }
    }
}
