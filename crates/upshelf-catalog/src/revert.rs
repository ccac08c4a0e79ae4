//! Putting a resource back to an earlier version.

use serde_json::json;
use upshelf_lists::Document;
use upshelf_store::{
    Action, Actor, Json, ListId, LogId, Member, NewLogEntry, PageRequest, ResourceId, ResourceVersion, Time,
    Tx,
};

use crate::approval::curators_only;
use crate::invalidation::of_resource;
use crate::news::Change;
use crate::shelf::{ListUndo, ShelfChange, state_of};
use crate::views::ResourceView;
use crate::{Catalog, Refusal, Result};

impl Catalog {
    /// Puts a resource back to what it was at `to_version`, and every list's document with it, byte for byte where
    /// nothing else changed the same lines.
    ///
    /// # Errors
    /// A [`Refusal`] for members who are no curators, for a version that never was or is the current one, and when
    /// another resource has the earlier address now.
    pub async fn revert(
        &self,
        curator: &Member,
        id: ResourceId,
        to_version: i64,
        reason: String,
    ) -> Result<ResourceView> {
        curators_only(curator)?;
        let now = self.clock().now();
        let mut tx = self.store().write().await?;
        let resource = tx.lock_resource(id).await?.ok_or(Refusal::NotFound("resource"))?;
        if to_version == resource.version {
            return Err(Refusal::invalid("to_version", "It is the current version.").into());
        }
        let earlier = tx
            .find_version(id, to_version)
            .await?
            .ok_or_else(|| Refusal::invalid("to_version", "There is no such version."))?;
        let Json(after) = earlier.state;
        let before = state_of(&mut tx, &resource).await?;
        let holder = tx.find_resource_at(crate::shelf::key(&after.url)?.as_str()).await?;
        if let Some(holder) = holder.filter(|holder| holder.id != id) {
            return Err(Refusal::DuplicateResource(holder.id).into());
        }
        let log: LogId = self.clock().id();
        tx.add_log(&NewLogEntry {
            id: log,
            at: now,
            actor: Actor::Member,
            member_id: Some(curator.id),
            action: Action::Reverted,
            suggestion_id: None,
            resource_id: Some(id),
            rule: None,
            standing: None,
            before: Some(json!(before)),
            after: Some(json!(after)),
            reason: Some(reason),
        })
        .await?;
        let change = ShelfChange { resource: id, before: Some(before), after };
        match self.undo_since(&mut tx, id, to_version, now).await? {
            Some(undo) => self.put_in_library(&mut tx, &change, log, undo, now).await?,
            None => self.put_on_shelf(&mut tx, &change, log, now).await?,
        };
        self.tell(&mut tx, log).await?;
        let stale = of_resource(&mut tx, id).await?;
        let stale = self.stale(&mut tx, stale).await?;
        self.commit(tx).await?;
        self.forget(stale).await;
        self.publish_change(id, Change::Reverted).await;
        self.resource(id).await
    }

    /// Takes back what the versions after `to_version` did to documents, newest first; `None` when one of them cannot
    /// be, and nothing was written then.
    async fn undo_since(
        &self,
        tx: &mut Tx,
        id: ResourceId,
        to_version: i64,
        now: Time,
    ) -> Result<Option<Vec<ListUndo>>> {
        let mut documents: Vec<(ListId, Document, Vec<upshelf_lists::Undo>)> = Vec::new();
        let mut page = PageRequest::first(PageRequest::MAX);
        'versions: loop {
            let versions = tx.list_versions(id, &page).await?;
            for ResourceVersion { version, undo, .. } in versions.items {
                if version <= to_version {
                    break 'versions;
                }
                let Some(Json(undo)) = undo else { continue };
                let Ok(undo) = serde_json::from_value::<Vec<ListUndo>>(undo) else { return Ok(None) };
                for ListUndo { list, undo } in undo {
                    let at = match documents.iter().position(|(known, ..)| *known == list) {
                        Some(at) => at,
                        None => {
                            let Some(bytes) = tx.lock_documents(list).await?.document else {
                                return Ok(None);
                            };
                            documents.push((list, Document::parse(bytes), Vec::new()));
                            documents.len() - 1
                        }
                    };
                    for undo in undo {
                        let Ok(change) = documents[at].1.undo(&undo) else { return Ok(None) };
                        documents[at].1 = change.document;
                        documents[at].2.push(change.undo);
                    }
                }
            }
            match versions.next_cursor {
                Some(cursor) => page = PageRequest::new(PageRequest::MAX, Some(cursor)),
                None => break,
            }
        }
        let mut redo = Vec::with_capacity(documents.len());
        for (list, document, mut undo) in documents {
            tx.put_document(list, document.bytes(), now).await?;
            undo.reverse();
            redo.push(ListUndo { list, undo });
        }
        Ok(Some(redo))
    }
}
