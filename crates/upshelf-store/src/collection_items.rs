use serde::Serialize;

use crate::database::on;
use crate::error::During;
use crate::{CollectionId, Page, PageRequest, ResourceId, Result, Time, Tx};

/// A resource in a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct CollectionItem {
    /// The resource.
    pub resource_id: ResourceId,
    /// Its order in the collection; it grows, with gaps where something was taken out.
    pub position: i64,
    /// When it was put in.
    pub added_at: Time,
}

impl Tx {
    /// Puts a live resource at the end of a collection. False when it was in it already, or one of both does not
    /// exist.
    pub async fn put_collection_item(
        &mut self,
        collection: CollectionId,
        resource: ResourceId,
        now: Time,
    ) -> Result<bool> {
        const SQL: &str = "INSERT INTO collection_items (collection_id, resource_id, position, added_at)
            SELECT c.id, r.id,
                (SELECT COALESCE(MAX(i.position), 0) + 1 FROM collection_items i WHERE i.collection_id = c.id), $3
            FROM collections c CROSS JOIN resources r WHERE c.id = $1 AND r.id = $2 AND r.status = 'live'
            ON CONFLICT (collection_id, resource_id) DO NOTHING";
        let added = on!(self, db => sqlx::query(SQL)
            .bind(collection)
            .bind(resource)
            .bind(now)
            .execute(db)
            .await
            .map(|done| done.rows_affected() > 0))
        .during("put a resource into a collection")?;
        self.note_collection_changed(collection, added, now).await
    }

    /// Takes a resource out of a collection. False when it was not in it.
    pub async fn remove_collection_item(
        &mut self,
        collection: CollectionId,
        resource: ResourceId,
        now: Time,
    ) -> Result<bool> {
        const SQL: &str = "DELETE FROM collection_items WHERE collection_id = $1 AND resource_id = $2";
        let removed = on!(self, db => sqlx::query(SQL).bind(collection).bind(resource).execute(db).await
            .map(|done| done.rows_affected() > 0))
        .during("take a resource out of a collection")?;
        self.note_collection_changed(collection, removed, now).await
    }

    async fn note_collection_changed(&mut self, id: CollectionId, changed: bool, now: Time) -> Result<bool> {
        const SQL: &str = "UPDATE collections SET changed_at = $2 WHERE id = $1";
        if changed {
            on!(self, db => sqlx::query(SQL).bind(id).bind(now).execute(db).await.map(|_| ()))
                .during("note a collection's change")?;
        }
        Ok(changed)
    }

    /// Lists the live resources of a collection in its order. A removed resource keeps its place, unseen, and has it
    /// again when the removal is reverted.
    pub async fn list_collection_items(
        &mut self,
        collection: CollectionId,
        page: &PageRequest,
    ) -> Result<Page<CollectionItem>> {
        const SQL: &str = "SELECT i.resource_id, i.position, i.added_at FROM collection_items i
            JOIN resources r ON r.id = i.resource_id AND r.status = 'live'
            WHERE i.collection_id = $1 AND (i.position, i.resource_id) > ($2, $3)
            ORDER BY i.position, i.resource_id LIMIT $4";
        let (position, resource) = page.after()?.unwrap_or((-1, ResourceId(uuid::Uuid::nil())));
        let rows = on!(self, db => sqlx::query_as(SQL)
            .bind(collection)
            .bind::<i64>(position)
            .bind(resource)
            .bind(page.fetch())
            .fetch_all(db)
            .await)
        .during("list a collection")?;
        Ok(page.page(rows, |item: &CollectionItem| (item.position, item.resource_id)))
    }

    /// Lists the collections, public and private, that a resource is in.
    pub async fn list_collections_holding(&mut self, resource: ResourceId) -> Result<Vec<CollectionId>> {
        const SQL: &str =
            "SELECT collection_id FROM collection_items WHERE resource_id = $1 ORDER BY collection_id";
        on!(self, db => sqlx::query_scalar(SQL).bind(resource).fetch_all(db).await)
            .during("list the collections that hold a resource")
    }
}
