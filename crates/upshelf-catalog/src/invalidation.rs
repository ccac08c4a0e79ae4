//! What a change makes stale: declared once, and the design note's calls as thin functions.
//!
//! | a change of | makes stale |
//! | --- | --- |
//! | `resource:{id}` | popular lists, the counts of categories and tags, collections that hold it |
//! | `profile:{id}` | the profile, the member's collections |
//! | `category:{id}` | categories and tags |

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use upshelf_cache::{Cascade, Inv, Policy, Receipt};
use upshelf_queue::{Broker, JobId, Options};
use upshelf_store::{CollectionId, MemberId, ResourceId, Tx};

use crate::jobs::connection;
use crate::regions::{CATEGORIES, POPULAR, TAGS, collection_key, popular_key, profile_key};
use crate::{Catalog, Invalidate, Result};

/// What follows from what; the cache that the catalog is opened with must know it.
pub fn cascade() -> Cascade {
    let shelf = || [Inv::key(CATEGORIES), Inv::key(TAGS)];
    Cascade::new([
        // Collections carry a tag `resource:{id}` for each resource in them: the cascade's own name is that tag.
        ("resource:{id}", [of_popular(), shelf().to_vec()].concat()),
        ("profile:{id}", vec![Inv::key("cache:profile:{id}"), Inv::tag("collections-of:{id}")]),
        ("category:{id}", shelf().to_vec()),
        ("collection:{id}", vec![Inv::key("cache:collection:{id}")]),
    ])
    .expect("nothing above comes back to itself")
}

/// How long after a change it is forgotten once more, if the process that made it ended before it was.
const AGAIN: Duration = Duration::from_secs(5);

/// What a change made stale: to be forgotten after its commit, see [`Catalog::forget`].
#[must_use = "it stays stale until it is forgotten"]
pub(crate) struct Stale {
    what: Vec<Inv>,
    noted: Noted,
}

/// How other processes come to know of a change although this one may end before it tells them.
enum Noted {
    /// By a number in the database, which they look at.
    Marked(i64),
    /// By a job that forgets it again in the cache that all share.
    Job(Option<JobId>),
}

impl Catalog {
    /// Notes what a change makes stale, in the change's own transaction: other processes come to know of it even if this
    /// one ends between its commit and [`forget`](Catalog::forget).
    pub(crate) async fn stale(&self, tx: &mut Tx, what: Vec<Inv>) -> Result<Stale> {
        let noted = if self.inner.services.cache.is_shared() {
            let job = Invalidate { what: what.clone() };
            let options = Options::default().at(self.clock().now().after(AGAIN).timestamp());
            Noted::Job(self.queue().enqueue(connection(tx), &job, options).await?)
        } else {
            Noted::Marked(self.mark_change(tx).await?)
        };
        Ok(Stale { what, noted })
    }

    /// Forgets what a committed change made stale.
    pub(crate) async fn forget(&self, stale: Stale) {
        let receipt = self.inner.services.cache.invalidate(stale.what).await;
        match stale.noted {
            Noted::Marked(change) => self.noticed_own(change),
            Noted::Job(Some(job)) if receipt.is_everywhere() => {
                // It would do no harm, and cost everybody what it drops.
                if let Err(error) = self.queue().remove(job).await {
                    let error = &error as &dyn std::error::Error;
                    tracing::debug!(error, "what is forgotten will be forgotten once more");
                }
            }
            Noted::Job(_) => {}
        }
    }

    /// Forgets what an earlier change made stale, in the cache that all processes share; says whether it is done.
    pub async fn forget_again(&self, what: &[Inv]) -> bool {
        self.inner.services.cache.invalidate(what.iter().cloned()).await.is_everywhere()
    }

    /// Says whether this process hears of every change of what is cached: it is alone, or shares the cache with the
    /// others. Else what others may see is read from the database.
    pub(crate) fn is_coherent(&self) -> bool {
        let cache = &self.inner.services.cache;
        self.settings().alone || (cache.is_shared() && !cache.is_degraded())
    }

    async fn invalidate(&self, what: impl IntoIterator<Item = Inv>) -> Receipt {
        let receipt = self.inner.services.cache.invalidate(what).await;
        if !self.inner.services.cache.is_shared() {
            self.mark_apart().await;
        }
        receipt
    }

    /// Marks a change in a transaction of its own, for processes that hear of it in no other way.
    async fn mark_apart(&self) {
        let mark = async {
            let mut tx = self.store().write().await?;
            let change = self.mark_change(&mut tx).await?;
            tx.commit().await?;
            Ok::<_, crate::Error>(change)
        };
        match mark.await {
            Ok(change) => self.noticed_own(change),
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "other processes were not told of a change"
            ),
        }
    }

    /// Forgets what shows a resource (the note's `invalidateResourceCache`).
    pub async fn invalidate_resource(&self, id: ResourceId) -> Result<Receipt> {
        let what = of_resource(&mut self.store().read().await?, id).await?;
        Ok(self.invalidate(what).await)
    }

    /// Forgets what shows a member's profile (`invalidateProfileCache`).
    pub async fn invalidate_profile(&self, id: MemberId) -> Receipt {
        self.invalidate(of_profile(id)).await
    }

    /// Forgets what shows a collection, and the count of its owner's (`invalidateCollectionCache`).
    pub async fn invalidate_collection(&self, id: CollectionId, owner: MemberId) -> Receipt {
        self.invalidate(of_collection(id, owner)).await
    }

    /// Forgets the tree of categories and the tags (`invalidateCategoriesCache`).
    pub async fn invalidate_categories(&self) -> Receipt {
        self.invalidate([Inv::key(CATEGORIES), Inv::key(TAGS)]).await
    }

    /// Forgets the popular resources, of one length or of all (`invalidatePopularResourcesCache`).
    pub async fn invalidate_popular_resources(&self, limit: Option<u32>) -> Receipt {
        let what = match limit {
            Some(limit) => vec![Inv::key(popular_key(limit))],
            None => of_popular(),
        };
        self.invalidate(what).await
    }

    /// Forgets what follows from a change of this name, such as `resource:…` (`invalidateCascade`).
    pub async fn invalidate_cascade(&self, name: &str) -> Receipt {
        self.invalidate([Inv::cascade(name)]).await
    }

    /// Forgets every value that carries a tag (`invalidateByTag`).
    pub async fn invalidate_by_tag(&self, tag: &str) -> Receipt {
        self.invalidate([Inv::tag(tag)]).await
    }

    /// Forgets every value whose key a Redis pattern covers (`invalidateByPattern`).
    pub async fn invalidate_by_pattern(&self, pattern: &str) -> Receipt {
        self.invalidate([Inv::pattern(pattern)]).await
    }

    /// Writes a value with tags (`setWithTags`).
    pub async fn set_with_tags<T>(&self, key: &str, value: T, tags: &[&str], ttl: Duration)
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        self.inner.services.cache.region("tagged", Policy::ttl(ttl)).set_with_tags(key, value, tags).await;
    }
}

/// What shows a resource. A collection from which it was missing (it was removed) does not carry its tag, hence the look.
pub(crate) async fn of_resource(tx: &mut Tx, id: ResourceId) -> Result<Vec<Inv>> {
    let holding = tx.list_collections_holding(id).await?;
    let collections = holding.into_iter().map(|id| Inv::key(collection_key(id)));
    Ok([Inv::cascade(format!("resource:{id}"))].into_iter().chain(collections).collect())
}

/// What shows a member.
pub(crate) fn of_profile(id: MemberId) -> Vec<Inv> {
    vec![Inv::cascade(format!("profile:{id}"))]
}

/// What shows a collection, and counts its owner's.
pub(crate) fn of_collection(id: CollectionId, owner: MemberId) -> Vec<Inv> {
    vec![Inv::cascade(format!("collection:{id}")), Inv::key(profile_key(owner))]
}

/// Lists of popular resources, of whatever length.
pub(crate) fn of_popular() -> Vec<Inv> {
    vec![Inv::tag(POPULAR)]
}
