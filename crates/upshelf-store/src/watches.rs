use serde::Serialize;
use sqlx::QueryBuilder;
use uuid::Uuid;

use crate::database::on;
use crate::error::During;
use crate::types::words;
use crate::{MemberId, Page, PageRequest, Result, Time, Tx};

words! {
    /// What can be watched.
    WatchKind {
        /// A resource.
        Resource = "resource",
        /// A category.
        Category = "category",
        /// A suggestion.
        Suggestion = "suggestion",
    }
}

words! {
    /// How closely a member watches something.
    WatchLevel {
        /// Wants to hear nothing of it.
        Muted = "muted",
        /// Wants to hear what concerns the member.
        Normal = "normal",
        /// Wants to hear everything.
        Watching = "watching",
    }
}

/// Something that a member watches, or wants to hear nothing of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct Watch {
    /// What kind of thing it is.
    pub kind: WatchKind,
    /// Names the thing.
    pub target_id: Uuid,
    /// How closely.
    pub level: WatchLevel,
    /// Since when.
    pub created_at: Time,
}

impl Tx {
    /// Keeps how closely a member watches something, over an earlier level.
    pub async fn put_watch(
        &mut self,
        member: MemberId,
        kind: WatchKind,
        target: Uuid,
        level: WatchLevel,
        now: Time,
    ) -> Result<()> {
        const SQL: &str = "INSERT INTO watches (member_id, kind, target_id, level, created_at)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (member_id, kind, target_id) DO UPDATE SET level = excluded.level";
        on!(self, db => sqlx::query(SQL)
            .bind(member)
            .bind(kind)
            .bind(target)
            .bind(level)
            .bind(now)
            .execute(db)
            .await
            .map(|_| ()))
        .during("put a watch")
    }

    /// Forgets how closely a member watches something. False when nothing was kept.
    pub async fn remove_watch(&mut self, member: MemberId, kind: WatchKind, target: Uuid) -> Result<bool> {
        const SQL: &str = "DELETE FROM watches WHERE member_id = $1 AND kind = $2 AND target_id = $3";
        on!(self, db => sqlx::query(SQL).bind(member).bind(kind).bind(target).execute(db).await
            .map(|done| done.rows_affected() > 0))
        .during("remove a watch")
    }

    /// Finds how closely a member watches something.
    pub async fn find_watch_level(
        &mut self,
        member: MemberId,
        kind: WatchKind,
        target: Uuid,
    ) -> Result<Option<WatchLevel>> {
        const SQL: &str = "SELECT level FROM watches WHERE member_id = $1 AND kind = $2 AND target_id = $3";
        on!(self, db => sqlx::query_scalar(SQL).bind(member).bind(kind).bind(target).fetch_optional(db).await)
            .during("find a watch")
    }

    /// Lists what a member watches, by kind and then by the age of the thing.
    pub async fn list_watches(&mut self, member: MemberId, page: &PageRequest) -> Result<Page<Watch>> {
        const SQL: &str = "SELECT kind, target_id, level, created_at FROM watches
            WHERE member_id = $1 AND (kind, target_id) > ($2, $3) ORDER BY kind, target_id LIMIT $4";
        let (kind, target) = page.after()?.unwrap_or((String::new(), Uuid::nil()));
        let rows = on!(self, db => sqlx::query_as(SQL)
            .bind(member)
            .bind(kind)
            .bind(target)
            .bind(page.fetch())
            .fetch_all(db)
            .await)
        .during("list watches")?;
        Ok(page.page(rows, |watch: &Watch| (watch.kind, watch.target_id)))
    }

    /// Lists the members who watch something at one of these levels.
    pub async fn list_watchers(
        &mut self,
        kind: WatchKind,
        target: Uuid,
        levels: &[WatchLevel],
    ) -> Result<Vec<MemberId>> {
        if levels.is_empty() {
            return Ok(Vec::new());
        }
        on!(self, db => {
            let mut sql = QueryBuilder::new("SELECT member_id FROM watches WHERE kind = ");
            sql.push_bind(kind).push(" AND target_id = ").push_bind(target).push(" AND level IN (");
            let mut list = sql.separated(", ");
            for level in levels {
                list.push_bind(*level);
            }
            sql.push(") ORDER BY member_id");
            sql.build_query_scalar().fetch_all(db).await
        })
        .during("list watchers")
    }
}
