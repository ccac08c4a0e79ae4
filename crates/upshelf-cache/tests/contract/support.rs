//! Loaders that tests can watch and hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Semaphore;
use upshelf_cache::{Builder, Cache, Cascade, Context, Inv};

/// What the database would say: a number that grows, and how often it was asked.
#[derive(Clone, Default)]
pub(crate) struct Database {
    value: Arc<AtomicU64>,
    asked: Arc<AtomicU64>,
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("the database is away")]
pub(crate) struct Away;

impl Database {
    pub(crate) fn write(&self, value: u64) {
        self.value.store(value, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> u64 {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.value.load(Ordering::Relaxed)
    }

    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// A loader that reads at once, with the tag that [`every_way`] invalidates.
    pub(crate) fn load(
        &self,
    ) -> impl FnOnce(Context) -> std::future::Ready<Result<u64, Away>> + Send + 'static {
        let database = self.clone();
        move |cx| {
            cx.tag("member:7");
            std::future::ready(Ok(database.read()))
        }
    }
}

/// A place where a test holds a loader.
#[derive(Clone)]
pub(crate) struct Hold {
    reached: Arc<Semaphore>,
    released: Arc<Semaphore>,
}

impl Hold {
    pub(crate) fn new() -> Self {
        Self { reached: Arc::new(Semaphore::new(0)), released: Arc::new(Semaphore::new(0)) }
    }

    /// Called by the loader.
    pub(crate) async fn here(&self) {
        self.reached.add_permits(1);
        self.released.acquire().await.expect("nobody closes it").forget();
    }

    /// Waits until a loader is held.
    pub(crate) async fn is_reached(&self) {
        self.reached.acquire().await.expect("nobody closes it").forget();
    }

    pub(crate) fn release(&self) {
        self.released.add_permits(1);
    }
}

/// The key of the tests.
pub(crate) const KEY: &str = "cache:profile:7";

/// All ways to invalidate [`KEY`], if it carries the tag `member:7`.
pub(crate) fn every_way() -> [Inv; 5] {
    [
        Inv::key(KEY),
        Inv::tag("member:7"),
        Inv::pattern("cache:profile:*"),
        Inv::cascade("resource:7"),
        Inv::all(),
    ]
}

/// Settings in which `resource:7` leads to [`KEY`].
pub(crate) fn builder() -> Builder {
    let rules = [
        ("resource:{id}", vec![Inv::cascade("author:{id}")]),
        ("author:{id}", vec![Inv::key("cache:profile:{id}")]),
    ];
    Cache::builder().cascade(Cascade::new(rules).expect("this goes round nowhere"))
}

pub(crate) fn of_one_process() -> Cache {
    builder().build()
}
