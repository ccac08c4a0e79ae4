//! The connections of this process, and who has come in through them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::outbox::Outbox;

/// Connections are spread over this many locks.
const SHARDS: u64 = 32;

/// Everybody who is connected.
pub(crate) struct Peers<V>([Mutex<HashMap<u64, Peer<V>>>; SHARDS as usize]);

struct Peer<V> {
    outbox: Arc<Outbox>,
    visitor: Option<Arc<V>>,
}

impl<V> Peers<V> {
    pub(crate) fn new() -> Peers<V> {
        Peers(std::array::from_fn(|_| Mutex::default()))
    }

    fn shard(&self, id: u64) -> MutexGuard<'_, HashMap<u64, Peer<V>>> {
        lock(&self.0[(id % SHARDS) as usize])
    }

    pub(crate) fn add(&self, outbox: &Arc<Outbox>) {
        self.shard(outbox.id).insert(outbox.id, Peer { outbox: outbox.clone(), visitor: None });
    }

    pub(crate) fn name(&self, id: u64, visitor: &Arc<V>) {
        if let Some(peer) = self.shard(id).get_mut(&id) {
            peer.visitor = Some(visitor.clone());
        }
    }

    pub(crate) fn remove(&self, id: u64) {
        self.shard(id).remove(&id);
    }

    pub(crate) fn each(&self, mut look: impl FnMut(&Arc<Outbox>, Option<&Arc<V>>)) {
        for shard in &self.0 {
            for peer in lock(shard).values() {
                look(&peer.outbox, peer.visitor.as_ref());
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
