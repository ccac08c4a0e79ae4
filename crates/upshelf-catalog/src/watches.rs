//! What members watch, or want to hear nothing of.

use upshelf_store::{Member, Page, PageRequest, Watch, WatchKind, WatchLevel};
use uuid::Uuid;

use crate::{Catalog, Refusal, Result};

impl Catalog {
    /// Keeps how closely a member watches something.
    pub async fn watch(&self, member: &Member, kind: WatchKind, id: Uuid, level: WatchLevel) -> Result<()> {
        let mut tx = self.store().write().await?;
        let is_there = match kind {
            WatchKind::Resource => tx.find_resource(id.into()).await?.is_some(),
            WatchKind::Category => tx.find_category(id.into()).await?.is_some(),
            WatchKind::Suggestion => tx.find_standing(id.into()).await?.is_some(),
        };
        if !is_there {
            return Err(Refusal::NotFound(kind.as_str()).into());
        }
        tx.put_watch(member.id, kind, id, level, self.clock().now()).await?;
        Ok(tx.commit().await?)
    }

    /// Forgets how closely a member watches something, if anything was kept.
    pub async fn unwatch(&self, member: &Member, kind: WatchKind, id: Uuid) -> Result<()> {
        let mut tx = self.store().write().await?;
        tx.remove_watch(member.id, kind, id).await?;
        Ok(tx.commit().await?)
    }

    /// Gives how closely a member watches something; [`WatchLevel::Normal`] when the member never said.
    pub async fn watch_level(&self, member: &Member, kind: WatchKind, id: Uuid) -> Result<WatchLevel> {
        let level = self.store().read().await?.find_watch_level(member.id, kind, id).await?;
        Ok(level.unwrap_or(WatchLevel::Normal))
    }

    /// Lists what a member watches, or wants to hear nothing of.
    pub async fn watches(&self, member: &Member, page: &PageRequest) -> Result<Page<Watch>> {
        Ok(self.store().read().await?.list_watches(member.id, page).await?)
    }
}
