//! Mails on their way: written in the transaction of their cause, sent by a job, kept for the outbox page.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use upshelf_queue::{Batch, Broker, Job, Options};
use upshelf_store::{EmailWish, Mail, MailId, Member, MemberId, NewMail, Page, PageRequest, Time};

use crate::jobs::connection;
use crate::moderation::admins_only;
use crate::notices::notice_view;
use crate::unsubscribe::Links;
use crate::views::NoticePayload;
use crate::{Catalog, MailKind, NoticeKind, Refusal, Result, SendMail};

/// The most characters of a subject.
const MAX_SUBJECT: usize = 150;

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

    /// Commits the sending of mails that wait in the outbox, as they do when there was no way out so far; gives how many.
    pub async fn send_waiting_mails(&self) -> Result<usize> {
        let (mut sent, mut after) = (0, None);
        loop {
            let mut tx = self.store().write().await?;
            let waiting = tx.list_unsent_mails(after, JOBS).await?;
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

/// Writes the mail that tells one notice.
pub(crate) fn of_notice(
    catalog: &Catalog,
    links: &Links,
    member: &Member,
    kind: NoticeKind,
    payload: &NoticePayload,
    key: String,
) -> NewMail {
    let subject = payload.text.clone();
    let letter = Letter { member, subject, news: &[payload], kind: MailKind::Event(kind) };
    letter.write(catalog, links, format!("notice:{key}"))
}

fn of_digest(
    catalog: &Catalog,
    links: &Links,
    member: &Member,
    news: &[NoticePayload],
    until: Time,
) -> NewMail {
    let subject = match news.len() {
        1 => "1 piece of news from the shelf".to_owned(),
        count => format!("{count} pieces of news from the shelf"),
    };
    let news: Vec<&NoticePayload> = news.iter().collect();
    let letter = Letter { member, subject, news: &news, kind: MailKind::Digest };
    letter.write(catalog, links, format!("digest:{}:{}", member.id, until.day()))
}

/// What a mail says.
struct Letter<'a> {
    member: &'a Member,
    subject: String,
    news: &'a [&'a NoticePayload],
    kind: MailKind,
}

impl Letter<'_> {
    /// Writes it, as text and as HTML; `key` names its cause.
    fn write(&self, catalog: &Catalog, links: &Links, key: String) -> NewMail {
        let public_url = catalog.settings().public_url.as_deref().map(|url| url.trim_end_matches('/'));
        let hello = format!("Hello {},", self.member.display_name);
        let mut body = format!("{hello}\n");
        let mut html = format!("<p>{}</p>\n", escaped(&hello));
        for payload in self.news {
            let _ = write!(body, "\n{}\n", payload.text);
            let _ = write!(html, "<p>{}", escaped(&payload.text));
            if let Some(reason) = payload.reason.as_deref().filter(|reason| !reason.is_empty()) {
                let quoted: Vec<_> = reason.lines().map(|line| format!("> {line}")).collect();
                let _ = writeln!(body, "{}", quoted.join("\n"));
                let _ = write!(html, "</p>\n<blockquote>{}</blockquote>\n<p>", escaped(reason));
            }
            if let Some((site, path)) = public_url.zip(path(payload)) {
                let _ = writeln!(body, "{site}{path}");
                let link = escaped(&format!("{site}{path}"));
                let _ = write!(html, " <a href=\"{link}\">{link}</a>");
            }
            html.push_str("</p>\n");
        }
        let unsubscribe_url = links.url(self.member.id, self.kind);
        let why = self.why();
        let _ = write!(body, "\n-- \n{why}\n");
        let _ = write!(html, "<p><small>{why}");
        if let Some(url) = &unsubscribe_url {
            let _ = writeln!(body, "No more mails of this kind: {url}");
            let _ = write!(html, " <a href=\"{}\">No more mails of this kind</a>", escaped(url));
        }
        html.push_str("</small></p>\n");
        NewMail {
            id: catalog.clock().id(),
            message_key: key,
            recipient: self.member.email.clone(),
            subject: one_line(&self.subject),
            body,
            html,
            unsubscribe_url,
            created_at: catalog.clock().now(),
        }
    }

    fn why(&self) -> &'static str {
        match self.kind {
            MailKind::Event(NoticeKind::Security) => {
                "You get this mail because it concerns the safety of your account; such mails always come."
            }
            _ => {
                "You get this mail because you asked for it in your notice preferences; you can turn it off there."
            }
        }
    }
}

fn path(payload: &NoticePayload) -> Option<String> {
    let suggestion = payload.suggestion.as_ref().map(|suggestion| format!("/suggestions/{}", suggestion.id));
    suggestion.or_else(|| payload.resource.as_ref().map(|resource| format!("/resources/{}", resource.id)))
}

/// A subject is a header: nothing that comes from people may end it.
fn one_line(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match line.char_indices().nth(MAX_SUBJECT) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

/// Text as HTML, inert.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            '\n' => html.push_str("<br>\n"),
            other => html.push(other),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_people_ends_a_subject_line() {
        assert_eq!(one_line("a\r\nBcc: everybody@example.org"), "a  Bcc: everybody@example.org");
        assert_eq!(one_line(&"é".repeat(200)).chars().count(), MAX_SUBJECT + 1);
    }

    #[test]
    fn nothing_from_people_is_html_in_a_mail() {
        assert_eq!(escaped("<script>'\"&"), "&lt;script&gt;&#39;&quot;&amp;");
    }
}
