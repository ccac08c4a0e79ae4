//! Handing an event out: into the inbox, by mail where members wish it, and at once to who is listening.
//!
//! A large audience is told in parts, in the order of members' ids: each part is one transaction, which also holds the
//! job for those behind it. A process that dies in between loses nobody and tells nobody twice.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use upshelf_queue::{Batch, Broker, Job, Options};
use upshelf_store::{CommentId, EmailWish, LogId, Member, MemberId, NewNotice, NoticePreference, Time, Tx};

use crate::audience::Audience;
use crate::jobs::connection;
use crate::letter::of_notice;
use crate::news::{NoticeNews, notices_channel};
use crate::notices::in_force;
use crate::unsubscribe::Links;
use crate::views::{Interest, NoticePayload, NoticeView, Person, SuggestionRef, VotesTold};
use crate::wording::{Told, sentence};
use crate::{Catalog, NoticeKind, Notify, NotifyComment, NotifyVotes, ResourceRef, Result, SendMail};

/// Something that happened, before it is known who hears of it.
pub(crate) struct Event {
    pub(crate) kind: NoticeKind,
    /// Names it: nobody is told of one event twice.
    pub(crate) key: String,
    /// Names the group whose unread notices it takes the place of.
    pub(crate) group: Option<String>,
    pub(crate) at: Time,
    pub(crate) actor: Option<Person>,
    /// Whether nobody did it but the site itself.
    pub(crate) is_by_site: bool,
    pub(crate) suggestion: Option<SuggestionRef>,
    pub(crate) resource: Option<ResourceRef>,
    pub(crate) log_id: Option<LogId>,
    pub(crate) comment_id: Option<CommentId>,
    pub(crate) votes: Option<VotesTold>,
    pub(crate) reason: Option<String>,
    /// What to say, where the kind alone does not say it.
    pub(crate) text: Option<String>,
}

impl Catalog {
    /// Tells the members of `audience` behind `after`, as many as one commit may hold; gives how many notices are new.
    pub(crate) async fn hand_out(
        &self,
        event: &Event,
        audience: Audience,
        after: Option<MemberId>,
    ) -> Result<usize> {
        let behind = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let mut waiting = audience.interests().range(behind).map(|(member, interest)| (*member, *interest));
        let interests: BTreeMap<MemberId, Interest> =
            waiting.by_ref().take(self.settings().notices_per_commit.max(1)).collect();
        let Some(last) = interests.last_key_value().map(|(member, _)| *member) else { return Ok(0) };
        let is_more = waiting.next().is_some();
        let links = self.unsubscribe_links().await?;

        let mut tx = self.store().write().await?;
        let told = self.write_down(&mut tx, event, &interests, &links).await?;
        if is_more {
            self.go_on_behind(&mut tx, event, last).await?;
        }
        let notices: Vec<NewNotice> = told.iter().map(|one| event.notice(one)).collect();
        let deliveries = tx.add_notices(&notices).await?;
        tx.commit().await?;
        for queue in [SendMail::QUEUE, Notify::QUEUE] {
            self.queue().wake(queue);
        }

        let mut told: HashMap<MemberId, NoticePayload> = told.into_iter().collect();
        // Also what is not new: an earlier attempt may have ended between its commit and this line.
        for delivery in &deliveries {
            let Some(payload) = told.remove(&delivery.member_id) else { continue };
            let notice = NoticeView {
                seq: delivery.seq,
                kind: event.kind,
                group: event.group.clone(),
                payload,
                created_at: event.at,
                read_at: None,
            };
            let publication =
                NoticeNews { seq: delivery.seq, unread: delivery.unread, notice: Some(&notice) };
            self.bus().publish(&notices_channel(delivery.member_id), publication.json()).await;
        }
        Ok(deliveries.iter().filter(|delivery| delivery.is_new).count())
    }

    /// Writes the mails of those who wish one, with their jobs; gives what the others and they find in the inbox.
    async fn write_down(
        &self,
        tx: &mut Tx,
        event: &Event,
        interests: &BTreeMap<MemberId, Interest>,
        links: &Links,
    ) -> Result<Vec<(MemberId, NoticePayload)>> {
        let ids: Vec<MemberId> = interests.keys().copied().collect();
        let mut members: Vec<Member> = tx.list_members_of(&ids).await?;
        members.retain(|member| member.banned_at.is_none());
        members.sort_by_key(|member| member.id);
        let mut wishes: HashMap<MemberId, NoticePreference> =
            tx.list_notice_preferences_of(&ids, event.kind.as_str()).await?.into_iter().collect();
        let (mut told, mut sending) = (Vec::with_capacity(members.len()), Batch::default());
        for member in &members {
            let Some(interest) = interests.get(&member.id) else { continue };
            let payload = event.payload(*interest);
            let wish = in_force(event.kind, wishes.remove(&member.id));
            if wish.email == EmailWish::Instant {
                let key = format!("{}:{}", event.key, member.id);
                let mail = tx.add_mail(&of_notice(self, links, member, event.kind, &payload, key)).await?;
                sending.add(&SendMail { mail }, Options::default().key(mail.to_string()))?;
            }
            if wish.inbox {
                told.push((member.id, payload));
            }
        }
        if !sending.is_empty() {
            self.queue().enqueue_all(connection(tx), &sending).await?;
        }
        Ok(told)
    }

    /// Commits the job that tells those behind `last`.
    async fn go_on_behind(&self, tx: &mut Tx, event: &Event, last: MemberId) -> Result<()> {
        let after = Some(last);
        let key = Options::default().key(format!("{}:{last}", event.key));
        if let Some(comment) = event.comment_id {
            self.queue().enqueue(connection(tx), &NotifyComment { comment, after }, key).await?;
        } else if let (Some(votes), Some(SuggestionRef { id, .. })) = (event.votes, &event.suggestion) {
            let job = NotifyVotes { suggestion: *id, votes: votes.up + votes.down, after };
            self.queue().enqueue(connection(tx), &job, key).await?;
        } else if let Some(log) = event.log_id {
            self.queue().enqueue(connection(tx), &Notify { log, after }, key).await?;
        }
        Ok(())
    }
}

impl Event {
    fn payload(&self, interest: Interest) -> NoticePayload {
        let told = Told {
            kind: self.kind,
            interest,
            actor: match &self.actor {
                Some(actor) => Some(actor.username.as_str()),
                None => self.is_by_site.then_some("The site"),
            },
            suggestion: self.suggestion.as_ref(),
            resource: self.resource.as_ref().map(|resource| resource.title.as_str()),
            votes: self.votes,
        };
        NoticePayload {
            text: self.text.clone().unwrap_or_else(|| sentence(&told)),
            interest,
            log_id: self.log_id,
            actor: self.actor.clone(),
            suggestion: self.suggestion.clone(),
            resource: self.resource.clone(),
            comment_id: self.comment_id,
            votes: self.votes,
            reason: self.reason.clone(),
        }
    }

    fn notice(&self, (member_id, payload): &(MemberId, NoticePayload)) -> NewNotice {
        NewNotice {
            member_id: *member_id,
            kind: self.kind.as_str().to_owned(),
            event_key: self.key.clone(),
            group: self.group.clone(),
            payload: serde_json::to_value(payload).expect("a payload is plain JSON"),
            at: self.at,
        }
    }
}
