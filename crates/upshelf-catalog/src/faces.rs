//! Members that were looked up a moment ago: every signed-in request asks for one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quick_cache::sync::Cache;
use tokio::time::Instant;
use upshelf_store::{Member, MemberId};

/// How long another process may not have heard of a ban or a change of role.
const MEMORY: Duration = Duration::from_secs(5);

/// The members whom this process knows by sight.
pub(crate) struct Faces {
    known: Cache<MemberId, (Instant, Member)>,
    changes: AtomicU64,
}

/// A moment before a member is read, so that what was read before a change is not kept after it.
pub(crate) struct Glance(u64);

impl Faces {
    pub(crate) fn new() -> Faces {
        Faces { known: Cache::new(10_000), changes: AtomicU64::new(0) }
    }

    pub(crate) fn find(&self, id: MemberId) -> Option<Member> {
        let (seen, member) = self.known.get(&id)?;
        (seen.elapsed() < MEMORY).then_some(member)
    }

    pub(crate) fn glance(&self) -> Glance {
        Glance(self.changes.load(Ordering::Acquire))
    }

    pub(crate) fn remember(&self, member: Member, since: &Glance) {
        let id = member.id;
        self.known.insert(id, (Instant::now(), member));
        // Looked at after the insertion: a change that comes later than this look removes what was inserted.
        if self.changes.load(Ordering::Acquire) != since.0 {
            self.known.remove(&id);
        }
    }

    /// Forgets a member who has just changed.
    pub(crate) fn forget(&self, id: MemberId) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.known.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use upshelf_store::{Role, Time};

    use super::*;

    fn ada() -> Member {
        Member {
            id: uuid::Uuid::nil().into(),
            username: "ada".into(),
            email: "ada@example.org".into(),
            display_name: "Ada".into(),
            bio: String::new(),
            role: Role::Member,
            joined_at: Time::EPOCH,
            banned_at: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_face_is_known_for_five_seconds() {
        let faces = Faces::new();
        faces.remember(ada(), &faces.glance());
        tokio::time::advance(MEMORY - Duration::from_millis(1)).await;
        assert!(faces.find(ada().id).is_some());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(faces.find(ada().id).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_read_before_a_change_is_not_kept_after_it() {
        let faces = Faces::new();
        let glance = faces.glance();
        faces.forget(ada().id);
        faces.remember(ada(), &glance);
        assert!(faces.find(ada().id).is_none());
        faces.remember(ada(), &faces.glance());
        assert!(faces.find(ada().id).is_some());
    }
}
