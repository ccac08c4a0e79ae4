//! What a read returns.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::entry::Entry;

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// The memory of this process.
    L1,
    /// Redis, which all processes share.
    L2,
    /// The loader, in this call or in one that was under way.
    Loaded,
    /// The memory of this process or Redis, past its time: the loader failed, is slow, or is at work for somebody else.
    Stale,
}

/// A value, shared with the cache, and where it came from.
pub struct Hit<T> {
    /// Invariant: its value is a `T`.
    entry: Arc<Entry>,
    read_at: Instant,
    source: Source,
    value: PhantomData<Arc<T>>,
}

impl<T> Hit<T> {
    /// Returns where the value came from.
    pub fn source(&self) -> Source {
        self.source
    }

    /// Returns how old the value was when it was read.
    pub fn age(&self) -> Duration {
        self.read_at.saturating_duration_since(self.entry.loaded_at)
    }
}

impl<T: Send + Sync + 'static> Hit<T> {
    /// Serves an entry, whose value must be a `T`.
    pub(crate) fn new(entry: Arc<Entry>, read_at: Instant, source: Source) -> Self {
        debug_assert!(entry.value.is::<T>());
        Self { entry, read_at, source, value: PhantomData }
    }

    /// Returns the shared value itself.
    pub fn into_arc(self) -> Arc<T> {
        Arc::clone(&self.entry.value).downcast().expect("a hit is made of an entry of its type")
    }
}

impl<T: Send + Sync + 'static> Deref for Hit<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.entry.value.downcast_ref().expect("a hit is made of an entry of its type")
    }
}

impl<T> Clone for Hit<T> {
    fn clone(&self) -> Self {
        Self { entry: Arc::clone(&self.entry), ..*self }
    }
}

impl<T: fmt::Debug + Send + Sync + 'static> fmt::Debug for Hit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hit")
            .field("value", &**self)
            .field("source", &self.source)
            .field("age", &self.age())
            .finish()
    }
}
