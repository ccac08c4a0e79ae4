use redis::{ErrorKind, RedisError, ServerErrorKind};

/// What a command came to when it did not come to a reply.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why there is no reply. Insurance acts on [`Away`](Error::Away) only.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Redis cannot be reached, does not answer in time, is loading, is a replica, or the breaker is open.
    #[error("Redis is away")]
    Away(#[source] Option<RedisError>),
    /// Redis answered with what was not expected: an error of a script, a reply of another type.
    #[error("Redis answered something else")]
    Wrong(#[source] RedisError),
}

impl Error {
    /// Says whether Redis was not there, as opposed to having answered wrongly.
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Away(_))
    }
}

impl From<RedisError> for Error {
    fn from(error: RedisError) -> Self {
        if is_away(&error) { Self::Away(Some(error)) } else { Self::Wrong(error) }
    }
}

/// Whether Redis does not let us in: it is there, and trying again does not help.
pub(crate) fn is_refusal(error: &RedisError) -> bool {
    error.kind() == ErrorKind::AuthenticationFailed || matches!(error.code(), Some("WRONGPASS" | "NOAUTH"))
}

fn is_away(error: &RedisError) -> bool {
    match error.kind() {
        _ if is_refusal(error) => true,
        ErrorKind::Io | ErrorKind::ClusterConnectionNotFound => true,
        ErrorKind::Server(kind) => matches!(
            kind,
            ServerErrorKind::BusyLoading
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::Moved
                | ServerErrorKind::Ask
                | ServerErrorKind::ReadOnly
                | ServerErrorKind::TryAgain
        ),
        _ => error.is_timeout() || error.is_connection_dropped() || error.is_connection_refusal(),
    }
}
