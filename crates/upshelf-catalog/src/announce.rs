//! What follows a commit: workers wake, caches forget, listeners hear.

use std::sync::PoisonError;

use serde_json::json;
use upshelf_cache::Inv;
use upshelf_queue::{Broker, Job};
use upshelf_store::{ResourceId, Tx};

use crate::{AutoApproval, Catalog, Notify, Result};

/// The setting under which the last change of the library as a whole is marked.
const CHANGE_MARK: &str = "change_mark";

impl Catalog {
    /// Commits, and wakes the queues whose jobs may have been committed with it.
    pub(crate) async fn commit(&self, tx: Tx) -> Result<()> {
        tx.commit().await?;
        for queue in [AutoApproval::QUEUE, Notify::QUEUE] {
            self.queue().wake(queue);
        }
        Ok(())
    }

    /// Tells of a resource that was changed: `change` is the kind of suggestion that was applied, or `revert`.
    pub(crate) async fn publish_change(&self, resource: ResourceId, change: &str) {
        let payload = json!({ "resource_id": resource, "change": change });
        let channel = format!("resource:updates:{resource}");
        if let Err(error) = self.bus().publish_json(&channel, &payload).await {
            tracing::warn!(error = &error as &dyn std::error::Error, %channel, "could not publish");
        }
    }

    /// Marks that what is cached changed, for processes on the same database that hear of it in no other way.
    pub(crate) async fn mark_change(&self, tx: &mut Tx) -> Result<()> {
        let mark = self.clock().id::<uuid::Uuid>().to_string();
        tx.put_setting(CHANGE_MARK, &mark).await?;
        *self.inner.change_mark.lock().unwrap_or_else(PoisonError::into_inner) = Some(mark);
        Ok(())
    }

    /// Forgets what is cached when another process (a worker, or an import on the command line) marked a change since the
    /// last call. To be called every second or so.
    pub async fn notice_others(&self) -> Result<()> {
        let Some(mark) = self.store().read().await?.find_setting(CHANGE_MARK).await? else { return Ok(()) };
        let known = {
            let mut known = self.inner.change_mark.lock().unwrap_or_else(PoisonError::into_inner);
            known.replace(mark.clone())
        };
        if known.as_ref() != Some(&mark) {
            self.inner.services.cache.invalidate([Inv::all()]).await;
        }
        Ok(())
    }
}
