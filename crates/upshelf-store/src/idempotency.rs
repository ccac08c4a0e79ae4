//! Requests that carry an `Idempotency-Key`: the first one runs, the others get its reply.

use std::time::Duration;

use crate::database::on;
use crate::error::During;
use crate::{Result, Time, Tx};

/// Longer than any request may take: a claim still running then belongs to a process that died.
const DEAD: Duration = Duration::from_secs(300);

/// What came of claiming an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is ours: run the request, then [`Tx::finish_idempotency`] or [`Tx::release_idempotency`].
    New,
    /// The first request with this key is still running.
    Running {
        /// The fingerprint of that request.
        fingerprint: String,
    },
    /// The first request with this key had this reply.
    Replay {
        /// The fingerprint of that request.
        fingerprint: String,
        /// What it was answered.
        reply: Reply,
    },
}

/// A reply as it went out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The media type of the body, if it had one.
    pub content_type: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

type Row = (String, Option<i64>, Option<String>, Option<Vec<u8>>);

impl Tx {
    /// Claims `key` for a request with this fingerprint; of any number of concurrent requests one gets
    /// [`Claim::New`]. A claim that has been running for five minutes is taken over.
    pub async fn claim_idempotency(&mut self, key: &str, fingerprint: &str, now: Time) -> Result<Claim> {
        const CLAIM: &str = "INSERT INTO idempotency (key, fingerprint, created_at) VALUES ($1, $2, $3)
            ON CONFLICT (key) DO UPDATE SET fingerprint = excluded.fingerprint, created_at = excluded.created_at
            WHERE idempotency.status IS NULL AND idempotency.created_at <= $4";
        const FIND: &str = "SELECT fingerprint, status, content_type, body FROM idempotency WHERE key = $1";
        loop {
            let claimed = on!(self, db => sqlx::query(CLAIM)
                .bind(key)
                .bind(fingerprint)
                .bind(now)
                .bind(now.before(DEAD))
                .execute(db)
                .await
                .map(|done| done.rows_affected() > 0))
            .during("claim an idempotency key")?;
            if claimed {
                return Ok(Claim::New);
            }
            let row: Option<Row> = on!(self, db => sqlx::query_as(FIND).bind(key).fetch_optional(db).await)
                .during("find an idempotent reply")?;
            // Nothing there: its owner released it between the two statements, so it can be claimed again.
            let Some((fingerprint, status, content_type, body)) = row else { continue };
            return Ok(match status.and_then(|status| u16::try_from(status).ok()) {
                None => Claim::Running { fingerprint },
                Some(status) => {
                    let reply = Reply { status, content_type, body: body.unwrap_or_default() };
                    Claim::Replay { fingerprint, reply }
                }
            });
        }
    }

    /// Keeps the reply of the request that claimed `key`.
    pub async fn finish_idempotency(&mut self, key: &str, reply: &Reply) -> Result<()> {
        const SQL: &str = "UPDATE idempotency SET status = $2, content_type = $3, body = $4 WHERE key = $1";
        on!(self, db => sqlx::query(SQL)
            .bind(key)
            .bind(i64::from(reply.status))
            .bind(&reply.content_type)
            .bind(&reply.body)
            .execute(db)
            .await
            .map(|_| ()))
        .during("keep an idempotent reply")
    }

    /// Gives up a claim, so that the request can be tried again; a kept reply stays.
    pub async fn release_idempotency(&mut self, key: &str) -> Result<()> {
        const SQL: &str = "DELETE FROM idempotency WHERE key = $1 AND status IS NULL";
        on!(self, db => sqlx::query(SQL).bind(key).execute(db).await.map(|_| ()))
            .during("release an idempotency key")
    }

    /// Deletes what was claimed before `before`, at most `limit`; gives how many.
    pub async fn delete_idempotency_before(&mut self, before: Time, limit: u32) -> Result<u64> {
        const SQL: &str = "DELETE FROM idempotency WHERE key IN
            (SELECT key FROM idempotency WHERE created_at < $1 ORDER BY created_at LIMIT $2)";
        on!(self, db => sqlx::query(SQL).bind(before).bind(i64::from(limit)).execute(db).await
            .map(|done| done.rows_affected()))
        .during("delete old idempotent replies")
    }
}
