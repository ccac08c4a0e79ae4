//! The bus of this process.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::switchboard::{Address, Switchboard, wake};
use crate::{Buffer, Carrier, Subscription};

/// The part of the bus within this process: the whole bus when there is nothing else.
#[derive(Clone)]
pub struct Local {
    pub(crate) switchboard: Arc<Switchboard>,
}

impl Local {
    /// Makes a bus that allows each subscriber the given buffer.
    pub fn new(buffer: Buffer) -> Self {
        Self { switchboard: Arc::new(Switchboard::new(buffer)) }
    }

    pub(crate) fn send(&self, channel: &str, payload: Bytes) {
        wake(self.switchboard.deliver(channel, &payload));
    }

    pub(crate) fn listen(&self, channel: &str) -> Subscription {
        self.switchboard.join(Address::Channel(channel.into()))
    }

    pub(crate) fn listen_pattern(&self, pattern: &str) -> Subscription {
        self.switchboard.join(Address::Pattern(pattern.into()))
    }
}

impl Carrier for Local {
    type Error = Infallible;

    async fn publish(&self, channel: &str, payload: Bytes) -> Result<(), Infallible> {
        self.send(channel, payload);
        Ok(())
    }

    async fn subscribe(&self, channel: &str) -> Result<Subscription, Infallible> {
        Ok(self.listen(channel))
    }

    async fn subscribe_pattern(&self, pattern: &str) -> Result<Subscription, Infallible> {
        Ok(self.listen_pattern(pattern))
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").field("buffer", &self.switchboard.buffer).finish_non_exhaustive()
    }
}
