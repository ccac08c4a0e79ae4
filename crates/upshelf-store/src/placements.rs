use std::collections::HashMap;

use sqlx::QueryBuilder;

use crate::database::on;
use crate::error::During;
use crate::{CategoryId, ListId, ResourceId, Result, Time, Tx};

/// A resource's place in a category.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Placement {
    /// What is placed.
    pub resource_id: ResourceId,
    /// Where.
    pub category_id: CategoryId,
    /// Its order in the category.
    pub position: i64,
}

/// A free label with the number of live resources that carry it.
#[derive(
    Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, sqlx::FromRow, utoipa::ToSchema,
)]
pub struct Tag {
    /// Its word in URLs.
    pub slug: String,
    /// What people read.
    pub label: String,
    /// How many live resources carry it.
    pub resources: i64,
}

impl Tx {
    /// Places resources; a place that is taken already by the same resource gets the new position.
    pub async fn place(&mut self, placements: &[Placement]) -> Result<()> {
        for chunk in placements.chunks(1_000) {
            on!(self, db => {
                let mut sql = QueryBuilder::new("INSERT INTO placements (resource_id, category_id, position) ");
                sql.push_values(chunk, |mut row, placement| {
                    row.push_bind(placement.resource_id)
                        .push_bind(placement.category_id)
                        .push_bind(placement.position);
                });
                sql.push(" ON CONFLICT (resource_id, category_id) DO UPDATE SET position = excluded.position");
                sql.build().persistent(false).execute(db).await.map(|_| ())
            })
            .during("place resources")?;
        }
        Ok(())
    }

    /// Takes a resource out of a category. False when it was not in it.
    pub async fn unplace(&mut self, resource: ResourceId, category: CategoryId) -> Result<bool> {
        const SQL: &str = "DELETE FROM placements WHERE resource_id = $1 AND category_id = $2";
        on!(self, db => sqlx::query(SQL).bind(resource).bind(category).execute(db).await
            .map(|done| done.rows_affected() > 0))
        .during("take a resource out of a category")
    }

    /// Lists where resources are placed, in the order of the tree.
    pub async fn list_placements_of(&mut self, resources: &[ResourceId]) -> Result<Vec<Placement>> {
        if resources.is_empty() {
            return Ok(Vec::new());
        }
        on!(self, db => {
            let mut sql = QueryBuilder::new(
                "SELECT p.resource_id, p.category_id, p.position FROM placements p
                    JOIN categories c ON c.id = p.category_id WHERE p.resource_id IN (",
            );
            let mut list = sql.separated(", ");
            for id in resources {
                list.push_bind(id);
            }
            sql.push(") ORDER BY c.position, p.position");
            sql.build_query_as().fetch_all(db).await
        })
        .during("list the placements of resources")
    }

    /// Lists every placement of a list, in the order of its tree.
    pub async fn list_placements(&mut self, list: ListId) -> Result<Vec<Placement>> {
        const SQL: &str = "SELECT p.resource_id, p.category_id, p.position FROM placements p
            JOIN categories c ON c.id = p.category_id WHERE c.list_id = $1
            ORDER BY c.position, p.position, p.resource_id";
        on!(self, db => sqlx::query_as(SQL).bind(list).fetch_all(db).await).during("list placements")
    }

    /// The position after the last one of a category.
    pub async fn next_position(&mut self, category: CategoryId) -> Result<i64> {
        const SQL: &str = "SELECT COALESCE(MAX(position), -1) + 1 FROM placements WHERE category_id = $1";
        on!(self, db => sqlx::query_scalar(SQL).bind(category).fetch_one(db).await)
            .during("find the next position")
    }

    /// Gives a resource these tags (slug and label) and no others.
    pub async fn put_tags(
        &mut self,
        resource: ResourceId,
        tags: &[(String, String)],
        now: Time,
    ) -> Result<()> {
        const CLEAR: &str = "DELETE FROM resource_tags WHERE resource_id = $1";
        on!(self, db => sqlx::query(CLEAR).bind(resource).execute(db).await.map(|_| ()))
            .during("clear a resource's tags")?;
        let rows: Vec<_> = tags.iter().map(|(slug, label)| (resource, slug.clone(), label.clone())).collect();
        self.add_tags(&rows, now).await
    }

    /// Adds tags (slug and label) to resources.
    pub async fn add_tags(&mut self, tags: &[(ResourceId, String, String)], now: Time) -> Result<()> {
        for chunk in tags.chunks(1_000) {
            // A tag may come several times in a chunk; one statement may not touch a row twice on PostgreSQL.
            let labels: HashMap<&str, &str> =
                chunk.iter().map(|(_, slug, label)| (slug.as_str(), label.as_str())).collect();
            on!(self, db => {
                let mut sql = QueryBuilder::new("INSERT INTO tags (slug, label, created_at) ");
                sql.push_values(&labels, |mut row, (slug, label)| {
                    row.push_bind(*slug).push_bind(*label).push_bind(now);
                });
                sql.push(" ON CONFLICT (slug) DO NOTHING");
                sql.build().persistent(false).execute(&mut *db).await.during("add tags")?;
                let mut sql = QueryBuilder::new("INSERT INTO resource_tags (resource_id, tag) ");
                sql.push_values(chunk, |mut row, (resource, slug, _)| {
                    row.push_bind(resource).push_bind(slug);
                });
                sql.push(" ON CONFLICT (resource_id, tag) DO NOTHING");
                sql.build().persistent(false).execute(db).await.map(|_| ())
            })
            .during("add tags")?;
        }
        Ok(())
    }

    /// Lists the tags of resources as (resource, slug), by slug.
    pub async fn list_tags_of(&mut self, resources: &[ResourceId]) -> Result<Vec<(ResourceId, String)>> {
        if resources.is_empty() {
            return Ok(Vec::new());
        }
        on!(self, db => {
            let mut sql = QueryBuilder::new("SELECT resource_id, tag FROM resource_tags WHERE resource_id IN (");
            let mut list = sql.separated(", ");
            for id in resources {
                list.push_bind(id);
            }
            sql.push(") ORDER BY tag");
            sql.build_query_as().fetch_all(db).await
        })
        .during("list the tags of resources")
    }

    /// Lists the tags that live resources carry, most used first.
    pub async fn list_tags(&mut self) -> Result<Vec<Tag>> {
        const SQL: &str = "SELECT t.slug, t.label, COUNT(*) AS resources FROM tags t
            JOIN resource_tags rt ON rt.tag = t.slug JOIN resources r ON r.id = rt.resource_id AND r.status = 'live'
            GROUP BY t.slug, t.label ORDER BY COUNT(*) DESC, t.slug";
        on!(self, db => sqlx::query_as(SQL).fetch_all(db).await).during("list tags")
    }

    /// Removes the tags that no resource carries; gives their number.
    pub async fn remove_unused_tags(&mut self) -> Result<u64> {
        const SQL: &str =
            "DELETE FROM tags WHERE NOT EXISTS (SELECT 1 FROM resource_tags rt WHERE rt.tag = tags.slug)";
        on!(self, db => sqlx::query(SQL).execute(db).await.map(|done| done.rows_affected()))
            .during("remove unused tags")
    }
}
