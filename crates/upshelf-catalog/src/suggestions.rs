//! What is proposed, as its readers see it.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use upshelf_store::{
    CategoryId, Changes, Member, MemberId, Page, PageRequest, ResourceId, Standing, Suggestion,
    SuggestionFilter, SuggestionId, SuggestionKind, SuggestionSort, SuggestionStatus, Time, Tx,
};

use crate::approval::judge;
use crate::views::Person;
use crate::{Catalog, Facts, Refusal, Result, Verdict};

/// What a member proposes.
#[derive(Clone, Debug)]
pub struct NewSuggestion {
    /// What it asks for.
    pub kind: SuggestionKind,
    /// The resource it is about; none for an addition.
    pub resource_id: Option<ResourceId>,
    /// The version of the resource that the member saw; the current one without it.
    pub base_version: Option<i64>,
    /// What it changes.
    pub changes: Changes,
    /// Why.
    pub reason: String,
}

/// A resource, as it is seen beside what concerns it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ResourceRef {
    /// Names the resource.
    pub id: ResourceId,
    /// Its name.
    pub title: String,
    /// Its address.
    pub url: String,
}

/// A suggestion with everything that a reader wants to know.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct SuggestionView {
    /// Names the suggestion.
    pub id: SuggestionId,
    /// What it asks for.
    pub kind: SuggestionKind,
    /// Where it stands.
    pub status: SuggestionStatus,
    /// Who proposed it.
    pub author: Person,
    /// The resource it is about; for an addition, the one it became.
    pub resource_id: Option<ResourceId>,
    /// The same resource, as it is now.
    pub resource: Option<ResourceRef>,
    /// The version of the resource it is built on.
    pub base_version: Option<i64>,
    /// What it changes.
    pub changes: Changes,
    /// What those fields held when it was proposed.
    pub before: Changes,
    /// Why, in the author's words.
    pub reason: String,
    /// What was seen of a dead link.
    pub evidence: Option<String>,
    /// The votes, counted.
    pub standing: Standing,
    /// What the rule asks, what is met and what is missing.
    pub rule: Verdict,
    /// The reader's own vote: 1, -1, or `null` for none or when not signed in.
    pub my_vote: Option<i64>,
    /// Why a curator objects to approval by rule.
    pub objection: Option<String>,
    /// When it was proposed.
    pub opened_at: Time,
    /// When it will be applied, while `approving`.
    pub approving_until: Option<Time>,
    /// When it was decided.
    pub decided_at: Option<Time>,
    /// Who decided it; `null` when a rule did.
    pub decided_by: Option<Person>,
    /// Why, or what stood in the way.
    pub decision_reason: Option<String>,
}

impl Catalog {
    /// Gives a suggestion as `viewer` sees it.
    pub async fn suggestion(&self, id: SuggestionId, viewer: Option<&Member>) -> Result<SuggestionView> {
        let mut tx = self.store().read().await?;
        let suggestion = tx.find_suggestion(id).await?.ok_or(Refusal::NotFound("suggestion"))?;
        let mut views = self.suggestion_views(&mut tx, vec![suggestion], viewer).await?;
        Ok(views.pop().ok_or(Refusal::NotFound("suggestion"))?)
    }

    /// Lists suggestions as `viewer` sees them.
    pub async fn suggestions(
        &self,
        filter: &SuggestionFilter,
        sort: SuggestionSort,
        page: &PageRequest,
        viewer: Option<&Member>,
    ) -> Result<Page<SuggestionView>> {
        let mut tx = self.store().read().await?;
        let found = tx.list_suggestions(filter, sort, page).await?;
        let items = self.suggestion_views(&mut tx, found.items, viewer).await?;
        Ok(Page { items, next_cursor: found.next_cursor })
    }

    /// Lists the votable suggestions with the highest scores, from the tally.
    pub async fn top_suggestions(&self, limit: u32, viewer: Option<&Member>) -> Result<Vec<SuggestionView>> {
        let ids: Vec<SuggestionId> = if self.settings().alone || self.is_shared() {
            let load = async || self.load_top().await;
            self.tally().top(limit as usize, load).await?.into_iter().map(|(id, _)| id).collect()
        } else {
            self.store().read().await?.list_top(limit).await?.into_iter().map(|(id, _)| id).collect()
        };
        let mut tx = self.store().read().await?;
        let found = tx.list_suggestions_of(&ids).await?;
        let mut views = self.suggestion_views(&mut tx, found, viewer).await?;
        views.sort_by_key(|view| ids.iter().position(|id| *id == view.id));
        Ok(views)
    }

    async fn suggestion_views(
        &self,
        tx: &mut Tx,
        suggestions: Vec<Suggestion>,
        viewer: Option<&Member>,
    ) -> Result<Vec<SuggestionView>> {
        let ids: Vec<SuggestionId> = suggestions.iter().map(|suggestion| suggestion.id).collect();
        let mut people: Vec<MemberId> =
            suggestions.iter().flat_map(|one| [Some(one.author_id), one.decided_by]).flatten().collect();
        people.sort();
        people.dedup();
        let mut about: Vec<ResourceId> = suggestions.iter().filter_map(|one| one.resource_id).collect();
        about.sort();
        about.dedup();
        let names: HashMap<MemberId, String> = tx
            .list_members_of(&people)
            .await?
            .into_iter()
            .map(|member| (member.id, member.username))
            .collect();
        let resources: HashMap<ResourceId, ResourceRef> = tx
            .list_resources_of(&about)
            .await?
            .into_iter()
            .map(|resource| {
                (resource.id, ResourceRef { id: resource.id, title: resource.title, url: resource.url })
            })
            .collect();
        let votes: HashMap<SuggestionId, i64> = match viewer {
            Some(viewer) => tx
                .list_votes_of(viewer.id, &ids)
                .await?
                .into_iter()
                .map(|(id, side)| (id, i64::from(side)))
                .collect(),
            None => HashMap::new(),
        };
        let now = self.clock().now();
        let mut rules = Vec::with_capacity(suggestions.len());
        for one in &suggestions {
            let verdict = self.settings().rules.judge(&Facts::from(one), now);
            // Most fall short of the votes; only the others are worth the queries of the whole truth.
            rules.push(match verdict.met_from {
                Some(_) => judge(&self.settings().rules, tx, one, now).await?,
                None => verdict,
            });
        }
        let named = |id: MemberId| Person { id, username: names.get(&id).cloned().unwrap_or_default() };
        Ok(suggestions
            .into_iter()
            .zip(rules)
            .map(|(one, rule)| SuggestionView {
                rule,
                id: one.id,
                kind: one.kind,
                status: one.status,
                author: named(one.author_id),
                resource_id: one.resource_id,
                resource: one.resource_id.and_then(|id| resources.get(&id).cloned()),
                base_version: one.base_version,
                changes: one.changes.0,
                before: one.before.0,
                reason: one.reason,
                evidence: one.evidence,
                standing: one.standing,
                my_vote: votes.get(&one.id).copied(),
                objection: one.objection,
                opened_at: one.opened_at,
                approving_until: one.approving_until,
                decided_at: one.decided_at,
                decided_by: one.decided_by.map(named),
                decision_reason: one.decision_reason,
            })
            .collect())
    }
}

/// A list of category ids without repeats, in the order given.
pub(crate) fn distinct(ids: Vec<CategoryId>) -> Vec<CategoryId> {
    let mut seen = std::collections::HashSet::new();
    ids.into_iter().filter(|id| seen.insert(*id)).collect()
}
