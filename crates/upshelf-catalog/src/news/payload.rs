//! What is told in the channels, as JSON.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use upshelf_store::{Inbox, MemberId, ResourceId, Standing, SuggestionId, SuggestionKind};

use crate::views::NoticeView;

/// What `suggestions:votes` tells everybody who listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingNews {
    /// Of which suggestion.
    pub suggestion_id: SuggestionId,
    /// Votes in favour.
    pub up: i64,
    /// Votes against.
    pub down: i64,
    /// `up` − `down`.
    pub score: i64,
    /// Grows by one with every change of the standing.
    pub version: i64,
}

impl StandingNews {
    /// Tells how a suggestion stands.
    pub fn of(suggestion_id: SuggestionId, standing: Standing) -> StandingNews {
        let Standing { up, down, score, version } = standing;
        StandingNews { suggestion_id, up, down, score, version }
    }
}

/// What `notifications:{memberId}` tells the member.
#[derive(Serialize)]
pub(crate) struct NoticeNews<'a> {
    pub(crate) seq: i64,
    pub(crate) unread: i64,
    pub(crate) notice: Option<&'a NoticeView>,
}

impl NoticeNews<'_> {
    pub(crate) fn json(&self) -> Bytes {
        serde_json::to_vec(self).expect("a notice is plain JSON").into()
    }
}

/// Writes what a member is told whose notices are fewer unread: it looks like a notice, and has none.
pub fn count_news(Inbox { seq, unread }: Inbox) -> Bytes {
    NoticeNews { seq, unread, notice: None }.json()
}

/// What the same channel tells the site's processes when a member has read notices.
#[derive(Serialize)]
pub(crate) struct ReadNews {
    pub(crate) read_up_to: i64,
    pub(crate) unread: i64,
}

/// What the site's processes tell each other of API keys.
#[derive(Serialize, Deserialize)]
pub(crate) struct KeysNews {
    pub(crate) member_id: MemberId,
}

/// What happened to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It came onto the shelf.
    Created,
    /// Its words or its address changed.
    Edited,
    /// Its place changed.
    Moved,
    /// It was taken off the shelf.
    Removed,
    /// It was put back to an earlier version.
    Reverted,
}

impl From<SuggestionKind> for Change {
    fn from(kind: SuggestionKind) -> Change {
        match kind {
            SuggestionKind::Add => Change::Created,
            SuggestionKind::Edit => Change::Edited,
            SuggestionKind::Move => Change::Moved,
            SuggestionKind::Remove => Change::Removed,
        }
    }
}

/// What `resource:updates:{resourceId}` tells everybody who listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeNews {
    /// Which resource.
    pub resource_id: ResourceId,
    /// What happened.
    pub change: Change,
    /// The resource's version after it.
    pub version: i64,
}
