//! From a proposal to an open suggestion.

use upshelf_store::{
    Action, Changes, Json, Member, ResourceId, ResourceState, ResourceStatus, Standing, Suggestion,
    SuggestionKind, SuggestionStatus, Tx,
};

use crate::approval::log_entry;
use crate::invalidation::{of_profile, of_resource};
use crate::proposal::checked;
use crate::shelf::{Tree, conflicts, key, state_of};
use crate::suggestions::{NewSuggestion, SuggestionView};
use crate::votes::counts;
use crate::{Catalog, Refusal, Result};

/// Who proposes.
pub(crate) enum Proposer<'a> {
    /// A member.
    Member(&'a Member),
    /// The site itself, in the name of a member who is no person.
    Site {
        author: &'a Member,
        /// What was seen of a dead link.
        evidence: Option<String>,
    },
}

impl Proposer<'_> {
    fn author(&self) -> &Member {
        match self {
            Proposer::Member(author) | Proposer::Site { author, .. } => author,
        }
    }

    fn evidence(&self) -> Option<String> {
        match self {
            Proposer::Member(_) => None,
            Proposer::Site { evidence, .. } => evidence.clone(),
        }
    }
}

impl Catalog {
    /// Proposes a change.
    ///
    /// # Errors
    /// A [`Refusal`] for values that cannot be taken (each named), for what is on the shelf or suggested already, for a
    /// resource that does not exist, and for one that changed since `base_version` in the same fields.
    pub async fn propose(&self, author: &Member, new: NewSuggestion) -> Result<SuggestionView> {
        if author.banned_at.is_some() {
            return Err(Refusal::Banned.into());
        }
        let new = checked(new)?;
        let mut tx = self.store().write().await?;
        let suggestion = self.add_proposal(&mut tx, Proposer::Member(author), new).await?;
        self.settle_proposal(tx, &suggestion).await?;
        self.suggestion(suggestion.id, Some(author)).await
    }

    /// Adds a proposal that was [`checked`], with its entry in the log and the job that tells of it; to be followed by
    /// [`settle_proposal`](Self::settle_proposal). A refusal leaves the transaction as it was.
    pub(crate) async fn add_proposal(
        &self,
        tx: &mut Tx,
        by: Proposer<'_>,
        new: NewSuggestion,
    ) -> Result<Suggestion> {
        let now = self.clock().now();
        let tree = Tree::read(tx).await?;
        if let Some(unknown) = new.changes.category_ids.iter().flatten().find(|id| !tree.has(**id)) {
            return Err(Refusal::invalid("category_ids", format!("There is no category {unknown}.")).into());
        }
        let url_key = new.changes.url.as_deref().map(key).transpose()?.map(|key| key.as_str().to_owned());
        if let Some(url_key) = &url_key {
            let there = tx.find_resource_at(url_key).await?;
            if let Some(there) = there
                .filter(|there| there.status == ResourceStatus::Live && Some(there.id) != new.resource_id)
            {
                return Err(Refusal::DuplicateResource(there.id).into());
            }
            if new.kind == SuggestionKind::Add
                && let Some(open) = tx.find_open_addition(url_key).await?
            {
                return Err(Refusal::DuplicateSuggestion(open).into());
            }
        }
        let (before, base_version) = match new.resource_id {
            None => (Changes::default(), None),
            Some(id) => {
                let (before, version) = base(tx, id, &new).await?;
                (before, Some(version))
            }
        };
        let suggestion = Suggestion {
            id: self.clock().id(),
            kind: new.kind,
            status: SuggestionStatus::Open,
            author_id: by.author().id,
            resource_id: new.resource_id,
            base_version,
            url_key,
            changes: Json(new.changes),
            before: Json(before),
            reason: new.reason,
            evidence: by.evidence(),
            standing: Standing::default(),
            objection: None,
            objection_by: None,
            opened_at: now,
            approving_until: None,
            decided_at: None,
            decided_by: None,
            decision_reason: None,
        };
        tx.add_suggestion(&suggestion).await?;
        match by {
            Proposer::Member(author) => {
                self.log_by(tx, author, Action::Suggested, &suggestion, None, now).await?;
            }
            Proposer::Site { .. } => {
                let log = self.clock().id();
                tx.add_log(&log_entry(log, now, Action::Suggested, &suggestion)).await?;
                self.tell(tx, log).await?;
            }
        }
        Ok(suggestion)
    }

    /// Commits a proposal, and does what follows from it.
    pub(crate) async fn settle_proposal(&self, mut tx: Tx, suggestion: &Suggestion) -> Result<()> {
        let mut stale = of_profile(suggestion.author_id);
        if let Some(resource) = suggestion.resource_id {
            stale.extend(of_resource(&mut tx, resource).await?);
        }
        let stale = self.stale(&mut tx, stale).await?;
        self.commit(tx).await?;
        self.forget(stale).await;
        self.tally().record(suggestion.id, counts(suggestion.standing)).await;
        Ok(())
    }
}

/// What the resource of a suggestion holds in the fields it changes, and its version.
async fn base(tx: &mut Tx, id: ResourceId, new: &NewSuggestion) -> Result<(Changes, i64)> {
    let resource = tx.find_resource(id).await?.ok_or(Refusal::NotFound("resource"))?;
    if resource.status == ResourceStatus::Removed {
        return Err(Refusal::invalid("resource_id", "The resource was removed.").into());
    }
    let now = state_of(tx, &resource).await?;
    let before = fields_of(&now, &new.changes);
    if let Some(version) = new.base_version.filter(|version| *version != resource.version) {
        let seen = tx
            .find_version(id, version)
            .await?
            .ok_or_else(|| Refusal::invalid("base_version", "There is no such version."))?;
        if conflicts(&fields_of(&seen.state.0, &new.changes), &now) {
            return Err(Refusal::OutOfDate(resource.version).into());
        }
    }
    if new.kind != SuggestionKind::Remove && !conflicts(&new.changes, &now) {
        return Err(Refusal::invalid("changes", "They leave the resource as it is.").into());
    }
    Ok((before, resource.version))
}

/// The fields of `state` that `changes` names.
fn fields_of(state: &ResourceState, changes: &Changes) -> Changes {
    Changes {
        url: changes.url.is_some().then(|| state.url.clone()),
        title: changes.title.is_some().then(|| state.title.clone()),
        description: changes.description.is_some().then(|| state.description.clone()),
        category_ids: changes.category_ids.is_some().then(|| state.category_ids.clone()),
        tags: changes.tags.is_some().then(|| state.tags.clone()),
    }
}
