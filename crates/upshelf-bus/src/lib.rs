#![doc = include_str!("../README.md")]

mod glob;
mod local;
mod mailbox;
mod shared;

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use upshelf_redis::Redis;

use crate::local::Address;

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
    fn subscribe(&self, channel: &str) -> impl Future<Output = Result<Subscription, Self::Error>> + Send;

    /// Listens to every channel that a Redis pattern covers, as [`subscribe`](Carrier::subscribe) does to one.
    fn subscribe_pattern(
        &self,
        pattern: &str,
    ) -> impl Future<Output = Result<Subscription, Self::Error>> + Send;
}

/// The bus: cheap to clone, all clones are one bus.
///
/// Subscriptions end when its last clone is dropped.
#[derive(Clone, Debug)]
pub struct Bus {
    local: Local,
    shared: Option<Shared>,
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

    /// Makes a bus of all processes that use this Redis, with the default [`Buffer`] for each subscriber; within a tokio
    /// runtime.
    pub fn shared(redis: &Redis) -> Self {
        Self::shared_with(Buffer::default(), redis)
    }

    /// Makes a bus of all processes that use this Redis, that allows each subscriber the given buffer.
    pub fn shared_with(buffer: Buffer, redis: &Redis) -> Self {
        let shared = Shared::new(buffer, redis);
        Self { local: shared.local().clone(), shared: Some(shared) }
    }

    /// Says whether this process hears only itself although it should not: Redis is away.
    pub fn is_degraded(&self) -> bool {
        self.shared.as_ref().is_some_and(Shared::is_degraded)
    }

    /// Hands a payload to everybody subscribed now; see [`Carrier::publish`].
    ///
    /// With Redis it waits for its answer, for the handle's fail-fast deadline at most. When none comes, subscribers of this
    /// process get it at once; if Redis had it all the same, they get it twice.
    pub async fn publish(&self, channel: &str, payload: impl Into<Bytes>) {
        let payload = payload.into();
        let is_carried = match &self.shared {
            Some(shared) => shared.carry(channel, &payload).await,
            None => false,
        };
        if !is_carried {
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
    /// With Redis it returns when that has confirmed it; while Redis is away at once, and there is a [`Event::Resync`] when
    /// it is back.
    pub async fn subscribe(&self, channel: &str) -> Subscription {
        self.listen(Address::Channel(channel.into())).await
    }

    /// Listens to every channel that a Redis pattern covers; see [`Carrier::subscribe_pattern`].
    pub async fn subscribe_pattern(&self, pattern: &str) -> Subscription {
        self.listen(Address::Pattern(pattern.into())).await
    }

    async fn listen(&self, address: Address) -> Subscription {
        match &self.shared {
            Some(shared) => shared.listen(address).await.0,
            None => self.local.listen(address),
        }
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
