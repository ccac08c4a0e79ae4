//! What processes tell each other on the channel.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::Inv;

/// A message: who sent it, how many invalidations that process has told of, this one included, and what it is about.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Message {
    pub(super) from: u64,
    pub(super) number: u64,
    pub(super) news: News,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum News {
    /// These are invalid; numbered.
    Stale {
        what: Vec<Inv>,
        /// Each tag invalidated and its new token.
        tokens: Vec<(Box<str>, Box<str>)>,
        /// The new token of everything.
        namespace: Option<Box<str>>,
    },
    /// Somebody who waits for this key may look again.
    Landed(Box<str>),
    /// The sender is there; with the token of everything that it goes by.
    Beat(Option<Box<str>>),
    /// The sender leaves.
    Bye,
}

/// Names this process, and whatever in Redis must not be mistaken for another's.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) process: u64,
    count: AtomicU64,
}

impl Identity {
    /// No secret depends on it: the hasher's seed is chance enough, and needs no generator.
    pub(super) fn new() -> Self {
        use std::hash::{BuildHasher, RandomState};
        // Numbers of 53 bits survive a reader to whom all numbers are floating.
        Self { process: RandomState::new().hash_one("upshelf-cache") >> 11, count: AtomicU64::new(0) }
    }

    /// A text that nobody else makes.
    pub(super) fn unique(&self) -> String {
        format!("{:x}.{:x}", self.process, self.count.fetch_add(1, Ordering::Relaxed))
    }
}
