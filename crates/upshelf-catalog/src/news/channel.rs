//! The channels, and what they are about.

use upshelf_store::{MemberId, ResourceId};

/// The channel on which standings are published.
pub const VOTES_CHANNEL: &str = "suggestions:votes";

/// The channel on which processes tell each other whose API keys may have ended; no client watches it.
pub(crate) const KEYS_CHANNEL: &str = "upshelf:keys";

/// What stands before a member in the name of the channel of their notices.
pub(super) const NOTICES: &str = "notifications:";

/// What stands before a resource in the name of the channel of its changes.
pub(super) const CHANGES: &str = "resource:updates:";

/// The channel on which a member's notices are published.
pub fn notices_channel(member: MemberId) -> String {
    format!("{NOTICES}{member}")
}

/// The channel on which a resource's changes are published.
pub fn changes_channel(resource: ResourceId) -> String {
    format!("{CHANGES}{resource}")
}

/// What a channel is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// The standings of all suggestions that are open.
    Votes,
    /// A member's notices.
    Notices(MemberId),
    /// A resource's changes.
    Changes(ResourceId),
}

impl Topic {
    /// Finds what the channel of this name is about.
    pub fn find(channel: &str) -> Option<Topic> {
        if channel == VOTES_CHANNEL {
            return Some(Topic::Votes);
        }
        let notices =
            channel.strip_prefix(NOTICES).and_then(|id| plain(id).map(|id| Topic::Notices(id.into())));
        let changes =
            || channel.strip_prefix(CHANGES).and_then(|id| plain(id).map(|id| Topic::Changes(id.into())));
        notices.or_else(changes)
    }
}

/// An id as we write it: one channel has one name.
fn plain(text: &str) -> Option<uuid::Uuid> {
    text.parse::<uuid::Uuid>().ok().filter(|id| id.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_has_one_name() {
        let id = uuid::Uuid::from_u128(7);
        assert_eq!(Topic::find(VOTES_CHANNEL), Some(Topic::Votes));
        assert_eq!(Topic::find(&notices_channel(id.into())), Some(Topic::Notices(id.into())));
        assert_eq!(Topic::find(&changes_channel(id.into())), Some(Topic::Changes(id.into())));
        for odd in ["", "suggestions", "notifications:", "notifications:7", "resource:updates:x"] {
            assert_eq!(Topic::find(odd), None, "{odd}");
        }
        assert_eq!(Topic::find(&format!("notifications:{}", id.simple())), None);
        assert_eq!(Topic::find(KEYS_CHANNEL), None, "it is nobody's to watch");
    }
}
