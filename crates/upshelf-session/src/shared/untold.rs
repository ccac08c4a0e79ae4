//! Ends that this process has begun and Redis may not know of.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use uuid::Uuid;

/// How many ends may wait for Redis to come back.
const MOST: usize = 10_000;

/// The members whose sessions are being ended: what Redis says about them does not count here.
#[derive(Clone, Default)]
pub(super) struct Untold(Arc<Mutex<HashMap<Uuid, u32>>>);

/// One such end, until it is dropped.
pub(super) struct Telling {
    untold: Untold,
    member_id: Uuid,
    is_one_too_many: bool,
}

impl Untold {
    pub(super) fn has(&self, member_id: Uuid) -> bool {
        self.members().contains_key(&member_id)
    }

    pub(super) fn begin(&self, member_id: Uuid) -> Telling {
        let mut members = self.members();
        let is_one_too_many = members.len() >= MOST;
        *members.entry(member_id).or_default() += 1;
        Telling { untold: self.clone(), member_id, is_one_too_many }
    }

    fn members(&self) -> MutexGuard<'_, HashMap<Uuid, u32>> {
        self.0.lock().expect("no code panics while it holds this lock")
    }
}

impl Telling {
    /// Whether too many others wait already.
    pub(super) fn is_one_too_many(&self) -> bool {
        self.is_one_too_many
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        let mut members = self.untold.members();
        if let Some(count) = members.get_mut(&self.member_id) {
            *count -= 1;
            if *count == 0 {
                members.remove(&self.member_id);
            }
        }
    }
}
