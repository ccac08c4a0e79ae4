//! The numbers of the protocol: errors in replies, and reasons for the end of a connection or a subscription.

/// Why a command was refused: the error in its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// Something on this side failed; trying again may help.
    Internal,
    /// It takes a sign-in.
    Unauthorized,
    /// There is no such channel.
    UnknownChannel,
    /// It is somebody else's.
    PermissionDenied,
    /// There is no such command.
    MethodNotFound,
    /// The connection watches the channel already.
    AlreadySubscribed,
    /// The connection watches as many channels as it may.
    LimitExceeded,
    /// The command makes no sense.
    BadRequest,
    /// The command is known, and not offered here.
    NotAvailable,
    /// The token has expired; a new one is welcome.
    TokenExpired,
    /// What was asked about has expired.
    Expired,
    /// That was too often.
    TooManyRequests,
    /// The history does not reach back to that position.
    UnrecoverablePosition,
}

impl Code {
    /// Gives the number.
    pub const fn number(self) -> u16 {
        match self {
            Code::Internal => 100,
            Code::Unauthorized => 101,
            Code::UnknownChannel => 102,
            Code::PermissionDenied => 103,
            Code::MethodNotFound => 104,
            Code::AlreadySubscribed => 105,
            Code::LimitExceeded => 106,
            Code::BadRequest => 107,
            Code::NotAvailable => 108,
            Code::TokenExpired => 109,
            Code::Expired => 110,
            Code::TooManyRequests => 111,
            Code::UnrecoverablePosition => 112,
        }
    }

    /// Says it in the protocol's words.
    pub const fn message(self) -> &'static str {
        match self {
            Code::Internal => "internal server error",
            Code::Unauthorized => "unauthorized",
            Code::UnknownChannel => "unknown channel",
            Code::PermissionDenied => "permission denied",
            Code::MethodNotFound => "method not found",
            Code::AlreadySubscribed => "already subscribed",
            Code::LimitExceeded => "limit exceeded",
            Code::BadRequest => "bad request",
            Code::NotAvailable => "not available",
            Code::TokenExpired => "token expired",
            Code::Expired => "expired",
            Code::TooManyRequests => "too many requests",
            Code::UnrecoverablePosition => "unrecoverable position",
        }
    }

    /// Says whether the same command may be done later.
    pub const fn is_temporary(self) -> bool {
        matches!(self, Code::Internal | Code::TooManyRequests)
    }
}

/// Why a connection ends: clients come back after 3000 to 3499, and stay away after 3500 to 3999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Close {
    /// The number in the closing frame.
    pub code: u16,
    /// The words in it.
    pub reason: &'static str,
}

impl Close {
    /// The program ends.
    pub const SHUTDOWN: Close = Close { code: 3001, reason: "shutdown" };
    /// Something on this side failed.
    pub const SERVER_ERROR: Close = Close { code: 3004, reason: "internal server error" };
    /// The sign-in has run out and was not renewed.
    pub const EXPIRED: Close = Close { code: 3005, reason: "connection expired" };
    /// More waits for the client than it may leave unread.
    pub const SLOW: Close = Close { code: 3008, reason: "slow" };
    /// The client has missed something that it can only make up for by coming back.
    pub const INSUFFICIENT_STATE: Close = Close { code: 3010, reason: "insufficient state" };
    /// No sign of life came.
    pub const NO_PONG: Close = Close { code: 3012, reason: "no pong" };
    /// The token is not valid, or not any more.
    pub const INVALID_TOKEN: Close = Close { code: 3500, reason: "invalid token" };
    /// The client does not keep to the protocol.
    pub const BAD_REQUEST: Close = Close { code: 3501, reason: "bad request" };
    /// The client did not say `connect` in time.
    pub const STALE: Close = Close { code: 3502, reason: "stale" };
    /// The client sent what nobody takes and what has no reply.
    pub const NOT_AVAILABLE: Close = Close { code: 3508, reason: "not available" };
}

/// Why a subscription ends while its connection goes on: clients subscribe again from 2500 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Unsubscribe {
    /// The number in the push.
    pub code: u16,
    /// The words in it.
    pub reason: &'static str,
}

impl Unsubscribe {
    /// The channel is closed to the client.
    pub const SERVER: Unsubscribe = Unsubscribe { code: 2000, reason: "server unsubscribe" };
    /// The client has missed something.
    pub const INSUFFICIENT_STATE: Unsubscribe = Unsubscribe { code: 2500, reason: "insufficient state" };
}
