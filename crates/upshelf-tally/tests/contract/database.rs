//! The truth of the tests.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};

use upshelf_tally::{Counts, Tally};
use uuid::Uuid;

use crate::id;

/// What is open, with its counts; and how often it was asked.
#[derive(Clone, Default)]
pub(crate) struct Database {
    rows: Arc<Mutex<BTreeMap<u128, Counts>>>,
    asked: Arc<Mutex<usize>>,
}

impl Database {
    fn rows(&self) -> MutexGuard<'_, BTreeMap<u128, Counts>> {
        self.rows.lock().expect("no test panics here")
    }

    fn ask(&self) -> MutexGuard<'_, BTreeMap<u128, Counts>> {
        *self.asked.lock().expect("no test panics here") += 1;
        self.rows()
    }

    pub(crate) fn asked(&self) -> usize {
        *self.asked.lock().expect("no test panics here")
    }

    pub(crate) fn write(&self, n: u128, counts: Counts) {
        self.rows().insert(n, counts);
    }

    pub(crate) fn close(&self, n: u128) {
        self.rows().remove(&n);
    }

    /// Adds a vote, as a commit would.
    pub(crate) fn vote(&self, n: u128) -> Counts {
        let mut rows = self.rows();
        let counts = rows.entry(n).or_default();
        *counts = Counts { up: counts.up + 1, version: counts.version + 1, ..*counts };
        *counts
    }

    /// Tells a tally what follows from a commit.
    pub(crate) async fn tell(&self, tally: &Tally<Uuid>, n: u128) {
        let counts = self.rows()[&n];
        tally.record(id(n), counts).await;
    }

    pub(crate) fn all(&self) -> Vec<(Uuid, Counts)> {
        self.rows().iter().map(|(n, counts)| (id(*n), *counts)).collect()
    }

    /// Reads counts through a tally.
    pub(crate) async fn counts(&self, tally: &Tally<Uuid>, numbers: &[u128]) -> Vec<Option<Counts>> {
        let ids: Vec<_> = numbers.iter().map(|n| id(*n)).collect();
        let load = async |missing: Vec<Uuid>| {
            let rows = self.ask();
            let found = missing.into_iter().filter_map(|id| Some((id, *rows.get(&id.as_u128())?)));
            Ok::<_, Infallible>(found.collect())
        };
        let Ok(counts) = tally.counts(&ids, load).await;
        counts
    }

    /// Reads the top list through a tally.
    pub(crate) async fn top(&self, tally: &Tally<Uuid>) -> Vec<u128> {
        let load = async || {
            drop(self.ask());
            Ok::<_, Infallible>(self.all())
        };
        let Ok(top) = tally.top(1000, load).await;
        top.into_iter().map(|(id, _)| id.as_u128()).collect()
    }

    /// Reads a rank through a tally.
    pub(crate) async fn rank(&self, tally: &Tally<Uuid>, n: u128) -> Option<usize> {
        let load = async || {
            drop(self.ask());
            Ok::<_, Infallible>(self.all())
        };
        let Ok(rank) = tally.rank(id(n), load).await;
        rank
    }

    /// What the top list should be.
    pub(crate) fn expected_top(&self) -> Vec<u128> {
        let mut all: Vec<_> = self.rows().iter().map(|(n, counts)| (counts.score(), *n)).collect();
        all.sort_unstable();
        all.into_iter().rev().map(|(_, n)| n).collect()
    }
}
