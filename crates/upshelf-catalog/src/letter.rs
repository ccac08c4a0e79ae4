//! What a mail says: its subject, its text, and the same as HTML.

use std::fmt::Write as _;

use upshelf_store::{Member, NewMail, Time};

use crate::unsubscribe::Links;
use crate::views::NoticePayload;
use crate::{Catalog, MailKind, NoticeKind};

/// The most characters of a subject.
const MAX_SUBJECT: usize = 150;

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

/// Writes the mail that tells a day's news.
pub(crate) fn of_digest(
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
