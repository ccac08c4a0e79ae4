//! What was seen of resources' links, and which are to be looked at next.

use crate::database::on;
use crate::error::During;
use crate::{ResourceId, Result, Time, Tx};

/// What is known of a resource's link.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Link {
    /// The resource.
    pub resource_id: ResourceId,
    /// The address that all of this is about.
    pub url: String,
    /// When it was last looked at.
    pub checked_at: Time,
    /// What was seen then, in words.
    pub seen: String,
    /// How often in a row it was seen to be gone.
    pub gone_times: i64,
    /// Since when.
    pub gone_since: Option<Time>,
    /// When that was seen last.
    pub gone_last: Option<Time>,
    /// Where it was last seen to have moved for good.
    pub moved_to: Option<String>,
    /// How often in a row it was seen to have moved just there.
    pub moved_times: i64,
    /// Since when.
    pub moved_since: Option<Time>,
    /// Whether the site has suggested a removal since it was seen alive.
    pub told_gone: bool,
    /// The address for which the site has suggested an edit last.
    pub told_moved_to: Option<String>,
}

impl Tx {
    /// Lists live resources, with their addresses, whose links were looked at before `before` or never, at most `limit`:
    /// those that wait longest first.
    pub async fn list_due_links(&mut self, before: Time, limit: u32) -> Result<Vec<(ResourceId, String)>> {
        const SQL: &str = "SELECT r.id, r.url FROM resources r LEFT JOIN links l ON l.resource_id = r.id
            WHERE r.status = 'live' AND COALESCE(l.checked_at, 0) < $1
            ORDER BY COALESCE(l.checked_at, 0), r.id LIMIT $2";
        on!(self, db => sqlx::query_as(SQL).bind(before).bind(i64::from(limit)).fetch_all(db).await)
            .during("list links to look at")
    }

    /// Finds what is known of a resource's link.
    pub async fn find_link(&mut self, resource: ResourceId) -> Result<Option<Link>> {
        const SQL: &str =
            "SELECT resource_id, url, checked_at, seen, gone_times, gone_since, gone_last, moved_to,
                moved_times, moved_since, told_gone, told_moved_to
            FROM links WHERE resource_id = $1";
        on!(self, db => sqlx::query_as(SQL).bind(resource).fetch_optional(db).await).during("find a link")
    }

    /// Keeps what is known of a resource's link, over what was known before.
    pub async fn put_link(&mut self, link: &Link) -> Result<()> {
        const SQL: &str = "INSERT INTO links (resource_id, url, checked_at, seen, gone_times, gone_since, gone_last,
                moved_to, moved_times, moved_since, told_gone, told_moved_to)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            ON CONFLICT (resource_id) DO UPDATE SET url = excluded.url, checked_at = excluded.checked_at,
                seen = excluded.seen, gone_times = excluded.gone_times, gone_since = excluded.gone_since,
                gone_last = excluded.gone_last, moved_to = excluded.moved_to, moved_times = excluded.moved_times,
                moved_since = excluded.moved_since, told_gone = excluded.told_gone,
                told_moved_to = excluded.told_moved_to";
        on!(self, db => sqlx::query(SQL)
            .bind(link.resource_id)
            .bind(&link.url)
            .bind(link.checked_at)
            .bind(&link.seen)
            .bind(link.gone_times)
            .bind(link.gone_since)
            .bind(link.gone_last)
            .bind(&link.moved_to)
            .bind(link.moved_times)
            .bind(link.moved_since)
            .bind(link.told_gone)
            .bind(&link.told_moved_to)
            .execute(db)
            .await
            .map(|_| ()))
        .during("note a link")
    }
}
