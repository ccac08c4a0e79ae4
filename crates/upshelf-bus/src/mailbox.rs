//! What one subscriber has not read yet, bounded.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::Stream;

use crate::local::{Address, Switchboard};
use crate::{Buffer, Event};

/// The buffer between the publishers and one subscriber.
pub(crate) struct Mailbox {
    limit: Buffer,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What came before the letters has been lost.
    gap: bool,
    letters: VecDeque<(Arc<str>, Bytes)>,
    bytes: usize,
    closed: bool,
    reader: Option<Waker>,
}

impl State {
    fn empty(&mut self) {
        self.letters.clear();
        self.bytes = 0;
        self.gap = true;
    }
}

impl Mailbox {
    pub(crate) fn new(limit: Buffer) -> Self {
        Self { limit, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a message; returns who is to be woken, for the caller to do so when it holds no lock.
    ///
    /// A full mailbox is emptied, not closed: after a gap the reader starts from the truth anyway, so that what lies
    /// unread before the gap would only be read for nothing.
    pub(crate) fn put(&self, channel: &Arc<str>, payload: &Bytes) -> Option<Waker> {
        let mut state = self.state();
        if state.letters.len() >= self.limit.messages.max(1)
            || state.bytes.saturating_add(payload.len()) > self.limit.bytes
        {
            state.empty();
        }
        if payload.len() <= self.limit.bytes {
            state.bytes += payload.len();
            state.letters.push_back((Arc::clone(channel), payload.clone()));
        }
        state.reader.take()
    }

    /// Empties it and says that something may be missing.
    pub(crate) fn resync(&self) -> Option<Waker> {
        let mut state = self.state();
        state.empty();
        state.reader.take()
    }

    /// Ends the subscription once what lies here has been read.
    pub(crate) fn close(&self) -> Option<Waker> {
        let mut state = self.state();
        state.closed = true;
        state.reader.take()
    }

    fn poll(&self, waker: Option<&Waker>) -> Poll<Option<Event>> {
        let mut state = self.state();
        if std::mem::take(&mut state.gap) {
            return Poll::Ready(Some(Event::Resync));
        }
        if let Some((channel, payload)) = state.letters.pop_front() {
            state.bytes -= payload.len();
            return Poll::Ready(Some(Event::Message { channel, payload }));
        }
        if state.closed {
            return Poll::Ready(None);
        }
        if let Some(waker) = waker {
            match &mut state.reader {
                Some(reader) => reader.clone_from(waker),
                none => *none = Some(waker.clone()),
            }
        }
        Poll::Pending
    }
}

/// One subscriber's end of the bus: a stream of [`Event`]s. Dropping it unsubscribes.
///
/// It ends when the bus itself is gone.
#[must_use = "a dropped subscription hears nothing"]
pub struct Subscription {
    pub(crate) id: u64,
    pub(crate) address: Address,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) switchboard: Weak<Switchboard>,
}

impl Subscription {
    /// Waits for the next event; `None` once the bus is gone. Loses nothing when it is cancelled.
    pub async fn recv(&mut self) -> Option<Event> {
        poll_fn(|cx| self.mailbox.poll(Some(cx.waker()))).await
    }

    /// Takes the next event if it is there already.
    pub fn try_recv(&mut self) -> Option<Event> {
        match self.mailbox.poll(None) {
            Poll::Ready(event) => event,
            Poll::Pending => None,
        }
    }
}

impl Stream for Subscription {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.mailbox.poll(Some(cx.waker()))
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(switchboard) = self.switchboard.upgrade() {
            switchboard.leave(&self.address, self.id);
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("to", &self.address).finish_non_exhaustive()
    }
}
