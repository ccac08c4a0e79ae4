//! A channel that the house numbers and keeps.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::house::{Past, Publication};
use crate::members::Members;
use crate::outbox::{Line, Mark, Outbox};
use crate::wire;

/// Puts publications into order: one that is not the next one is a hint to read those before it.
pub(crate) struct Stream {
    pub(crate) name: Arc<str>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    members: Members,
    epoch: String,
    /// The last publication that was given to the members; unknown until a history was read.
    top: Option<u64>,
    /// The highest number that was heard of.
    heard: u64,
    /// Whether somebody reads what lies between already.
    is_reading: bool,
}

/// What is to be done after something was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Nothing,
    /// The house is to be asked for what comes behind this number.
    Read(u64),
}

impl Stream {
    pub(crate) fn new(name: Arc<str>) -> Stream {
        Stream { name, state: Mutex::default() }
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

    /// Says up to where the members have been told.
    pub(crate) fn top(&self) -> Option<u64> {
        self.state().top
    }

    /// Says whether this one may read; one at a time.
    pub(crate) fn begin_reading(&self) -> bool {
        !std::mem::replace(&mut self.state().is_reading, true)
    }

    /// Ends that, unless more was heard of meanwhile.
    pub(crate) fn end_reading(&self, then: Then) -> Then {
        let mut state = self.state();
        let then = match then {
            Then::Nothing => Then::Nothing,
            Then::Read(_) => state.what_next(),
        };
        state.is_reading = then != Then::Nothing;
        then
    }

    /// Takes a publication.
    pub(crate) fn hear(&self, offset: u64, data: &[u8]) -> Then {
        let mut state = self.state();
        state.heard = state.heard.max(offset);
        match state.top {
            Some(top) if offset == top + 1 => {
                state.give(&self.name, offset, data);
                state.what_next()
            }
            _ => state.what_next(),
        }
    }

    /// Tells the members something that has no number.
    pub(crate) fn mention(&self, data: &[u8]) {
        let text = wire::push(&self.name, &wire::publication(None, data));
        for outbox in self.state().members.give(&Line::from(text)) {
            outbox.wake();
        }
    }

    /// Takes what a history says about where the stream is.
    ///
    /// A history with another epoch is that of another library: what the members have seen counts no more.
    pub(crate) fn learn(&self, epoch: &str, top: u64) -> Then {
        let mut state = self.state();
        if state.epoch != epoch && state.top.is_some() {
            state.members.unsubscribe(&self.name);
            (state.top, state.heard) = (None, 0);
        }
        epoch.clone_into(&mut state.epoch);
        state.heard = state.heard.max(top);
        state.top.get_or_insert(top);
        state.what_next()
    }

    /// Takes what was read behind the members' position. Where it is not whole, they come back with their positions.
    pub(crate) fn fill(&self, past: &Past) -> Then {
        self.learn(&past.epoch, past.top);
        let mut state = self.state();
        for Publication { offset, data } in &past.publications {
            if Some(*offset) == state.top.map(|top| top + 1) {
                state.give(&self.name, *offset, data);
            }
        }
        if state.top < Some(past.top) {
            state.members.unsubscribe(&self.name);
            state.top = Some(past.top);
        }
        state.what_next()
    }
}

impl State {
    fn give(&mut self, name: &Arc<str>, offset: u64, data: &[u8]) {
        self.top = Some(offset);
        for outbox in self.members.give(&line(name, offset, data)) {
            outbox.wake();
        }
    }

    fn what_next(&self) -> Then {
        match self.top {
            Some(top) if top < self.heard && !self.members.is_empty() => Then::Read(top),
            _ => Then::Nothing,
        }
    }
}

/// Writes a numbered publication, once for all.
pub(crate) fn line(channel: &Arc<str>, offset: u64, data: &[u8]) -> Line {
    let text: Bytes = wire::push(channel, &wire::publication(Some(offset), data));
    Line::new(&text, Some(Mark { channel: channel.clone(), offset }))
}
