//! Who hears of what.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;
use upshelf_store::{CategoryId, CommentId, MemberId, Resource, Suggestion, Tx, WatchKind, WatchLevel};
use uuid::Uuid;

use crate::views::Interest;
use crate::{NoticeKind, Result};

/// What an event is about.
pub(crate) struct Subject<'a> {
    pub(crate) suggestion: Option<&'a Suggestion>,
    pub(crate) resource: Option<&'a Resource>,
    pub(crate) comment: Option<CommentId>,
}

/// Members, each with the nearest reason why.
#[derive(Debug, Default)]
pub(crate) struct Audience(BTreeMap<MemberId, Interest>);

/// How closely members watch, and from how near: what is said of a suggestion outweighs what is said of its category.
#[derive(Default)]
struct Levels(HashMap<MemberId, (WatchKind, WatchLevel)>);

impl Audience {
    /// One member, about the member's own account.
    pub(crate) fn only(member: MemberId) -> Audience {
        Audience(BTreeMap::from([(member, Interest::Account)]))
    }

    /// The member whom a log entry about an account names.
    pub(crate) fn of_account(after: Option<&Value>) -> Audience {
        let member = after.and_then(|after| after.get("member_id")?.as_str()?.parse().ok());
        member.map(Audience::only).unwrap_or_default()
    }

    /// Everybody whom an event concerns, but for those who want to hear nothing of it.
    pub(crate) async fn gather(tx: &mut Tx, kind: NoticeKind, subject: &Subject<'_>) -> Result<Audience> {
        let mut audience = Audience::default();
        if let Some(suggestion) = subject.suggestion {
            audience.add([suggestion.author_id], Interest::Author);
            // How it ended concerns who voted; what is said on the way does not.
            if matches!(kind, NoticeKind::Approved | NoticeKind::Rejected | NoticeKind::Conflicted) {
                let voters = tx.list_voters(suggestion.id).await?;
                audience.add(voters.into_iter().map(|(voter, _)| voter), Interest::Voter);
            }
            if let Some(comment) = subject.comment {
                audience.add(tx.list_commenters(suggestion.id, comment).await?, Interest::Commenter);
            }
        }
        if let (NoticeKind::Reverted, Some(author)) = (kind, subject.resource.and_then(|one| one.added_by)) {
            audience.add([author], Interest::Author);
        }
        audience.listen(Levels::read(tx, kind, subject).await?);
        Ok(audience)
    }

    fn add(&mut self, members: impl IntoIterator<Item = MemberId>, interest: Interest) {
        for member in members {
            self.0.entry(member).or_insert(interest);
        }
    }

    pub(crate) fn remove(&mut self, member: MemberId) {
        self.0.remove(&member);
    }

    /// Adds those who watch and removes those who mute. Authors hear of their suggestion unless they mute just that.
    fn listen(&mut self, levels: Levels) {
        for (member, (kind, level)) in levels.0 {
            match level {
                WatchLevel::Watching => self.add([member], Interest::Watcher),
                WatchLevel::Normal => {}
                WatchLevel::Muted => {
                    let is_author = self.0.get(&member) == Some(&Interest::Author);
                    if kind == WatchKind::Suggestion || !is_author {
                        self.remove(member);
                    }
                }
            }
        }
    }

    /// Everybody, in the order of their ids.
    pub(crate) fn interests(&self) -> &BTreeMap<MemberId, Interest> {
        &self.0
    }
}

impl Levels {
    async fn read(tx: &mut Tx, kind: NoticeKind, subject: &Subject<'_>) -> Result<Levels> {
        let mut levels = Levels::default();
        if let Some(suggestion) = subject.suggestion {
            levels.add(tx, WatchKind::Suggestion, suggestion.id.0).await?;
        }
        // Who watches a category does not ask for the votes on everything in it.
        if kind == NoticeKind::Voted {
            return Ok(levels);
        }
        let resource =
            subject.resource.map(|one| one.id).or(subject.suggestion.and_then(|one| one.resource_id));
        let mut categories: BTreeSet<CategoryId> = BTreeSet::new();
        if let Some(resource) = resource {
            levels.add(tx, WatchKind::Resource, resource.0).await?;
            categories
                .extend(tx.list_placements_of(&[resource]).await?.iter().map(|place| place.category_id));
        }
        if let Some(suggestion) = subject.suggestion {
            let changes = [&suggestion.changes.0, &suggestion.before.0];
            categories.extend(changes.into_iter().flat_map(|one| one.category_ids.iter().flatten()));
        }
        for category in categories {
            levels.add(tx, WatchKind::Category, category.0).await?;
        }
        Ok(levels)
    }

    /// Adds what is said of one thing; what was said of a nearer one stays. Of two categories, watching one counts.
    async fn add(&mut self, tx: &mut Tx, kind: WatchKind, target: Uuid) -> Result<()> {
        for level in [WatchLevel::Watching, WatchLevel::Normal, WatchLevel::Muted] {
            for member in tx.list_watchers(kind, target, &[level]).await? {
                let known = self.0.entry(member).or_insert((kind, level));
                if known.0 == kind && level > known.1 {
                    known.1 = level;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(number: u128) -> MemberId {
        Uuid::from_u128(number).into()
    }

    #[test]
    fn the_nearest_interest_is_the_one_told() {
        let mut audience = Audience::default();
        audience.add([member(1)], Interest::Author);
        audience.add([member(1), member(2)], Interest::Voter);
        let told = audience.interests();
        assert_eq!(told[&member(1)], Interest::Author);
        assert_eq!(told[&member(2)], Interest::Voter);
    }

    #[test]
    fn muting_silences_all_but_an_authors_own_suggestion() {
        let mut audience = Audience::default();
        audience.add([member(1), member(4)], Interest::Author);
        audience.add([member(2)], Interest::Voter);
        audience.listen(Levels(HashMap::from([
            (member(1), (WatchKind::Category, WatchLevel::Muted)),
            (member(2), (WatchKind::Category, WatchLevel::Muted)),
            (member(3), (WatchKind::Resource, WatchLevel::Watching)),
            (member(4), (WatchKind::Suggestion, WatchLevel::Muted)),
            (member(5), (WatchKind::Suggestion, WatchLevel::Normal)),
        ])));
        let expected = BTreeMap::from([(member(1), Interest::Author), (member(3), Interest::Watcher)]);
        assert_eq!(audience.interests(), &expected);
    }

    #[test]
    fn an_entry_about_an_account_names_its_member() {
        let after = serde_json::json!({ "member_id": member(7), "role": "curator" });
        let told = Audience::of_account(Some(&after));
        assert_eq!(told.interests(), &BTreeMap::from([(member(7), Interest::Account)]));
        assert!(Audience::of_account(None).interests().is_empty());
    }
}
