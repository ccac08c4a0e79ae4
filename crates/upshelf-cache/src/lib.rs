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
mod pilot;
mod policy;
mod region;
mod shared;
mod stats;
mod tags;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use upshelf_redis::Redis;

use crate::local::Trust;
use crate::shared::{Coherence, Shared};

pub use cascade::{Cascade, CascadeError};
pub use context::Context;
pub use error::LoadError;
pub use hit::{Hit, Source};
pub use inv::{Inv, Level, Receipt};
pub use local::Local;
pub use policy::Policy;
pub use region::Region;
pub use stats::Stats;

/// What can be cached: it has a form as JSON, which is also its weight.
///
/// An absent value is a value too: `Option<T>` caches that something does not exist.
pub trait Value: Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Value for T {}

/// Longer than any program runs.
const NEVER: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 100);
/// How long an invalidation waits for Redis before it is remembered.
const PATIENCE: Duration = Duration::from_secs(2);

/// The cache: cheap to clone, all clones are one cache. Its methods are to be called within a tokio runtime.
#[derive(Clone, Debug)]
pub struct Cache {
    core: Arc<Core>,
}

/// Both levels: this process's is always there.
pub(crate) struct Core {
    pub(crate) local: Arc<Local>,
    pub(crate) shared: Option<Arc<Shared>>,
    cascade: Cascade,
    /// Ends the task that keeps the levels coherent, at the latest with the cache.
    end: CancellationToken,
    _end_at_last: DropGuard,
}

/// Settings of a [`Cache`] to be.
#[derive(Debug)]
pub struct Builder {
    weight: u64,
    cascade: Cascade,
    redis: Option<Redis>,
    trust: Trust,
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

    /// Shares values with all processes that use this Redis, and hears what they invalidate.
    #[must_use]
    pub fn shared(mut self, redis: &Redis) -> Self {
        self.redis = Some(redis.clone());
        self
    }

    /// With Redis, serves an entry of this process's memory for so long before it asks Redis whether it is still there;
    /// default 60 s. That is how long a removal by a program that knows only the design note may go unnoticed.
    #[must_use]
    pub fn l1_cap(mut self, cap: Duration) -> Self {
        self.trust.cap = cap.min(NEVER);
        self
    }

    /// While other processes cannot be heard, serves an entry of this process's memory for so long before it loads it anew;
    /// default 5 s.
    #[must_use]
    pub fn max_stale(mut self, limit: Duration) -> Self {
        self.trust.max_stale = limit.min(NEVER);
        self
    }

    /// Makes the cache; with Redis, within a tokio runtime.
    pub fn build(self) -> Cache {
        let end = CancellationToken::new();
        // Without Redis there is nobody to be asked.
        let trust = Trust { cap: if self.redis.is_some() { self.trust.cap } else { NEVER }, ..self.trust };
        let local = Arc::new(Local::new(self.weight, trust));
        let shared = self.redis.map(|redis| {
            let shared = Arc::new(Shared::new(&redis));
            local.distrust();
            let (coherence, end) = (Coherence::new(Arc::clone(&shared), Arc::clone(&local)), end.clone());
            redis.spawn(coherence.run_until(end));
            shared
        });
        let core = Core { local, shared, cascade: self.cascade, _end_at_last: end.clone().drop_guard(), end };
        Cache { core: Arc::new(core) }
    }
}

impl Cache {
    /// Begins a cache of this process.
    pub fn builder() -> Builder {
        let trust = Trust { cap: Duration::from_secs(60), max_stale: Duration::from_secs(5) };
        Builder { weight: 64 << 20, cascade: Cascade::default(), redis: None, trust }
    }

    /// Opens a typed view with a policy; the name is for logs.
    ///
    /// Regions share one space of keys: a key is the full name of the entry, such as `cache:profile:42`.
    pub fn region<T: Value>(&self, name: &str, policy: Policy) -> Region<T> {
        Region::new(Arc::clone(&self.core), name, policy)
    }

    /// Invalidates all of it; the order does not matter. See the promise at the top.
    ///
    /// It is done also when its caller goes away. Repeating it does no harm.
    pub async fn invalidate(&self, what: impl IntoIterator<Item = Inv>) -> Receipt {
        let what = self.core.cascade.follow(what);
        let local = &self.core.local;
        local.invalidate_now(&what);
        let Some(shared) = &self.core.shared else { return Receipt::of(&what) };
        if what.is_empty() {
            return Receipt::default();
        }
        let (shared, tasks, local) = (Arc::clone(shared), local.tasks().clone(), Arc::clone(local));
        let untold = Receipt { is_remembered: true, ..Receipt::of(&what) };
        let telling = tasks.spawn(async move {
            let receipt = match timeout(PATIENCE, shared.invalidate(&what)).await {
                Ok(Ok(receipt)) => receipt,
                outcome => {
                    if let Ok(Err(error)) = &outcome
                        && !error.is_away()
                    {
                        let error = error as &dyn std::error::Error;
                        tracing::error!(error, "Redis refuses an invalidation");
                    }
                    shared.remember(&what, &local);
                    untold
                }
            };
            local.invalidate_now(&what);
            receipt
        });
        // Its end without an answer is that of the runtime.
        telling.await.unwrap_or(untold)
    }

    /// Says whether values are shared with other processes, be Redis there or not.
    pub fn is_shared(&self) -> bool {
        self.core.shared.is_some()
    }

    /// Says whether this process goes on alone although it should not have to: Redis is away, or has yet to be told what it
    /// missed.
    pub fn is_degraded(&self) -> bool {
        self.core.shared.as_ref().is_some_and(|shared| shared.is_degraded())
    }

    /// Counts the processes that share this cache, this one included; while Redis is away, as it was before.
    pub fn processes(&self) -> usize {
        self.core.shared.as_ref().map_or(1, |shared| shared.processes())
    }

    /// Says whether this process has heard of an invalidation that another one has acknowledged, and so serves nothing
    /// that it made invalid.
    pub fn has_heard(&self, receipt: &Receipt) -> bool {
        match (&self.core.shared, receipt.news) {
            (Some(shared), Some(news)) => shared.has_heard(news),
            _ => false,
        }
    }

    /// Says what the cache has done so far.
    pub fn stats(&self) -> Stats {
        self.core.local.stats.read()
    }

    /// Waits for the loads that are under way, and takes leave of the other processes, as the last thing before the program
    /// ends.
    pub async fn close(&self) {
        self.core.local.close().await;
        self.core.end.cancel();
        if let Some(shared) = &self.core.shared {
            shared.leave().await;
        }
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core")
            .field("local", &self.local)
            .field("is_shared", &self.shared.is_some())
            .finish_non_exhaustive()
    }
}
