//! What a vault keeps and is asked for: plain data.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use jiff::Timestamp;
use secrecy::SecretString;
use uuid::Uuid;

/// One sign-in on one device, as the vault keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The `sid` of its tokens.
    pub id: Uuid,
    /// Whose it is.
    pub member_id: Uuid,
    /// When it was started.
    pub created_at: Timestamp,
    /// When the member last proved who they are.
    pub auth_time: Timestamp,
    /// When it was last used, to within [`Settings::touch_every`](crate::Settings::touch_every).
    pub last_seen_at: Timestamp,
    /// When it ends whatever happens.
    pub expires_at: Timestamp,
    /// When it ends if it is not used before.
    pub idle_until: Timestamp,
    /// Where it was last refreshed from.
    pub device: Device,
    /// The hash of the refresh token that is valid now.
    pub current_hash: String,
    /// The refresh token before that one.
    pub previous: Option<Previous>,
    /// Set once it was ended before its time.
    pub revoked: Option<Ending>,
}

/// The refresh token that was replaced last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Previous {
    /// Its hash.
    pub hash: String,
    /// When it was replaced.
    pub rotated_at: Timestamp,
    /// Its successor, readable only with the replaced token itself.
    pub sealed_successor: Vec<u8>,
}

/// Where a session is used from, as its member recognises it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Device {
    /// The address of the last refresh, if it is known.
    pub ip: Option<IpAddr>,
    /// The browser's or program's own name, at most 256 bytes.
    pub user_agent: Option<String>,
}

impl Device {
    const LONGEST_USER_AGENT: usize = 256;

    /// Describes a device; an over-long name is cut, an empty one dropped.
    pub fn new(ip: Option<IpAddr>, user_agent: Option<&str>) -> Self {
        let user_agent = user_agent.map(|name| &name[..name.floor_char_boundary(Self::LONGEST_USER_AGENT)]);
        Self { ip, user_agent: user_agent.filter(|name| !name.is_empty()).map(str::to_owned) }
    }
}

/// What [`Vault::rotate`](crate::Vault::rotate) is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationAttempt {
    /// The session that the presented token names.
    pub session_id: Uuid,
    /// The hash of the presented token.
    pub presented_hash: String,
    /// The hash of the token that shall replace it.
    pub successor_hash: String,
    /// That token, sealed under the presented one.
    pub sealed_successor: Vec<u8>,
    /// Where the attempt comes from.
    pub device: Device,
    /// The time of the attempt.
    pub now: Timestamp,
    /// The new `idle_until`.
    pub idle_until: Timestamp,
}

/// What became of a [`RotationAttempt`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// The successor is in force; this is the session after the change.
    Done(Session),
    /// Nothing was changed; this is the session as it stands, if there is one.
    Refused(Option<Session>),
}

/// Which sessions to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// This one, whoever's it is.
    Session(Uuid),
    /// This one, if it is this member's.
    SessionOf {
        /// The session.
        session_id: Uuid,
        /// Whose it has to be.
        member_id: Uuid,
    },
    /// All of a member.
    Member {
        /// Whose sessions.
        member_id: Uuid,
        /// The one to leave alone.
        except: Option<Uuid>,
    },
}

impl Target {
    /// Says whether a session is meant.
    pub fn includes(self, session: &Session) -> bool {
        match self {
            Self::Session(id) => session.id == id,
            Self::SessionOf { session_id, member_id } => {
                session.id == session_id && session.member_id == member_id
            }
            Self::Member { member_id, except } => {
                session.member_id == member_id && Some(session.id) != except
            }
        }
    }
}

/// When and why a session was ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Reason,
}

/// Why a session was ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Its member signed out on that device.
    Logout,
    /// Its member signed out everywhere.
    LogoutAll,
    /// Its member ended it from another device.
    Device,
    /// Its member's password changed.
    Password,
    /// An administrator ended it.
    Banned,
    /// A replaced refresh token was used again.
    Reuse,
}

impl Reason {
    const ALL: [Self; 6] =
        [Self::Logout, Self::LogoutAll, Self::Device, Self::Password, Self::Banned, Self::Reuse];

    /// Names it as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::LogoutAll => "logout_all",
            Self::Device => "device",
            Self::Password => "password",
            Self::Banned => "banned",
            Self::Reuse => "reuse",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Reason {
    type Err = UnknownReason;

    fn from_str(text: &str) -> Result<Self, UnknownReason> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text).ok_or(UnknownReason)
    }
}

/// A stored reason that this version does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown reason for the end of a session")]
pub struct UnknownReason;

/// The key ring as the vault keeps it: one text, numbered.
#[derive(Clone, Debug)]
pub struct KeyDocument {
    /// Counts the changes, from 1.
    pub version: u64,
    /// JSON with the private signing keys.
    pub document: SecretString,
}
