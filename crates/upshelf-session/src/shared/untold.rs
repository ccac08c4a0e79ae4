//! Ends that this process has begun and Redis may not know of.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use uuid::Uuid;

/// How many ends may wait for Redis to come back.
const MOST: usize = 10_000;

/// The members whose sessions are being ended: what Redis says about them does not count here.
#[derive(Clone, Default)]
pub(super) struct Untold(Arc<Mutex<Ends>>);

#[derive(Default)]
struct Ends {
    of_members: HashMap<Uuid, usize>,
    count: usize,
}

/// One such end, until it is dropped.
pub(super) struct Telling {
    untold: Untold,
    member_id: Uuid,
    is_one_too_many: bool,
}

impl Untold {
    pub(super) fn has(&self, member_id: Uuid) -> bool {
        self.ends().of_members.contains_key(&member_id)
    }

    pub(super) fn begin(&self, member_id: Uuid) -> Telling {
        let mut ends = self.ends();
        let is_one_too_many = ends.count >= MOST;
        ends.count += 1;
        *ends.of_members.entry(member_id).or_default() += 1;
        Telling { untold: self.clone(), member_id, is_one_too_many }
    }

    fn ends(&self) -> MutexGuard<'_, Ends> {
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
        let mut ends = self.untold.ends();
        ends.count -= 1;
        if let Some(count) = ends.of_members.get_mut(&self.member_id) {
            *count -= 1;
            if *count == 0 {
                ends.of_members.remove(&self.member_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: Uuid = Uuid::from_u128(0xada);
    const BOB: Uuid = Uuid::from_u128(0xb0b);

    #[test]
    fn a_member_is_untold_until_the_last_end_is_told() {
        let untold = Untold::default();
        let (first, second) = (untold.begin(ADA), untold.begin(ADA));
        drop(first);
        assert!(untold.has(ADA) && !untold.has(BOB));
        drop(second);
        assert!(!untold.has(ADA));
    }

    #[test]
    fn the_ends_of_one_member_fill_it_as_those_of_many_do() {
        let untold = Untold::default();
        let mut waiting: Vec<_> = (0..MOST).map(|_| untold.begin(ADA)).collect();
        assert!(waiting.iter().all(|telling| !telling.is_one_too_many()));
        assert!(untold.begin(BOB).is_one_too_many());
        waiting.pop();
        assert!(!untold.begin(BOB).is_one_too_many());
    }
}
