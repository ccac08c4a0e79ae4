//! Links of resources: what is seen of them over time, and what the site suggests when one is dead or has moved.
//!
//! The site suggests and the community decides, as with everybody's suggestions; only a dead link's removal asks for fewer
//! votes. A finding is suggested once: what was suggested is noted in the same transaction.

mod sighting;

use std::time::Duration;

use upshelf_lists::UrlKey;
use upshelf_store::{
    Changes, Link, Member, MemberId, NewMember, ResourceId, ResourceStatus, Role, Suggestion, SuggestionId,
    SuggestionKind, SuggestionStatus, Tx,
};

use crate::approval::advance;
use crate::proposal::checked;
use crate::proposing::Proposer;
use crate::suggestions::NewSuggestion;
use crate::{Catalog, Error, Result};

pub use sighting::LinkSight;
use sighting::{Finding, finding, noted};

/// The setting that one walk at a time holds.
const WALK: &str = "link_check_until";

/// The most open suggestions of the site itself: what people suggest must not drown in them. What is found beyond waits
/// until some are decided.
const MOST_OPEN: i64 = 50;

/// The name under which the site suggests; people cannot register it.
pub(crate) const NAME: &str = "link-check";

/// What was done about a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkNoted {
    /// Nothing but noting it.
    Seen,
    /// This was suggested.
    Suggested(SuggestionId),
    /// Somebody had suggested the removal already; now what was seen stands with it.
    Backed(SuggestionId),
}

impl Catalog {
    /// Begins to walk along the links, for so long at most; false while another process does.
    pub async fn begin_link_walk(&self, most: Duration) -> Result<bool> {
        let now = self.clock().now();
        let mut tx = self.store().write().await?;
        let is_ours = tx.take_lease(WALK, now, now.after(most)).await?;
        tx.commit().await?;
        Ok(is_ours)
    }

    /// Ends the walk.
    pub async fn end_link_walk(&self) -> Result<()> {
        let mut tx = self.store().write().await?;
        tx.end_lease(WALK).await?;
        Ok(tx.commit().await?)
    }

    /// Lists live resources, with their addresses, whose links nobody has looked at for `every`: those that wait longest
    /// first, at most `limit`.
    pub async fn due_links(&self, every: Duration, limit: u32) -> Result<Vec<(ResourceId, String)>> {
        let before = self.clock().now().before(every);
        Ok(self.store().read().await?.list_due_links(before, limit).await?)
    }

    /// Gives what is known of a resource's link.
    pub async fn find_link(&self, resource: ResourceId) -> Result<Option<Link>> {
        Ok(self.store().read().await?.find_link(resource).await?)
    }

    /// Notes what was seen at a resource's address, and suggests what follows from it. A resource that has another address by
    /// now, or was removed, is left alone.
    pub async fn note_link(&self, id: ResourceId, url: &str, sight: &LinkSight) -> Result<LinkNoted> {
        let now = self.clock().now();
        let mut tx = self.store().write().await?;
        let resource = tx.find_resource(id).await?;
        if resource.is_none_or(|resource| resource.status != ResourceStatus::Live || resource.url != url) {
            return Ok(LinkNoted::Seen);
        }
        let known = tx.find_link(id).await?;
        let mut link = noted(known, id, url, sight, now);
        let Some(found) = finding(&link) else {
            tx.put_link(&link).await?;
            tx.commit().await?;
            return Ok(LinkNoted::Seen);
        };
        let proposed = match self.same_suggestion(&mut tx, id, &found).await? {
            Some(same) => Proposed::Backed(self.back(&mut tx, same, &found).await?),
            None => self.propose_for_site(&mut tx, id, &found).await?,
        };
        if !matches!(proposed, Proposed::Later) {
            match &found {
                Finding::Gone(_) => link.told_gone = true,
                Finding::Moved(moved) => link.told_moved_to = Some(moved.to.clone()),
            }
        }
        tx.put_link(&link).await?;
        match proposed {
            Proposed::New(suggestion) => {
                let suggestion = *suggestion;
                let id = suggestion.id;
                self.settle_proposal(tx, &suggestion).await?;
                Ok(LinkNoted::Suggested(id))
            }
            Proposed::Backed(Some(suggestion)) => {
                self.commit(tx).await?;
                Ok(LinkNoted::Backed(suggestion))
            }
            Proposed::Backed(None) | Proposed::Unwanted | Proposed::Later => {
                tx.commit().await?;
                Ok(LinkNoted::Seen)
            }
        }
    }

    /// Finds an open suggestion that says the same.
    async fn same_suggestion(
        &self,
        tx: &mut Tx,
        resource: ResourceId,
        found: &Finding,
    ) -> Result<Option<Suggestion>> {
        let key = |url: &str| UrlKey::of(url).ok().map(|key| key.as_str().to_owned());
        let says_the_same = |one: &Suggestion| match found {
            Finding::Gone(_) => one.kind == SuggestionKind::Remove,
            Finding::Moved(moved) => {
                let to = one.changes.0.url.as_deref();
                one.kind == SuggestionKind::Edit && to.is_some_and(|to| key(to) == key(&moved.to))
            }
        };
        Ok(tx.list_open_suggestions_about(resource).await?.into_iter().find(says_the_same))
    }

    /// Puts what was seen of a dead link with the removal that somebody else suggested; gives its id if it had nothing such.
    async fn back(&self, tx: &mut Tx, same: Suggestion, found: &Finding) -> Result<Option<SuggestionId>> {
        let Finding::Gone(gone) = found else { return Ok(None) };
        let Some(mut suggestion) = tx.lock_suggestion(same.id).await? else { return Ok(None) };
        if suggestion.evidence.is_some() || !suggestion.status.is_votable() {
            return Ok(None);
        }
        let evidence = gone.evidence();
        tx.put_evidence(suggestion.id, Some(&evidence)).await?;
        suggestion.evidence = Some(evidence);
        if suggestion.status == SuggestionStatus::Open {
            let now = self.clock().now();
            advance(&self.inner.services, &self.settings().rules, tx, &suggestion, now).await?;
        }
        Ok(Some(suggestion.id))
    }

    async fn propose_for_site(&self, tx: &mut Tx, id: ResourceId, found: &Finding) -> Result<Proposed> {
        let author = self.link_checker(tx).await?;
        if author.banned_at.is_some() {
            // Whoever looks after the site wants none of its suggestions, for now.
            return Ok(Proposed::Later);
        }
        if tx.count_open_suggestions_by(author.id).await? >= MOST_OPEN {
            return Ok(Proposed::Later);
        }
        let (kind, changes, reason, evidence) = match found {
            Finding::Gone(gone) => {
                (SuggestionKind::Remove, Changes::default(), gone.reason(), Some(gone.evidence()))
            }
            Finding::Moved(moved) => {
                let changes = Changes { url: Some(moved.to.clone()), ..Changes::default() };
                (SuggestionKind::Edit, changes, moved.reason(), None)
            }
        };
        let new = NewSuggestion { kind, resource_id: Some(id), base_version: None, changes, reason };
        let by = Proposer::Site { author: &author, evidence };
        let added = match checked(new) {
            Ok(new) => self.add_proposal(tx, by, new).await,
            Err(refusal) => Err(refusal.into()),
        };
        match added {
            Ok(suggestion) => Ok(Proposed::New(Box::new(suggestion))),
            // The new address is on the shelf already, say, or too long: that will be so tomorrow, too.
            Err(Error::Refused(refusal)) => {
                tracing::debug!(resource = %id, %refusal, "what was seen of a link is not suggested");
                Ok(Proposed::Unwanted)
            }
            Err(error) => Err(error),
        }
    }

    /// The member in whose name the site suggests; made when it is needed for the first time.
    async fn link_checker(&self, tx: &mut Tx) -> Result<Member> {
        if let Some(member) = tx.find_member(MemberId::LINK_CHECK).await? {
            return Ok(member);
        }
        let mut username = NAME.to_owned();
        // The name was not always reserved.
        while tx.find_member_named(&username).await?.is_some() {
            username.push('-');
        }
        tx.add_member(&NewMember {
            id: MemberId::LINK_CHECK,
            username_key: username.clone(),
            username,
            // A domain that is nobody's, ever (RFC 2606).
            email: "link-check@upshelf.invalid".to_owned(),
            email_key: "link-check@upshelf.invalid".to_owned(),
            role: Role::Member,
            // No password has this hash.
            password_hash: String::new(),
            joined_at: self.clock().now(),
        })
        .await?;
        tx.change_profile(MemberId::LINK_CHECK, Some("The link check"), Some(BIO)).await?;
        let made = tx.find_member(MemberId::LINK_CHECK).await?;
        Ok(made.ok_or(crate::Refusal::NotFound("member"))?)
    }
}

/// What its profile says.
const BIO: &str =
    "No person, but the site itself: it looks at the links on the shelf and suggests what follows.";

enum Proposed {
    New(Box<Suggestion>),
    /// With what somebody else has suggested, if there was anything to add.
    Backed(Option<SuggestionId>),
    /// The rules refuse it.
    Unwanted,
    /// Not now.
    Later,
}
