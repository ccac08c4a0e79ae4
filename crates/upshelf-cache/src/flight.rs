//! A load under way, and those who wait for it.

use std::any::Any;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::SetOnce;

use crate::Source;
use crate::entry::Entry;
use crate::tags::Tag;

/// Keys are spread over this many locks.
const STRIPES: usize = 64;

/// How a load ended; a flight that ends without an outcome crashed.
#[derive(Clone)]
pub(crate) enum Outcome {
    Loaded(Arc<Entry>, Source),
    Failed(Arc<dyn Any + Send + Sync>),
    TimedOut,
}

/// One load of one key, between its beginning and its end.
pub(crate) struct Flight {
    pub(crate) key: Arc<str>,
    /// The sequence number of the last invalidation before it began.
    pub(crate) began: u64,
    notes: Mutex<Notes>,
    /// Its end; within, `None` when there was no outcome.
    end: SetOnce<Option<Outcome>>,
}

/// Says how a flight ended; when it is dropped before, there is no outcome.
pub(crate) struct Tower(Arc<Flight>);

impl Tower {
    pub(crate) fn tell(self, outcome: Outcome) {
        self.0.end(Some(outcome));
    }
}

impl Drop for Tower {
    fn drop(&mut self) {
        self.0.end(None);
    }
}

/// What the loader has said about its value so far.
#[derive(Clone)]
pub(crate) struct Notes {
    /// The tag of everything, then those that the loader registered.
    pub(crate) tags: Vec<Arc<Tag>>,
    /// What the loader's own are called.
    pub(crate) names: Vec<Box<str>>,
    pub(crate) ttl: Option<Duration>,
    pub(crate) store: bool,
}

impl Flight {
    pub(crate) fn new(key: &str, began: u64, everything: Arc<Tag>) -> (Arc<Self>, Tower) {
        let notes = Mutex::new(Notes { tags: vec![everything], names: Vec::new(), ttl: None, store: true });
        let flight = Arc::new(Self { key: key.into(), began, notes, end: SetOnce::new() });
        (Arc::clone(&flight), Tower(flight))
    }

    /// Only the first end counts.
    fn end(&self, outcome: Option<Outcome>) {
        let _ = self.end.set(outcome);
    }

    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whether none of the tags known so far was invalidated since it began.
    pub(crate) fn is_clean(&self) -> bool {
        !self.notes().tags.iter().any(|tag| tag.was_touched_after(self.began))
    }

    /// Puts a tag on the value.
    pub(crate) fn tag(&self, name: &str, tag: Arc<Tag>) {
        let mut notes = self.notes();
        notes.names.push(name.into());
        notes.tags.push(tag);
    }

    /// Waits for the end; `None` when there was no outcome.
    pub(crate) async fn landed(&self) -> Option<Outcome> {
        self.end.wait().await.clone()
    }
}

/// The flights that a reader may join, by key.
///
/// A key's stripe is locked while its flight begins, ends or is called off, and while its entry is written or
/// removed: a flight's value is kept if and only if the flight still stands here.
pub(crate) struct Flights {
    hasher: RandomState,
    stripes: [Mutex<Stripe>; STRIPES],
}

pub(crate) type Stripe = HashMap<Arc<str>, Arc<Flight>>;

impl Default for Flights {
    fn default() -> Self {
        Self { hasher: RandomState::new(), stripes: std::array::from_fn(|_| Mutex::default()) }
    }
}

impl Flights {
    pub(crate) fn of(&self, key: &str) -> MutexGuard<'_, Stripe> {
        let stripe = self.hasher.hash_one(key) as usize % STRIPES;
        self.stripes[stripe].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = MutexGuard<'_, Stripe>> {
        self.stripes.iter().map(|stripe| stripe.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
