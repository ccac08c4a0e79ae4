#![doc = include_str!("../README.md")]

mod check;
mod local;
mod ranking;
mod shared;
mod tally;
mod untold;

use std::fmt::Display;
use std::future::Future;
use std::hash::Hash;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use check::{CheckError, Checked};
pub use local::Local;
pub use shared::Shared;
pub use tally::Tally;

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
