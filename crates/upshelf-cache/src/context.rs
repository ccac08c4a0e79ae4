//! What a loader can say about the value it loads.

use std::sync::Arc;
use std::time::Duration;

use crate::flight::Flight;
use crate::local::Local;

/// A loader's way to speak about its value while it loads it.
#[derive(Clone)]
pub struct Context {
    pub(crate) local: Arc<Local>,
    pub(crate) flight: Arc<Flight>,
}

impl Context {
    /// Puts a tag on the value, before or after the data is read.
    ///
    /// A tag put on early is better: readers that come after its invalidation see at once that they must not wait
    /// for this load.
    pub fn tag(&self, name: impl AsRef<str>) {
        self.local.put_tag(&self.flight, name.as_ref());
    }

    /// Puts several tags on the value.
    pub fn tags<S: AsRef<str>>(&self, names: impl IntoIterator<Item = S>) {
        for name in names {
            self.tag(name);
        }
    }

    /// Keeps this value for another time than the region's, jitter aside.
    pub fn ttl(&self, ttl: Duration) {
        self.flight.notes().ttl = Some(ttl);
    }

    /// Returns the value to those who wait, and does not keep it.
    pub fn no_store(&self) {
        self.flight.notes().store = false;
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}
