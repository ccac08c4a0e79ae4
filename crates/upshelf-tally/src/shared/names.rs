//! What the tally's keys in Redis are called.

use std::fmt::Display;

use upshelf_redis::Keys;

/// Names keys, in both layouts.
#[derive(Clone, Debug)]
pub(super) struct Names {
    keys: Keys,
    /// The list, its details, its state, what was removed: all in one slot.
    pub(super) list: [String; 4],
}

impl Names {
    pub(super) fn new(keys: &Keys) -> Self {
        let list = keys.name("suggestions:top:voted");
        let beside = |kind| keys.companion(kind, &list);
        let [details, state, removed] =
            ["suggestions:top:details", "suggestions:top:state", "suggestions:top:removed"].map(beside);
        Self { keys: keys.clone(), list: [list, details, state, removed] }
    }

    pub(super) fn state(&self) -> &str {
        &self.list[2]
    }

    /// The counts of one thing, and the epoch in which they were written.
    pub(super) fn counts(&self, id: impl Display) -> [String; 2] {
        let id = id.to_string();
        let id = self.keys.tag(&id);
        [
            self.keys.name(format_args!("vote:suggestion:{id}:votes")),
            self.keys.name(format_args!("vote:epoch:{id}")),
        ]
    }

    /// A pattern that covers the counts of everything.
    pub(super) fn all_counts(&self) -> String {
        self.keys.pattern("vote:suggestion:*:votes")
    }

    /// Reads the id, as text, from the name of its counts.
    pub(super) fn id_of<'a>(&self, counts: &'a str) -> Option<&'a str> {
        let id = counts
            .strip_prefix(self.keys.prefix())?
            .strip_prefix("vote:suggestion:")?
            .strip_suffix(":votes")?;
        Some(id.strip_prefix('{').and_then(|id| id.strip_suffix('}')).unwrap_or(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_notes_and_those_used_together_share_a_slot() {
        let names = Names::new(&Keys::new("", false));
        assert_eq!(names.counts(7), ["vote:suggestion:7:votes", "vote:epoch:7"]);
        assert_eq!(names.list[0], "suggestions:top:voted");
        assert_eq!(names.state(), "suggestions:top:state:{suggestions:top:voted}");
        let names = Names::new(&Keys::new("site:", true));
        assert_eq!(names.counts(7), ["site:vote:suggestion:{7}:votes", "site:vote:epoch:{7}"]);
        assert_eq!(names.list[1], "site:suggestions:top:details:{site:suggestions:top:voted}");
    }

    #[test]
    fn an_id_comes_back_from_the_name_of_its_counts() {
        for is_tagged in [false, true] {
            let names = Names::new(&Keys::new("site:", is_tagged));
            assert_eq!(names.id_of(&names.counts(7)[0]), Some("7"));
        }
    }
}
