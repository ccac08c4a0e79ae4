//! What the cache has done so far.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// What a cache has done since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Reads answered from this process's memory.
    pub hits_l1: u64,
    /// Reads answered from Redis.
    pub hits_l2: u64,
    /// Reads answered with a value past its time.
    pub hits_stale: u64,
    /// Reads that found nothing to serve at once in this process's memory.
    pub misses: u64,
    /// Loaders that ran.
    pub loads: u64,
    /// Loads of other processes that were waited for.
    pub lease_waits: u64,
    /// Values that Redis did not take, because something they depend on was invalidated while they were loaded.
    pub refused_fills: u64,
    /// Values in Redis that were no values of ours, or of another type.
    pub foreign_values: u64,
    /// Times that everything in this process's memory was dropped, because something may have been invalidated unheard.
    pub flushes: u64,
    /// Invalidations that Redis could not be told at once.
    pub remembered: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) hits_l1: Counter,
    pub(crate) hits_l2: Counter,
    pub(crate) hits_stale: Counter,
    pub(crate) misses: Counter,
    pub(crate) loads: Counter,
    pub(crate) lease_waits: Counter,
    pub(crate) refused_fills: Counter,
    pub(crate) foreign_values: Counter,
    pub(crate) flushes: Counter,
    pub(crate) remembered: Counter,
}

impl Counters {
    pub(crate) fn read(&self) -> Stats {
        Stats {
            hits_l1: self.hits_l1.sum(),
            hits_l2: self.hits_l2.sum(),
            hits_stale: self.hits_stale.sum(),
            misses: self.misses.sum(),
            loads: self.loads.sum(),
            lease_waits: self.lease_waits.sum(),
            refused_fills: self.refused_fills.sum(),
            foreign_values: self.foreign_values.sum(),
            flushes: self.flushes.sum(),
            remembered: self.remembered.sum(),
        }
    }
}

const CELLS: usize = 8;

/// A counter that threads seldom share a cache line of.
#[derive(Debug, Default)]
pub(crate) struct Counter([Lined; CELLS]);

#[derive(Debug, Default)]
#[repr(align(64))]
struct Lined(AtomicU64);

impl Counter {
    pub(crate) fn count(&self) {
        self.0[cell()].0.fetch_add(1, Ordering::Relaxed);
    }

    fn sum(&self) -> u64 {
        self.0.iter().map(|cell| cell.0.load(Ordering::Relaxed)).sum()
    }
}

/// The cell of this thread.
fn cell() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static CELL: Cell<usize> = const { Cell::new(usize::MAX) });
    CELL.with(|cell| {
        if cell.get() == usize::MAX {
            cell.set(NEXT.fetch_add(1, Ordering::Relaxed) % CELLS);
        }
        cell.get()
    })
}
