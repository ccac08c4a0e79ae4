//! What this process remembers: tokens whose signature it has checked, sessions whose state it has asked for.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest::{SHA256, digest};
use jiff::{SignedDuration, Timestamp};
use quick_cache::sync::Cache;
use tokio::sync::watch;
use uuid::Uuid;

use crate::access::Verified;
use crate::rows::Session;

/// The digest of an access token: no token in clear is kept.
pub(crate) type TokenDigest = [u8; 32];

/// What the vault said about a session, to this process or to another one.
#[derive(Clone, Copy)]
pub(crate) enum Standing {
    Open { member_id: Uuid, auth_time: Timestamp, expires_at: Timestamp, idle_until: Timestamp },
    Revoked,
    Unknown,
}

impl From<Option<&Session>> for Standing {
    fn from(session: Option<&Session>) -> Self {
        match session {
            None => Self::Unknown,
            Some(session) if session.revoked.is_some() => Self::Revoked,
            Some(&Session { member_id, auth_time, expires_at, idle_until, .. }) => {
                Self::Open { member_id, auth_time, expires_at, idle_until }
            }
        }
    }
}

/// How many revocations a slice of all session ids has seen before the vault was asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark(u64);

#[derive(Clone, Copy)]
struct Remembered {
    standing: Standing,
    asked_at: Timestamp,
    mark: Mark,
}

/// The memory of one process.
///
/// Invariant: once [`forget`](Self::forget) has returned, [`recall`](Self::recall) never returns an answer that the
/// vault gave before. Removing the entry would not do: a reader that had asked the vault before the revocation could
/// put its answer back afterwards. So each answer carries the mark that was current **before** the vault was asked.
pub(crate) struct Local {
    tokens: Cache<TokenDigest, (Verified, u64)>,
    sessions: Cache<Uuid, Remembered>,
    marks: [AtomicU64; 256],
    changes: watch::Sender<()>,
    trust_ttl: SignedDuration,
}

impl Local {
    pub(crate) fn new(capacity: usize, trust_ttl: SignedDuration) -> Self {
        Self {
            tokens: Cache::new(capacity),
            sessions: Cache::new(capacity),
            marks: [const { AtomicU64::new(0) }; 256],
            changes: watch::Sender::new(()),
            trust_ttl,
        }
    }

    pub(crate) fn digest(token: &str) -> TokenDigest {
        digest(&SHA256, token.as_bytes()).as_ref().try_into().expect("SHA-256 has 32 bytes")
    }

    /// Finds a token whose signature was checked against this version of the key ring.
    pub(crate) fn verified(&self, token: &TokenDigest, ring_version: u64) -> Option<Verified> {
        self.tokens.get(token).filter(|(_, version)| *version == ring_version).map(|(verified, _)| verified)
    }

    pub(crate) fn remember_verified(&self, token: TokenDigest, verified: Verified, ring_version: u64) {
        self.tokens.insert(token, (verified, ring_version));
    }

    /// To be taken before the vault is asked.
    pub(crate) fn mark(&self, session_id: Uuid) -> Mark {
        Mark(self.marks[usize::from(Self::slice(session_id))].load(Ordering::Acquire))
    }

    pub(crate) fn recall(&self, session_id: Uuid, now: Timestamp) -> Option<Standing> {
        let known = self.sessions.get(&session_id)?;
        let age = now.duration_since(known.asked_at);
        // A clock that was set back must not make an answer live longer.
        let is_recent = !age.is_negative() && age < self.trust_ttl;
        (is_recent && known.mark == self.mark(session_id)).then_some(known.standing)
    }

    pub(crate) fn remember(&self, session_id: Uuid, standing: Standing, asked_at: Timestamp, mark: Mark) {
        self.sessions.insert(session_id, Remembered { standing, asked_at, mark });
    }

    /// Makes every earlier answer about this session void.
    pub(crate) fn forget(&self, session_id: Uuid) {
        self.forget_slice(Self::slice(session_id));
    }

    /// Makes every earlier answer about the sessions of a slice void.
    pub(crate) fn forget_slice(&self, slice: u8) {
        self.marks[usize::from(slice)].fetch_add(1, Ordering::AcqRel);
        self.changes.send_replace(());
    }

    /// How often each slice was forgotten.
    pub(crate) fn marks(&self) -> [u64; 256] {
        std::array::from_fn(|slice| self.marks[slice].load(Ordering::Acquire))
    }

    /// Tells of changes of the marks.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Makes every earlier answer void.
    pub(crate) fn flush(&self) {
        (0..=u8::MAX).for_each(|slice| self.forget_slice(slice));
    }

    /// Says whose session it is, if that is remembered: this never changes.
    pub(crate) fn owner_of(&self, session_id: Uuid) -> Option<Uuid> {
        match self.sessions.get(&session_id)?.standing {
            Standing::Open { member_id, .. } => Some(member_id),
            Standing::Revoked | Standing::Unknown => None,
        }
    }

    /// One of 256 parts of all sessions: the last byte is random in every kind of id that is used for them.
    pub(crate) fn slice(session_id: Uuid) -> u8 {
        session_id.as_bytes()[15]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;
    const SESSION: Uuid = Uuid::from_u128(1);

    fn local() -> Local {
        Local::new(16, SignedDuration::from_secs(5))
    }

    #[test]
    fn an_answer_is_trusted_for_five_seconds_and_not_when_the_clock_goes_back() {
        let local = local();
        local.remember(SESSION, Standing::Revoked, NOW, local.mark(SESSION));
        assert!(local.recall(SESSION, NOW + SignedDuration::from_millis(4_999)).is_some());
        assert!(local.recall(SESSION, NOW + SignedDuration::from_secs(5)).is_none());
        assert!(local.recall(SESSION, NOW - SignedDuration::from_millis(1)).is_none());
    }

    #[test]
    fn an_answer_from_before_a_revocation_cannot_be_put_back_after_it() {
        let local = local();
        let mark = local.mark(SESSION);
        local.forget(SESSION);
        local.remember(SESSION, Standing::Unknown, NOW, mark);
        assert!(local.recall(SESSION, NOW).is_none());
    }
}
