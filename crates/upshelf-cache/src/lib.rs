#![doc = include_str!("../README.md")]

mod cascade;
mod context;
mod entry;
mod error;
mod flight;
mod glob;
mod hit;
mod inv;
mod local;
mod policy;
mod region;
mod tags;

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use cascade::{Cascade, CascadeError};
pub use context::Context;
pub use error::LoadError;
pub use hit::{Hit, Source};
pub use inv::{Inv, Level, Receipt};
pub use local::Local;
pub use policy::Policy;
pub use region::Region;

/// What can be cached: it has a form as JSON, which is also its weight.
///
/// An absent value is a value too: `Option<T>` caches that something does not exist.
pub trait Value: Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Value for T {}

/// The cache: cheap to clone, all clones are one cache. Its methods are to be called within a tokio runtime.
#[derive(Clone, Debug)]
pub struct Cache {
    local: Arc<Local>,
    cascade: Arc<Cascade>,
}

/// Settings of a [`Cache`] to be.
#[derive(Debug)]
pub struct Builder {
    weight: u64,
    cascade: Cascade,
}

impl Builder {
    /// Bounds the memory of this process's entries, in bytes; default 64 MiB. A value heavier than about 3.5 MiB, or than
    /// nearly the whole bound where that is less, is returned but not kept.
    #[must_use]
    pub fn weight(mut self, bytes: u64) -> Self {
        self.weight = bytes;
        self
    }

    /// Declares what follows from what.
    #[must_use]
    pub fn cascade(mut self, cascade: Cascade) -> Self {
        self.cascade = cascade;
        self
    }

    /// Makes the cache.
    pub fn build(self) -> Cache {
        Cache { local: Arc::new(Local::new(self.weight)), cascade: Arc::new(self.cascade) }
    }
}

impl Cache {
    /// Begins a cache of this process.
    pub fn builder() -> Builder {
        Builder { weight: 64 << 20, cascade: Cascade::default() }
    }

    /// Opens a typed view with a policy; the name is for logs.
    ///
    /// Regions share one space of keys: a key is the full name of the entry, such as `cache:profile:42`.
    pub fn region<T: Value>(&self, name: &str, policy: Policy) -> Region<T> {
        Region::new(Arc::clone(&self.local), name, policy)
    }

    /// Invalidates all of it; the order does not matter. See the promise at the top.
    pub async fn invalidate(&self, what: impl IntoIterator<Item = Inv>) -> Receipt {
        let what = self.cascade.follow(what);
        let Ok(receipt) = self.local.invalidate(&what).await;
        receipt
    }

    /// Waits for the loads that are under way, as the last thing before the program ends.
    pub async fn close(&self) {
        self.local.close().await;
    }
}
