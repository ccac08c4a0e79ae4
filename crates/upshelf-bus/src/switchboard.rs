//! Who listens where, in this process.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::task::Waker;

use bytes::Bytes;

use crate::mailbox::Mailbox;
use crate::{Buffer, Subscription, glob};

/// Channels are spread over this many locks, so that publishers on different channels seldom meet.
const SHARDS: usize = 64;

/// Those who listen to one channel or pattern; ordered by id, so that one of thousands leaves cheaply.
type Members = BTreeMap<u64, Arc<Mailbox>>;

/// What a subscription listens to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Address {
    Channel(Arc<str>),
    Pattern(Arc<str>),
}

/// Who listens where.
///
/// What puts something into mailboxes returns who is to be woken: by the caller, when it holds no lock, as a waker is
/// foreign code and may drop a subscription.
pub(crate) struct Switchboard {
    pub(crate) buffer: Buffer,
    last_id: AtomicU64,
    hasher: RandomState,
    channels: [Mutex<HashMap<Arc<str>, Members>>; SHARDS],
    /// Few, as a pattern's subscribers share one entry: each publication tries all of them.
    patterns: RwLock<HashMap<Arc<str>, Members>>,
}

impl Switchboard {
    pub(crate) fn new(buffer: Buffer) -> Self {
        Self {
            buffer,
            last_id: AtomicU64::new(0),
            hasher: RandomState::new(),
            channels: std::array::from_fn(|_| Mutex::default()),
            patterns: RwLock::default(),
        }
    }

    /// Puts the payload into all mailboxes under the channel's lock, which is what gives all of them one order.
    pub(crate) fn deliver(&self, channel: &str, payload: &Bytes) -> Vec<Waker> {
        let shard = self.shard(channel);
        let (mut wakers, mut name) = (Vec::new(), None);
        if let Some((known, members)) = shard.get_key_value(channel) {
            put(members, known, payload, &mut wakers);
            name = Some(Arc::clone(known));
        }
        for (_, members) in self.patterns().iter().filter(|(pattern, _)| glob::covers(pattern, channel)) {
            put(members, name.get_or_insert_with(|| channel.into()), payload, &mut wakers);
        }
        wakers
    }

    /// As [`deliver`](Self::deliver), to those only who listen to the channel by its name.
    pub(crate) fn deliver_by_name(&self, channel: &str, payload: &Bytes) -> Vec<Waker> {
        let shard = self.shard(channel);
        let mut wakers = Vec::new();
        if let Some((known, members)) = shard.get_key_value(channel) {
            put(members, known, payload, &mut wakers);
        }
        wakers
    }

    /// As [`deliver`](Self::deliver), to those only who listen by this pattern.
    pub(crate) fn deliver_by_pattern(&self, pattern: &str, channel: &str, payload: &Bytes) -> Vec<Waker> {
        let _order = self.shard(channel);
        let mut wakers = Vec::new();
        if let Some(members) = self.patterns().get(pattern) {
            put(members, &channel.into(), payload, &mut wakers);
        }
        wakers
    }

    /// Tells those who would hear a channel that something is missing.
    pub(crate) fn gap_on(&self, channel: &str) -> Vec<Waker> {
        let shard = self.shard(channel);
        let patterns = self.patterns();
        let covering = patterns.iter().filter(|(pattern, _)| glob::covers(pattern, channel));
        gap(shard.get(channel).into_iter().chain(covering.map(|(_, members)| members)))
    }

    /// Tells those who listen to exactly this that something is missing.
    pub(crate) fn gap_at(&self, address: &Address) -> Vec<Waker> {
        self.at(address, |members| gap(members.into_iter()))
    }

    /// Tells everybody that something is missing.
    pub(crate) fn gap_everywhere(&self) -> Vec<Waker> {
        let mut wakers = gap(self.patterns().values());
        for shard in &self.channels {
            wakers.extend(gap(lock(shard).values()));
        }
        wakers
    }

    /// Says whether somebody listens to exactly this.
    pub(crate) fn has_listener(&self, address: &Address) -> bool {
        self.at(address, |members| members.is_some())
    }

    pub(crate) fn join(self: &Arc<Self>, address: Address) -> Subscription {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed);
        let mailbox = Arc::new(Mailbox::new(self.buffer));
        let members = |map: &mut HashMap<Arc<str>, Members>, name: &Arc<str>| {
            map.entry(Arc::clone(name)).or_default().insert(id, Arc::clone(&mailbox));
        };
        match &address {
            Address::Channel(name) => members(&mut self.shard(name), name),
            Address::Pattern(name) => members(&mut self.patterns_mut(), name),
        }
        Subscription { id, address, mailbox, switchboard: Arc::downgrade(self), farewell: None }
    }

    /// Takes a subscription out; `true` if it was the last one to listen to this.
    pub(crate) fn leave(&self, address: &Address, id: u64) -> bool {
        let remove = |map: &mut HashMap<Arc<str>, Members>, name: &Arc<str>| {
            let Some(members) = map.get_mut(name) else { return false };
            members.remove(&id);
            let is_last = members.is_empty();
            if is_last {
                map.remove(name);
            }
            is_last
        };
        match address {
            Address::Channel(name) => remove(&mut self.shard(name), name),
            Address::Pattern(name) => remove(&mut self.patterns_mut(), name),
        }
    }

    fn at<T>(&self, address: &Address, look: impl FnOnce(Option<&Members>) -> T) -> T {
        match address {
            Address::Channel(name) => look(self.shard(name).get(name)),
            Address::Pattern(name) => look(self.patterns().get(name)),
        }
    }

    fn shard(&self, channel: &str) -> MutexGuard<'_, HashMap<Arc<str>, Members>> {
        lock(&self.channels[self.hasher.hash_one(channel) as usize % SHARDS])
    }

    fn patterns(&self) -> RwLockReadGuard<'_, HashMap<Arc<str>, Members>> {
        self.patterns.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn patterns_mut(&self) -> RwLockWriteGuard<'_, HashMap<Arc<str>, Members>> {
        self.patterns.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Switchboard {
    fn drop(&mut self) {
        let channels =
            self.channels.iter_mut().map(|shard| shard.get_mut().unwrap_or_else(PoisonError::into_inner));
        let patterns = self.patterns.get_mut().unwrap_or_else(PoisonError::into_inner);
        for members in channels.chain([patterns]).flat_map(|map| map.values()) {
            wake(members.values().filter_map(|mailbox| mailbox.close()));
        }
    }
}

/// Wakes readers.
pub(crate) fn wake(wakers: impl IntoIterator<Item = Waker>) {
    for waker in wakers {
        waker.wake();
    }
}

fn put(members: &Members, channel: &Arc<str>, payload: &Bytes, wakers: &mut Vec<Waker>) {
    wakers.extend(members.values().filter_map(|mailbox| mailbox.put(channel, payload)));
}

fn gap<'a>(all: impl Iterator<Item = &'a Members>) -> Vec<Waker> {
    all.flat_map(BTreeMap::values).filter_map(|mailbox| mailbox.gap()).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_a_dropped_subscription() {
        let board = Arc::new(Switchboard::new(Buffer::default()));
        let is_empty =
            || board.channels.iter().all(|shard| lock(shard).is_empty()) && board.patterns().is_empty();
        let listeners: Vec<_> = (0..100)
            .flat_map(|n| {
                let channel = Address::Channel(format!("resource:updates:{}", n % 10).into());
                [board.join(channel), board.join(Address::Pattern("*".into()))]
            })
            .collect();
        assert!(!is_empty());
        drop(listeners);
        assert!(is_empty());
    }

    #[test]
    fn only_the_last_one_to_leave_is_the_last() {
        let board = Arc::new(Switchboard::new(Buffer::default()));
        for address in [Address::Channel("votes".into()), Address::Pattern("v*".into())] {
            let (one, two) = (board.join(address.clone()), board.join(address.clone()));
            assert!(!board.leave(&address, one.id));
            assert!(board.has_listener(&address));
            assert!(board.leave(&address, two.id));
            assert!(!board.has_listener(&address));
        }
    }

    #[test]
    fn a_gap_on_a_channel_is_told_to_those_who_would_hear_it() {
        let board = Arc::new(Switchboard::new(Buffer::default()));
        let mut told =
            [Address::Channel("votes".into()), Address::Pattern("v*".into())].map(|a| board.join(a));
        let mut spared =
            [Address::Channel("news".into()), Address::Pattern("n*".into())].map(|a| board.join(a));
        wake(board.gap_on("votes"));
        assert!(told.iter_mut().all(|listener| listener.try_recv() == Some(crate::Event::Resync)));
        assert!(spared.iter_mut().all(|listener| listener.try_recv().is_none()));
        wake(board.gap_everywhere());
        wake(board.gap_everywhere());
        for listener in told.iter_mut().chain(&mut spared) {
            assert_eq!(listener.try_recv(), Some(crate::Event::Resync));
            assert_eq!(listener.try_recv(), None, "one is enough for two gaps with nothing between them");
        }
    }
}
