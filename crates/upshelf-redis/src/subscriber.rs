use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::{Result, Settings};

/// What a subscriber hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Push {
    /// Connected, and everything wanted is subscribed and confirmed: what is published from now on arrives.
    Up,
    /// Disconnected, or something was dropped because it was not read in time: from here on messages are missing.
    Down,
    /// A message.
    Message {
        /// The channel, a complete name.
        channel: Arc<str>,
        /// The pattern by which it was heard.
        pattern: Option<Arc<str>>,
        /// What was published.
        payload: Bytes,
    },
}

/// What channels a [`Subscriber`] listens to. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Subscriptions {
    wishes: mpsc::Sender<()>,
}

/// Listens on a connection of its own, which is made anew as often as it takes.
#[derive(Debug)]
pub struct Subscriber {
    pushes: mpsc::Receiver<Push>,
}

impl Subscriber {
    pub(crate) fn open(
        _settings: Settings,
        buffer: usize,
        _tracker: &TaskTracker,
        _closing: CancellationToken,
    ) -> (Self, Subscriptions) {
        let (_out, pushes) = mpsc::channel(buffer);
        let (wishes, _) = mpsc::channel(1);
        (Self { pushes }, Subscriptions { wishes })
    }

    /// Waits for what comes next; `None` once the handle is closed.
    pub async fn next(&mut self) -> Option<Push> {
        self.pushes.recv().await
    }
}

impl Subscriptions {
    /// Listens to a channel (a complete name): once this has returned `Ok`, no later publication is missed without a
    /// [`Push::Down`]. With [`Error::Away`](crate::Error::Away) it stays wanted, and is there at the next [`Push::Up`].
    pub async fn subscribe(&self, channel: &str) -> Result<()> {
        let _ = (channel, &self.wishes);
        Ok(())
    }

    /// Stops to listen to a channel.
    pub async fn unsubscribe(&self, channel: &str) {
        let _ = channel;
    }

    /// As [`subscribe`](Subscriptions::subscribe), to every channel that a pattern covers.
    pub async fn subscribe_pattern(&self, pattern: &str) -> Result<()> {
        let _ = pattern;
        Ok(())
    }

    /// Stops to listen to a pattern.
    pub async fn unsubscribe_pattern(&self, pattern: &str) {
        let _ = pattern;
    }

    /// As [`subscribe`](Subscriptions::subscribe), to what is published sharded (`SPUBLISH`); in a cluster at the node of
    /// the channel's slot.
    pub async fn subscribe_sharded(&self, channel: &str) -> Result<()> {
        let _ = channel;
        Ok(())
    }

    /// Stops to listen to a sharded channel.
    pub async fn unsubscribe_sharded(&self, channel: &str) {
        let _ = channel;
    }
}
