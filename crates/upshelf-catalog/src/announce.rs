//! What follows a commit: workers wake, caches forget, listeners hear.

use std::sync::atomic::Ordering;

use upshelf_cache::Inv;
use upshelf_queue::{Broker, Job};
use upshelf_store::{ResourceId, Tx};

use crate::news::{Change, ChangeNews, changes_channel};
use crate::{AutoApproval, Catalog, Notify, Result};

/// The setting that counts the changes of what is cached.
const CHANGES: &str = "changes";

/// The setting that says up to which of them the cache that processes share has been told.
const CHANGES_SHARED: &str = "changes-shared";

impl Catalog {
    /// Commits, and wakes the queues whose jobs may have been committed with it.
    pub(crate) async fn commit(&self, tx: Tx) -> Result<()> {
        tx.commit().await?;
        for queue in [AutoApproval::QUEUE, Notify::QUEUE] {
            self.queue().wake(queue);
        }
        Ok(())
    }

    /// Tells of a resource that was changed. Nothing is lost with what could not be told: who watches looks now and then.
    pub(crate) async fn publish_change(&self, resource: ResourceId, change: Change) {
        let version = match self.find_resource_version(resource).await {
            Ok(Some(version)) => version,
            Ok(None) => return,
            Err(error) => {
                return tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "could not publish a change"
                );
            }
        };
        let news = ChangeNews { resource_id: resource, change, version };
        let told = self.bus().publish_json(&changes_channel(resource), &news).await;
        told.expect("a change is plain JSON");
    }

    /// Marks that what is cached changed, for processes on the same database that hear of it in no other way; gives the
    /// change's number.
    pub(crate) async fn mark_change(&self, tx: &mut Tx) -> Result<i64> {
        Ok(tx.count_setting(CHANGES).await?)
    }

    /// Notes that a change of this process is committed and forgotten here. Where others changed something before it that
    /// was not noticed yet, the number is left for [`notice_others`](Catalog::notice_others).
    pub(crate) fn noticed_own(&self, change: i64) {
        let _ = self.inner.noticed.compare_exchange(change - 1, change, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// Forgets what is cached when another process (a worker, or an import on the command line) marked a change since the
    /// last call. To be called every second or so.
    ///
    /// Processes that share the cache mark nothing; where one that does not has, one of them forgets it for all.
    pub async fn notice_others(&self) -> Result<()> {
        let mut tx = self.store().read().await?;
        let changes = tx.find_setting(CHANGES).await?.map_or(0, number);
        if changes <= self.inner.noticed.load(Ordering::Acquire) {
            return Ok(());
        }
        let cache = &self.inner.services.cache;
        if !cache.is_shared() {
            cache.invalidate([Inv::all()]).await;
        } else if tx.find_setting(CHANGES_SHARED).await?.map_or(0, number) < changes {
            drop(tx);
            if !cache.invalidate([Inv::all()]).await.is_everywhere() {
                return Ok(());
            }
            let mut tx = self.store().write().await?;
            tx.put_setting(CHANGES_SHARED, &changes.to_string()).await?;
            tx.commit().await?;
        }
        self.inner.noticed.fetch_max(changes, Ordering::AcqRel);
        Ok(())
    }
}

fn number(setting: String) -> i64 {
    setting.parse().unwrap_or(0)
}
