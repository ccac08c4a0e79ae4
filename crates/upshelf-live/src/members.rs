//! Who watches a channel whose publications are numbered.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::codes::{Close, Unsubscribe};
use crate::outbox::{Line, Mark, Outbox};
use crate::wire;

/// How many publications may come while a history is being read.
const WAITING: usize = 1_000;

/// The connections that watch one channel, in the order in which they came: what was made together lies together in memory,
/// the kernel's part too.
#[derive(Default)]
pub(crate) struct Members(BTreeMap<u64, Member>);

struct Member {
    outbox: Arc<Outbox>,
    /// What came since it joined, while its history is still being read; then nothing.
    waiting: Option<Vec<Line>>,
    /// The last number it got.
    last: u64,
}

impl Members {
    /// Adds one that is not up to date yet.
    pub(crate) fn join(&mut self, outbox: &Arc<Outbox>) {
        let member = Member { outbox: outbox.clone(), waiting: Some(Vec::new()), last: 0 };
        self.0.insert(outbox.id, member);
    }

    /// Hands over what came since one joined, after what it has been given up to `offset`. Its own task writes it.
    pub(crate) fn settle(&mut self, id: u64, offset: u64) {
        let Some(member) = self.0.get_mut(&id) else { return };
        member.last = offset;
        for line in member.waiting.take().into_iter().flatten() {
            member.give(&line);
        }
    }

    pub(crate) fn leave(&mut self, id: u64) {
        self.0.remove(&id);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn has(&self, id: u64) -> bool {
        self.0.contains_key(&id)
    }

    /// Gives all of them a publication, and gives those for whom it waits now.
    #[must_use]
    pub(crate) fn give(&mut self, line: &Line) -> Vec<Arc<Outbox>> {
        let mut given = Vec::with_capacity(self.0.len());
        for member in self.0.values_mut() {
            match &mut member.waiting {
                Some(waiting) if waiting.len() < WAITING => waiting.push(line.clone()),
                Some(_) => member.outbox.close(Close::INSUFFICIENT_STATE),
                None => {
                    member.give(line);
                    given.push(member.outbox.clone());
                }
            }
        }
        given
    }

    /// Sends all of them away, to come back with their positions.
    pub(crate) fn unsubscribe(&mut self, channel: &str) {
        let line = Line::from(wire::unsubscribe(channel, Unsubscribe::INSUFFICIENT_STATE));
        for member in std::mem::take(&mut self.0).into_values() {
            member.outbox.send_away(&line);
        }
    }
}

impl Member {
    fn give(&mut self, line: &Line) {
        let Some(Mark { offset, .. }) = line.mark else { return self.outbox.queue(line.clone()) };
        if offset <= self.last {
            return;
        }
        if offset == self.last + 1 {
            self.last = offset;
            self.outbox.queue(line.clone());
        } else {
            self.outbox.close(Close::INSUFFICIENT_STATE);
        }
    }
}
