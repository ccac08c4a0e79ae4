//! Tags: one number each, so that invalidating a tag costs the same however many entries carry it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The sequence number of the last invalidation of one tag.
#[derive(Debug, Default)]
pub(crate) struct Tag(AtomicU64);

impl Tag {
    /// Invalidates whatever began to be loaded before `sequence`.
    pub(crate) fn touch(&self, sequence: u64) {
        self.0.fetch_max(sequence, Ordering::AcqRel);
    }

    pub(crate) fn was_touched_after(&self, sequence: u64) -> bool {
        self.0.load(Ordering::Acquire) > sequence
    }
}

/// All tags that an entry, a load or a recent invalidation knows.
#[derive(Default)]
pub(crate) struct Tags(Mutex<Known>);

struct Known {
    tags: HashMap<Box<str>, Arc<Tag>>,
    /// The newest invalidation of any forgotten tag: a tag that comes back might be that one.
    floor: u64,
    sweep_at: usize,
}

/// Fewer tags than this are never worth a sweep.
const FEW: usize = 1024;

impl Default for Known {
    fn default() -> Self {
        Self { tags: HashMap::new(), floor: 0, sweep_at: FEW }
    }
}

impl Tags {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the tag of this name.
    pub(crate) fn named(&self, name: &str) -> Arc<Tag> {
        let mut known = self.known();
        if let Some(tag) = known.tags.get(name) {
            return Arc::clone(tag);
        }
        if known.tags.len() >= known.sweep_at {
            known.sweep();
        }
        let tag = Arc::new(Tag(AtomicU64::new(known.floor)));
        known.tags.insert(name.into(), Arc::clone(&tag));
        tag
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.known().tags.len()
    }
}

impl Known {
    /// Forgets the tags that nothing carries.
    ///
    /// A load under way may still register one of them and must then learn of its invalidation, hence the floor:
    /// at worst it costs that load its place in the cache.
    fn sweep(&mut self) {
        let floor = &mut self.floor;
        self.tags.retain(|_, tag| {
            // Nobody can take a new reference meanwhile, as only this map, which is locked, hands them out.
            let used = Arc::strong_count(tag) > 1;
            if !used {
                *floor = (*floor).max(tag.0.load(Ordering::Acquire));
            }
            used
        });
        self.sweep_at = (self.tags.len() * 2).max(FEW);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_that_nothing_carries_are_forgotten_but_not_that_one_was_invalidated() {
        let tags = Tags::default();
        let carried = tags.named("carried");
        for n in 0..10_000 {
            tags.named(&format!("member:{n}")).touch(n);
        }
        assert!(tags.len() <= FEW + 1, "{} tags are known", tags.len());
        assert!(Arc::ptr_eq(&carried, &tags.named("carried")));
        assert!(!carried.was_touched_after(0));
        assert!(tags.named("member:7").was_touched_after(6), "it came back, and may have been touched");
    }
}
