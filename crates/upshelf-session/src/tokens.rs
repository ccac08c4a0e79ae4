use jiff::Timestamp;
use secrecy::SecretString;
use uuid::Uuid;

use crate::rows::Device;

/// What a client gets when it signs in or refreshes.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Whose they are.
    pub member_id: Uuid,
    /// The session they belong to.
    pub session_id: Uuid,
    /// A JWT to send with each request.
    pub access_token: SecretString,
    /// The opaque token that buys the next pair, once.
    pub refresh_token: SecretString,
    /// When the access token ends.
    pub access_expires_at: Timestamp,
    /// When the session ends, however often it is refreshed.
    pub refresh_expires_at: Timestamp,
}

/// A session as its member sees it in the list of devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSession {
    /// Its id, to end it.
    pub session_id: Uuid,
    /// Where it was last refreshed from.
    pub device: Device,
    /// When it was started.
    pub created_at: Timestamp,
    /// When it was last used, to within [`Settings::touch_every`](crate::Settings::touch_every).
    pub last_seen_at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
}
