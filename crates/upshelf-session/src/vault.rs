use std::error::Error;
use std::future::Future;

use jiff::Timestamp;
use uuid::Uuid;

use crate::rows::{Ending, KeyDocument, Rotation, RotationAttempt, Session, Target};

/// The durable part of sessions: what a database does for them.
///
/// Every method is one transaction; times are kept to the microsecond at least. No method is given a token, only hashes of tokens (SHA-256, base64url), a
/// successor sealed under the token it replaces, and the private signing keys: whoever can read the vault cannot use
/// a session of somebody else by its hashes, but **can sign access tokens with its key ring**; guard it as such.
pub trait Vault: Send + Sync + 'static {
    /// What goes wrong in it.
    type Error: Error + Send + Sync + 'static;

    /// Stores a new session. Its id is random and was never used before.
    fn insert(&self, session: &Session) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Finds a session, ended ones included. It sees every write acknowledged before the call.
    fn find(&self, session_id: Uuid) -> impl Future<Output = Result<Option<Session>, Self::Error>> + Send;

    /// Replaces the refresh token of a session if, at the time of writing, `current_hash` is the presented hash and
    /// the session is neither revoked, nor expired, nor idle (`attempt.now < expires_at` and `< idle_until`).
    ///
    /// Then `current_hash` is `successor_hash`; `previous` is the presented hash with `now` and the sealed successor;
    /// `last_seen_at` is `now`; `idle_until` and `device` are those of the attempt. Of any number of concurrent
    /// attempts with one presented hash exactly one is `Done`. `Refused` carries the row as this transaction sees it.
    fn rotate(&self, attempt: &RotationAttempt)
    -> impl Future<Output = Result<Rotation, Self::Error>> + Send;

    /// Notes that a session was used: `last_seen_at` and `idle_until` never go back. An ended session stays as it is.
    fn touch(
        &self,
        session_id: Uuid,
        now: Timestamp,
        idle_until: Timestamp,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Ends the sessions of the target that are not revoked yet, and returns exactly their ids.
    ///
    /// A session that is already revoked keeps its time and its reason. Of concurrent calls one returns the id.
    fn revoke(
        &self,
        target: Target,
        ending: Ending,
    ) -> impl Future<Output = Result<Vec<Uuid>, Self::Error>> + Send;

    /// Lists a member's sessions that are neither revoked nor past `expires_at` or `idle_until` at `now`, last used
    /// first.
    fn list(
        &self,
        member_id: Uuid,
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<Session>, Self::Error>> + Send;

    /// Deletes sessions that ended before `before`, by revocation, expiry or idleness, and returns how many.
    fn purge(&self, before: Timestamp) -> impl Future<Output = Result<u64, Self::Error>> + Send;

    /// Loads the key ring, if one was ever stored.
    fn load_keys(&self) -> impl Future<Output = Result<Option<KeyDocument>, Self::Error>> + Send;

    /// Stores a key ring if the stored version is one less than `keys.version` (no ring counts as version 0), and
    /// says whether it did. Of any number of concurrent calls with one version exactly one returns `true`.
    fn store_keys(&self, keys: &KeyDocument) -> impl Future<Output = Result<bool, Self::Error>> + Send;
}

/// Several owners of one vault.
impl<V: Vault> Vault for std::sync::Arc<V> {
    type Error = V::Error;

    async fn insert(&self, session: &Session) -> Result<(), V::Error> {
        V::insert(self, session).await
    }

    async fn find(&self, session_id: Uuid) -> Result<Option<Session>, V::Error> {
        V::find(self, session_id).await
    }

    async fn rotate(&self, attempt: &RotationAttempt) -> Result<Rotation, V::Error> {
        V::rotate(self, attempt).await
    }

    async fn touch(&self, session_id: Uuid, now: Timestamp, idle_until: Timestamp) -> Result<(), V::Error> {
        V::touch(self, session_id, now, idle_until).await
    }

    async fn revoke(&self, target: Target, ending: Ending) -> Result<Vec<Uuid>, V::Error> {
        V::revoke(self, target, ending).await
    }

    async fn list(&self, member_id: Uuid, now: Timestamp) -> Result<Vec<Session>, V::Error> {
        V::list(self, member_id, now).await
    }

    async fn purge(&self, before: Timestamp) -> Result<u64, V::Error> {
        V::purge(self, before).await
    }

    async fn load_keys(&self) -> Result<Option<KeyDocument>, V::Error> {
        V::load_keys(self).await
    }

    async fn store_keys(&self, keys: &KeyDocument) -> Result<bool, V::Error> {
        V::store_keys(self, keys).await
    }
}
