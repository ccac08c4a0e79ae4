use std::time::Duration;

use serde::Serialize;

use crate::database::on;
use crate::error::During;
use crate::types::words;
use crate::{ApiKeyId, Json, MemberId, Page, PageRequest, Result, Time, Tx};

words! {
    /// What a program may do with an API key.
    Scope {
        /// Read.
        Read = "read",
        /// Suggest, vote and collect, too.
        Write = "write",
        /// What an admin may do, too.
        Admin = "admin",
    }
}

/// A program's way to sign in as a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct ApiKey {
    /// Names the key.
    pub id: ApiKeyId,
    /// Whom it signs in.
    pub member_id: MemberId,
    /// What the member calls it.
    pub name: String,
    /// What it may do.
    #[schema(value_type = Vec<Scope>)]
    pub scopes: Json<Vec<Scope>>,
    /// When it was made.
    pub created_at: Time,
    /// When it was last used, to the minute; `null` when never.
    pub last_used_at: Option<Time>,
    /// When it was taken back; `null` while it is valid.
    pub revoked_at: Option<Time>,
}

/// What a new API key is made of.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// Names the key.
    pub id: ApiKeyId,
    /// Whom it signs in.
    pub member_id: MemberId,
    /// What the member calls it.
    pub name: String,
    /// The hash of the token; the token itself is never stored.
    pub token_hash: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it is made.
    pub created_at: Time,
}

impl Tx {
    /// Adds an API key.
    pub async fn add_api_key(&mut self, new: &NewApiKey) -> Result<()> {
        const SQL: &str = "INSERT INTO api_keys (id, member_id, name, token_hash, scopes, created_at)
            VALUES ($1, $2, $3, $4, $5, $6)";
        on!(self, db => sqlx::query(SQL)
            .bind(new.id)
            .bind(new.member_id)
            .bind(&new.name)
            .bind(&new.token_hash)
            .bind(Json(&new.scopes))
            .bind(new.created_at)
            .execute(db)
            .await
            .map(|_| ()))
        .during("add an API key")
    }

    /// Finds the valid API key whose token has this hash.
    pub async fn find_api_key(&mut self, token_hash: &str) -> Result<Option<ApiKey>> {
        const SQL: &str = "SELECT id, member_id, name, scopes, created_at, last_used_at, revoked_at
            FROM api_keys WHERE token_hash = $1 AND revoked_at IS NULL";
        on!(self, db => sqlx::query_as(SQL).bind(token_hash).fetch_optional(db).await)
            .during("find an API key")
    }

    /// Notes that an API key was used, at most once a minute: a busy key costs no write per request.
    pub async fn touch_api_key(&mut self, id: ApiKeyId, now: Time) -> Result<()> {
        const SQL: &str = "UPDATE api_keys SET last_used_at = $2
            WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $3)";
        on!(self, db => sqlx::query(SQL)
            .bind(id)
            .bind(now)
            .bind(now.before(Duration::from_secs(60)))
            .execute(db)
            .await
            .map(|_| ()))
        .during("note the use of an API key")
    }

    /// Lists API keys, newest first, those taken back included.
    pub async fn list_api_keys(&mut self, page: &PageRequest) -> Result<Page<ApiKey>> {
        const SQL: &str = "SELECT id, member_id, name, scopes, created_at, last_used_at, revoked_at
            FROM api_keys WHERE id < $1 ORDER BY id DESC LIMIT $2";
        let before = page.after()?.unwrap_or(ApiKeyId(uuid::Uuid::max()));
        let rows = on!(self, db => sqlx::query_as(SQL).bind(before).bind(page.fetch()).fetch_all(db).await)
            .during("list API keys")?;
        Ok(page.page(rows, |key: &ApiKey| key.id))
    }

    /// Finds whom an API key signs in, if it is valid.
    pub async fn find_api_key_owner(&mut self, id: ApiKeyId) -> Result<Option<MemberId>> {
        const SQL: &str = "SELECT member_id FROM api_keys WHERE id = $1 AND revoked_at IS NULL";
        on!(self, db => sqlx::query_scalar(SQL).bind(id).fetch_optional(db).await).during("find an API key")
    }

    /// Takes an API key back; gives whom it signed in. `None` when there is no such key, or it was taken back before.
    pub async fn revoke_api_key(&mut self, id: ApiKeyId, now: Time) -> Result<Option<MemberId>> {
        const SQL: &str =
            "UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING member_id";
        on!(self, db => sqlx::query_scalar(SQL).bind(id).bind(now).fetch_optional(db).await)
            .during("take back an API key")
    }
}
