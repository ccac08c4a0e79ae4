//! From a met rule to a changed library: a suggestion's way through its states.

use serde_json::json;
use upshelf_queue::{Broker, Options};
use upshelf_store::{
    Action, Actor, Decision, LogId, Member, NewLogEntry, ResourceId, ResourceStatus, Role, Suggestion,
    SuggestionId, SuggestionKind, SuggestionStatus, Time, Touched, Tx,
};

use crate::invalidation::{of_profile, of_resource};
use crate::jobs::connection;
use crate::suggestions::SuggestionView;
use crate::{AutoApproval, Catalog, Facts, Notify, Refusal, Result, Rules, Services, Verdict};

/// The most suggestions that one sweep looks at, those with the highest scores first.
const SWEEP: u32 = 1_000;

/// Why a suggestion is applied.
#[derive(Clone, Debug)]
pub(crate) enum Cause<'a> {
    /// A rule is met.
    Rule(&'a Verdict),
    /// A curator says so.
    Curator(&'a Member, Option<&'a str>),
}

impl From<&Touched> for Facts {
    fn from(touched: &Touched) -> Facts {
        Facts {
            kind: touched.kind,
            status: touched.status,
            standing: touched.standing,
            opened_at: touched.opened_at,
            dead_link: touched.evidence.is_some(),
            objection: touched.objection.is_some(),
            duplicate: false,
            one_network: false,
        }
    }
}

impl From<&Suggestion> for Facts {
    fn from(suggestion: &Suggestion) -> Facts {
        Facts {
            kind: suggestion.kind,
            status: suggestion.status,
            standing: suggestion.standing,
            opened_at: suggestion.opened_at,
            dead_link: suggestion.evidence.is_some(),
            objection: suggestion.objection.is_some(),
            duplicate: false,
            one_network: false,
        }
    }
}

/// Judges a suggestion by everything the rules look at.
pub(crate) async fn judge(rules: &Rules, tx: &mut Tx, suggestion: &Suggestion, now: Time) -> Result<Verdict> {
    let mut facts = Facts::from(suggestion);
    if let (SuggestionKind::Add, Some(key)) = (suggestion.kind, &suggestion.url_key) {
        let there = tx.find_resource_at(key).await?;
        facts.duplicate = there.is_some_and(|resource| resource.status == ResourceStatus::Live);
    }
    let (members, _) = tx.count_members(Role::Member).await?;
    facts.one_network =
        members >= rules.crowd && facts.standing.up > 0 && tx.count_origins(suggestion.id).await? < 2;
    Ok(rules.judge(&facts, now))
}

/// Takes an open suggestion whose votes suffice one step on: to `approving`, or to a look at it when it is ripe.
pub(crate) async fn advance(
    services: &Services,
    rules: &Rules,
    tx: &mut Tx,
    suggestion: &Suggestion,
    now: Time,
) -> Result<()> {
    let verdict = judge(rules, tx, suggestion, now).await?;
    if suggestion.status != SuggestionStatus::Open {
        return Ok(());
    }
    let job = AutoApproval { suggestion: suggestion.id };
    if !verdict.met {
        if let Some(ripe_at) = verdict.met_from {
            let options = Options::default().at(ripe_at.timestamp()).key(format!("ripe:{}", suggestion.id));
            services.queue.enqueue(connection(tx), &job, options).await?;
        }
        return Ok(());
    }
    let until = now.after(rules.delay);
    tx.decide(
        suggestion.id,
        &Decision {
            status: SuggestionStatus::Approving,
            resource_id: suggestion.resource_id,
            approving_until: Some(until),
            decided_at: None,
            decided_by: None,
            reason: None,
        },
    )
    .await?;
    let entry = NewLogEntry {
        rule: Some(json!(verdict)),
        after: Some(json!({ "approving_until": until })),
        ..log_entry(services.clock.id(), now, Action::Approving, suggestion)
    };
    tx.add_log(&NewLogEntry { actor: Actor::Rule, ..entry }).await?;
    let options = Options::default().at(until.timestamp()).key(format!("apply:{}:{until}", suggestion.id));
    services.queue.enqueue(connection(tx), &job, options).await?;
    Ok(())
}

/// An entry about a suggestion by the site itself; callers fill in who and why.
pub(crate) fn log_entry(id: LogId, at: Time, action: Action, suggestion: &Suggestion) -> NewLogEntry {
    NewLogEntry {
        id,
        at,
        actor: Actor::System,
        member_id: None,
        action,
        suggestion_id: Some(suggestion.id),
        resource_id: suggestion.resource_id,
        rule: None,
        standing: Some(suggestion.standing),
        before: None,
        after: None,
        reason: None,
    }
}

impl Catalog {
    /// Approves a suggestion in place of the rules.
    pub async fn approve(
        &self,
        curator: &Member,
        id: SuggestionId,
        reason: Option<String>,
    ) -> Result<SuggestionView> {
        curators_only(curator)?;
        let mut tx = self.store().write().await?;
        let suggestion = lock_votable(&mut tx, id).await?;
        let applied = self.apply(&mut tx, &suggestion, Cause::Curator(curator, reason.as_deref())).await?;
        self.settle(tx, &suggestion, applied).await?;
        if applied.is_none() {
            return Err(Refusal::Conflict.into());
        }
        self.suggestion(id, Some(curator)).await
    }

    /// Looks at a suggestion that may be ripe: makes it `approving`, applies it when its delay is over, or opens it
    /// again when its rule no longer holds. Does nothing when it was decided meanwhile.
    pub async fn approve_by_rule(&self, id: SuggestionId) -> Result<()> {
        let mut tx = self.store().write().await?;
        let Some(suggestion) = tx.lock_suggestion(id).await? else { return Ok(()) };
        let now = self.clock().now();
        let services = &self.inner.services;
        match (suggestion.status, suggestion.approving_until) {
            (SuggestionStatus::Open, _) => {
                advance(services, &self.settings().rules, &mut tx, &suggestion, now).await?;
                self.commit(tx).await?;
            }
            (SuggestionStatus::Approving, Some(until)) if until <= now => {
                let verdict = judge(&self.settings().rules, &mut tx, &suggestion, now).await?;
                if verdict.met {
                    let applied = self.apply(&mut tx, &suggestion, Cause::Rule(&verdict)).await?;
                    self.settle(tx, &suggestion, applied).await?;
                } else {
                    self.reopen(&mut tx, &suggestion, &verdict, now).await?;
                    self.commit(tx).await?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes every suggestion on that is due and has no job any more: one whose job failed for good, or one that a
    /// change of the rules made ripe. Gives how many.
    pub async fn sweep_approvals(&self) -> Result<usize> {
        let now = self.clock().now();
        let rules = &self.settings().rules;
        let least = rules.score.min(rules.removal_score).min(rules.dead_link_score);
        let candidates = self.store().read().await?.list_ripe_suggestions(least, now, SWEEP).await?;
        let mut due = 0;
        for suggestion in candidates {
            let is_due = match suggestion.status {
                SuggestionStatus::Approving => true,
                _ => rules.judge(&Facts::from(&suggestion), now).met,
            };
            if is_due {
                self.approve_by_rule(suggestion.id).await?;
                due += 1;
            }
        }
        Ok(due)
    }

    async fn reopen(&self, tx: &mut Tx, suggestion: &Suggestion, verdict: &Verdict, now: Time) -> Result<()> {
        tx.decide(suggestion.id, &undecided(suggestion)).await?;
        let entry = log_entry(self.clock().id(), now, Action::Reopened, suggestion);
        tx.add_log(&NewLogEntry { actor: Actor::Rule, rule: Some(json!(verdict)), ..entry }).await?;
        Ok(())
    }

    /// Declines a suggestion.
    pub async fn reject(&self, curator: &Member, id: SuggestionId, reason: String) -> Result<SuggestionView> {
        curators_only(curator)?;
        self.close(id, curator, SuggestionStatus::Rejected, Action::Rejected, Some(reason)).await
    }

    /// Takes the author's own suggestion back.
    pub async fn withdraw(&self, member: &Member, id: SuggestionId) -> Result<SuggestionView> {
        self.close(id, member, SuggestionStatus::Withdrawn, Action::Withdrawn, None).await
    }

    async fn close(
        &self,
        id: SuggestionId,
        by: &Member,
        status: SuggestionStatus,
        action: Action,
        reason: Option<String>,
    ) -> Result<SuggestionView> {
        let now = self.clock().now();
        let mut tx = self.store().write().await?;
        let suggestion = lock_votable(&mut tx, id).await?;
        if status == SuggestionStatus::Withdrawn && suggestion.author_id != by.id {
            return Err(Refusal::NotAllowed("suggestion's author").into());
        }
        tx.decide(
            id,
            &Decision {
                status,
                resource_id: suggestion.resource_id,
                approving_until: None,
                decided_at: Some(now),
                decided_by: Some(by.id),
                reason: reason.clone(),
            },
        )
        .await?;
        self.log_by(&mut tx, by, action, &suggestion, reason, now).await?;
        self.settle(tx, &suggestion, None).await?;
        self.suggestion(id, Some(by)).await
    }

    /// Objects to approval by rule: the suggestion is open again, and stays so until a curator approves it.
    pub async fn stop(&self, curator: &Member, id: SuggestionId, reason: String) -> Result<SuggestionView> {
        curators_only(curator)?;
        let now = self.clock().now();
        let mut tx = self.store().write().await?;
        let suggestion = lock_votable(&mut tx, id).await?;
        tx.put_objection(id, Some(&reason), Some(curator.id)).await?;
        tx.decide(id, &undecided(&suggestion)).await?;
        self.log_by(&mut tx, curator, Action::Stopped, &suggestion, Some(reason), now).await?;
        self.commit(tx).await?;
        self.suggestion(id, Some(curator)).await
    }

    /// Writes what a member did to a suggestion into the log, with the job that tells those concerned.
    pub(crate) async fn log_by(
        &self,
        tx: &mut Tx,
        member: &Member,
        action: Action,
        suggestion: &Suggestion,
        reason: Option<String>,
        now: Time,
    ) -> Result<LogId> {
        let id: LogId = self.clock().id();
        let entry = log_entry(id, now, action, suggestion);
        tx.add_log(&NewLogEntry { actor: Actor::Member, member_id: Some(member.id), reason, ..entry })
            .await?;
        self.tell(tx, id).await?;
        Ok(id)
    }

    /// Commits the job that tells those concerned about an entry of the log, with the entry.
    pub(crate) async fn tell(&self, tx: &mut Tx, log: LogId) -> Result<()> {
        self.queue()
            .enqueue(connection(tx), &Notify { log, after: None }, Options::default().key(log.to_string()))
            .await?;
        Ok(())
    }

    /// Applies a suggestion to the library and gives the resource that it changed, or makes it a conflict.
    async fn apply(
        &self,
        tx: &mut Tx,
        suggestion: &Suggestion,
        cause: Cause<'_>,
    ) -> Result<Option<ResourceId>> {
        let now = self.clock().now();
        let log: LogId = self.clock().id();
        let mut entry = log_entry(log, now, Action::Approved, suggestion);
        let mut decision = Decision {
            status: SuggestionStatus::Approved,
            resource_id: suggestion.resource_id,
            approving_until: None,
            decided_at: Some(now),
            decided_by: None,
            reason: None,
        };
        match cause {
            Cause::Rule(verdict) => {
                entry.actor = Actor::Rule;
                entry.rule = Some(json!(verdict));
            }
            Cause::Curator(curator, reason) => {
                entry.actor = Actor::Member;
                entry.member_id = Some(curator.id);
                entry.reason = reason.map(str::to_owned);
                decision.decided_by = Some(curator.id);
                decision.reason = reason.map(str::to_owned);
            }
        }
        let planned = self.plan(tx, suggestion).await?;
        let applied = match planned {
            Ok(change) => {
                entry.before = change.before.as_ref().map(|state| json!(state));
                entry.after = Some(json!(change.after));
                entry.resource_id = Some(change.resource);
                decision.resource_id = Some(change.resource);
                if suggestion.kind == SuggestionKind::Add && change.before.is_none() {
                    // The log's entry names the resource, so the resource comes first.
                    self.add_to_shelf(tx, &change, suggestion.author_id, now).await?;
                }
                tx.add_log(&entry).await?;
                self.put_on_shelf(tx, &change, log, now).await?;
                Some(change.resource)
            }
            Err(obstacle) => {
                entry.action = Action::Conflicted;
                entry.reason = Some(obstacle.to_owned());
                decision.status = SuggestionStatus::Conflict;
                decision.reason = Some(obstacle.to_owned());
                tx.add_log(&entry).await?;
                None
            }
        };
        tx.decide(suggestion.id, &decision).await?;
        self.tell(tx, log).await?;
        Ok(applied)
    }

    /// Commits a decision, and does what follows from it; `changed` is the resource that it changed.
    async fn settle(&self, mut tx: Tx, suggestion: &Suggestion, changed: Option<ResourceId>) -> Result<()> {
        let mut what = of_profile(suggestion.author_id);
        // A resource shows how many suggestions about it are open.
        if let Some(resource) = changed.or(suggestion.resource_id) {
            what.extend(of_resource(&mut tx, resource).await?);
        }
        let stale = self.stale(&mut tx, what).await?;
        self.commit(tx).await?;
        self.tally().remove(suggestion.id).await;
        self.forget(stale).await;
        if let Some(resource) = changed {
            self.publish_change(resource, suggestion.kind.into()).await;
        }
        Ok(())
    }
}

/// The same suggestion, open again.
fn undecided(suggestion: &Suggestion) -> Decision {
    Decision {
        status: SuggestionStatus::Open,
        resource_id: suggestion.resource_id,
        approving_until: None,
        decided_at: None,
        decided_by: None,
        reason: None,
    }
}

/// Finds a suggestion that can still be decided, and holds it.
async fn lock_votable(tx: &mut Tx, id: SuggestionId) -> Result<Suggestion> {
    let suggestion = tx.lock_suggestion(id).await?.ok_or(Refusal::NotFound("suggestion"))?;
    if suggestion.status.is_votable() {
        Ok(suggestion)
    } else {
        Err(Refusal::SuggestionClosed(suggestion.status).into())
    }
}

pub(crate) fn curators_only(member: &Member) -> Result<(), Refusal> {
    if member.role >= Role::Curator { Ok(()) } else { Err(Refusal::NotAllowed("curator")) }
}
