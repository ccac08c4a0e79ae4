#![doc = include_str!("../README.md")]

mod glob;
mod local;
mod mailbox;
mod shared;
mod switchboard;

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use upshelf_redis::Redis;

pub use local::Local;
pub use mailbox::Subscription;
pub use shared::Shared;

/// What a subscriber finds in its buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A payload, as it was published.
    Message {
        /// The channel it was published on, which a pattern's subscriber cannot know otherwise.
        channel: Arc<str>,
        /// The bytes, shared with all other subscribers.
        payload: Bytes,
    },
    /// Messages before this point may be missing: read the truth again.
    Resync,
}

/// How much one subscriber may leave unread before it is told to resync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// Messages, at least 1.
    pub messages: usize,
    /// Bytes of payload; a single larger payload is not delivered and counts as a gap.
    pub bytes: usize,
}

impl Default for Buffer {
    fn default() -> Self {
        Self { messages: 256, bytes: 1024 * 1024 }
    }
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The value has no JSON form, such as a map whose keys are not text.
    #[error("cannot write the payload as JSON")]
    Encode(#[source] serde_json::Error),
}

/// What every part of the bus promises; one suite of tests holds all of them to it.
pub trait Carrier: Send + Sync {
    /// Why this part could not do its work.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Hands a payload to everybody subscribed now.
    ///
    /// Returns without waiting for any subscriber. Two publications on one channel arrive in the same order everywhere;
    /// if one task makes both, in the order it made them.
    fn publish(&self, channel: &str, payload: Bytes) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Listens to one channel: once this has returned, no later publication is missed without a [`Event::Resync`].
    ///
    /// Where others listen to the same already, what is still on its way to them may be heard too.
    fn subscribe(&self, channel: &str) -> impl Future<Output = Result<Subscription, Self::Error>> + Send;

    /// Listens to every channel that a Redis pattern covers, as [`subscribe`](Carrier::subscribe) does to one.
    fn subscribe_pattern(
        &self,
        pattern: &str,
    ) -> impl Future<Output = Result<Subscription, Self::Error>> + Send;
}

/// The bus: cheap to clone, all clones are one bus.
///
/// With Redis, all processes are on it. While Redis is away a publication is delivered in this process at once; what it
/// may have kept from the others, here or there, is told by [`Event::Resync`] when it is back.
///
/// Subscriptions end when its last clone is dropped.
#[derive(Clone, Debug)]
pub struct Bus {
    local: Local,
    shared: Option<Arc<Shared>>,
}

impl Bus {
    /// Makes a bus within this process, with the default [`Buffer`] for each subscriber.
    pub fn local() -> Self {
        Self::local_with(Buffer::default())
    }

    /// Makes a bus within this process that allows each subscriber the given buffer.
    pub fn local_with(buffer: Buffer) -> Self {
        Self { local: Local::new(buffer), shared: None }
    }

    /// Makes a bus of all processes on `redis`, with the default [`Buffer`] for each subscriber. Must be called on a
    /// runtime of tokio.
    pub fn shared(redis: &Redis) -> Self {
        Self::shared_with(Buffer::default(), redis)
    }

    /// Makes a bus of all processes on `redis` that allows each subscriber the given buffer. Must be called on a
    /// runtime of tokio.
    pub fn shared_with(buffer: Buffer, redis: &Redis) -> Self {
        let shared = Shared::new(buffer, redis);
        Self { local: shared.local().clone(), shared: Some(Arc::new(shared)) }
    }

    /// Says whether this process is cut off from the others although it should not be: it does not hear them or cannot
    /// reach them, or they do not know yet what they have missed of it.
    pub fn is_degraded(&self) -> bool {
        self.shared.as_ref().is_some_and(|shared| shared.is_degraded())
    }

    /// Hands a payload to everybody subscribed now; see [`Carrier::publish`].
    ///
    /// Through Redis that takes [`Settings::fail_fast`](upshelf_redis::Settings::fail_fast) at most. When Redis does not
    /// say in that time that it has the message, subscribers here get it at once, and once more if Redis had it after
    /// all; all subscribers of the channel, in every process, get an [`Event::Resync`] later.
    pub async fn publish(&self, channel: &str, payload: impl Into<Bytes>) {
        let payload = payload.into();
        let comes_back = match &self.shared {
            Some(shared) => shared.carry(channel, &payload).await.unwrap_or(false),
            None => false,
        };
        if !comes_back {
            self.local.send(channel, payload);
        }
    }

    /// Writes a value as JSON, once, and publishes it.
    ///
    /// # Errors
    /// [`Error::Encode`] when the value has no JSON form; nothing is published then.
    pub async fn publish_json<T: Serialize + Sync + ?Sized>(
        &self,
        channel: &str,
        value: &T,
    ) -> Result<(), Error> {
        let payload = serde_json::to_vec(value).map_err(Error::Encode)?;
        self.publish(channel, payload).await;
        Ok(())
    }

    /// Listens to one channel until the subscription is dropped; see [`Carrier::subscribe`].
    ///
    /// While Redis is away it returns at once: the subscription hears what this process publishes, and finds an
    /// [`Event::Resync`] when it hears the others too.
    pub async fn subscribe(&self, channel: &str) -> Subscription {
        self.attend(self.local.listen(channel)).await
    }

    /// Listens to every channel that a Redis pattern covers; see [`Carrier::subscribe_pattern`] and
    /// [`subscribe`](Self::subscribe).
    pub async fn subscribe_pattern(&self, pattern: &str) -> Subscription {
        self.attend(self.local.listen_pattern(pattern)).await
    }

    async fn attend(&self, mut subscription: Subscription) -> Subscription {
        if let Some(shared) = &self.shared {
            // It hears this process now, and is told when it hears the others.
            let _ = shared.attend(&mut subscription).await;
        }
        subscription
    }
}

impl Carrier for Bus {
    type Error = Infallible;

    async fn publish(&self, channel: &str, payload: Bytes) -> Result<(), Infallible> {
        Bus::publish(self, channel, payload).await;
        Ok(())
    }

    async fn subscribe(&self, channel: &str) -> Result<Subscription, Infallible> {
        Ok(Bus::subscribe(self, channel).await)
    }

    async fn subscribe_pattern(&self, pattern: &str) -> Result<Subscription, Infallible> {
        Ok(Bus::subscribe_pattern(self, pattern).await)
    }
}
