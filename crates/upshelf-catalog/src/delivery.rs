//! Telling those concerned: into the inbox, by mail where they wish it, and at once to who is listening.

use std::collections::HashMap;

use serde::Serialize;
use upshelf_queue::{Broker, Job, Options};
use upshelf_store::{
    Actor, CommentId, EmailWish, LogId, Member, MemberId, NewNotice, NoticePreference, Resource, Suggestion,
    Time,
};

use crate::audience::{Audience, Subject};
use crate::jobs::connection;
use crate::mails;
use crate::notices::default_preference;
use crate::views::{Interest, NoticePayload, NoticeView, Person, SuggestionRef};
use crate::wording::{Told, sentence};
use crate::{Catalog, NoticeKind, ResourceRef, Result, SendMail};

/// Something that happened, before it is known who hears of it.
pub(crate) struct Event {
    pub(crate) kind: NoticeKind,
    /// Names it: nobody is told of one event twice.
    pub(crate) key: String,
    pub(crate) at: Time,
    pub(crate) actor: Option<Person>,
    pub(crate) suggestion: Option<SuggestionRef>,
    pub(crate) resource: Option<ResourceRef>,
    pub(crate) log_id: Option<LogId>,
    pub(crate) comment_id: Option<CommentId>,
    pub(crate) reason: Option<String>,
    /// What to say, where the kind alone does not say it.
    pub(crate) text: Option<String>,
}

/// What `notifications:{memberId}` carries.
#[derive(Serialize)]
struct Publication<'a> {
    seq: i64,
    unread: i64,
    notice: &'a NoticeView,
}

/// The channel on which a member's notices are published.
pub fn notices_channel(member: MemberId) -> String {
    format!("notifications:{member}")
}

impl Catalog {
    /// Tells the author, the voters and the watchers about an entry of the public log: not who did it, nor who wants to
    /// hear nothing of it. Gives how many notices are new. A member gets one notice of an entry, however often this is
    /// called.
    pub async fn deliver(&self, log: LogId) -> Result<usize> {
        let mut tx = self.store().read().await?;
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
        let role = entry.after.as_ref().and_then(|json| json.0.get("role")?.as_str());
        let event = Event {
            kind,
            key: format!("log:{log}"),
            at: entry.at,
            actor,
            suggestion: suggestion.as_ref().map(|one| named(one, resource.as_ref())),
            resource: resource.map(|one| ResourceRef { id: one.id, title: one.title, url: one.url }),
            log_id: Some(log),
            comment_id: None,
            text: role.map(|role| format!("Your role is “{role}” now.")),
            reason: entry.reason,
        };
        self.hand_out(&event, audience).await
    }

    /// Tells the author, those who commented before and the watchers about a comment; as [`deliver`](Self::deliver).
    pub async fn deliver_comment(&self, comment: CommentId) -> Result<usize> {
        let mut tx = self.store().read().await?;
        let Some(comment) = tx.find_comment(comment).await? else { return Ok(0) };
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
        let event = Event {
            kind: NoticeKind::Commented,
            key: format!("comment:{}", comment.id),
            at: comment.created_at,
            actor: Some(Person { id: comment.member_id, username: comment.username }),
            suggestion: Some(named(&suggestion, resource.as_ref())),
            resource: resource.map(|one| ResourceRef { id: one.id, title: one.title, url: one.url }),
            log_id: None,
            comment_id: Some(comment.id),
            reason: None,
            text: None,
        };
        self.hand_out(&event, audience).await
    }

    /// Tells a member something about the account's safety, once per `event_key`.
    pub async fn tell_of_security(&self, member: MemberId, event_key: &str, text: &str) -> Result<usize> {
        let event = Event {
            kind: NoticeKind::Security,
            key: format!("security:{event_key}"),
            at: self.clock().now(),
            actor: None,
            suggestion: None,
            resource: None,
            log_id: None,
            comment_id: None,
            reason: None,
            text: Some(text.to_owned()),
        };
        self.hand_out(&event, Audience::only(member)).await
    }

    async fn hand_out(&self, event: &Event, audience: Audience) -> Result<usize> {
        let interests = audience.into_interests();
        if interests.is_empty() {
            return Ok(0);
        }
        let ids: Vec<MemberId> = interests.keys().copied().collect();
        let mut tx = self.store().write().await?;
        let mut members = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(500) {
            members
                .extend(tx.list_members_of(chunk).await?.into_iter().filter(|one| one.banned_at.is_none()));
        }
        members.sort_by_key(|member| member.id);
        let wishes: HashMap<MemberId, NoticePreference> =
            tx.list_notice_preferences_of(&ids, event.kind.as_str()).await?.into_iter().collect();

        let mut notices = Vec::new();
        let mut told: HashMap<MemberId, NoticePayload> = HashMap::new();
        for member in &members {
            let Some(interest) = interests.get(&member.id) else { continue };
            let payload = event.payload(*interest);
            let wish = wishes.get(&member.id).cloned().unwrap_or_else(|| default_preference(event.kind));
            if wish.email == EmailWish::Instant {
                let key = format!("{}:{}", event.key, member.id);
                let mail = mails::of_notice(self, member, &payload, key);
                let mail = tx.add_mail(&mail).await?;
                let options = Options::default().key(mail.to_string());
                self.queue().enqueue(connection(&mut tx), &SendMail { mail }, options).await?;
            }
            if wish.inbox {
                notices.push(NewNotice {
                    member_id: member.id,
                    kind: event.kind.as_str().to_owned(),
                    event_key: event.key.clone(),
                    payload: serde_json::to_value(&payload).expect("a payload is plain JSON"),
                    at: event.at,
                });
                told.insert(member.id, payload);
            }
        }
        let deliveries = tx.add_notices(&notices).await?;
        tx.commit().await?;
        self.queue().wake(SendMail::QUEUE);

        // Also what is not new: an earlier attempt may have ended between its commit and this line.
        for delivery in &deliveries {
            let Some(payload) = told.remove(&delivery.member_id) else { continue };
            let notice = NoticeView {
                seq: delivery.seq,
                kind: event.kind,
                payload,
                created_at: event.at,
                read_at: None,
            };
            let publication = Publication { seq: delivery.seq, unread: delivery.unread, notice: &notice };
            let json = serde_json::to_vec(&publication).expect("a notice is plain JSON");
            self.bus().publish(&notices_channel(delivery.member_id), json).await;
        }
        Ok(deliveries.iter().filter(|delivery| delivery.is_new).count())
    }
}

impl Event {
    fn payload(&self, interest: Interest) -> NoticePayload {
        let told = Told {
            kind: self.kind,
            interest,
            actor: self.actor.as_ref().map(|actor| actor.username.as_str()),
            suggestion: self.suggestion.as_ref(),
            resource: self.resource.as_ref().map(|resource| resource.title.as_str()),
        };
        NoticePayload {
            text: self.text.clone().unwrap_or_else(|| sentence(&told)),
            interest,
            log_id: self.log_id,
            actor: self.actor.clone(),
            suggestion: self.suggestion.clone(),
            resource: self.resource.clone(),
            comment_id: self.comment_id,
            reason: self.reason.clone(),
        }
    }
}

/// A suggestion as a notice names it: by the resource's name as people knew it when it was proposed.
fn named(suggestion: &Suggestion, resource: Option<&Resource>) -> SuggestionRef {
    let title = suggestion.before.0.title.as_deref().or(resource.map(|resource| resource.title.as_str()));
    let title = title.or(suggestion.changes.0.title.as_deref()).unwrap_or("a resource");
    SuggestionRef { id: suggestion.id, kind: suggestion.kind, title: title.to_owned() }
}

/// The member a mail goes to, for its greeting.
pub(crate) fn greeting(member: &Member) -> String {
    format!("Hello {},", member.display_name)
}
