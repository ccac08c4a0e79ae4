use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use upshelf_store::MemberId;

/// For how many looks a count is doubted after its member has read: a notice that came just before may be heard of after
/// it, with the count of then.
const DOUBT: u32 = 5;

/// How many notices of those who are connected here are unread, as they were told last.
#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<HashMap<MemberId, Count>>);

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    told: Option<i64>,
    doubt: u32,
}

impl Counts {
    fn counts(&self) -> MutexGuard<'_, HashMap<MemberId, Count>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what somebody knows who has just come; others may know another number.
    pub(super) fn began(&self, member: MemberId, unread: i64) {
        self.counts().entry(member).or_default().told.get_or_insert(unread);
    }

    /// Notes what is told; says whether it is another number than before.
    pub(super) fn told(&self, member: MemberId, unread: i64) -> bool {
        self.counts().entry(member).or_default().told.replace(unread) != Some(unread)
    }

    /// Has the next looks include this member.
    pub(super) fn doubt(&self, member: MemberId) {
        self.counts().entry(member).or_default().doubt = DOUBT;
    }

    /// Lists the members that this look is to include.
    pub(super) fn doubted(&self) -> Vec<MemberId> {
        let mut counts = self.counts();
        let doubted = counts.iter_mut().filter(|(_, count)| count.doubt > 0);
        let looked_at = doubted.map(|(member, count)| {
            count.doubt -= 1;
            *member
        });
        looked_at.collect()
    }

    /// Forgets all but these.
    pub(super) fn keep(&self, members: &[MemberId]) {
        let members: HashSet<&MemberId> = members.iter().collect();
        self.counts().retain(|member, _| members.contains(member));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_told_when_it_is_another_and_doubted_for_a_while_after_a_reading() {
        let (counts, ada) = (Counts::default(), MemberId(uuid::Uuid::from_u128(1)));
        counts.began(ada, 3);
        assert!(!counts.told(ada, 3) && counts.told(ada, 2) && !counts.told(ada, 2));
        counts.began(ada, 5);
        assert!(!counts.told(ada, 2), "one more who came changes nothing for the others");
        assert_eq!(counts.doubted(), []);
        counts.doubt(ada);
        for _ in 0..DOUBT {
            assert_eq!(counts.doubted(), [ada]);
        }
        assert_eq!(counts.doubted(), []);
        counts.keep(&[]);
        assert!(counts.told(ada, 2), "it is forgotten");
    }
}
