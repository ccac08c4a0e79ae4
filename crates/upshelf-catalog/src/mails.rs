//! Mails on their way: written in the transaction of their cause, sent by a job, kept for the outbox page.

use std::collections::HashMap;
use std::time::Duration;

use upshelf_queue::{Batch, Broker, Job, Options};
use upshelf_store::{EmailWish, Mail, MailId, Member, MemberId, Page, PageRequest, Time};

use crate::jobs::connection;
use crate::letter::of_digest;
use crate::moderation::admins_only;
use crate::notices::notice_view;
use crate::views::NoticePayload;
use crate::{Catalog, Refusal, Result, SendMail};

/// How many members' daily mails share a transaction.
const AT_ONCE: u32 = 100;

/// How many mails' jobs share a transaction.
const JOBS: u32 = 500;

const DAY: Duration = Duration::from_secs(86_400);

/// How long a worker has a mail in hand: longer than an attempt can take.
const IN_HAND: Duration = SendMail::TIMEOUT.saturating_mul(2);

/// A mail that this worker has in hand, and no other.
#[derive(Debug)]
pub struct HeldMail {
    /// The mail.
    pub mail: Mail,
    until: Time,
}

/// What became of taking a mail in hand.
#[derive(Debug)]
pub enum Taking {
    /// It is in hand.
    Held(HeldMail),
    /// Another worker has it, for so long at most.
    Busy(Duration),
    /// It was sent, or there is no such mail.
    Over,
}

impl Catalog {
    /// Finds a mail, for who sends it.
    pub async fn find_mail(&self, id: MailId) -> Result<Option<Mail>> {
        Ok(self.store().read().await?.find_mail(id).await?)
    }

    /// Takes a mail in hand to hand it over.
    pub async fn take_mail(&self, id: MailId) -> Result<Taking> {
        let now = self.clock().now();
        let until = now.after(IN_HAND);
        let mut tx = self.store().write().await?;
        let is_held = tx.hold_mail(id, now, until).await?;
        let mail = tx.find_mail(id).await?;
        tx.commit().await?;
        Ok(match mail {
            Some(mail) if is_held => Taking::Held(HeldMail { mail, until }),
            Some(mail) if mail.sent_at.is_none() => Taking::Busy(IN_HAND),
            _ => Taking::Over,
        })
    }

    /// Puts a mail down that could not be handed over, so that the next attempt need not wait.
    pub async fn put_mail_down(&self, held: &HeldMail) -> Result<()> {
        let mut tx = self.store().write().await?;
        tx.release_mail(held.mail.id, held.until).await?;
        Ok(tx.commit().await?)
    }

    /// Puts a mail down that the mail server has refused for good: it waits no more.
    pub async fn note_refused_mail(&self, held: &HeldMail, refusal: &str) -> Result<()> {
        let mut tx = self.store().write().await?;
        tx.mark_mail_refused(held.mail.id, held.until, refusal).await?;
        Ok(tx.commit().await?)
    }

    /// Commits the sending of mails that wait in the outbox, as they do when there was no way out so far; gives how many.
    pub async fn send_waiting_mails(&self) -> Result<usize> {
        let (mut sent, mut after) = (0, None);
        loop {
            let mut tx = self.store().write().await?;
            let waiting = tx.list_waiting_mails(after, JOBS).await?;
            let Some(last) = waiting.last().copied() else { return Ok(sent) };
            let mut jobs = Batch::default();
            for mail in &waiting {
                jobs.add(&SendMail { mail: *mail }, Options::default().key(mail.to_string()))?;
            }
            self.queue().enqueue_all(connection(&mut tx), &jobs).await?;
            tx.commit().await?;
            (sent, after) = (sent + waiting.len(), Some(last));
        }
    }

    /// Notes that a mail was handed to the mail server.
    pub async fn mark_mail_sent(&self, id: MailId) -> Result<()> {
        let mut tx = self.store().write().await?;
        tx.mark_mail_sent(id, self.clock().now()).await?;
        Ok(tx.commit().await?)
    }

    /// Gives a mail as it was written.
    pub async fn mail(&self, admin: &Member, id: MailId) -> Result<Mail> {
        admins_only(admin)?;
        Ok(self.find_mail(id).await?.ok_or(Refusal::NotFound("mail"))?)
    }

    /// Lists mails, sent or not, newest first: the outbox of a site that sends none.
    pub async fn mails(&self, admin: &Member, page: &PageRequest) -> Result<Page<Mail>> {
        admins_only(admin)?;
        Ok(self.store().read().await?.list_mails(page).await?)
    }

    /// Writes the daily mails to those who wish them: what came into the inbox in the 24 hours before `until` and is
    /// unread. Gives how many. Each member has one mail per day of `until`, however often this is called.
    pub async fn write_digests(&self, until: Time) -> Result<usize> {
        let links = self.unsubscribe_links().await?;
        let mut written = 0;
        let mut after = None;
        loop {
            let mut tx = self.store().write().await?;
            let members = tx.list_digest_members(after, AT_ONCE).await?;
            let Some(last) = members.last().copied() else { return Ok(written) };
            after = Some(last);
            let people: HashMap<MemberId, Member> =
                tx.list_members_of(&members).await?.into_iter().map(|member| (member.id, member)).collect();
            for id in members {
                let Some(member) = people.get(&id) else { continue };
                let wishes = tx.list_notice_preferences(id).await?;
                let unread = tx.list_notices(id, true, &PageRequest::first(PageRequest::MAX)).await?;
                let news: Vec<NoticePayload> = unread
                    .items
                    .into_iter()
                    .filter(|notice| notice.created_at > until.before(DAY) && notice.created_at <= until)
                    .filter_map(notice_view)
                    .filter(|notice| {
                        wishes
                            .iter()
                            .any(|wish| wish.kind == notice.kind.as_str() && wish.email == EmailWish::Digest)
                    })
                    .map(|notice| notice.payload)
                    .collect();
                if news.is_empty() {
                    continue;
                }
                let mail = tx.add_mail(&of_digest(self, &links, member, &news, until)).await?;
                let options = Options::default().key(mail.to_string());
                self.queue().enqueue(connection(&mut tx), &SendMail { mail }, options).await?;
                written += 1;
            }
            tx.commit().await?;
            self.queue().wake(SendMail::QUEUE);
        }
    }
}
