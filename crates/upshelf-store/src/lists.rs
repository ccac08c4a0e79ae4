use serde::Serialize;
use sqlx::QueryBuilder;

use crate::database::on;
use crate::error::During;
use crate::{ListId, Result, Time, Tx};

/// An imported document, or the site's own list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct List {
    /// Names the list.
    pub id: ListId,
    /// Its word in URLs and on the command line.
    pub slug: String,
    /// What people call it.
    pub title: String,
    /// Grows by one with every change of its document.
    pub version: i64,
    /// When it was first imported.
    pub created_at: Time,
    /// When its document last changed.
    pub changed_at: Time,
}

/// The documents of a list; both absent when it was never imported from Markdown.
#[derive(Clone, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Documents {
    /// The file as it last came in.
    pub imported: Option<Vec<u8>>,
    /// The file with approved changes applied.
    pub document: Option<Vec<u8>>,
}

impl Tx {
    /// Adds a list without documents.
    ///
    /// # Errors
    /// [`Error::Taken`](crate::Error::Taken) when another list has the slug.
    pub async fn add_list(&mut self, list: &List) -> Result<()> {
        const SQL: &str = "INSERT INTO lists (id, slug, title, version, created_at, changed_at)
            VALUES ($1, $2, $3, $4, $5, $6)";
        on!(self, db => sqlx::query(SQL)
            .bind(list.id)
            .bind(&list.slug)
            .bind(&list.title)
            .bind(list.version)
            .bind(list.created_at)
            .bind(list.changed_at)
            .execute(db)
            .await
            .map(|_| ()))
        .during("add a list")
    }

    /// Lists every list, oldest first.
    pub async fn list_lists(&mut self) -> Result<Vec<List>> {
        const SQL: &str =
            "SELECT id, slug, title, version, created_at, changed_at FROM lists ORDER BY created_at, id";
        on!(self, db => sqlx::query_as(SQL).fetch_all(db).await).during("list lists")
    }

    /// Finds the list with this slug.
    pub async fn find_list(&mut self, slug: &str) -> Result<Option<List>> {
        const SQL: &str =
            "SELECT id, slug, title, version, created_at, changed_at FROM lists WHERE slug = $1";
        on!(self, db => sqlx::query_as(SQL).bind(slug).fetch_optional(db).await).during("find a list")
    }

    /// Gives a list's documents and holds the list until this transaction ends, where the transaction may write.
    pub async fn lock_documents(&mut self, id: ListId) -> Result<Documents> {
        let lock = self.for_update();
        let found = on!(self, db => {
            let mut sql = QueryBuilder::new("SELECT imported, document FROM lists WHERE id = ");
            sql.push_bind(id).push(lock);
            sql.build_query_as().fetch_optional(db).await
        })
        .during("lock a list's documents")?;
        Ok(found.unwrap_or_default())
    }

    /// Gives a list's documents.
    pub async fn documents(&mut self, id: ListId) -> Result<Documents> {
        const SQL: &str = "SELECT imported, document FROM lists WHERE id = $1";
        let found = on!(self, db => sqlx::query_as(SQL).bind(id).fetch_optional(db).await)
            .during("read a list's documents")?;
        Ok(found.unwrap_or_default())
    }

    /// Replaces a list's documents.
    pub async fn put_documents(&mut self, id: ListId, documents: &Documents, now: Time) -> Result<()> {
        const SQL: &str = "UPDATE lists
            SET imported = $2, document = $3, version = version + 1, changed_at = $4 WHERE id = $1";
        on!(self, db => sqlx::query(SQL)
            .bind(id)
            .bind(&documents.imported)
            .bind(&documents.document)
            .bind(now)
            .execute(db)
            .await
            .map(|_| ()))
        .during("put a list's documents")
    }

    /// Replaces the document with approved changes applied; the imported file stays.
    pub async fn put_document(&mut self, id: ListId, document: &[u8], now: Time) -> Result<()> {
        const SQL: &str =
            "UPDATE lists SET document = $2, version = version + 1, changed_at = $3 WHERE id = $1";
        on!(self, db => sqlx::query(SQL).bind(id).bind(document).bind(now).execute(db).await.map(|_| ()))
            .during("put a list's document")
    }

    /// What a SELECT ends with to hold its rows: SQLite's one writer holds everything anyway.
    pub(crate) fn for_update(&self) -> &'static str {
        match self {
            Tx::Sqlite(_) => "",
            Tx::Postgres(_) => " FOR UPDATE",
        }
    }
}
