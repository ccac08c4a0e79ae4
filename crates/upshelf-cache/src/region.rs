//! Reading through the cache.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use tokio::time::{Instant, timeout};

use crate::entry::Entry;
use crate::flight::{Flight, Outcome, Tower};
use crate::local::Boarding;
use crate::pilot::Pilot;
use crate::{Context, Core, Hit, LoadError, Policy, Source, Value};

/// A typed view of the cache with a policy; cheap to clone.
pub struct Region<T> {
    core: Arc<Core>,
    name: Arc<str>,
    policy: Policy,
    value: PhantomData<fn() -> T>,
}

impl<T: Value> Region<T> {
    pub(crate) fn new(core: Arc<Core>, name: &str, policy: Policy) -> Self {
        Self { core, name: name.into(), policy, value: PhantomData }
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
        match self.find(key) {
            Some(entry) if self.core.local.is_settled(&entry, now) => {
                self.core.local.stats.hits_l1.count();
                Ok(Hit::new(entry, now, Source::L1))
            }
            found => self.decide(key, now, found, load).await,
        }
    }

    /// Serves what was found, or has it loaded.
    async fn decide<F, Fut, E>(
        &self,
        key: &str,
        now: Instant,
        found: Option<Arc<Entry>>,
        load: F,
    ) -> Result<Hit<T>, LoadError<E>>
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        E: Send + Sync + 'static,
    {
        let local = &self.core.local;
        let found = found.filter(|entry| now < entry.deadlines.keep);
        if let Some(entry) = &found {
            let may_retry = entry.may_retry(now);
            if now < entry.deadlines.fresh && local.trusts(entry, now) {
                local.stats.hits_l1.count();
                let hit = Hit::new(Arc::clone(entry), now, Source::L1);
                if may_retry && now >= entry.deadlines.early {
                    self.refresh(key, now, load);
                }
                return Ok(hit);
            }
            if !may_retry {
                local.stats.hits_stale.count();
                return Ok(Hit::new(Arc::clone(entry), now, Source::Stale));
            }
        }
        local.stats.misses.count();
        let outcome = self.load(key, now, found, load).await;
        if let Ok(hit) = &outcome {
            match hit.source() {
                Source::L1 => local.stats.hits_l1.count(),
                Source::L2 => local.stats.hits_l2.count(),
                Source::Stale => local.stats.hits_stale.count(),
                Source::Loaded => {}
            }
        }
        outcome
    }

    /// Returns the value of a key if it is in this process's memory and fresh; never loads.
    pub fn peek(&self, key: &str) -> Option<Hit<T>> {
        let now = Instant::now();
        self.find(key)
            .filter(|entry| now < entry.deadlines.fresh && self.core.local.trusts(entry, now))
            .map(|entry| Hit::new(entry, now, Source::L1))
    }

    /// Writes a value that the caller has just made.
    ///
    /// The cache cannot know when that was: prefer [`get_or_load`](Region::get_or_load), whose loads notice an invalidation.
    pub async fn set(&self, key: &str, value: T) {
        self.set_with_tags(key, value, [""; 0]).await;
    }

    /// Writes a value that the caller has just made, with tags.
    pub async fn set_with_tags<S: AsRef<str>>(&self, key: &str, value: T, tags: impl IntoIterator<Item = S>) {
        let local = &self.core.local;
        let (flight, tower) = local.seize(key);
        for tag in tags {
            local.put_tag(&flight, tag.as_ref());
        }
        let mut pilot = self.pilot(Arc::clone(&flight));
        if self.core.shared.is_none() {
            let entry = pilot.land_value(value);
            tower.tell(Outcome::Loaded(entry, Source::Loaded));
            return;
        }
        local.tasks().spawn(async move {
            let entry = pilot.put(value).await;
            drop(pilot);
            tower.tell(Outcome::Loaded(entry, Source::Loaded));
        });
        flight.landed().await;
    }

    /// Finds a clean entry of this type.
    fn find(&self, key: &str) -> Option<Arc<Entry>> {
        let entry = self.core.local.find(key)?;
        if !entry.value.is::<T>() {
            tracing::error!(key, region = &*self.name, "another region holds a value of another type here");
            return None;
        }
        Some(entry)
    }

    /// Loads in the background, unless somebody does.
    fn refresh<F, Fut, E>(&self, key: &str, now: Instant, load: F)
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        E: Send + Sync + 'static,
    {
        let is_wanted = |entry: &Entry| now < entry.deadlines.early;
        if let Boarding::Leading(flight, tower) = self.core.local.board(key, is_wanted) {
            self.take_off(flight, tower, self.policy.spare(), load);
        }
    }

    async fn load<F, Fut, E>(
        &self,
        key: &str,
        now: Instant,
        stale: Option<Arc<Entry>>,
        load: F,
    ) -> Result<Hit<T>, LoadError<E>>
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        E: Send + Sync + 'static,
    {
        let local = &self.core.local;
        let arrived = local.sequence();
        let is_wanted =
            |entry: &Entry| now < entry.deadlines.fresh && entry.value.is::<T>() && local.trusts(entry, now);
        loop {
            match local.board(key, is_wanted) {
                Boarding::Found(entry) => return Ok(Hit::new(entry, now, Source::L1)),
                Boarding::Leading(flight, tower) => {
                    self.take_off(Arc::clone(&flight), tower, 0.0, load);
                    if let Some(limit) = self.policy.soft_timeout
                        && timeout(limit, flight.landed()).await.is_err()
                        // Also what another process loaded, and this one has seen only now.
                        && let Some(old) = self.find(key).filter(|old| now < old.deadlines.keep)
                    {
                        return Ok(Hit::new(old, now, Source::Stale));
                    }
                    let answer = match flight.landed().await {
                        Some(outcome) => answer(outcome).expect("this reader's own loader has its types"),
                        None => Err(LoadError::Crashed),
                    };
                    return answer.or_else(|error| self.save(key, stale, error));
                }
                Boarding::Joined(flight) => {
                    if let Some(stale) = &stale
                        && now >= stale.deadlines.fresh
                    {
                        return Ok(Hit::new(Arc::clone(stale), now, Source::Stale));
                    }
                    let Some(outcome) = flight.landed().await else { return Err(LoadError::Crashed) };
                    // A reader that came after an invalidation takes nothing from a load that began before it, and
                    // only now is it known which tags that load put on its value. Its own load, if it comes to that,
                    // or any other that begins from now on, is new enough.
                    let too_old = flight.began < arrived
                        && matches!(&outcome, Outcome::Loaded(entry, _) if !entry.is_clean());
                    if !too_old && let Some(answer) = answer(outcome) {
                        return answer;
                    }
                }
            }
        }
    }

    /// Runs a loader on its own, so that no reader's end is its end.
    fn take_off<F, Fut, E>(&self, flight: Arc<Flight>, tower: Tower, spare: f64, load: F)
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        E: Send + Sync + 'static,
    {
        let mut pilot = self.pilot(flight);
        // Boxed at once: on its way to become a task it would be copied several times.
        self.core.local.tasks().spawn(Box::pin(async move {
            let outcome = pilot.fly(spare, load).await;
            // Those who wait look at the cache again at once: the flight must have ended before they hear of it.
            drop(pilot);
            tower.tell(outcome);
        }));
    }

    fn pilot(&self, flight: Arc<Flight>) -> Pilot {
        Pilot {
            local: Arc::clone(&self.core.local),
            shared: self.core.shared.clone(),
            key: Arc::clone(&flight.key),
            flight,
            policy: self.policy,
            has_landed: false,
        }
    }

    /// Serves the grace value instead of an error.
    fn save<E>(
        &self,
        key: &str,
        stale: Option<Arc<Entry>>,
        error: LoadError<E>,
    ) -> Result<Hit<T>, LoadError<E>> {
        match stale {
            Some(stale) if stale.is_clean() => {
                tracing::debug!(key, region = &*self.name, %error, "served past its time");
                Ok(Hit::new(stale, Instant::now(), Source::Stale))
            }
            _ => Err(error),
        }
    }
}

/// Reads an outcome in the reader's own types; `None` when the load was of other types.
fn answer<T: Value, E: Send + Sync + 'static>(outcome: Outcome) -> Option<Result<Hit<T>, LoadError<E>>> {
    Some(match outcome {
        Outcome::Loaded(entry, source) => {
            if !entry.value.is::<T>() {
                return None;
            }
            Ok(Hit::new(entry, Instant::now(), source))
        }
        Outcome::Failed(error) => Err(LoadError::Failed(error.downcast().ok()?)),
        Outcome::TimedOut => Err(LoadError::TimedOut),
    })
}

impl<T> Clone for Region<T> {
    fn clone(&self) -> Self {
        Self { core: Arc::clone(&self.core), name: Arc::clone(&self.name), ..*self }
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
