//! One load from take-off to landing: asks the other level first, loads if it is this one's turn, and stores.

use std::any::Any;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::entry::{Entry, length, weight};
use crate::flight::{Flight, Notes, Outcome};
use crate::local::{Cargo, Local};
use crate::shared::{self, Filled, Goods, Lease, Link, Meta, Raw, Shared, Turn};
use crate::{Context, Policy, Source, Value};

/// How long an older value is served without another look while somebody else loads.
const ELSEWHERE: Duration = Duration::from_millis(100);

/// Flies one flight, and ends it however its task ends.
pub(crate) struct Pilot {
    pub(crate) local: Arc<Local>,
    pub(crate) shared: Option<Arc<Shared>>,
    pub(crate) key: Arc<str>,
    pub(crate) flight: Arc<Flight>,
    pub(crate) policy: Policy,
    pub(crate) has_landed: bool,
}

/// What the other level had to say.
enum Approach {
    /// It has a fresh value.
    Hit(Arc<Entry>),
    /// It has a value, and somebody else loads the next.
    Elsewhere(Arc<Entry>),
    /// Load; with a lease, store; with a grace value, fail safely.
    Load(Option<Leased>, Option<Arc<Entry>>),
}

/// A lease that is given back whatever happens.
struct Leased {
    shared: Arc<Shared>,
    key: Arc<str>,
    lease: Option<Lease>,
}

impl Leased {
    /// Prolongs the lease as long as it is of use, so that nobody waits for a load that comes to nothing; never returns.
    async fn hold(&mut self, local: &Local, flight: &Flight) -> std::convert::Infallible {
        if let Some(lease) = &self.lease {
            tokio::select! {
                never = self.shared.hold(lease) => match never {},
                () = local.is_in_vain(flight) => self.give_back(),
            }
        }
        std::future::pending().await
    }

    fn give_back(&mut self) {
        if let Some(lease) = self.lease.take() {
            self.shared.release(&self.key, lease);
        }
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl Pilot {
    /// Brings a value home: from the other level, where the share `spare` of its ttl must be left, or from the loader.
    pub(crate) async fn fly<T, F, Fut, E>(&mut self, spare: f64, load: F) -> Outcome
    where
        T: Value,
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: Send + Sync + 'static,
    {
        let (leased, grace) = match self.approach::<T>(spare).await {
            Approach::Hit(entry) => {
                self.land(Cargo::Entry(Arc::clone(&entry)));
                return Outcome::Loaded(entry, Source::L2);
            }
            Approach::Elsewhere(entry) => {
                self.land(Cargo::Failure { backoff: ELSEWHERE });
                let source = source_of(&entry);
                return Outcome::Loaded(entry, source);
            }
            Approach::Load(leased, grace) => (leased, grace),
        };
        // Apart, so that what brings home a value of the other level is small.
        Box::pin(self.load(leased, grace, load)).await
    }

    /// Brings a value home from the loader.
    async fn load<T, F, Fut, E>(
        &mut self,
        mut leased: Option<Leased>,
        grace: Option<Arc<Entry>>,
        load: F,
    ) -> Outcome
    where
        T: Value,
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: Send + Sync + 'static,
    {
        if let Some(grace) = &grace {
            self.local.offer(&self.key, &self.flight, Arc::clone(grace));
        }
        self.local.stats.loads.count();
        let cx = Context { local: Arc::clone(&self.local), flight: Arc::clone(&self.flight) };
        let loading = timeout(self.policy.hard_timeout, async { load(cx).await });
        let loaded = match &mut leased {
            Some(leased) => tokio::select! {
                loaded = loading => loaded,
                never = leased.hold(&self.local, &self.flight) => match never {},
            },
            None => loading.await,
        };
        let failure = match loaded {
            Ok(Ok(value)) => {
                let entry = self.store(value, leased).await;
                return Outcome::Loaded(entry, Source::Loaded);
            }
            Ok(Err(error)) => Outcome::Failed(Arc::new(error)),
            Err(_) => Outcome::TimedOut,
        };
        match grace.filter(|grace| grace.is_clean() && Instant::now() < grace.deadlines.keep) {
            Some(grace) => {
                tracing::debug!(key = &*self.key, "served past its time");
                grace.retry_after(Instant::now(), self.policy.backoff);
                self.land(Cargo::Entry(Arc::clone(&grace)));
                let source = source_of(&grace);
                Outcome::Loaded(grace, source)
            }
            None => failure,
        }
    }

    /// Lands a value that is at hand, in this process alone.
    pub(crate) fn land_value<T: Value>(&mut self, value: T) -> Arc<Entry> {
        let notes = self.flight.notes().clone();
        let (length, is_kept) = (length(&value), notes.store);
        let entry = Arc::new(self.entry(value, None, length, notes));
        self.land(if is_kept { Cargo::Entry(Arc::clone(&entry)) } else { Cargo::Nothing });
        entry
    }

    /// Writes a value that is at hand, over whatever is there or being loaded.
    pub(crate) async fn put<T: Value>(&mut self, value: T) -> Arc<Entry> {
        let Some(shared) = self.shared.clone() else { return self.land_value(value) };
        let leased = match shared.question(&self.key) {
            Some(question) => shared.seize(question).await.ok(),
            None => None,
        };
        let leased = leased.map(|lease| self.leased(&shared, lease));
        let is_untold = leased.is_none();
        let entry = self.store(value, leased).await;
        // What others have is older, and so is what Redis has if it could not be told.
        if is_untold || shared.announce(&self.key).await.is_err() {
            shared.remember(&[crate::Inv::key(&*self.key)], &self.local);
        }
        entry
    }

    /// Stores a value and lands it.
    async fn store<T: Value>(&mut self, value: T, leased: Option<Leased>) -> Arc<Entry> {
        let leased = leased.and_then(|mut leased| Some((Arc::clone(&leased.shared), leased.lease.take()?)));
        let Some((shared, lease)) = leased else { return self.land_value(value) };
        let Ok(json) = serde_json::to_vec(&value) else {
            shared.release(&self.key, lease);
            return self.land_value(value);
        };
        let mut notes = self.flight.notes().clone();
        if !notes.store {
            shared.release(&self.key, lease);
            return self.land_value(value);
        }
        let mut names = std::mem::take(&mut notes.names);
        names.sort_unstable();
        names.dedup();
        let hash = shared::hash(&json);
        let entry = Arc::new(self.entry(value, Some(hash), json.len(), notes));
        let goods = Goods {
            json: &json,
            hash,
            tags: &names,
            ttl: entry.deadlines.fresh.saturating_duration_since(entry.loaded_at),
            grace: self.policy.grace_of(),
        };
        let cargo = match shared.fill(&self.key, lease, goods).await {
            Filled::Refused => {
                self.local.stats.refused_fills.count();
                Cargo::Nothing
            }
            Filled::Stored | Filled::Unknown => Cargo::Entry(Arc::clone(&entry)),
        };
        self.land(cargo);
        entry
    }

    fn land(&mut self, cargo: Cargo) {
        self.local.land(&self.key, &self.flight, cargo);
        self.has_landed = true;
    }

    fn leased(&self, shared: &Arc<Shared>, lease: Lease) -> Leased {
        Leased { shared: Arc::clone(shared), key: Arc::clone(&self.key), lease: Some(lease) }
    }

    /// Asks the other level until it has a value, or it is this one's turn to load.
    async fn approach<T: Value>(&self, mut spare: f64) -> Approach {
        let Some(shared) = &self.shared else { return Approach::Load(None, None) };
        let begun = Instant::now();
        let (mut wanting, mut waiter) = (Vec::new(), None);
        loop {
            let Some(question) = shared.question(&self.key) else { return Approach::Load(None, None) };
            let link = question.link();
            let (turn, raw) = match shared.read(question, spare, wanting.clone()).await {
                Ok(answer) => answer,
                Err(error) => {
                    if !error.is_away() {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(key = &*self.key, error, "Redis cannot be asked for a value");
                    }
                    return Approach::Load(None, None);
                }
            };
            let mut entry = None;
            if let Some(raw) = raw {
                entry = self.examine::<T>(shared, &link, &raw).await.map(Arc::new);
                if entry.is_none() {
                    wanting = raw.meta().to_vec();
                }
            }
            match (turn, entry) {
                (Turn::Nobody, Some(entry)) => return Approach::Hit(entry),
                // It was fresh but is no good: ask again without it.
                (Turn::Nobody, None) => continue,
                (Turn::Mine(lease), entry) => {
                    return Approach::Load(Some(self.leased(shared, lease)), entry);
                }
                (Turn::Theirs, Some(entry)) => return Approach::Elsewhere(entry),
                (Turn::Theirs, None) => {}
            }
            if begun.elapsed() >= self.policy.hard_timeout {
                return Approach::Load(None, None);
            }
            spare = 0.0;
            let waiter = waiter.get_or_insert_with(|| {
                self.local.stats.lease_waits.count();
                shared.wait_for(&self.key)
            });
            waiter.pause().await;
        }
    }

    /// Makes an entry of what the other level has, if that is valid.
    async fn examine<T: Value>(&self, shared: &Shared, link: &Link, raw: &Raw) -> Option<Entry> {
        let Some(meta) = Meta::read(raw.meta()).filter(|meta| meta.is_of(&raw.value)) else {
            self.local.stats.foreign_values.count();
            return None;
        };
        if !shared.is_valid(link, &meta).await {
            return None;
        }
        // What this process had before and has not changed since need not be made of its JSON again.
        let known = self.local.find_value(&self.key, meta.hash).filter(|value| value.is::<T>());
        let Some(value) = known.or_else(|| read::<T>(&raw.value)) else {
            self.local.stats.foreign_values.count();
            tracing::debug!(key = &*self.key, "Redis holds a value of another type here");
            return None;
        };
        let now = Instant::now();
        let age = (meta.ttl + meta.grace).saturating_sub(raw.left);
        let tags = meta.tags.iter().map(|(tag, _)| self.local.tag(tag));
        Some(Entry {
            value,
            hash: Some(meta.hash),
            weight: weight::<T>(&self.key, raw.value.len()),
            began: self.flight.began,
            tags: std::iter::once(self.local.everything()).chain(tags).collect(),
            loaded_at: now.checked_sub(age).unwrap_or(now),
            kept_at: now,
            verify: now + self.local.trust.cap,
            deadlines: self.policy.rest(meta.ttl, age, raw.left, meta.grace, now),
            retry_at: AtomicU64::new(0),
        })
    }

    fn entry<T: Value>(&self, value: T, hash: Option<u64>, length: usize, notes: Notes) -> Entry {
        let now = Instant::now();
        let mut hasher = DefaultHasher::new();
        (&*self.key, self.flight.began).hash(&mut hasher);
        let chance = (hasher.finish() >> 11) as f64 / (1_u64 << 53) as f64;
        Entry {
            value: Arc::new(value),
            hash,
            weight: weight::<T>(&self.key, length),
            began: self.flight.began,
            tags: notes.tags.into(),
            loaded_at: now,
            kept_at: now,
            verify: now + self.local.trust.cap,
            deadlines: self.policy.deadlines(notes.ttl, now, chance),
            retry_at: AtomicU64::new(0),
        }
    }
}

impl Drop for Pilot {
    fn drop(&mut self) {
        if !self.has_landed {
            self.land(Cargo::Failure { backoff: self.policy.backoff });
        }
    }
}

/// Makes a value of its JSON.
fn read<T: Value>(json: &[u8]) -> Option<Arc<dyn Any + Send + Sync>> {
    // Checked as text at once, which is cheaper than each part by itself.
    let value = serde_json::from_str::<T>(std::str::from_utf8(json).ok()?).ok()?;
    Some(Arc::new(value))
}

/// Where a value of the other level comes from, as the reader sees it.
fn source_of(entry: &Entry) -> Source {
    if Instant::now() < entry.deadlines.fresh { Source::L2 } else { Source::Stale }
}
