//! What the cache's keys in Redis are called.

use upshelf_redis::Keys;

use crate::glob;

/// What stands before names of the cache's own: a value of this name would take their place.
const OWN: [&str; 6] =
    ["cache:lease:", "cache:meta:", "cache:tag:", "cache:tagv:", "cache:taggc:", "cache:ns"];

/// Names keys; values have the caller's own names.
#[derive(Clone, Debug)]
pub(super) struct Names(Keys);

/// The keys of one value, all in one slot.
#[derive(Debug)]
pub(super) struct Value {
    /// The value, its meta, its lease.
    pub(super) keys: [String; 3],
}

impl Names {
    pub(super) fn of(keys: &Keys) -> Self {
        Self(keys.clone())
    }

    /// Names a value; `None` where its companions would not lie in its slot, or it would lie on a key of the cache's own.
    pub(super) fn value(&self, key: &str) -> Option<Value> {
        let is_ours = OWN.iter().any(|own| key.starts_with(own));
        if key.is_empty() || key.contains(['{', '}']) || is_ours {
            return None;
        }
        Some(self.complete(self.0.name(key)))
    }

    /// Names what belongs to the complete name of a value.
    pub(super) fn complete(&self, value: String) -> Value {
        let meta = self.0.companion("cache:meta", &value);
        let lease = self.0.companion("cache:lease", &value);
        Value { keys: [value, meta, lease] }
    }

    /// The token of a tag.
    pub(super) fn token(&self, tag: &str) -> String {
        self.0.companion("cache:tagv", &self.members(tag))
    }

    /// The set of a tag's members.
    pub(super) fn members(&self, tag: &str) -> String {
        self.0.name(format_args!("cache:tag:{tag}"))
    }

    /// Where the members of an invalidated tag wait to be collected.
    pub(super) fn collected(&self, tag: &str, unique: &str) -> String {
        self.0.companion(&format!("cache:taggc:{unique}"), &self.members(tag))
    }

    /// Says whether a tag's set and its token lie in one slot.
    pub(super) fn has_members(&self, tag: &str) -> bool {
        !tag.contains(['{', '}'])
    }

    pub(super) fn namespace(&self) -> String {
        self.0.name("cache:ns")
    }

    pub(super) fn channel(&self) -> String {
        self.0.name("upshelf:cache")
    }

    /// In a cluster the channel is that of one node, which keeps its messages in order.
    pub(super) fn is_sharded(&self) -> bool {
        self.0.is_tagged()
    }

    /// Patterns that cover the leases and the metas of values that a pattern covers, and perhaps of others: with a
    /// brace behind it a class that is not closed, say, would mean something else.
    pub(super) fn patterns(&self, pattern: &str) -> [String; 2] {
        let pattern = if pattern.contains(['[', '\\']) { "*" } else { pattern };
        let value = self.0.pattern(pattern);
        ["lease", "meta"].map(|kind| self.0.pattern(format_args!("cache:{kind}:{{{value}}}")))
    }

    /// Says whether a pattern covers the key of a value of this complete name.
    pub(super) fn is_covered(&self, pattern: &str, value: &Value) -> bool {
        let key = value.keys[0].strip_prefix(self.0.prefix());
        key.is_some_and(|key| glob::covers(pattern, key))
    }

    /// Reads the complete name of a value from that of a companion.
    pub(super) fn value_of(&self, companion: &str) -> Option<Value> {
        // The prefix may have braces of its own.
        let rest = companion.strip_prefix(self.0.prefix())?;
        let (_, value) = rest.split_once('{')?;
        Some(self.complete(value.strip_suffix('}')?.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_notes_and_companions_carry_the_values_name() {
        let names = Names::of(&Keys::new("site:", false));
        let value = names.value("cache:profile:7").expect("it is an ordinary name");
        let expected = [
            "site:cache:profile:7",
            "site:cache:meta:{site:cache:profile:7}",
            "site:cache:lease:{site:cache:profile:7}",
        ];
        assert_eq!(value.keys, expected);
        for companion in &value.keys[1..] {
            assert_eq!(names.value_of(companion).expect("it is one").keys, expected);
        }
        assert_eq!(names.members("resource:7"), "site:cache:tag:resource:7");
        assert_eq!(names.token("resource:7"), "site:cache:tagv:{site:cache:tag:resource:7}");
    }

    #[test]
    fn what_would_lie_in_another_slot_or_on_another_key_is_no_value() {
        let names = Names::of(&Keys::new("", false));
        for key in ["", "a{b", "a}b", "{}", "cache:tag:x", "cache:ns", "cache:meta:{cache:a}"] {
            assert!(names.value(key).is_none(), "{key:?}");
        }
        assert!(names.value("cache:tags").is_some(), "the note has this one");
    }
}
