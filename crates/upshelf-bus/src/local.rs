//! The bus of this process.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::task::Waker;

use bytes::Bytes;
use tokio::sync::mpsc;

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
    /// Hears to what nobody listens any more.
    deserted: OnceLock<mpsc::UnboundedSender<Address>>,
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
            deserted: OnceLock::new(),
        };
        Self { switchboard: Arc::new(switchboard) }
    }

    pub(crate) fn send(&self, channel: &str, payload: Bytes) {
        wake(self.switchboard.deliver(channel, &payload));
    }

    pub(crate) fn listen(&self, address: Address) -> Subscription {
        self.switchboard.join(address)
    }

    pub(crate) fn switchboard(&self) -> &Arc<Switchboard> {
        &self.switchboard
    }
}

/// Wakes readers; a waker is foreign code, to be called without a lock.
pub(crate) fn wake(wakers: Vec<Waker>) {
    for waker in wakers {
        waker.wake();
    }
}

impl Carrier for Local {
    type Error = Infallible;

    async fn publish(&self, channel: &str, payload: Bytes) -> Result<(), Infallible> {
        self.send(channel, payload);
        Ok(())
    }

    async fn subscribe(&self, channel: &str) -> Result<Subscription, Infallible> {
        Ok(self.listen(Address::Channel(channel.into())))
    }

    async fn subscribe_pattern(&self, pattern: &str) -> Result<Subscription, Infallible> {
        Ok(self.listen(Address::Pattern(pattern.into())))
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

    /// Puts a payload that came for one address into the mailboxes of those who listen to just that.
    pub(crate) fn deliver_to(&self, address: &Address, channel: &str, payload: &Bytes) -> Vec<Waker> {
        let put = |name: &Arc<str>, members: &Members| -> Vec<Waker> {
            members.values().filter_map(|mailbox| mailbox.put(name, payload)).collect()
        };
        match address {
            Address::Channel(name) => {
                let shard = self.shard(name);
                shard.get_key_value(name).map(|(known, members)| put(known, members))
            }
            Address::Pattern(pattern) => {
                let patterns = self.patterns.read().unwrap_or_else(PoisonError::into_inner);
                patterns.get(pattern).map(|members| put(&channel.into(), members))
            }
        }
        .unwrap_or_default()
    }

    /// Tells everybody, or those who listen to one address, that something may be missing.
    pub(crate) fn resync(&self, only: Option<&Address>) -> Vec<Waker> {
        let mut wakers = Vec::new();
        let mut tell =
            |members: &Members| wakers.extend(members.values().filter_map(|mailbox| mailbox.resync()));
        match only {
            Some(Address::Channel(name)) => {
                self.shard(name).get(name).map(&mut tell);
            }
            Some(Address::Pattern(name)) => {
                self.patterns.read().unwrap_or_else(PoisonError::into_inner).get(name).map(&mut tell);
            }
            None => {
                for shard in &self.channels {
                    shard.lock().unwrap_or_else(PoisonError::into_inner).values().for_each(&mut tell);
                }
                self.patterns.read().unwrap_or_else(PoisonError::into_inner).values().for_each(&mut tell);
            }
        }
        wakers
    }

    /// Says whether anybody listens to an address.
    pub(crate) fn has(&self, address: &Address) -> bool {
        match address {
            Address::Channel(name) => self.shard(name).contains_key(name),
            Address::Pattern(name) => {
                self.patterns.read().unwrap_or_else(PoisonError::into_inner).contains_key(name)
            }
        }
    }

    /// Has those addresses sent on that lose their last listener; to be called once.
    pub(crate) fn tell_of_deserted(&self, to: mpsc::UnboundedSender<Address>) {
        self.deserted.set(to).expect("a switchboard belongs to one bus");
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
            let Some(members) = map.get_mut(name) else { return false };
            members.remove(&id);
            let is_deserted = members.is_empty();
            if is_deserted {
                map.remove(name);
            }
            is_deserted
        };
        let is_deserted = match address {
            Address::Channel(name) => remove(&mut self.shard(name), name),
            Address::Pattern(name) => {
                remove(&mut self.patterns.write().unwrap_or_else(PoisonError::into_inner), name)
            }
        };
        if is_deserted && let Some(deserted) = self.deserted.get() {
            // Nobody is there to be told when the program ends.
            let _ = deserted.send(address.clone());
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
            .flat_map(|n| {
                let channel = format!("resource:updates:{}", n % 10);
                [Address::Channel(channel.into()), Address::Pattern("*".into())]
            })
            .map(|address| local.listen(address))
            .collect();
        assert!(!is_empty(&local));
        drop(listeners);
        assert!(is_empty(&local));
    }
}
