//! The store as the vault of sessions.

use std::net::IpAddr;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sqlx::QueryBuilder;
use upshelf_session::{
    Device, Ending, KeyDocument, Previous, Reason, Rotation, RotationAttempt, Session, Target, Vault,
};
use uuid::Uuid;

use crate::database::on;
use crate::error::During;
use crate::{Error, MemberId, Result, Store, Time};

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    member_id: MemberId,
    created_at: Time,
    auth_time: Time,
    last_seen_at: Time,
    expires_at: Time,
    idle_until: Time,
    ip: Option<String>,
    user_agent: Option<String>,
    current_hash: String,
    previous_hash: Option<String>,
    rotated_at: Option<Time>,
    sealed_successor: Option<Vec<u8>>,
    revoked_at: Option<Time>,
    revoked_reason: Option<String>,
}

impl TryFrom<Row> for Session {
    type Error = Error;

    fn try_from(row: Row) -> Result<Session> {
        let ip = row.ip.map(|ip| ip.parse::<IpAddr>()).transpose().map_err(unreadable)?;
        let reason =
            row.revoked_reason.map(|reason| reason.parse::<Reason>()).transpose().map_err(unreadable)?;
        let previous = match (row.previous_hash, row.rotated_at, row.sealed_successor) {
            (Some(hash), Some(rotated_at), Some(sealed_successor)) => {
                Some(Previous { hash, rotated_at: rotated_at.timestamp(), sealed_successor })
            }
            _ => None,
        };
        Ok(Session {
            id: row.id,
            member_id: row.member_id.0,
            created_at: row.created_at.timestamp(),
            auth_time: row.auth_time.timestamp(),
            last_seen_at: row.last_seen_at.timestamp(),
            expires_at: row.expires_at.timestamp(),
            idle_until: row.idle_until.timestamp(),
            device: Device { ip, user_agent: row.user_agent },
            current_hash: row.current_hash,
            previous,
            revoked: row.revoked_at.zip(reason).map(|(at, reason)| Ending { at: at.timestamp(), reason }),
        })
    }
}

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Database("read a session", sqlx::Error::Decode(Box::new(error)))
}

impl Vault for Store {
    type Error = Error;

    async fn insert(&self, session: &Session) -> Result<()> {
        const SQL: &str = "INSERT INTO sessions (id, member_id, created_at, auth_time, last_seen_at, expires_at,
                idle_until, ip, user_agent, current_hash, previous_hash, rotated_at, sealed_successor, revoked_at,
                revoked_reason)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
        let previous = session.previous.as_ref();
        let mut tx = self.write().await?;
        on!(&mut tx, db => sqlx::query(SQL)
            .bind(session.id)
            .bind(session.member_id)
            .bind(Time::from(session.created_at))
            .bind(Time::from(session.auth_time))
            .bind(Time::from(session.last_seen_at))
            .bind(Time::from(session.expires_at))
            .bind(Time::from(session.idle_until))
            .bind(session.device.ip.map(|ip| ip.to_string()))
            .bind(&session.device.user_agent)
            .bind(&session.current_hash)
            .bind(previous.map(|previous| &previous.hash))
            .bind(previous.map(|previous| Time::from(previous.rotated_at)))
            .bind(previous.map(|previous| &previous.sealed_successor))
            .bind(session.revoked.map(|ending| Time::from(ending.at)))
            .bind(session.revoked.map(|ending| ending.reason.as_str()))
            .execute(db)
            .await
            .map(|_| ()))
        .during("store a session")?;
        tx.commit().await
    }

    async fn find(&self, session_id: Uuid) -> Result<Option<Session>> {
        const SQL: &str = "SELECT * FROM sessions WHERE id = $1";
        let mut tx = self.read().await?;
        let row: Option<Row> =
            on!(&mut tx, db => sqlx::query_as(SQL).bind(session_id).fetch_optional(db).await)
                .during("find a session")?;
        row.map(Session::try_from).transpose()
    }

    async fn rotate(&self, attempt: &RotationAttempt) -> Result<Rotation> {
        // On both engines a second attempt waits for the first one's commit here, and then no longer finds the hash.
        const SWAP: &str = "UPDATE sessions SET current_hash = $3, previous_hash = $2, rotated_at = $5,
                sealed_successor = $4, last_seen_at = $5, idle_until = $6, ip = $7, user_agent = $8
            WHERE id = $1 AND current_hash = $2 AND revoked_at IS NULL AND expires_at > $5 AND idle_until > $5
            RETURNING *";
        const FIND: &str = "SELECT * FROM sessions WHERE id = $1";
        let mut tx = self.write().await?;
        let swapped: Option<Row> = on!(&mut tx, db => sqlx::query_as(SWAP)
            .bind(attempt.session_id)
            .bind(&attempt.presented_hash)
            .bind(&attempt.successor_hash)
            .bind(&attempt.sealed_successor)
            .bind(Time::from(attempt.now))
            .bind(Time::from(attempt.idle_until))
            .bind(attempt.device.ip.map(|ip| ip.to_string()))
            .bind(&attempt.device.user_agent)
            .fetch_optional(db)
            .await)
        .during("rotate a refresh token")?;
        let Some(row) = swapped else {
            let row: Option<Row> =
                on!(&mut tx, db => sqlx::query_as(FIND).bind(attempt.session_id).fetch_optional(db).await)
                    .during("find a session")?;
            return Ok(Rotation::Refused(row.map(Session::try_from).transpose()?));
        };
        tx.commit().await?;
        Ok(Rotation::Done(row.try_into()?))
    }

    async fn touch(&self, session_id: Uuid, now: Timestamp, idle_until: Timestamp) -> Result<()> {
        const SQL: &str = "UPDATE sessions
            SET last_seen_at = CASE WHEN last_seen_at < $2 THEN $2 ELSE last_seen_at END,
                idle_until = CASE WHEN idle_until < $3 THEN $3 ELSE idle_until END
            WHERE id = $1 AND revoked_at IS NULL AND expires_at > $2 AND idle_until > $2";
        let mut tx = self.write().await?;
        on!(&mut tx, db => sqlx::query(SQL)
            .bind(session_id)
            .bind(Time::from(now))
            .bind(Time::from(idle_until))
            .execute(db)
            .await
            .map(|_| ()))
        .during("note the use of a session")?;
        tx.commit().await
    }

    async fn revoke(&self, target: Target, ending: Ending) -> Result<Vec<Uuid>> {
        let mut tx = self.write().await?;
        let ended = on!(&mut tx, db => {
            let mut sql = QueryBuilder::new("UPDATE sessions SET revoked_at = ");
            sql.push_bind(Time::from(ending.at)).push(", revoked_reason = ").push_bind(ending.reason.as_str());
            sql.push(" WHERE revoked_at IS NULL");
            match target {
                Target::Session(id) => {
                    sql.push(" AND id = ").push_bind(id);
                }
                Target::SessionOf { session_id, member_id } => {
                    sql.push(" AND id = ").push_bind(session_id).push(" AND member_id = ").push_bind(member_id);
                }
                Target::Member { member_id, except } => {
                    sql.push(" AND member_id = ").push_bind(member_id);
                    if let Some(except) = except {
                        sql.push(" AND id <> ").push_bind(except);
                    }
                }
            }
            sql.push(" RETURNING id");
            sql.build_query_scalar().fetch_all(db).await
        })
        .during("end sessions")?;
        tx.commit().await?;
        Ok(ended)
    }

    async fn list(&self, member_id: Uuid, now: Timestamp) -> Result<Vec<Session>> {
        const SQL: &str = "SELECT * FROM sessions
            WHERE member_id = $1 AND revoked_at IS NULL AND expires_at > $2 AND idle_until > $2
            ORDER BY last_seen_at DESC, id";
        let mut tx = self.read().await?;
        let rows: Vec<Row> =
            on!(&mut tx, db => sqlx::query_as(SQL).bind(member_id).bind(Time::from(now)).fetch_all(db).await)
                .during("list sessions")?;
        rows.into_iter().map(Session::try_from).collect()
    }

    async fn purge(&self, before: Timestamp) -> Result<u64> {
        const SQL: &str = "DELETE FROM sessions WHERE expires_at < $1 OR idle_until < $1 OR revoked_at < $1";
        let mut tx = self.write().await?;
        let purged = on!(&mut tx, db => sqlx::query(SQL).bind(Time::from(before)).execute(db).await
            .map(|done| done.rows_affected()))
        .during("delete ended sessions")?;
        tx.commit().await?;
        Ok(purged)
    }

    async fn load_keys(&self) -> Result<Option<KeyDocument>> {
        const SQL: &str = "SELECT version, document FROM session_keys";
        let mut tx = self.read().await?;
        let row: Option<(i64, String)> =
            on!(&mut tx, db => sqlx::query_as(SQL).fetch_optional(db).await).during("load the key ring")?;
        Ok(row.map(|(version, document)| KeyDocument {
            version: version.unsigned_abs(),
            document: SecretString::from(document),
        }))
    }

    async fn store_keys(&self, keys: &KeyDocument) -> Result<bool> {
        const FIRST: &str = "INSERT INTO session_keys (id, version, document) VALUES (1, $1, $2)
            ON CONFLICT (id) DO NOTHING";
        const NEXT: &str = "UPDATE session_keys SET version = $1, document = $2 WHERE version = $1 - 1";
        let version = i64::try_from(keys.version).unwrap_or(i64::MAX);
        let sql = if version == 1 { FIRST } else { NEXT };
        let mut tx = self.write().await?;
        let stored = on!(&mut tx, db => sqlx::query(sql)
            .bind(version)
            .bind(keys.document.expose_secret())
            .execute(db)
            .await
            .map(|done| done.rows_affected() > 0))
        .during("store the key ring")?;
        tx.commit().await?;
        Ok(stored)
    }
}
