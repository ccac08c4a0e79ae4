use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::codes::Close;
use crate::counts;
use crate::house::{House, Item, Kind};
use crate::hub::{Channel, Hub};
use crate::latest::Latest;
use crate::outbox::{Outbox, Times, Written};
use crate::peers::Peers;
use crate::settings::Settings;
use crate::stream::{Stream, Then};

/// To how many connections one task writes.
const AT_ONCE: usize = 128;

/// The live channels of a process: cheap to clone, all clones are one.
///
/// Publishing never waits: for no client, for no database. What comes in is encoded once, and put where each connection
/// that watches finds it.
pub struct Live<H: House> {
    pub(crate) inner: Arc<Inner<H>>,
}

pub(crate) struct Inner<H: House> {
    pub(crate) house: H,
    pub(crate) settings: Settings,
    pub(crate) node: String,
    pub(crate) hub: Hub,
    pub(crate) peers: Peers<H::Visitor>,
    pub(crate) tracker: TaskTracker,
    pub(crate) closing: CancellationToken,
    is_closed: AtomicBool,
    ids: AtomicU64,
    begun: Instant,
}

impl<H: House> Clone for Live<H> {
    fn clone(&self) -> Live<H> {
        Live { inner: self.inner.clone() }
    }
}

impl<H: House> Live<H> {
    /// Opens the channels of `house`. `node` names this life of the process and must not have been used before: it is
    /// part of what it numbers.
    ///
    /// Tasks run under the tracker. When `closing` is cancelled, every connection is closed with 3001.
    pub fn open(
        house: H,
        settings: Settings,
        node: impl Into<String>,
        tracker: TaskTracker,
        closing: CancellationToken,
    ) -> Live<H> {
        let node = node.into();
        let inner = Inner {
            house,
            settings,
            hub: Hub::new(node.clone()),
            node,
            peers: Peers::new(),
            tracker,
            closing,
            is_closed: AtomicBool::new(false),
            ids: AtomicU64::new(0),
            begun: Instant::now(),
        };
        let live = Live { inner: Arc::new(inner) };
        live.inner.tracker.spawn(keep(Arc::downgrade(&live.inner), live.inner.closing.clone()));
        live
    }

    /// What stands behind the connections.
    pub fn house(&self) -> &H {
        &self.inner.house
    }

    /// Publishes in a stream, whose house keeps it already. Where it is not the next one here, the house is asked for
    /// what lies between.
    pub fn publish(&self, channel: &str, offset: u64, data: &[u8]) {
        if let Some(Channel::Stream(stream)) = self.inner.hub.find(channel) {
            let then = stream.hear(offset, data);
            self.go_on(stream, then);
        }
    }

    /// Tells those who watch a stream something that has no number: it moves nobody on, and who is away does not get it.
    pub fn mention(&self, channel: &str, data: &[u8]) {
        if let Some(Channel::Stream(stream)) = self.inner.hub.find(channel) {
            stream.mention(data);
        }
    }

    /// Gives a channel whose last value wins newer values.
    pub fn put(&self, channel: &str, items: impl IntoIterator<Item = Item>) {
        if let Some(Channel::Latest(board)) = self.inner.hub.find(channel) {
            let at = board.put(items, Instant::now());
            self.tell_at(board, at);
        }
    }

    /// Gives a channel whose last value wins all values there are.
    pub fn replace(&self, channel: &str, items: Vec<Item>) {
        if let Some(Channel::Latest(board)) = self.inner.hub.find(channel) {
            let at = board.replace(items, Instant::now());
            self.tell_at(board, at);
        }
    }

    /// Publishes in a channel with a short history: one JSON value without line breaks.
    pub fn announce(&self, channel: &str, data: impl Into<Bytes>) {
        if let Some(Channel::Brief(brief)) = self.inner.hub.find(channel) {
            go(&self.inner.tracker, brief.hear(data.into(), Instant::now()));
        }
    }

    /// Says that something may be missing in a channel with a short history. Who watches it comes back, and is told so.
    pub fn lose(&self, channel: &str) {
        if let Some(Channel::Brief(brief)) = self.inner.hub.find(channel) {
            brief.begin_anew(self.inner.hub.epoch());
        }
    }

    /// Says that a stream has come to this number, or asks the house where it is, and publishes what is new.
    pub fn look(&self, channel: &str, top: Option<u64>) {
        let Some(Channel::Stream(stream)) = self.inner.hub.find(channel) else { return };
        let (Some(known), false) = (stream.top(), stream.is_empty()) else { return };
        if top.is_none_or(|top| top > known) {
            self.go_on(stream, Then::Read(known));
        }
    }

    /// Lists the channels of a kind that are watched, or were a moment ago.
    pub fn channels(&self, kind: Kind) -> Vec<Arc<str>> {
        self.inner.hub.list(kind)
    }

    /// Asks anew about those for whom `is_meant` is true, and closes the connections of who may not stay with 3500.
    pub async fn review(&self, is_meant: impl Fn(&H::Visitor) -> bool + Send) {
        let mut meant = Vec::new();
        self.inner.peers.each(|outbox, visitor| {
            if let Some(visitor) = visitor.filter(|visitor| is_meant(visitor)) {
                meant.push((outbox.clone(), visitor.clone()));
            }
        });
        for (outbox, visitor) in meant {
            if !self.inner.house.may_stay(&visitor).await {
                outbox.close(Close::INVALID_TOKEN);
            }
        }
    }

    /// Counts the connections.
    pub fn connections(&self) -> usize {
        let mut count = 0;
        self.inner.peers.each(|_, _| count += 1);
        count
    }

    /// Says whether a channel is watched, or was a moment ago.
    pub fn has(&self, channel: &str) -> bool {
        self.inner.hub.find(channel).is_some()
    }

    /// Makes the queue of a new connection.
    pub(crate) fn connection(&self, answers: bool) -> Arc<Outbox> {
        let id = self.inner.ids.fetch_add(1, Ordering::Relaxed) + 1;
        let outbox = Arc::new(Outbox::new(id, self.inner.settings.outbound, answers, self.second()));
        self.inner.peers.add(&outbox);
        if self.inner.is_closed.load(Ordering::Acquire) {
            outbox.close(Close::SHUTDOWN);
        }
        outbox
    }

    /// Seconds since the beginning, as [`Outbox::tend`] is told them.
    pub(crate) fn second(&self) -> u64 {
        self.inner.begun.elapsed().as_secs()
    }

    /// Does what a stream asks for, in the background.
    pub(crate) fn go_on(&self, stream: Arc<Stream>, then: Then) {
        let Then::Read(mut since) = then else { return };
        if !stream.begin_reading() {
            return;
        }
        let live = self.clone();
        self.inner.tracker.spawn(async move {
            loop {
                let limit = live.inner.settings.recovery;
                let read = live.inner.house.past(&stream.name, Some(since), limit).await;
                let then = match read {
                    Ok(past) => stream.fill(&past),
                    // Whoever feeds the stream looks again.
                    Err(_) => Then::Nothing,
                };
                match stream.end_reading(then) {
                    Then::Nothing => break,
                    Then::Read(next) => since = next,
                }
            }
        });
    }

    /// Tells of a batch when it is due.
    pub(crate) fn tell_at(&self, board: Arc<Latest>, at: Option<Instant>) {
        let Some(at) = at else { return };
        let now = Instant::now();
        if at <= now {
            return go(&self.inner.tracker, board.begin_batch(now));
        }
        let tracker = self.inner.tracker.clone();
        self.inner.tracker.spawn(async move {
            sleep_until(at).await;
            go(&tracker, board.begin_batch(Instant::now()));
        });
    }
}

/// Writes what waits for these connections, in parts that the threads share.
fn go(tracker: &TaskTracker, outboxes: Vec<Arc<Outbox>>) {
    let mut all = outboxes.into_iter();
    while all.len() > 0 {
        let part: Vec<Arc<Outbox>> = all.by_ref().take(AT_ONCE).collect();
        tracker.spawn(async move {
            let written: Vec<Written> = part.iter().map(|outbox| outbox.go()).collect();
            let lines = written.iter().map(|written| written.lines).sum();
            counts::sent(lines, lines, written.iter().map(|written| written.bytes).sum());
        });
    }
}

/// Looks after all connections once a second, with one timer for all of them, until the end.
async fn keep<H: House>(inner: std::sync::Weak<Inner<H>>, closing: CancellationToken) {
    let mut every = interval(std::time::Duration::from_secs(1));
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while closing.run_until_cancelled(every.tick()).await.is_some() {
        let Some(inner) = inner.upgrade() else { return };
        let Settings { ping, pong, greeting, .. } = inner.settings;
        let times =
            Times { ping: ping.as_secs().max(1), pong: pong.as_secs().max(1), greeting: greeting.as_secs() };
        let second = inner.begun.elapsed().as_secs();
        inner.peers.each(|outbox, _| outbox.tend(second, &times));
        inner.hub.sweep(Instant::now(), &inner.settings);
    }
    if let Some(inner) = inner.upgrade() {
        inner.is_closed.store(true, Ordering::Release);
        inner.peers.each(|outbox, _| outbox.close(Close::SHUTDOWN));
    }
}
