//! Mails on their way: written in the transaction of their cause, sent by a job, kept for the outbox page.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use upshelf_queue::{Broker, Job, Options};
use upshelf_store::{EmailWish, Mail, MailId, Member, MemberId, NewMail, Page, PageRequest, Time};

use crate::delivery::greeting;
use crate::jobs::connection;
use crate::moderation::admins_only;
use crate::notices::notice_view;
use crate::views::NoticePayload;
use crate::{Catalog, Result, SendMail};

/// The most characters of a subject.
const MAX_SUBJECT: usize = 150;

/// How many members' daily mails share a transaction.
const AT_ONCE: u32 = 100;

const DAY: Duration = Duration::from_secs(86_400);

impl Catalog {
    /// Finds a mail, for who sends it.
    pub async fn find_mail(&self, id: MailId) -> Result<Option<Mail>> {
        Ok(self.store().read().await?.find_mail(id).await?)
    }

    /// Commits the sending of mails that wait in the outbox, as they do when there was no mail server so far.
    pub async fn send_waiting_mails(&self) -> Result<usize> {
        let mut tx = self.store().write().await?;
        let waiting = tx.list_unsent_mails(1_000).await?;
        for mail in &waiting {
            let options = Options::default().key(mail.id.to_string());
            self.queue().enqueue(connection(&mut tx), &SendMail { mail: mail.id }, options).await?;
        }
        tx.commit().await?;
        Ok(waiting.len())
    }

    /// Notes that a mail was handed to the mail server.
    pub async fn mark_mail_sent(&self, id: MailId) -> Result<()> {
        let mut tx = self.store().write().await?;
        tx.mark_mail_sent(id, self.clock().now()).await?;
        Ok(tx.commit().await?)
    }

    /// Lists mails, sent or not, newest first: the outbox of a site that sends none.
    pub async fn mails(&self, admin: &Member, page: &PageRequest) -> Result<Page<Mail>> {
        admins_only(admin)?;
        Ok(self.store().read().await?.list_mails(page).await?)
    }

    /// Writes the daily mails to those who wish them: what came into the inbox in the 24 hours before `until` and is
    /// unread. Gives how many. Each member has one mail per day of `until`, however often this is called.
    pub async fn write_digests(&self, until: Time) -> Result<usize> {
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
                let mail = tx.add_mail(&of_digest(self, member, &news, until)).await?;
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
pub(crate) fn of_notice(catalog: &Catalog, member: &Member, payload: &NoticePayload, key: String) -> NewMail {
    write(catalog, member, payload.text.clone(), &[payload], format!("notice:{key}"))
}

fn of_digest(catalog: &Catalog, member: &Member, news: &[NoticePayload], until: Time) -> NewMail {
    let subject = match news.len() {
        1 => "1 piece of news from the shelf".to_owned(),
        count => format!("{count} pieces of news from the shelf"),
    };
    let news: Vec<&NoticePayload> = news.iter().collect();
    write(catalog, member, subject, &news, format!("digest:{}:{}", member.id, until.day()))
}

fn write(
    catalog: &Catalog,
    member: &Member,
    subject: String,
    news: &[&NoticePayload],
    key: String,
) -> NewMail {
    let public_url = catalog.settings().public_url.as_deref().map(|url| url.trim_end_matches('/'));
    let hello = greeting(member);
    let mut body = format!("{hello}\n");
    let mut html = format!("<p>{}</p>\n", escaped(&hello));
    for payload in news {
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
    let why =
        "You get this mail because you asked for it in your notice preferences; you can turn it off there.";
    let _ = write!(body, "\n-- \n{why}\n");
    let _ = writeln!(html, "<p><small>{why}</small></p>");
    NewMail {
        id: catalog.clock().id(),
        message_key: key,
        recipient: member.email.clone(),
        subject: one_line(&subject),
        body,
        html,
        created_at: catalog.clock().now(),
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
