//! Telling those concerned of what happened: what it was, and whom it concerns.

use upshelf_queue::{Broker, Options};
use upshelf_store::{Actor, MemberId, Resource, Standing, Suggestion};

use crate::audience::{Audience, Subject};
use crate::fan_out::Event;
use crate::jobs::connection;
use crate::views::{Person, SuggestionRef, VotesTold};
use crate::{Catalog, NoticeKind, Notify, NotifyComment, NotifyVotes, ResourceRef, Result};

/// How many suggestions are told of in one commit.
const AT_ONCE: u32 = 500;

impl Catalog {
    /// Tells the author, the voters and the watchers about an entry of the public log: not who did it, nor who wants to
    /// hear nothing of it. Gives how many notices are new. A member gets one notice of an entry, however often this is
    /// called. Of a large audience only the next ones are told; the job for those behind them is committed with that.
    pub async fn deliver(&self, job: &Notify) -> Result<usize> {
        let mut tx = self.store().read().await?;
        let log = job.log;
        let Some(entry) = tx.list_log_of(&[log]).await?.pop() else { return Ok(0) };
        let Some(kind) = NoticeKind::of(entry.action) else { return Ok(0) };
        let suggestion = match entry.suggestion_id {
            Some(id) => tx.find_suggestion(id).await?,
            None => None,
        };
        let resource = match entry.resource_id.or(suggestion.as_ref().and_then(|one| one.resource_id)) {
            Some(id) => tx.find_resource(id).await?,
            None => None,
        };
        let subject = Subject { suggestion: suggestion.as_ref(), resource: resource.as_ref(), comment: None };
        let mut audience = match kind {
            NoticeKind::RoleChanged => Audience::of_account(entry.after.as_ref().map(|json| &json.0)),
            _ => Audience::gather(&mut tx, kind, &subject).await?,
        };
        drop(tx);
        let actor = entry.member_id.filter(|_| entry.actor == Actor::Member).zip(entry.username);
        let actor = actor.map(|(id, username)| Person { id, username });
        if let Some(actor) = &actor {
            audience.remove(actor.id);
        }
        // Nobody reads that inbox.
        audience.remove(MemberId::LINK_CHECK);
        let role = entry.after.as_ref().and_then(|json| json.0.get("role")?.as_str());
        let event = Event {
            kind,
            key: format!("log:{log}"),
            group: None,
            at: entry.at,
            actor,
            is_by_site: entry.actor == Actor::System,
            suggestion: suggestion.as_ref().map(|one| named(one, resource.as_ref())),
            resource: resource.map(|one| ResourceRef { id: one.id, title: one.title, url: one.url }),
            log_id: Some(log),
            comment_id: None,
            votes: None,
            text: role.map(|role| format!("Your role is “{role}” now.")),
            reason: entry.reason,
        };
        self.hand_out(&event, audience, job.after).await
    }

    /// Tells the author, those who commented before and the watchers about a comment; as [`deliver`](Self::deliver).
    pub async fn deliver_comment(&self, job: &NotifyComment) -> Result<usize> {
        let mut tx = self.store().read().await?;
        let Some(comment) = tx.find_comment(job.comment).await? else { return Ok(0) };
        let Some(suggestion) = tx.find_suggestion(comment.suggestion_id).await? else { return Ok(0) };
        let resource = match suggestion.resource_id {
            Some(id) => tx.find_resource(id).await?,
            None => None,
        };
        let subject =
            Subject { suggestion: Some(&suggestion), resource: resource.as_ref(), comment: Some(comment.id) };
        let mut audience = Audience::gather(&mut tx, NoticeKind::Commented, &subject).await?;
        drop(tx);
        audience.remove(comment.member_id);
        audience.remove(MemberId::LINK_CHECK);
        let event = Event {
            kind: NoticeKind::Commented,
            key: format!("comment:{}", comment.id),
            group: None,
            at: comment.created_at,
            is_by_site: false,
            actor: Some(Person { id: comment.member_id, username: comment.username }),
            suggestion: Some(named(&suggestion, resource.as_ref())),
            resource: resource.map(|one| ResourceRef { id: one.id, title: one.title, url: one.url }),
            log_id: None,
            comment_id: Some(comment.id),
            votes: None,
            reason: None,
            text: None,
        };
        self.hand_out(&event, audience, job.after).await
    }

    /// Tells the author and those who watch the suggestion how many people voted on it by now; as
    /// [`deliver`](Self::deliver). It takes the place of what they were told before and have not read.
    pub async fn deliver_votes(&self, job: &NotifyVotes) -> Result<usize> {
        let mut tx = self.store().read().await?;
        let Some(suggestion) = tx.find_suggestion(job.suggestion).await? else { return Ok(0) };
        let Standing { up, down, .. } = suggestion.standing;
        if up + down == 0 || !suggestion.status.is_votable() {
            return Ok(0);
        }
        let resource = match suggestion.resource_id {
            Some(id) => tx.find_resource(id).await?,
            None => None,
        };
        let subject = Subject { suggestion: Some(&suggestion), resource: resource.as_ref(), comment: None };
        let mut audience = Audience::gather(&mut tx, NoticeKind::Voted, &subject).await?;
        drop(tx);
        audience.remove(MemberId::LINK_CHECK);
        let event = Event {
            kind: NoticeKind::Voted,
            key: format!("votes:{}:{}", suggestion.id, job.votes),
            group: Some(format!("votes:{}", suggestion.id)),
            at: self.clock().now(),
            is_by_site: false,
            actor: None,
            suggestion: Some(named(&suggestion, resource.as_ref())),
            resource: resource.map(|one| ResourceRef { id: one.id, title: one.title, url: one.url }),
            log_id: None,
            comment_id: None,
            votes: Some(VotesTold { up, down }),
            reason: None,
            text: None,
        };
        self.hand_out(&event, audience, job.after).await
    }

    /// Leaves a job for each suggestion with votes that nobody was told of; gives how many. To be called every minute or so:
    /// what was voted in that time is told at once.
    pub async fn tell_of_votes(&self) -> Result<usize> {
        let (mut told, mut after) = (0, None);
        loop {
            let mut tx = self.store().write().await?;
            let untold = tx.list_untold_votes(after, AT_ONCE).await?;
            let Some((last, _)) = untold.last().copied() else { return Ok(told) };
            after = Some(last);
            for (suggestion, votes) in untold {
                if tx.note_told_votes(suggestion, votes).await? {
                    let job = NotifyVotes { suggestion, votes, after: None };
                    self.queue().enqueue(connection(&mut tx), &job, Options::default()).await?;
                    told += 1;
                }
            }
            self.commit(tx).await?;
        }
    }

    /// Tells a member something about the account's safety, once per `event_key`.
    pub async fn tell_of_security(&self, member: MemberId, event_key: &str, text: &str) -> Result<usize> {
        let event = Event {
            kind: NoticeKind::Security,
            key: format!("security:{event_key}"),
            group: None,
            at: self.clock().now(),
            actor: None,
            is_by_site: true,
            suggestion: None,
            resource: None,
            log_id: None,
            comment_id: None,
            votes: None,
            reason: None,
            text: Some(text.to_owned()),
        };
        self.hand_out(&event, Audience::only(member), None).await
    }
}

/// A suggestion as a notice names it: by the resource's name as people knew it when it was proposed.
fn named(suggestion: &Suggestion, resource: Option<&Resource>) -> SuggestionRef {
    let title = suggestion.before.0.title.as_deref().or(resource.map(|resource| resource.title.as_str()));
    let title = title.or(suggestion.changes.0.title.as_deref()).unwrap_or("a resource");
    SuggestionRef { id: suggestion.id, kind: suggestion.kind, title: title.to_owned() }
}
