use serde::{Deserialize, Serialize};
use sqlx::QueryBuilder;

use crate::database::on;
use crate::error::During;
use crate::types::words;
use crate::{CategoryId, MemberId, Page, PageRequest, ResourceId, Result, Time, Tx};

words! {
    /// Whether a resource is on the shelf.
    ResourceStatus {
        /// It is.
        Live = "live",
        /// It was removed; its history stays.
        Removed = "removed",
    }
}

words! {
    /// The orders in which resources are listed.
    ResourceSort {
        /// Newest first.
        New = "new",
        /// Most viewed, saved and voted on first.
        Popular = "popular",
        /// By title.
        Name = "name",
    }
}

/// Something on the shelf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct Resource {
    /// Names the resource.
    pub id: ResourceId,
    /// Its address, as written.
    pub url: String,
    /// Its name.
    pub title: String,
    /// What it is, in inline Markdown.
    pub description: String,
    /// Whether it is on the shelf.
    pub status: ResourceStatus,
    /// Grows by one with every change.
    pub version: i64,
    /// How much it was viewed, saved and voted on of late; no unit.
    pub popularity: i64,
    /// Who suggested it; `null` when it was imported.
    pub added_by: Option<MemberId>,
    /// When it came onto the shelf.
    pub added_at: Time,
    /// When it last changed.
    pub changed_at: Time,
}

/// What a new resource is made of.
#[derive(Clone, Debug)]
pub struct NewResource {
    /// Names the resource.
    pub id: ResourceId,
    /// Its address, as written.
    pub url: String,
    /// Its address normalised: two resources never share it.
    pub url_key: String,
    /// Its name.
    pub title: String,
    /// What it is, in inline Markdown.
    pub description: String,
    /// Who suggested it.
    pub added_by: Option<MemberId>,
    /// When it comes onto the shelf.
    pub added_at: Time,
}

/// What a change makes of a resource.
#[derive(Clone, Debug)]
pub struct ChangedResource {
    /// Its address, as written.
    pub url: String,
    /// Its address normalised.
    pub url_key: String,
    /// Its name.
    pub title: String,
    /// What it is, in inline Markdown.
    pub description: String,
    /// Whether it is on the shelf.
    pub status: ResourceStatus,
}

/// Everything about a resource that a version of it remembers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ResourceState {
    /// Its address, as written.
    pub url: String,
    /// Its name.
    pub title: String,
    /// What it is, in inline Markdown.
    pub description: String,
    /// Where it is placed.
    pub category_ids: Vec<CategoryId>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Whether it is on the shelf.
    pub status: ResourceStatus,
}

/// Which resources a list shows.
#[derive(Clone, Debug, Default)]
pub struct ResourceFilter {
    /// Only those placed in this category or further down.
    pub category: Option<CategoryId>,
    /// Only those with this tag.
    pub tag: Option<String>,
}

const COLUMNS: &str = "r.id, r.url, r.title, r.description, r.status, r.version, r.popularity, r.added_by, r.added_at, r.changed_at";

/// What resources are sorted by under `name`. Cut, because an index takes no row of more than some 2,700 bytes.
fn title_key(title: &str) -> String {
    title.chars().take(200).flat_map(char::to_lowercase).collect()
}

impl Tx {
    /// Adds live resources with version 1.
    ///
    /// # Errors
    /// [`Error::Taken`](crate::Error::Taken) when a normalised URL is on the shelf already, or was.
    pub async fn add_resources(&mut self, resources: &[NewResource]) -> Result<()> {
        for chunk in resources.chunks(500) {
            on!(self, db => {
                let mut sql = QueryBuilder::new(
                    "INSERT INTO resources (id, url, url_key, title, title_key, description, status, version,
                        popularity, added_by, added_at, changed_at) ",
                );
                sql.push_values(chunk, |mut row, new| {
                    row.push_bind(new.id)
                        .push_bind(&new.url)
                        .push_bind(&new.url_key)
                        .push_bind(&new.title)
                        .push_bind(title_key(&new.title))
                        .push_bind(&new.description)
                        .push("'live', 1, 0")
                        .push_bind(new.added_by)
                        .push_bind(new.added_at)
                        .push_bind(new.added_at);
                });
                sql.build().persistent(false).execute(db).await.map(|_| ())
            })
            .during("add resources")?;
        }
        Ok(())
    }

    /// Finds a resource, live or removed.
    pub async fn find_resource(&mut self, id: ResourceId) -> Result<Option<Resource>> {
        self.find_resource_locking(id, "").await
    }

    /// Finds a resource and holds it until this transaction ends.
    pub async fn lock_resource(&mut self, id: ResourceId) -> Result<Option<Resource>> {
        let lock = self.for_update();
        self.find_resource_locking(id, lock).await
    }

    async fn find_resource_locking(
        &mut self,
        id: ResourceId,
        lock: &'static str,
    ) -> Result<Option<Resource>> {
        on!(self, db => {
            let mut sql = QueryBuilder::new("SELECT ");
            sql.push(COLUMNS).push(" FROM resources r WHERE r.id = ").push_bind(id).push(lock);
            sql.build_query_as().fetch_optional(db).await
        })
        .during("find a resource")
    }

    /// Finds the resource with this normalised URL, live or removed.
    pub async fn find_resource_at(&mut self, url_key: &str) -> Result<Option<Resource>> {
        on!(self, db => {
            let mut sql = QueryBuilder::new("SELECT ");
            sql.push(COLUMNS).push(" FROM resources r WHERE r.url_key = ").push_bind(url_key);
            sql.build_query_as().fetch_optional(db).await
        })
        .during("find a resource by its URL")
    }

    /// Finds resources by id, in the order asked for; those that do not exist are left out.
    pub async fn list_resources_of(&mut self, ids: &[ResourceId]) -> Result<Vec<Resource>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut found: Vec<Resource> = on!(self, db => {
            let mut sql = QueryBuilder::new("SELECT ");
            sql.push(COLUMNS).push(" FROM resources r WHERE r.id IN (");
            let mut list = sql.separated(", ");
            for id in ids {
                list.push_bind(id);
            }
            sql.push(")");
            sql.build_query_as().fetch_all(db).await
        })
        .during("list resources by id")?;
        let place: std::collections::HashMap<_, _> =
            ids.iter().enumerate().map(|(place, id)| (*id, place)).collect();
        found.sort_by_key(|resource| place.get(&resource.id).copied());
        Ok(found)
    }

    /// Lists live resources.
    pub async fn list_resources(
        &mut self,
        filter: &ResourceFilter,
        sort: ResourceSort,
        page: &PageRequest,
    ) -> Result<Page<Resource>> {
        let (column, order, less) = match sort {
            ResourceSort::New => ("r.added_at", " DESC", " < "),
            ResourceSort::Popular => ("r.popularity", " DESC", " < "),
            ResourceSort::Name => ("r.title_key", " ASC", " > "),
        };
        let rows: Vec<Resource> = on!(self, db => {
            let mut sql = QueryBuilder::new("");
            if let Some(category) = filter.category {
                sql.push("WITH RECURSIVE below (id) AS (SELECT c.id FROM categories c WHERE c.id = ")
                    .push_bind(category)
                    .push(" UNION ALL SELECT c.id FROM categories c JOIN below b ON c.parent_id = b.id) ");
            }
            sql.push("SELECT ").push(COLUMNS).push(" FROM resources r WHERE r.status = 'live'");
            if filter.category.is_some() {
                sql.push(
                    " AND r.id IN (SELECT p.resource_id FROM placements p JOIN below b ON p.category_id = b.id)",
                );
            }
            if let Some(tag) = &filter.tag {
                sql.push(" AND r.id IN (SELECT t.resource_id FROM resource_tags t WHERE t.tag = ")
                    .push_bind(tag)
                    .push(")");
            }
            match sort {
                ResourceSort::Name => {
                    if let Some((key, id)) = page.after::<(String, ResourceId)>()? {
                        sql.push(" AND (r.title_key, r.id)").push(less).push("(").push_bind(key)
                            .push(", ").push_bind(id).push(")");
                    }
                }
                ResourceSort::New | ResourceSort::Popular => {
                    if let Some((key, id)) = page.after::<(i64, ResourceId)>()? {
                        sql.push(" AND (").push(column).push(", r.id)").push(less).push("(").push_bind(key)
                            .push(", ").push_bind(id).push(")");
                    }
                }
            }
            sql.push(" ORDER BY ").push(column).push(order).push(", r.id").push(order)
                .push(" LIMIT ").push_bind(page.fetch());
            sql.build_query_as().fetch_all(db).await
        })
        .during("list resources")?;
        Ok(match sort {
            ResourceSort::New => page.page(rows, |row| (row.added_at.micros(), row.id)),
            ResourceSort::Popular => page.page(rows, |row| (row.popularity, row.id)),
            ResourceSort::Name => page.page(rows, |row| (title_key(&row.title), row.id)),
        })
    }

    /// Counts the live resources.
    pub async fn count_resources(&mut self) -> Result<i64> {
        const SQL: &str = "SELECT COUNT(*) FROM resources WHERE status = 'live'";
        on!(self, db => sqlx::query_scalar(SQL).fetch_one(db).await).during("count resources")
    }

    /// Changes a resource and raises its version by one; gives the new version, `None` when there is no such resource.
    ///
    /// # Errors
    /// [`Error::Taken`](crate::Error::Taken) when another resource has the normalised URL.
    pub async fn change_resource(
        &mut self,
        id: ResourceId,
        changed: &ChangedResource,
        now: Time,
    ) -> Result<Option<i64>> {
        const SQL: &str =
            "UPDATE resources SET url = $2, url_key = $3, title = $4, title_key = $5, description = $6,
                status = $7, changed_at = $8, version = version + 1
            WHERE id = $1 RETURNING version";
        on!(self, db => sqlx::query_scalar(SQL)
            .bind(id)
            .bind(&changed.url)
            .bind(&changed.url_key)
            .bind(&changed.title)
            .bind(title_key(&changed.title))
            .bind(&changed.description)
            .bind(changed.status)
            .bind(now)
            .fetch_optional(db)
            .await)
        .during("change a resource")
    }

    /// Lists the normalised URL of every resource, live and removed.
    pub async fn list_url_keys(&mut self) -> Result<Vec<(String, ResourceId, ResourceStatus)>> {
        const SQL: &str = "SELECT url_key, id, status FROM resources";
        on!(self, db => sqlx::query_as(SQL).fetch_all(db).await).during("list normalised URLs")
    }
}
