//! The level of this process: entries, flights, tags, and the one clock that orders loads and invalidations.

use std::any::Any;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quick_cache::sync::Cache as Entries;
use quick_cache::{OptionsBuilder, Weighter};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::entry::{Entry, nanoseconds};
use crate::flight::{Flight, Flights, Tower};
use crate::glob;
use crate::inv::{Inv, Level, Receipt};
use crate::stats::Counters;
use crate::tags::{Tag, Tags};

/// The weight that shares one lock: an entry must be lighter, so that more locks would mean smaller values.
const SHARD: u64 = 4 << 20;

/// The part of the cache within this process: the whole cache when there is nothing else.
///
/// Invalidations are numbered. A load notes the number it began at; its value is good while neither its key nor one of its
/// tags has met an invalidation with a greater number. For tags the reader of an entry checks that; for keys
/// the invalidation removes the entry and calls off the flight.
pub struct Local {
    sequence: AtomicU64,
    everything: Arc<Tag>,
    tags: Tags,
    entries: Entries<Arc<str>, Arc<Entry>, ByWeight>,
    flights: Flights,
    /// Wakes those whose flight may have lost its purpose.
    invalidated: Notify,
    tasks: TaskTracker,
    pub(crate) stats: Counters,
    origin: Instant,
    /// Since when other processes' invalidations may be missing, in nanoseconds after `origin`; [`TRUSTED`] if they are not.
    distrusted: AtomicU64,
    pub(crate) trust: Trust,
}

/// How far entries are trusted where other processes may invalidate them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trust {
    /// How long after it was kept an entry is good without asking the other level.
    pub(crate) cap: Duration,
    /// How long an entry is good while invalidations may be missing.
    pub(crate) max_stale: Duration,
}

const TRUSTED: u64 = u64::MAX;

#[derive(Clone)]
struct ByWeight;

impl Weighter<Arc<str>, Arc<Entry>> for ByWeight {
    fn weight(&self, _: &Arc<str>, entry: &Arc<Entry>) -> u64 {
        entry.weight
    }
}

/// What a reader that missed is to do.
pub(crate) enum Boarding {
    /// Somebody else has just loaded it.
    Found(Arc<Entry>),
    /// Wait for somebody else's load.
    Joined(Arc<Flight>),
    /// Load, and tell the tower.
    Leading(Arc<Flight>, Tower),
}

/// What a flight brings home.
pub(crate) enum Cargo {
    /// A value to keep.
    Entry(Arc<Entry>),
    /// A value that its loader did not want kept.
    Nothing,
    /// No value: the one there is may be served for a while without another try.
    Failure { backoff: Duration },
}

impl Local {
    pub(crate) fn new(weight: u64, trust: Trust) -> Self {
        let options = OptionsBuilder::new()
            .shards(usize::try_from(weight / SHARD).unwrap_or(usize::MAX).clamp(1, 64))
            .estimated_items_capacity(
                usize::try_from(weight / 16_384).unwrap_or(usize::MAX).clamp(64, 1 << 20),
            )
            .weight_capacity(weight)
            .build()
            .expect("both capacities are given");
        Self {
            sequence: AtomicU64::new(0),
            everything: Arc::default(),
            tags: Tags::default(),
            entries: Entries::with_options(options, ByWeight, Default::default(), Default::default()),
            flights: Flights::default(),
            invalidated: Notify::new(),
            tasks: TaskTracker::new(),
            stats: Counters::default(),
            origin: Instant::now(),
            distrusted: AtomicU64::new(TRUSTED),
            trust,
        }
    }

    /// Notes that invalidations of other processes may be missing from now on.
    pub(crate) fn distrust(&self) {
        let since = nanoseconds(self.origin.elapsed());
        let _ = self.distrusted.compare_exchange(TRUSTED, since, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Notes that none is missing any more.
    pub(crate) fn trust(&self) {
        self.distrusted.store(TRUSTED, Ordering::Release);
    }

    /// Says whether an entry may be served without another thought: what most reads find.
    pub(crate) fn is_settled(&self, entry: &Entry, now: Instant) -> bool {
        now < entry.verify
            && now < entry.deadlines.early
            && self.distrusted.load(Ordering::Acquire) == TRUSTED
    }

    /// Says whether an entry may be served without asking the other level.
    pub(crate) fn trusts(&self, entry: &Entry, now: Instant) -> bool {
        let since = self.distrusted.load(Ordering::Acquire);
        if since == TRUSTED {
            return now < entry.verify;
        }
        let since = self.origin + Duration::from_nanos(since);
        now < entry.verify && now < entry.kept_at.max(since) + self.trust.max_stale
    }

    /// Drops everything, of flights too: it may have been invalidated unheard.
    pub(crate) fn flush(&self) {
        self.stats.flushes.count();
        self.invalidate_now(&[Inv::All]);
    }

    /// Returns the number of the last invalidation that has begun.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence.load(Ordering::Acquire)
    }

    pub(crate) fn tag(&self, name: &str) -> Arc<Tag> {
        self.tags.named(name)
    }

    pub(crate) fn everything(&self) -> Arc<Tag> {
        Arc::clone(&self.everything)
    }

    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    pub(crate) async fn close(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Finds an entry that nothing has invalidated.
    pub(crate) fn find(&self, key: &str) -> Option<Arc<Entry>> {
        let entry = self.entries.get(key)?;
        if entry.is_clean() {
            return Some(entry);
        }
        self.entries.remove_if(key, |present| Arc::ptr_eq(present, &entry));
        None
    }

    /// Finds a value by the hash of its JSON, however old it is.
    pub(crate) fn find_value(&self, key: &str, hash: u64) -> Option<Arc<dyn Any + Send + Sync>> {
        let entry = self.entries.peek(key).filter(|entry| entry.hash == Some(hash))?;
        Some(Arc::clone(&entry.value))
    }

    /// Finds what the reader wants, or the flight that brings it, or begins one.
    pub(crate) fn board(&self, key: &str, is_wanted: impl FnOnce(&Entry) -> bool) -> Boarding {
        let mut stripe = self.flights.of(key);
        if let Some(entry) = self.find(key).filter(|entry| is_wanted(entry)) {
            return Boarding::Found(entry);
        }
        if let Some(flight) = stripe.get(key)
            && flight.is_clean()
        {
            return Boarding::Joined(Arc::clone(flight));
        }
        let (flight, tower) = Flight::new(key, self.sequence(), self.everything());
        stripe.insert(Arc::clone(&flight.key), Arc::clone(&flight));
        Boarding::Leading(flight, tower)
    }

    /// Ends a flight; what it brings counts only if it has not been called off.
    pub(crate) fn land(&self, key: &Arc<str>, flight: &Arc<Flight>, cargo: Cargo) {
        let mut stripe = self.flights.of(key);
        if !stripe.get(key).is_some_and(|standing| Arc::ptr_eq(standing, flight)) {
            return;
        }
        stripe.remove(key);
        match cargo {
            Cargo::Entry(entry) => self.entries.insert(Arc::clone(key), entry),
            Cargo::Nothing => {}
            Cargo::Failure { backoff } => {
                if let Some(entry) = self.entries.peek(key) {
                    entry.retry_after(Instant::now(), backoff);
                }
            }
        }
    }

    /// Keeps an older value to serve while a flight is under way.
    pub(crate) fn offer(&self, key: &Arc<str>, flight: &Arc<Flight>, entry: Arc<Entry>) {
        let stripe = self.flights.of(key);
        let stands = stripe.get(key).is_some_and(|standing| Arc::ptr_eq(standing, flight));
        if stands && self.find(key).is_none() {
            self.entries.insert(Arc::clone(key), entry);
        }
    }

    /// Begins a flight that takes the place of any other.
    pub(crate) fn seize(&self, key: &str) -> (Arc<Flight>, Tower) {
        let mut stripe = self.flights.of(key);
        let (flight, tower) = Flight::new(key, self.sequence(), self.everything());
        stripe.insert(Arc::clone(&flight.key), Arc::clone(&flight));
        (flight, tower)
    }

    fn drop_key(&self, key: &str) {
        let mut stripe = self.flights.of(key);
        stripe.remove(key);
        self.entries.remove(key);
    }

    /// Calls off the flights first: what lands before its stripe is reached is an entry when the entries are swept.
    fn drop_pattern(&self, pattern: &str) {
        for mut stripe in self.flights.all() {
            stripe.retain(|key, _| !glob::covers(pattern, key));
        }
        self.entries.retain(|key, _| !glob::covers(pattern, key));
    }

    fn drop_everything(&self, sequence: u64) {
        self.everything.touch(sequence);
        for mut stripe in self.flights.all() {
            stripe.clear();
        }
        self.entries.clear();
    }

    /// Makes everything named unreadable; see [`Level::invalidate`].
    pub(crate) fn invalidate_now(&self, what: &[Inv]) {
        let sequence = self.sequence.fetch_add(1, Ordering::AcqRel) + 1;
        for inv in what {
            match inv {
                Inv::Key(key) => self.drop_key(key),
                Inv::Tag(tag) | Inv::Cascade(tag) => self.tags.named(tag).touch(sequence),
                Inv::Pattern(pattern) => self.drop_pattern(pattern),
                Inv::All => self.drop_everything(sequence),
            }
        }
        self.invalidated.notify_waiters();
    }

    /// Puts a tag on the value of a flight.
    pub(crate) fn put_tag(&self, flight: &Flight, name: &str) {
        let tag = self.tag(name);
        let was_touched = tag.was_touched_after(flight.began);
        flight.tag(name, tag);
        if was_touched {
            self.invalidated.notify_waiters();
        }
    }

    /// Waits until a flight's value cannot be kept any more, because of one of its tags or everything.
    pub(crate) async fn is_in_vain(&self, flight: &Flight) {
        loop {
            let mut next = std::pin::pin!(self.invalidated.notified());
            next.as_mut().enable();
            if !flight.is_clean() {
                return;
            }
            next.await;
        }
    }
}

impl Level for Local {
    type Error = Infallible;

    async fn invalidate(&self, what: &[Inv]) -> Result<Receipt, Infallible> {
        self.invalidate_now(what);
        Ok(Receipt::of(what))
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local")
            .field("entries", &self.entries.len())
            .field("weight", &self.entries.weight())
            .field("capacity", &self.entries.capacity())
            .finish_non_exhaustive()
    }
}
