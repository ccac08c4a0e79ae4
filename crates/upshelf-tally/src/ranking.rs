//! Ids in the order of their scores, with their ranks.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::{Counts, Id};

/// Everything that competes, best first: a greater score, then a greater id.
///
/// Scores are few and ids are many, so each score keeps its ids in one sorted vector: a rank is a sum over the scores
/// above and one binary search, and as ids grow with time a newcomer is mostly appended.
#[derive(Debug)]
pub(crate) struct Ranking<K> {
    by_score: BTreeMap<i64, Vec<K>>,
}

impl<K> Default for Ranking<K> {
    fn default() -> Self {
        Self { by_score: BTreeMap::new() }
    }
}

impl<K: Id> Ranking<K> {
    /// Adds an id that is not listed at any score.
    pub(crate) fn insert(&mut self, score: i64, id: K) {
        let ids = self.by_score.entry(score).or_default();
        if let Err(place) = ids.binary_search(&id) {
            ids.insert(place, id);
        }
    }

    /// Removes an id from the score it is listed at.
    pub(crate) fn remove(&mut self, score: i64, id: K) {
        let Some(ids) = self.by_score.get_mut(&score) else { return };
        if let Ok(place) = ids.binary_search(&id) {
            ids.remove(place);
        }
        if ids.is_empty() {
            self.by_score.remove(&score);
        }
    }

    /// Counts those before an id listed at a score.
    pub(crate) fn rank(&self, score: i64, id: K) -> Option<usize> {
        let ids = self.by_score.get(&score)?;
        let place = ids.binary_search(&id).ok()?;
        let above: usize = self.by_score.range(score + 1..).map(|(_, ids)| ids.len()).sum();
        Some(above + ids.len() - 1 - place)
    }

    /// Visits the ids, best first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = K> {
        self.by_score.values().rev().flat_map(|ids| ids.iter().rev().copied())
    }
}

/// Puts loaded counts in the order of a ranking.
pub(crate) fn sorted<K: Id>(mut loaded: Vec<(K, Counts)>, limit: usize) -> Vec<(K, Counts)> {
    loaded.sort_unstable_by_key(|(id, counts)| Reverse((counts.score(), *id)));
    loaded.truncate(limit);
    loaded
}
