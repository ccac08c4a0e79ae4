//! What a read returns.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

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
    pub(crate) value: Arc<T>,
    pub(crate) source: Source,
    pub(crate) age: Duration,
}

impl<T> Hit<T> {
    /// Returns where the value came from.
    pub fn source(&self) -> Source {
        self.source
    }

    /// Returns how long ago the value was loaded.
    pub fn age(&self) -> Duration {
        self.age
    }

    /// Returns the shared value itself.
    pub fn into_arc(self) -> Arc<T> {
        self.value
    }
}

impl<T> Deref for Hit<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Clone for Hit<T> {
    fn clone(&self) -> Self {
        Self { value: Arc::clone(&self.value), ..*self }
    }
}

impl<T: fmt::Debug> fmt::Debug for Hit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hit")
            .field("value", &self.value)
            .field("source", &self.source)
            .field("age", &self.age)
            .finish()
    }
}
