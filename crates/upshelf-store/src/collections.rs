use serde::Serialize;
use sqlx::QueryBuilder;

use crate::database::on;
use crate::error::During;
use crate::{CollectionId, MemberId, Page, PageRequest, Result, Time, Tx};

/// A member's own ordered selection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct Collection {
    /// Names the collection.
    pub id: CollectionId,
    /// Whose it is.
    #[sqlx(flatten)]
    pub owner: Owner,
    /// Its name.
    pub title: String,
    /// What it is for, in Markdown.
    pub description: String,
    /// Whether others see it.
    pub public: bool,
    /// How many live resources are in it.
    pub items: i64,
    /// When it was made.
    pub created_at: Time,
    /// When it, or what is in it, last changed.
    pub changed_at: Time,
}

/// Whose a collection is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct Owner {
    /// Names the member.
    #[sqlx(rename = "member_id")]
    pub id: MemberId,
    /// The member's name.
    pub username: String,
}

/// What a new collection is made of.
#[derive(Clone, Debug)]
pub struct NewCollection {
    /// Names the collection.
    pub id: CollectionId,
    /// Whose it is.
    pub member_id: MemberId,
    /// Its name.
    pub title: String,
    /// What it is for, in Markdown.
    pub description: String,
    /// Whether others see it.
    pub public: bool,
    /// When it is made.
    pub created_at: Time,
}

/// What changes in a collection; `None` leaves a value as it is.
#[derive(Clone, Debug, Default)]
pub struct CollectionChange {
    /// Its name.
    pub title: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Whether others see it.
    pub public: Option<bool>,
}

/// Which collections a list shows.
#[derive(Clone, Copy, Debug)]
pub enum CollectionFilter {
    /// Everybody's public ones.
    Public,
    /// A member's public ones.
    PublicOf(MemberId),
    /// All of a member, for the member's own eyes.
    AllOf(MemberId),
}

const COLUMNS: &str = "c.id, c.member_id, m.username, c.title, c.description, c.public,
    (SELECT COUNT(*) FROM collection_items i JOIN resources r ON r.id = i.resource_id AND r.status = 'live'
        WHERE i.collection_id = c.id) AS items,
    c.created_at, c.changed_at
    FROM collections c JOIN members m ON m.id = c.member_id";

impl Tx {
    /// Adds an empty collection.
    pub async fn add_collection(&mut self, new: &NewCollection) -> Result<()> {
        const SQL: &str =
            "INSERT INTO collections (id, member_id, title, description, public, created_at, changed_at)
            VALUES ($1, $2, $3, $4, $5, $6, $6)";
        on!(self, db => sqlx::query(SQL)
            .bind(new.id)
            .bind(new.member_id)
            .bind(&new.title)
            .bind(&new.description)
            .bind(new.public)
            .bind(new.created_at)
            .execute(db)
            .await
            .map(|_| ()))
        .during("add a collection")
    }

    /// Finds a collection, public or private.
    pub async fn find_collection(&mut self, id: CollectionId) -> Result<Option<Collection>> {
        on!(self, db => {
            let mut sql = QueryBuilder::new("SELECT ");
            sql.push(COLUMNS).push(" WHERE c.id = ").push_bind(id);
            sql.build_query_as().fetch_optional(db).await
        })
        .during("find a collection")
    }

    /// Lists collections, newest first.
    pub async fn list_collections(
        &mut self,
        filter: CollectionFilter,
        page: &PageRequest,
    ) -> Result<Page<Collection>> {
        let after: Option<CollectionId> = page.after()?;
        let rows = on!(self, db => {
            let mut sql = QueryBuilder::new("SELECT ");
            sql.push(COLUMNS).push(" WHERE ");
            match filter {
                CollectionFilter::Public => sql.push("c.public"),
                CollectionFilter::PublicOf(member) => sql.push("c.public AND c.member_id = ").push_bind(member),
                CollectionFilter::AllOf(member) => sql.push("c.member_id = ").push_bind(member),
            };
            if let Some(after) = after {
                sql.push(" AND c.id < ").push_bind(after);
            }
            sql.push(" ORDER BY c.id DESC LIMIT ").push_bind(page.fetch());
            sql.build_query_as().fetch_all(db).await
        })
        .during("list collections")?;
        Ok(page.page(rows, |collection: &Collection| collection.id))
    }

    /// Changes a collection. False when there is no such collection.
    pub async fn change_collection(
        &mut self,
        id: CollectionId,
        change: &CollectionChange,
        now: Time,
    ) -> Result<bool> {
        const SQL: &str = "UPDATE collections SET title = COALESCE($2, title),
                description = COALESCE($3, description), public = COALESCE($4, public), changed_at = $5
            WHERE id = $1";
        on!(self, db => sqlx::query(SQL)
            .bind(id)
            .bind(&change.title)
            .bind(&change.description)
            .bind(change.public)
            .bind(now)
            .execute(db)
            .await
            .map(|done| done.rows_affected() > 0))
        .during("change a collection")
    }

    /// Removes a collection; the resources in it stay on the shelf. False when there is no such collection.
    pub async fn remove_collection(&mut self, id: CollectionId) -> Result<bool> {
        const SQL: &str = "DELETE FROM collections WHERE id = $1";
        on!(self, db => sqlx::query(SQL).bind(id).execute(db).await.map(|done| done.rows_affected() > 0))
            .during("remove a collection")
    }
}
