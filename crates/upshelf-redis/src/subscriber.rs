use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::listener::{Listener, Wish};
use crate::wanted::Kind;
use crate::{Error, Health, Result, Settings};

/// What a subscriber hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Push {
    /// Connected, and everything wanted is subscribed and confirmed: what is published from now on arrives.
    Up,
    /// Disconnected, or something was dropped because it was not read in time: messages are missing until the next
    /// [`Push::Up`].
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

/// Listens on a connection of its own, which is made anew as often as it takes.
#[derive(Debug)]
pub struct Subscriber {
    pushes: mpsc::Receiver<Push>,
}

impl Subscriber {
    pub(crate) fn open(
        settings: Arc<Settings>,
        buffer: usize,
        health: watch::Receiver<Health>,
        tracker: &TaskTracker,
        closing: CancellationToken,
    ) -> (Self, Subscriptions) {
        let buffer = buffer.max(1);
        let (out, pushes) = mpsc::channel(buffer);
        let (wishes, wished) = mpsc::channel(64);
        let listener = Listener::new(settings, buffer, health, wished, out);
        tracker.spawn(async move {
            closing.run_until_cancelled(listener.run()).await;
        });
        (Self { pushes }, Subscriptions { wishes })
    }

    /// Waits for what comes next; `None` once the handle is closed.
    pub async fn next(&mut self) -> Option<Push> {
        self.pushes.recv().await
    }
}

/// What channels a [`Subscriber`] listens to. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Subscriptions {
    wishes: mpsc::Sender<Wish>,
}

impl Subscriptions {
    /// Listens to a channel (a complete name): once this has returned `Ok`, no later publication is missed without a
    /// [`Push::Down`].
    ///
    /// # Errors
    /// [`Error::Away`]; the channel stays wanted, and is there at the next [`Push::Up`].
    pub async fn subscribe(&self, channel: &str) -> Result<()> {
        self.wish(Kind::Channel, channel, true).await
    }

    /// Stops to listen to a channel.
    pub async fn unsubscribe(&self, channel: &str) {
        // A connection that is gone listens to nothing.
        let _ = self.wish(Kind::Channel, channel, false).await;
    }

    /// As [`subscribe`](Subscriptions::subscribe), to every channel that a pattern covers.
    ///
    /// # Errors
    /// As [`subscribe`](Subscriptions::subscribe).
    pub async fn subscribe_pattern(&self, pattern: &str) -> Result<()> {
        self.wish(Kind::Pattern, pattern, true).await
    }

    /// Stops to listen to a pattern.
    pub async fn unsubscribe_pattern(&self, pattern: &str) {
        let _ = self.wish(Kind::Pattern, pattern, false).await;
    }

    /// As [`subscribe`](Subscriptions::subscribe), to what is published sharded (`SPUBLISH`); in a cluster at the node of
    /// the channel's slot.
    ///
    /// # Errors
    /// As [`subscribe`](Subscriptions::subscribe).
    pub async fn subscribe_sharded(&self, channel: &str) -> Result<()> {
        self.wish(Kind::Sharded, channel, true).await
    }

    /// Stops to listen to a sharded channel.
    pub async fn unsubscribe_sharded(&self, channel: &str) {
        let _ = self.wish(Kind::Sharded, channel, false).await;
    }

    async fn wish(&self, kind: Kind, name: &str, is_on: bool) -> Result<()> {
        let (answer, answered) = oneshot::channel();
        let wish = Wish { kind, name: name.into(), is_on, answer };
        self.wishes.send(wish).await.map_err(|_| Error::Away(None))?;
        answered.await.map_err(|_| Error::Away(None))?
    }
}
