//! The bus of this process.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::task::Waker;

use bytes::Bytes;

use crate::mailbox::Mailbox;
use crate::{Buffer, Carrier, Subscription, glob};

/// Channels are spread over this many locks, so that publishers on different channels seldom meet.
const SHARDS: usize = 64;

/// Those who listen to one channel or pattern; ordered by id, so that one of thousands leaves cheaply.
type Members = BTreeMap<u64, Arc<Mailbox>>;

/// The part of the bus within this process: the whole bus when there is nothing else.
#[derive(Clone)]
pub struct Local {
    switchboard: Arc<Switchboard>,
}

/// Who listens where.
pub(crate) struct Switchboard {
    buffer: Buffer,
    last_id: AtomicU64,
    hasher: RandomState,
    channels: [Mutex<HashMap<Arc<str>, Members>>; SHARDS],
    /// Few, as a pattern's subscribers share one entry: each publication tries all of them.
    patterns: RwLock<HashMap<Arc<str>, Members>>,
}

/// What a subscription listens to.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    Channel(Arc<str>),
    Pattern(Arc<str>),
}

impl Local {
    /// Makes a bus that allows each subscriber the given buffer.
    pub fn new(buffer: Buffer) -> Self {
        let switchboard = Switchboard {
            buffer,
            last_id: AtomicU64::new(0),
            hasher: RandomState::new(),
            channels: std::array::from_fn(|_| Mutex::default()),
            patterns: RwLock::default(),
        };
        Self { switchboard: Arc::new(switchboard) }
    }

    pub(crate) fn send(&self, channel: &str, payload: Bytes) {
        // Readers are woken after the locks are gone: a waker is foreign code and may drop a subscription.
        for waker in self.switchboard.deliver(channel, &payload) {
            waker.wake();
        }
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

impl Switchboard {
    fn shard(&self, channel: &str) -> MutexGuard<'_, HashMap<Arc<str>, Members>> {
        let shard = self.hasher.hash_one(channel) as usize % SHARDS;
        self.channels[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the payload into all mailboxes under the channel's lock, which is what gives all of them one order.
    fn deliver(&self, channel: &str, payload: &Bytes) -> Vec<Waker> {
        let mut wakers = Vec::new();
        let shard = self.shard(channel);
        let mut name = None;
        if let Some((known, members)) = shard.get_key_value(channel) {
            wakers.extend(members.values().filter_map(|mailbox| mailbox.put(known, payload)));
            name = Some(Arc::clone(known));
        }
        let patterns = self.patterns.read().unwrap_or_else(PoisonError::into_inner);
        for (_, members) in patterns.iter().filter(|(pattern, _)| glob::covers(pattern, channel)) {
            let name = name.get_or_insert_with(|| channel.into());
            wakers.extend(members.values().filter_map(|mailbox| mailbox.put(name, payload)));
        }
        wakers
    }

    fn join(self: &Arc<Self>, address: Address) -> Subscription {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed);
        let mailbox = Arc::new(Mailbox::new(self.buffer));
        let members = |map: &mut HashMap<Arc<str>, Members>, name: &Arc<str>| {
            map.entry(Arc::clone(name)).or_default().insert(id, Arc::clone(&mailbox));
        };
        match &address {
            Address::Channel(name) => members(&mut self.shard(name), name),
            Address::Pattern(name) => {
                members(&mut self.patterns.write().unwrap_or_else(PoisonError::into_inner), name);
            }
        }
        Subscription { id, address, mailbox, switchboard: Arc::downgrade(self) }
    }

    pub(crate) fn leave(&self, address: &Address, id: u64) {
        let remove = |map: &mut HashMap<Arc<str>, Members>, name: &Arc<str>| {
            if let Some(members) = map.get_mut(name) {
                members.remove(&id);
                if members.is_empty() {
                    map.remove(name);
                }
            }
        };
        match address {
            Address::Channel(name) => remove(&mut self.shard(name), name),
            Address::Pattern(name) => {
                remove(&mut self.patterns.write().unwrap_or_else(PoisonError::into_inner), name);
            }
        }
    }
}

impl Drop for Switchboard {
    fn drop(&mut self) {
        let channels =
            self.channels.iter_mut().map(|shard| shard.get_mut().unwrap_or_else(PoisonError::into_inner));
        let patterns = self.patterns.get_mut().unwrap_or_else(PoisonError::into_inner);
        for members in channels.chain([patterns]).flat_map(|map| map.values()) {
            for waker in members.values().filter_map(|mailbox| mailbox.close()) {
                waker.wake();
            }
        }
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").field("buffer", &self.switchboard.buffer).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_empty(local: &Local) -> bool {
        let board = &local.switchboard;
        board.channels.iter().all(|shard| shard.lock().expect("no test panics here").is_empty())
            && board.patterns.read().expect("no test panics here").is_empty()
    }

    #[test]
    fn nothing_is_left_of_a_dropped_subscription() {
        let local = Local::new(Buffer::default());
        let listeners: Vec<_> = (0..100)
            .flat_map(|n| [local.listen(&format!("resource:updates:{}", n % 10)), local.listen_pattern("*")])
            .collect();
        assert!(!is_empty(&local));
        drop(listeners);
        assert!(is_empty(&local));
    }
}
