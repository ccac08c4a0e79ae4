//! Reading through the cache.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::entry::{Entry, weigh};
use crate::flight::{Flight, Notes, Outcome};
use crate::local::{Boarding, Cargo, Local};
use crate::{Context, Hit, LoadError, Policy, Source, Value};

/// A typed view of the cache with a policy; cheap to clone.
pub struct Region<T> {
    local: Arc<Local>,
    name: Arc<str>,
    policy: Policy,
    value: PhantomData<fn() -> T>,
}

/// An entry of the right type.
struct Found<T> {
    entry: Arc<Entry>,
    value: Arc<T>,
}

impl<T: Value> Region<T> {
    pub(crate) fn new(local: Arc<Local>, name: &str, policy: Policy) -> Self {
        Self { local, name: name.into(), policy, value: PhantomData }
    }

    /// Returns the value of a key, loading it when it is not there.
    ///
    /// Of many readers that miss, one loader runs, as a task of the cache. It hears of its value through the
    /// [`Context`]. The table at the top says what a reader gets when.
    ///
    /// # Errors
    /// What became of the loader, when there is no value to serve; errors are not cached.
    pub async fn get_or_load<F, Fut, E>(&self, key: &str, load: F) -> Result<Hit<T>, LoadError<E>>
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        E: Send + Sync + 'static,
    {
        let now = Instant::now();
        let stale = match self.find(key) {
            Some(found) if now < found.entry.deadlines.early => return Ok(found.hit(now, Source::L1)),
            Some(found) if now < found.entry.deadlines.fresh => {
                if found.entry.may_retry(now) {
                    self.refresh(key, now, load);
                }
                return Ok(found.hit(now, Source::L1));
            }
            Some(found) if now < found.entry.deadlines.keep => {
                if !found.entry.may_retry(now) {
                    return Ok(found.hit(now, Source::Stale));
                }
                Some(found)
            }
            _ => None,
        };
        self.load(key, now, stale, load).await
    }

    /// Returns the value of a key if it is in this process's memory and fresh; never loads.
    pub fn peek(&self, key: &str) -> Option<Hit<T>> {
        let now = Instant::now();
        self.find(key)
            .filter(|found| now < found.entry.deadlines.fresh)
            .map(|found| found.hit(now, Source::L1))
    }

    /// Writes a value that the caller has just made.
    ///
    /// The cache cannot know when that was: prefer [`get_or_load`](Region::get_or_load), whose loads notice an invalidation.
    pub async fn set(&self, key: &str, value: T) {
        self.set_with_tags(key, value, [""; 0]).await;
    }

    /// Writes a value that the caller has just made, with tags.
    pub async fn set_with_tags<S: AsRef<str>>(&self, key: &str, value: T, tags: impl IntoIterator<Item = S>) {
        let began = self.local.sequence();
        let mut carried = vec![self.local.everything()];
        carried.extend(tags.into_iter().map(|tag| self.local.tag(tag.as_ref())));
        let notes = Notes { tags: carried, ttl: None, store: true };
        self.local.put(key, Arc::new(entry(&self.policy, key, value, began, notes)));
    }

    fn find(&self, key: &str) -> Option<Found<T>> {
        let entry = self.local.find(key)?;
        let value = entry.typed();
        if value.is_none() {
            tracing::error!(key, region = &*self.name, "another region holds a value of another type here");
        }
        Some(Found { value: value?, entry })
    }

    /// Loads in the background, unless somebody does.
    fn refresh<F, Fut, E>(&self, key: &str, now: Instant, load: F)
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        E: Send + Sync + 'static,
    {
        if let Boarding::Leading(flight, tower) = self.local.board(key, |entry| now < entry.deadlines.early) {
            self.take_off(key, flight, tower, load);
        }
    }

    async fn load<F, Fut, E>(
        &self,
        key: &str,
        now: Instant,
        stale: Option<Found<T>>,
        load: F,
    ) -> Result<Hit<T>, LoadError<E>>
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        E: Send + Sync + 'static,
    {
        let arrived = self.local.sequence();
        let is_wanted = |entry: &Entry| now < entry.deadlines.fresh && entry.value.is::<T>();
        loop {
            match self.local.board(key, is_wanted) {
                Boarding::Found(entry) => {
                    if let Some(value) = entry.typed() {
                        return Ok(Found { entry, value }.hit(now, Source::L1));
                    }
                }
                Boarding::Leading(flight, tower) => {
                    self.take_off(key, Arc::clone(&flight), tower, load);
                    if let (Some(limit), Some(old)) = (self.policy.soft_timeout, &stale)
                        && timeout(limit, flight.landed()).await.is_err()
                        && old.entry.is_clean()
                    {
                        return Ok(old.hit(now, Source::Stale));
                    }
                    let answer = match flight.landed().await {
                        Some(outcome) => answer(outcome).expect("this reader's own loader has its types"),
                        None => Err(LoadError::Crashed),
                    };
                    return answer.or_else(|error| self.save(key, stale, error));
                }
                Boarding::Joined(flight) => {
                    if let Some(stale) = stale {
                        return Ok(stale.hit(now, Source::Stale));
                    }
                    let Some(outcome) = flight.landed().await else { return Err(LoadError::Crashed) };
                    // A reader that came after an invalidation takes nothing from a load that began before it, and
                    // only now is it known which tags that load put on its value. Its own load, if it comes to that,
                    // or any other that begins from now on, is new enough.
                    let too_old = flight.began < arrived
                        && matches!(&outcome, Outcome::Loaded(entry) if !entry.is_clean());
                    if !too_old && let Some(answer) = answer(outcome) {
                        return answer;
                    }
                }
            }
        }
    }

    /// Runs a loader on its own, so that no reader's end is its end.
    fn take_off<F, Fut, E>(
        &self,
        key: &str,
        flight: Arc<Flight>,
        tower: watch::Sender<Option<Outcome>>,
        load: F,
    ) where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        E: Send + Sync + 'static,
    {
        let pilot = Pilot {
            local: Arc::clone(&self.local),
            key: key.into(),
            flight,
            backoff: self.policy.backoff,
            landed: false,
        };
        let policy = self.policy;
        self.local.tasks().spawn(async move {
            let mut pilot = pilot;
            let cx = Context { local: Arc::clone(&pilot.local), flight: Arc::clone(&pilot.flight) };
            let outcome = match timeout(policy.hard_timeout, async { load(cx).await }).await {
                Ok(Ok(value)) => Outcome::Loaded(pilot.land(&policy, value)),
                Ok(Err(error)) => Outcome::Failed(Arc::new(error)),
                Err(_) => Outcome::TimedOut,
            };
            // Those who wait look at the cache again at once: the flight must have ended before they hear of it.
            drop(pilot);
            tower.send_replace(Some(outcome));
        });
    }

    /// Serves the grace value instead of an error.
    fn save<E>(
        &self,
        key: &str,
        stale: Option<Found<T>>,
        error: LoadError<E>,
    ) -> Result<Hit<T>, LoadError<E>> {
        match stale {
            Some(stale) if stale.entry.is_clean() => {
                tracing::debug!(key, region = &*self.name, %error, "served past its time");
                Ok(stale.hit(Instant::now(), Source::Stale))
            }
            _ => Err(error),
        }
    }
}

/// Ends a flight however its task ends.
struct Pilot {
    local: Arc<Local>,
    key: Arc<str>,
    flight: Arc<Flight>,
    backoff: Duration,
    landed: bool,
}

impl Pilot {
    fn land<T: Value>(&mut self, policy: &Policy, value: T) -> Arc<Entry> {
        let notes = self.flight.notes().clone();
        let store = notes.store;
        let entry = Arc::new(entry(policy, &self.key, value, self.flight.began, notes));
        let cargo = if store { Cargo::Entry(Arc::clone(&entry)) } else { Cargo::Nothing };
        self.local.land(&self.key, &self.flight, cargo);
        self.landed = true;
        entry
    }
}

impl Drop for Pilot {
    fn drop(&mut self) {
        if !self.landed {
            self.local.land(&self.key, &self.flight, Cargo::Failure { backoff: self.backoff });
        }
    }
}

impl<T> Found<T> {
    fn hit(&self, now: Instant, source: Source) -> Hit<T> {
        Hit {
            value: Arc::clone(&self.value),
            source,
            age: now.saturating_duration_since(self.entry.loaded_at),
        }
    }
}

fn entry<T: Value>(policy: &Policy, key: &str, value: T, began: u64, notes: Notes) -> Entry {
    let loaded_at = Instant::now();
    let mut hasher = DefaultHasher::new();
    (key, began).hash(&mut hasher);
    let chance = (hasher.finish() >> 11) as f64 / (1_u64 << 53) as f64;
    Entry {
        weight: weigh(key, &value),
        value: Arc::new(value),
        began,
        tags: notes.tags.into(),
        loaded_at,
        deadlines: policy.deadlines(notes.ttl, loaded_at, chance),
        retry_at: AtomicU64::new(0),
    }
}

/// Reads an outcome in the reader's own types; `None` when the load was of other types.
fn answer<T: Value, E: Send + Sync + 'static>(outcome: Outcome) -> Option<Result<Hit<T>, LoadError<E>>> {
    Some(match outcome {
        Outcome::Loaded(entry) => {
            let value = entry.typed()?;
            Ok(Found { entry, value }.hit(Instant::now(), Source::Loaded))
        }
        Outcome::Failed(error) => Err(LoadError::Failed(error.downcast().ok()?)),
        Outcome::TimedOut => Err(LoadError::TimedOut),
    })
}

impl<T> Clone for Region<T> {
    fn clone(&self) -> Self {
        Self { local: Arc::clone(&self.local), name: Arc::clone(&self.name), ..*self }
    }
}

impl<T> fmt::Debug for Region<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region")
            .field("name", &self.name)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
