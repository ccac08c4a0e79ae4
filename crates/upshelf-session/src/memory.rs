use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard};

use jiff::Timestamp;
use uuid::Uuid;

use crate::rows::{Ending, KeyDocument, Previous, Rotation, RotationAttempt, Session, Target};
use crate::vault::Vault;

/// A vault in this process's memory: for programs without a database, and for tests. Its end is the end of all sessions.
#[derive(Debug, Default)]
pub struct MemoryVault {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sessions: HashMap<Uuid, Session>,
    keys: Option<KeyDocument>,
}

impl MemoryVault {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no code panics while it holds this lock")
    }
}

impl Vault for MemoryVault {
    type Error = Infallible;

    async fn insert(&self, session: &Session) -> Result<(), Infallible> {
        self.state().sessions.insert(session.id, session.clone());
        Ok(())
    }

    async fn find(&self, session_id: Uuid) -> Result<Option<Session>, Infallible> {
        Ok(self.state().sessions.get(&session_id).cloned())
    }

    async fn rotate(&self, attempt: &RotationAttempt) -> Result<Rotation, Infallible> {
        let mut state = self.state();
        let Some(session) = state.sessions.get_mut(&attempt.session_id) else {
            return Ok(Rotation::Refused(None));
        };
        if session.current_hash != attempt.presented_hash || !is_alive(session, attempt.now) {
            return Ok(Rotation::Refused(Some(session.clone())));
        }
        session.previous = Some(Previous {
            hash: attempt.presented_hash.clone(),
            rotated_at: attempt.now,
            sealed_successor: attempt.sealed_successor.clone(),
        });
        session.current_hash.clone_from(&attempt.successor_hash);
        session.device.clone_from(&attempt.device);
        session.last_seen_at = attempt.now;
        session.idle_until = attempt.idle_until;
        Ok(Rotation::Done(session.clone()))
    }

    async fn touch(&self, session_id: Uuid, now: Timestamp, idle_until: Timestamp) -> Result<(), Infallible> {
        if let Some(session) = self.state().sessions.get_mut(&session_id).filter(|s| is_alive(s, now)) {
            session.last_seen_at = session.last_seen_at.max(now);
            session.idle_until = session.idle_until.max(idle_until);
        }
        Ok(())
    }

    async fn revoke(&self, target: Target, ending: Ending) -> Result<Vec<Uuid>, Infallible> {
        let mut state = self.state();
        let meant = state.sessions.values_mut().filter(|s| target.includes(s) && s.revoked.is_none());
        Ok(meant
            .map(|session| {
                session.revoked = Some(ending);
                session.id
            })
            .collect())
    }

    async fn list(&self, member_id: Uuid, now: Timestamp) -> Result<Vec<Session>, Infallible> {
        let state = self.state();
        let mut open: Vec<_> = state
            .sessions
            .values()
            .filter(|session| session.member_id == member_id && is_alive(session, now))
            .cloned()
            .collect();
        open.sort_by_key(|session| (std::cmp::Reverse(session.last_seen_at), session.id));
        Ok(open)
    }

    async fn purge(&self, before: Timestamp) -> Result<u64, Infallible> {
        let mut state = self.state();
        let held = state.sessions.len();
        state.sessions.retain(|_, session| {
            let end = session.expires_at.min(session.idle_until);
            session.revoked.map_or(end, |ending| ending.at.min(end)) >= before
        });
        Ok((held - state.sessions.len()) as u64)
    }

    async fn load_keys(&self) -> Result<Option<KeyDocument>, Infallible> {
        Ok(self.state().keys.clone())
    }

    async fn store_keys(&self, keys: &KeyDocument) -> Result<bool, Infallible> {
        let mut state = self.state();
        let is_next = state.keys.as_ref().map_or(0, |stored| stored.version) + 1 == keys.version;
        if is_next {
            state.keys = Some(keys.clone());
        }
        Ok(is_next)
    }
}

fn is_alive(session: &Session, now: Timestamp) -> bool {
    session.revoked.is_none() && now < session.expires_at && now < session.idle_until
}
