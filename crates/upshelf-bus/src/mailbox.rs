//! What one subscriber has not read yet, bounded.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::mpsc::WeakUnboundedSender;

use crate::switchboard::{Address, Switchboard};
use crate::{Buffer, Event};

/// The buffer between the publishers and one subscriber.
pub(crate) struct Mailbox {
    limit: Buffer,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What comes after the last letter has been lost.
    gap: bool,
    letters: VecDeque<Letter>,
    bytes: usize,
    closed: bool,
    reader: Option<Waker>,
}

struct Letter {
    /// What came before it has been lost.
    after_gap: bool,
    channel: Arc<str>,
    payload: Bytes,
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
            state.letters.clear();
            state.bytes = 0;
            state.gap = true;
        }
        if payload.len() <= self.limit.bytes {
            state.bytes += payload.len();
            let after_gap = std::mem::take(&mut state.gap);
            let letter = Letter { after_gap, channel: Arc::clone(channel), payload: payload.clone() };
            state.letters.push_back(letter);
        }
        state.reader.take()
    }

    /// Notes that something is missing after what lies here; returns who is to be woken, as [`put`](Self::put) does.
    pub(crate) fn gap(&self) -> Option<Waker> {
        let mut state = self.state();
        state.gap = true;
        state.reader.take()
    }

    /// Forgets all that lies here: what came before somebody began to listen.
    pub(crate) fn clear(&self) {
        let mut state = self.state();
        state.letters.clear();
        state.bytes = 0;
        state.gap = false;
    }

    /// Ends the subscription once what lies here has been read.
    pub(crate) fn close(&self) -> Option<Waker> {
        let mut state = self.state();
        state.closed = true;
        state.reader.take()
    }

    fn poll(&self, waker: Option<&Waker>) -> Poll<Option<Event>> {
        let mut state = self.state();
        let is_gap = match state.letters.front_mut() {
            Some(letter) => std::mem::take(&mut letter.after_gap),
            None => std::mem::take(&mut state.gap),
        };
        if is_gap {
            return Poll::Ready(Some(Event::Resync));
        }
        if let Some(Letter { channel, payload, .. }) = state.letters.pop_front() {
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
    /// Where the last one to listen to something says so.
    pub(crate) farewell: Option<WeakUnboundedSender<Address>>,
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
        let Some(switchboard) = self.switchboard.upgrade() else { return };
        if switchboard.leave(&self.address, self.id)
            && let Some(farewell) = self.farewell.as_ref().and_then(WeakUnboundedSender::upgrade)
        {
            // Nobody is there any more once the handle of Redis is closed.
            let _ = farewell.send(self.address.clone());
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("to", &self.address).finish_non_exhaustive()
    }
}
