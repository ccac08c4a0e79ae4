//! One value in this process, with all that decides whether it may be served.

use std::any::Any;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::policy::Deadlines;
use crate::tags::Tag;

/// About what an entry weighs beside its key and value.
const OVERHEAD: u64 = 256;

pub(crate) struct Entry {
    pub(crate) value: Arc<dyn Any + Send + Sync>,
    /// Of its JSON, as in its [`Meta`](crate::shared::Meta); none where it was never written.
    pub(crate) hash: Option<u64>,
    pub(crate) weight: u64,
    /// The sequence number of the last invalidation before the load began.
    pub(crate) began: u64,
    /// The tag of everything, then the loader's own.
    pub(crate) tags: Box<[Arc<Tag>]>,
    pub(crate) loaded_at: Instant,
    /// When this process had it.
    pub(crate) kept_at: Instant,
    /// When the other level is to be asked whether it is still there.
    pub(crate) verify: Instant,
    pub(crate) deadlines: Deadlines,
    /// When a failed refresh may be repeated, in nanoseconds after `loaded_at`.
    pub(crate) retry_at: AtomicU64,
}

impl Entry {
    /// Tells whether neither everything nor one of its tags was invalidated since the load began.
    pub(crate) fn is_clean(&self) -> bool {
        !self.tags.iter().any(|tag| tag.was_touched_after(self.began))
    }

    /// Tells whether no refresh failed lately.
    pub(crate) fn may_retry(&self, now: Instant) -> bool {
        nanoseconds(now.saturating_duration_since(self.loaded_at)) >= self.retry_at.load(Ordering::Relaxed)
    }

    /// Notes that a refresh failed.
    pub(crate) fn retry_after(&self, now: Instant, pause: Duration) {
        let at = now.saturating_duration_since(self.loaded_at).saturating_add(pause);
        self.retry_at.store(nanoseconds(at), Ordering::Relaxed);
    }
}

pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What an entry weighs whose value has this length as JSON.
pub(crate) fn weight<T>(key: &str, length: usize) -> u64 {
    OVERHEAD + key.len() as u64 + size_of::<T>() as u64 + length as u64
}

/// Finds the length of a value as JSON, without writing it anywhere.
pub(crate) fn length<T: Serialize>(value: &T) -> usize {
    struct Length(usize);
    impl io::Write for Length {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut length = Length(0);
    // What has no JSON form is weighed by the part that could be written.
    let _ = serde_json::to_writer(&mut length, value);
    length.0
}
