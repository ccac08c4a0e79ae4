use upshelf_redis::Keys;

/// Where a process says on which channels it has published what went nowhere else.
const CONTROL: &str = "upshelf:bus";

/// Channels and patterns here, and what they are called on Redis: the same, behind the prefix.
///
/// In a cluster a tag follows the prefix, so that one node takes all publications and has all subscribers. A message
/// that goes through two nodes is under way for a while after it was published: who subscribes meanwhile hears it, and
/// who listens by a pattern hears what was published later on another node before it.
#[derive(Debug)]
pub(super) struct Names {
    prefix: Box<str>,
    /// The prefix as a pattern that covers nothing else.
    literal_prefix: Box<str>,
    control: Box<str>,
}

impl Names {
    pub(super) fn new(keys: &Keys) -> Self {
        let tag = if keys.is_tagged() { [&keys.tag(CONTROL), ":"].concat() } else { String::new() };
        let (prefix, literal) = (keys.name(&tag), keys.pattern(&tag));
        let control = [&prefix, CONTROL].concat().into();
        Self { prefix: prefix.into(), literal_prefix: literal.into(), control }
    }

    /// The channel of the bus itself, as Redis calls it.
    pub(super) fn control(&self) -> &str {
        &self.control
    }

    pub(super) fn of_channel(&self, channel: &str) -> String {
        [&self.prefix, channel].concat()
    }

    pub(super) fn of_pattern(&self, pattern: &str) -> String {
        [&self.literal_prefix, pattern].concat()
    }

    /// Finds what we call a channel of Redis; `None` for one that is not ours.
    pub(super) fn channel<'a>(&self, on_redis: &'a str) -> Option<&'a str> {
        on_redis.strip_prefix(&*self.prefix)
    }

    /// As [`channel`](Self::channel), for a pattern.
    pub(super) fn pattern<'a>(&self, on_redis: &'a str) -> Option<&'a str> {
        on_redis.strip_prefix(&*self.literal_prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::glob;

    #[test]
    fn without_a_prefix_names_are_the_same_everywhere() {
        let names = Names::new(&Keys::new("", false));
        assert_eq!(names.of_channel("notifications:42"), "notifications:42");
        assert_eq!(names.of_pattern("notifications:*"), "notifications:*");
        assert_eq!(names.channel("suggestions:votes"), Some("suggestions:votes"));
    }

    #[test]
    fn in_a_cluster_all_names_have_one_tag() {
        let names = Names::new(&Keys::new("site:", true));
        assert_eq!(names.of_channel("notifications:{42}"), "site:{upshelf:bus}:notifications:{42}");
        assert_eq!(names.of_pattern("*"), "site:{upshelf:bus}:*");
        assert_eq!(names.control(), "site:{upshelf:bus}:upshelf:bus");
        assert_eq!(names.channel("site:{upshelf:bus}:votes"), Some("votes"));
    }

    #[test]
    fn a_prefix_is_itself_also_before_a_pattern() {
        let names = Names::new(&Keys::new("a*[b]?\\:", false));
        let pattern = names.of_pattern("v*");
        assert!(glob::covers(&pattern, &names.of_channel("votes")), "{pattern}");
        assert!(!glob::covers(&pattern, "axb?\\:votes"), "{pattern}");
        assert_eq!(names.pattern(&pattern), Some("v*"));
        assert_eq!(names.channel("a*[b]?\\:votes"), Some("votes"));
        assert_eq!(names.channel("b:votes"), None);
    }
}
