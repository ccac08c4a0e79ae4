use std::error::Error as StdError;

use uuid::Uuid;

/// Why a token was not accepted, or why a session could not be kept.
///
/// `Vault` and `Keys` are failures of the machinery; every other variant is a refusal and answers with 401.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The token is malformed, forged, meant for somebody else, or names a session that never was.
    #[error("token is not valid")]
    Invalid,
    /// The token or its session has run out: a new one, or a new sign-in, is needed.
    #[error("token has expired")]
    Expired,
    /// The session was ended: by logout, by its member, or by its vault.
    #[error("session has ended")]
    Revoked,
    /// A refresh token that had long been replaced came back: somebody copied it, so the session was ended just now.
    ///
    /// It is returned once per session: this is the moment to close its sockets and to tell the member.
    #[error("refresh token was used again after it had been replaced")]
    Reused {
        /// Whose session it was.
        member_id: Uuid,
        /// The session that was ended.
        session_id: Uuid,
    },
    /// The durable part could not be read or written.
    #[error("session vault failed")]
    Vault(#[source] Box<dyn StdError + Send + Sync>),
    /// The key ring is not readable, or this machine gives no randomness.
    #[error("signing keys are not usable")]
    Keys(#[source] Box<dyn StdError + Send + Sync>),
}

impl Error {
    /// Says whether the caller was refused by the rules, as opposed to a failure on our side.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Invalid | Self::Expired | Self::Revoked | Self::Reused { .. } => true,
            Self::Vault(_) | Self::Keys(_) => false,
        }
    }

    pub(crate) fn vault(source: impl StdError + Send + Sync + 'static) -> Self {
        Self::Vault(Box::new(source))
    }

    pub(crate) fn keys(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Keys(source.into())
    }
}
