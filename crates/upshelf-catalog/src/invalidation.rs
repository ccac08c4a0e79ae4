//! What a change makes stale: declared once, and the design note's calls as thin functions.
//!
//! | a change of | makes stale |
//! | --- | --- |
//! | `resource:{id}` | popular lists, the counts of categories and tags, collections that hold it |
//! | `profile:{id}` | the profile, the member's collections |
//! | `category:{id}` | categories and tags |

use serde::Serialize;
use serde::de::DeserializeOwned;
use upshelf_cache::{Cascade, Inv, Policy, Receipt};
use upshelf_store::{CollectionId, MemberId, ResourceId};

use crate::Catalog;
use crate::regions::{CATEGORIES, TAGS, collection_key, popular_key, profile_key};

/// What follows from what; the cache that the catalog is opened with must know it.
pub fn cascade() -> Cascade {
    let popular = || Inv::pattern("cache:resources:popular:*");
    let shelf = || [Inv::key(CATEGORIES), Inv::key(TAGS)];
    Cascade::new([
        // Collections carry a tag `resource:{id}` for each resource in them: the cascade's own name is that tag.
        ("resource:{id}", [vec![popular()], shelf().to_vec()].concat()),
        ("profile:{id}", vec![Inv::key("cache:profile:{id}"), Inv::tag("collections-of:{id}")]),
        ("category:{id}", shelf().to_vec()),
        ("collection:{id}", vec![Inv::key("cache:collection:{id}")]),
    ])
    .expect("nothing above comes back to itself")
}

impl Catalog {
    /// Forgets it here, and marks the change for the other processes on this database.
    async fn invalidate(&self, what: impl IntoIterator<Item = Inv>) -> Receipt {
        let receipt = self.inner.services.cache.invalidate(what).await;
        let mark = async {
            let mut tx = self.store().write().await?;
            self.mark_change(&mut tx).await?;
            Ok::<_, crate::Error>(tx.commit().await?)
        };
        if let Err(error) = mark.await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "other processes were not told of a change"
            );
        }
        receipt
    }

    /// Forgets what shows a resource (the note's `invalidateResourceCache`).
    pub async fn invalidate_resource(&self, id: ResourceId) -> Receipt {
        let mut what = vec![Inv::cascade(format!("resource:{id}"))];
        // A collection from which the resource was missing (it was removed) does not carry its tag.
        let holding = async { self.store().read().await?.list_collections_holding(id).await };
        match holding.await {
            Ok(holding) => what.extend(holding.into_iter().map(|id| Inv::key(collection_key(id)))),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "forgot every collection, to be safe"
                );
                what.push(Inv::pattern("cache:collection:*"));
            }
        }
        self.invalidate(what).await
    }

    /// Forgets what shows a member's profile (`invalidateProfileCache`).
    pub async fn invalidate_profile(&self, id: MemberId) -> Receipt {
        self.invalidate([Inv::cascade(format!("profile:{id}"))]).await
    }

    /// Forgets what shows a collection, and the count of its owner's (`invalidateCollectionCache`).
    pub async fn invalidate_collection(&self, id: CollectionId, owner: MemberId) -> Receipt {
        self.invalidate([Inv::cascade(format!("collection:{id}")), Inv::key(profile_key(owner))]).await
    }

    /// Forgets the tree of categories and the tags (`invalidateCategoriesCache`).
    pub async fn invalidate_categories(&self) -> Receipt {
        self.invalidate([Inv::key(CATEGORIES), Inv::key(TAGS)]).await
    }

    /// Forgets the popular resources, of one length or of all (`invalidatePopularResourcesCache`).
    pub async fn invalidate_popular_resources(&self, limit: Option<u32>) -> Receipt {
        let what = match limit {
            Some(limit) => Inv::key(popular_key(limit)),
            None => Inv::pattern("cache:resources:popular:*"),
        };
        self.invalidate([what]).await
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
    pub async fn set_with_tags<T>(&self, key: &str, value: T, tags: &[&str], ttl: std::time::Duration)
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        self.inner.services.cache.region("tagged", Policy::ttl(ttl)).set_with_tags(key, value, tags).await;
    }
}
