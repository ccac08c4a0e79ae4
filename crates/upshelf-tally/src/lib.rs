#![doc = include_str!("../README.md")]

mod local;
mod ranking;

use std::fmt::Display;
use std::future::Future;
use std::hash::Hash;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use local::Local;

/// What something with votes is known by: small, ordered, and with one form as text.
///
/// Ids of equal length in text should sort in text as they sort here, as UUIDs do: then ties stand in the same order
/// in every part of the tally.
pub trait Id: Copy + Ord + Hash + Display + FromStr + Send + Sync + 'static {}

impl<K: Copy + Ord + Hash + Display + FromStr + Send + Sync + 'static> Id for K {}

/// The votes on one thing, at one version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Counts {
    /// Votes in favour.
    pub up: u32,
    /// Votes against.
    pub down: u32,
    /// Grows with every change of the votes; of two counts, the one with the greater version is true.
    pub version: u64,
}

impl Counts {
    /// Returns the votes in favour less those against.
    pub fn score(&self) -> i64 {
        i64::from(self.up) - i64::from(self.down)
    }
}

/// How much a tally remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Counts remembered of what is not on the top list; those longest unread go first.
    pub unlisted: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { unlisted: 100_000 }
    }
}

/// A moment in the life of a board, so that what was loaded before the board was emptied is not put on it after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch(pub u64);

/// What every part of the tally promises; one suite of tests holds all of them to it.
pub trait Board<K: Id>: Send + Sync {
    /// Why this part could not do its work.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Writes counts, unless as new a version is known; lists them on the top list unless `id` was removed.
    fn record(&self, id: K, counts: Counts) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Reads counts, one answer per id in their order; `None` is not known here.
    fn find(&self, ids: &[K]) -> impl Future<Output = Result<Vec<Option<Counts>>, Self::Error>> + Send;

    /// Reads the moment, before a load that will end in [`fill`](Board::fill) or [`fill_top`](Board::fill_top).
    fn epoch(&self) -> impl Future<Output = Result<Epoch, Self::Error>> + Send;

    /// Keeps counts that were loaded, without listing them; keeps nothing if the epoch has passed.
    fn fill(
        &self,
        loaded: &[(K, Counts)],
        since: Epoch,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Completes the top list with everything that competes, loaded at a time after `since`.
    ///
    /// What was recorded or removed meanwhile stays so. Keeps nothing if the epoch has passed.
    fn fill_top(
        &self,
        loaded: &[(K, Counts)],
        since: Epoch,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Reads the best `limit`, best first; `None` while the top list is not complete.
    fn top(&self, limit: usize)
    -> impl Future<Output = Result<Option<Vec<(K, Counts)>>, Self::Error>> + Send;

    /// Reads how many stand before `id`; `Some(None)` is not listed, `None` while the top list is not complete.
    fn rank(&self, id: K) -> impl Future<Output = Result<Option<Option<usize>>, Self::Error>> + Send;

    /// Takes `id` off the top list, for good: a later [`record`](Board::record) does not bring it back.
    fn remove(&self, id: K) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Puts what was removed back on the top list with these counts, or newer ones if they are known.
    fn restore(&self, id: K, counts: Counts) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Forgets everything, and begins a new epoch.
    fn clear(&self) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// The tally: cheap to clone, all clones are one tally.
#[derive(Clone, Debug)]
pub struct Tally<K: Id> {
    local: Local<K>,
    /// One load of the top list at a time; whoever waits for it finds it loaded.
    loading_top: Arc<tokio::sync::Mutex<()>>,
}

impl<K: Id> Tally<K> {
    /// Makes a tally within this process, with the default [`Limits`].
    pub fn local() -> Self {
        Self::local_with(Limits::default())
    }

    /// Makes a tally within this process.
    pub fn local_with(limits: Limits) -> Self {
        Self { local: Local::new(limits), loading_top: Arc::default() }
    }

    /// Writes counts after their commit; see [`Board::record`]. Order and repetition do not matter.
    pub async fn record(&self, id: K, counts: Counts) {
        let Ok(()) = Board::record(&self.local, id, counts).await;
    }

    /// Reads counts, one answer per id in their order; `None` is not known to the loader either.
    ///
    /// `load` is called at most once, with the ids that are not known here, each once.
    ///
    /// # Errors
    /// The loader's own.
    pub async fn counts<E>(
        &self,
        ids: &[K],
        load: impl AsyncFnOnce(Vec<K>) -> Result<Vec<(K, Counts)>, E>,
    ) -> Result<Vec<Option<Counts>>, E> {
        let Ok(since) = self.local.epoch().await;
        let Ok(mut found) = self.local.find(ids).await;
        let mut missing: Vec<K> =
            ids.iter().zip(&found).filter(|(_, counts)| counts.is_none()).map(|(id, _)| *id).collect();
        if missing.is_empty() {
            return Ok(found);
        }
        missing.sort_unstable();
        missing.dedup();
        let mut loaded = load(missing).await?;
        loaded.sort_unstable_by_key(|(id, _)| *id);
        let Ok(()) = self.local.fill(&loaded, since).await;
        for (id, counts) in ids.iter().zip(&mut found).filter(|(_, counts)| counts.is_none()) {
            *counts = loaded.binary_search_by_key(id, |(id, _)| *id).ok().map(|at| loaded[at].1);
        }
        Ok(found)
    }

    /// Reads the best `limit`, best first.
    ///
    /// `load` brings everything that competes, and is called only while the top list is not complete.
    ///
    /// # Errors
    /// The loader's own; the next call tries again.
    pub async fn top<E>(
        &self,
        limit: usize,
        load: impl AsyncFnOnce() -> Result<Vec<(K, Counts)>, E>,
    ) -> Result<Vec<(K, Counts)>, E> {
        let Ok(known) = self.local.top(limit).await;
        if let Some(top) = known {
            return Ok(top);
        }
        let _alone = self.loading_top.lock().await;
        let Ok(known) = self.local.top(limit).await;
        if let Some(top) = known {
            return Ok(top);
        }
        let loaded = self.load_top(load).await?;
        let Ok(known) = self.local.top(limit).await;
        // Emptied while it was loaded: this answer is still what the caller asked for, it only is not kept.
        Ok(known.unwrap_or_else(|| ranking::sorted(loaded, limit)))
    }

    /// Returns how many stand before `id` on the top list, or `None` when it is not listed.
    ///
    /// # Errors
    /// The loader's own, see [`top`](Tally::top).
    pub async fn rank<E>(
        &self,
        id: K,
        load: impl AsyncFnOnce() -> Result<Vec<(K, Counts)>, E>,
    ) -> Result<Option<usize>, E> {
        let Ok(known) = self.local.rank(id).await;
        if let Some(rank) = known {
            return Ok(rank);
        }
        let _alone = self.loading_top.lock().await;
        let Ok(known) = self.local.rank(id).await;
        if let Some(rank) = known {
            return Ok(rank);
        }
        let loaded = self.load_top(load).await?;
        let Ok(known) = self.local.rank(id).await;
        Ok(known.unwrap_or_else(|| {
            ranking::sorted(loaded, usize::MAX).iter().position(|(listed, _)| *listed == id)
        }))
    }

    async fn load_top<E>(
        &self,
        load: impl AsyncFnOnce() -> Result<Vec<(K, Counts)>, E>,
    ) -> Result<Vec<(K, Counts)>, E> {
        let Ok(since) = self.local.epoch().await;
        let loaded = load().await?;
        let Ok(()) = self.local.fill_top(&loaded, since).await;
        Ok(loaded)
    }

    /// Takes `id` off the top list; see [`Board::remove`].
    pub async fn remove(&self, id: K) {
        let Ok(()) = Board::remove(&self.local, id).await;
    }

    /// Puts what was removed back on the top list; see [`Board::restore`].
    pub async fn restore(&self, id: K, counts: Counts) {
        let Ok(()) = Board::restore(&self.local, id, counts).await;
    }

    /// Forgets everything: what is read next is loaded again.
    pub async fn clear(&self) {
        let Ok(()) = Board::clear(&self.local).await;
    }
}
