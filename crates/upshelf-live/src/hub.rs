//! The channels that somebody watches, or has watched a moment ago.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::brief::Brief;
use crate::house::Kind;
use crate::latest::Latest;
use crate::outbox::Outbox;
use crate::settings::Settings;
use crate::stream::Stream;

/// A channel of any kind.
#[derive(Clone)]
pub(crate) enum Channel {
    Stream(Arc<Stream>),
    Latest(Arc<Latest>),
    Brief(Arc<Brief>),
}

impl Channel {
    fn join(&self, outbox: &Arc<Outbox>) {
        match self {
            Channel::Stream(stream) => stream.join(outbox),
            Channel::Latest(board) => board.join(outbox),
            Channel::Brief(brief) => brief.join(outbox),
        }
    }

    pub(crate) fn leave(&self, outbox: &Outbox) {
        match self {
            Channel::Stream(stream) => stream.leave(outbox.id),
            Channel::Latest(board) => {
                board.leave(outbox.id);
                outbox.unwatch(board);
            }
            Channel::Brief(brief) => brief.leave(outbox.id),
        }
    }

    /// Says whether a connection watches it still; channels may send theirs away.
    pub(crate) fn has(&self, id: u64) -> bool {
        match self {
            Channel::Stream(stream) => stream.has(id),
            Channel::Latest(board) => board.has(id),
            Channel::Brief(brief) => brief.has(id),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Channel::Stream(stream) => stream.is_empty(),
            Channel::Latest(board) => board.is_empty(),
            Channel::Brief(brief) => brief.is_empty(),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Channel::Stream(_) => Kind::Stream,
            Channel::Latest(_) => Kind::Latest,
            Channel::Brief(_) => Kind::Brief,
        }
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        match self {
            Channel::Stream(stream) => &stream.name,
            Channel::Latest(board) => &board.name,
            Channel::Brief(brief) => &brief.name,
        }
    }
}

struct Entry {
    channel: Channel,
    /// Since when nobody watches it, as far as anybody looked.
    empty_since: Option<Instant>,
}

/// All channels of this process.
pub(crate) struct Hub {
    /// Names this life of the process, for the epochs of what it numbers.
    node: String,
    epochs: AtomicU64,
    channels: Mutex<HashMap<Arc<str>, Entry>>,
}

impl Hub {
    pub(crate) fn new(node: String) -> Hub {
        Hub { node, epochs: AtomicU64::new(0), channels: Mutex::default() }
    }

    fn channels(&self) -> MutexGuard<'_, HashMap<Arc<str>, Entry>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An epoch that never was.
    pub(crate) fn epoch(&self) -> String {
        format!("{}.{}", self.node, self.epochs.fetch_add(1, Ordering::Relaxed))
    }

    /// Adds a connection to a channel, which is made where it is missing. Nothing is published between the two.
    pub(crate) fn enter(&self, name: &str, kind: Kind, outbox: &Arc<Outbox>, settings: &Settings) -> Channel {
        let mut channels = self.channels();
        if !channels.contains_key(name) {
            let name: Arc<str> = name.into();
            let channel = match kind {
                Kind::Stream => Channel::Stream(Arc::new(Stream::new(name.clone()))),
                Kind::Latest => Channel::Latest(Arc::new(Latest::new(name.clone(), settings.conflation))),
                Kind::Brief => Channel::Brief(Arc::new(Brief::new(
                    name.clone(),
                    self.epoch(),
                    settings.brief_length,
                    settings.brief_time,
                ))),
            };
            channels.insert(name, Entry { channel, empty_since: None });
        }
        let entry = channels.get_mut(name).expect("it was there or has just been made");
        entry.empty_since = None;
        entry.channel.join(outbox);
        entry.channel.clone()
    }

    pub(crate) fn find(&self, name: &str) -> Option<Channel> {
        self.channels().get(name).map(|entry| entry.channel.clone())
    }

    /// Lists the channels of a kind.
    pub(crate) fn list(&self, kind: Kind) -> Vec<Arc<str>> {
        let channels = self.channels();
        channels
            .values()
            .filter(|entry| entry.channel.kind() == kind)
            .map(|entry| entry.channel.name().clone())
            .collect()
    }

    /// Lets go of channels that nobody has watched for long enough.
    pub(crate) fn sweep(&self, now: Instant, settings: &Settings) {
        self.channels().retain(|_, entry| {
            if !entry.channel.is_empty() {
                entry.empty_since = None;
                return true;
            }
            let patience = match entry.channel.kind() {
                Kind::Brief => settings.brief_time,
                Kind::Stream | Kind::Latest => settings.linger,
            };
            now.duration_since(*entry.empty_since.get_or_insert(now)) < patience
        });
    }
}
