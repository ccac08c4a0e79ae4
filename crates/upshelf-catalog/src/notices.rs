//! Inboxes: what is in them, and what members wish to find there.

use serde::{Deserialize, Serialize};
use upshelf_store::{Action, EmailWish, Member, Notice, NoticePreference, Page, PageRequest};

use crate::news::{ReadNews, notices_channel};
use crate::texts::Faults;
use crate::views::NoticeView;
use crate::{Catalog, Result};

/// What a notice tells.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// Something was suggested.
    Suggested,
    /// A suggestion was applied.
    Approved,
    /// A curator declined a suggestion.
    Rejected,
    /// A curator stopped approval by rule.
    Stopped,
    /// An author took a suggestion back.
    Withdrawn,
    /// A suggestion could not be applied.
    Conflicted,
    /// A resource was put back to an earlier version.
    Reverted,
    /// People voted on a suggestion; told together, every minute or so.
    Voted,
    /// Somebody commented on a suggestion.
    Commented,
    /// The member's role changed.
    RoleChanged,
    /// Something that the member should know about the account's safety.
    Security,
}

impl NoticeKind {
    /// Every kind there is.
    pub const ALL: [NoticeKind; 11] = [
        NoticeKind::Suggested,
        NoticeKind::Approved,
        NoticeKind::Rejected,
        NoticeKind::Stopped,
        NoticeKind::Withdrawn,
        NoticeKind::Conflicted,
        NoticeKind::Reverted,
        NoticeKind::Voted,
        NoticeKind::Commented,
        NoticeKind::RoleChanged,
        NoticeKind::Security,
    ];

    /// Gives the word.
    pub const fn as_str(self) -> &'static str {
        match self {
            NoticeKind::Suggested => "suggested",
            NoticeKind::Approved => "approved",
            NoticeKind::Rejected => "rejected",
            NoticeKind::Stopped => "stopped",
            NoticeKind::Withdrawn => "withdrawn",
            NoticeKind::Conflicted => "conflicted",
            NoticeKind::Reverted => "reverted",
            NoticeKind::Voted => "voted",
            NoticeKind::Commented => "commented",
            NoticeKind::RoleChanged => "role_changed",
            NoticeKind::Security => "security",
        }
    }

    /// Finds the kind of this word.
    pub fn find(word: &str) -> Option<NoticeKind> {
        NoticeKind::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The kind that tells of a change of state; none for those that concern nobody's inbox.
    pub(crate) fn of(action: Action) -> Option<NoticeKind> {
        match action {
            Action::Suggested => Some(NoticeKind::Suggested),
            Action::Approved => Some(NoticeKind::Approved),
            Action::Rejected => Some(NoticeKind::Rejected),
            Action::Stopped => Some(NoticeKind::Stopped),
            Action::Withdrawn => Some(NoticeKind::Withdrawn),
            Action::Conflicted => Some(NoticeKind::Conflicted),
            Action::Reverted => Some(NoticeKind::Reverted),
            Action::RoleChanged => Some(NoticeKind::RoleChanged),
            Action::Imported | Action::Approving | Action::Reopened | Action::Banned | Action::Unbanned => {
                None
            }
        }
    }
}

/// What holds for a kind, given what the member wished, if anything. What concerns the safety of an account comes whatever
/// was wished: who took an account over could wish the warning away.
pub(crate) fn in_force(kind: NoticeKind, wish: Option<NoticePreference>) -> NoticePreference {
    let plain = |email| NoticePreference { kind: kind.as_str().to_owned(), inbox: true, email };
    match kind {
        NoticeKind::Security => plain(EmailWish::Instant),
        _ => wish.unwrap_or_else(|| plain(EmailWish::Off)),
    }
}

/// Makes a notice what its member sees; none for one of a kind that this program does not know.
pub(crate) fn notice_view(notice: Notice) -> Option<NoticeView> {
    Some(NoticeView {
        seq: notice.seq,
        kind: NoticeKind::find(&notice.kind)?,
        group: notice.group,
        payload: serde_json::from_value(notice.payload.0).ok()?,
        created_at: notice.created_at,
        read_at: notice.read_at,
    })
}

impl Catalog {
    /// Lists a member's notices, newest first.
    pub async fn notices(
        &self,
        member: &Member,
        unread_only: bool,
        page: &PageRequest,
    ) -> Result<Page<NoticeView>> {
        let found = self.store().read().await?.list_notices(member.id, unread_only, page).await?;
        let items = found.items.into_iter().filter_map(notice_view).collect();
        Ok(Page { items, next_cursor: found.next_cursor })
    }

    /// Counts the notices that a member has not read.
    pub async fn unread(&self, member: &Member) -> Result<i64> {
        Ok(self.store().read().await?.count_unread(member.id).await?)
    }

    /// Marks a member's notices up to number `up_to` as read; gives how many are unread now.
    pub async fn read_notices(&self, member: &Member, up_to: i64) -> Result<i64> {
        let mut tx = self.store().write().await?;
        let read = tx.read_notices(member.id, up_to, self.clock().now()).await?;
        let unread = tx.count_unread(member.id).await?;
        tx.commit().await?;
        if read > 0 {
            let news = ReadNews { read_up_to: up_to, unread };
            let told = self.bus().publish_json(&notices_channel(member.id), &news).await;
            told.expect("two numbers are plain JSON");
        }
        Ok(unread)
    }

    /// Gives what a member wishes for every kind of notice.
    pub async fn preferences(&self, member: &Member) -> Result<Vec<NoticePreference>> {
        let wished = self.store().read().await?.list_notice_preferences(member.id).await?;
        Ok(NoticeKind::ALL
            .into_iter()
            .map(|kind| in_force(kind, wished.iter().find(|wish| wish.kind == kind.as_str()).cloned()))
            .collect())
    }

    /// Keeps what a member wishes for some kinds of notices; gives the wishes for all.
    pub async fn put_preferences(
        &self,
        member: &Member,
        wishes: &[NoticePreference],
    ) -> Result<Vec<NoticePreference>> {
        let mut faults = Faults::default();
        for wish in wishes {
            match NoticeKind::find(&wish.kind) {
                None => faults.add("kind", format!("There is no kind {:?}.", wish.kind)),
                Some(NoticeKind::Security) if !wish.inbox => {
                    faults.add("inbox", "Notices about the safety of an account always come.");
                }
                Some(NoticeKind::Security) if wish.email != EmailWish::Instant => {
                    faults.add("email", "Mails about the safety of an account always come, at once.");
                }
                Some(_) => {}
            }
        }
        faults.finish()?;
        let mut tx = self.store().write().await?;
        tx.put_notice_preferences(member.id, wishes).await?;
        tx.commit().await?;
        self.preferences(member).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_one_word_everywhere() {
        for kind in NoticeKind::ALL {
            assert_eq!(serde_json::to_value(kind).expect("a word"), kind.as_str());
            assert_eq!(NoticeKind::find(kind.as_str()), Some(kind));
        }
        assert_eq!(NoticeKind::find("gossip"), None);
    }
}
