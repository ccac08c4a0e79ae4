//! A mail as mail servers read it (RFC 5322).

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use lettre::Message;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use upshelf_store::Mail;

const AUTO_SUBMITTED: HeaderName = HeaderName::new_from_ascii_str("Auto-Submitted");
const LIST_UNSUBSCRIBE: HeaderName = HeaderName::new_from_ascii_str("List-Unsubscribe");
const LIST_UNSUBSCRIBE_POST: HeaderName = HeaderName::new_from_ascii_str("List-Unsubscribe-Post");

/// Writes a mail. Its `Message-ID` and `Date` are those of the mail, whichever attempt this is: a server or a reader that
/// sees it twice can tell.
pub(super) fn compose(from: &Mailbox, mail: &Mail) -> Result<Message> {
    let to: Mailbox = mail.recipient.parse().context("the recipient is no mail address")?;
    let written = u64::try_from(mail.created_at.micros()).unwrap_or_default();
    let plain = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(mail.body.clone());
    let html = SinglePart::builder().header(ContentType::TEXT_HTML).body(mail.html.clone());
    let mut message = Message::builder()
        .from(from.clone())
        .to(to)
        .subject(mail.subject.clone())
        .date(SystemTime::UNIX_EPOCH + Duration::from_micros(written))
        .message_id(Some(format!("<{}@{}>", mail.id, from.email.domain())))
        .multipart(MultiPart::alternative().singlepart(plain).singlepart(html))
        .context("the mail cannot be written")?;
    let headers = message.headers_mut();
    let mut set = |name: HeaderName, value: String| headers.insert_raw(HeaderValue::new(name, value));
    // No absence note is sent in reply (RFC 3834).
    set(AUTO_SUBMITTED, "auto-generated".to_owned());
    if let Some(url) = &mail.unsubscribe_url {
        set(LIST_UNSUBSCRIBE, format!("<{url}>"));
        // Receivers act on it where the URL is an https one (RFC 8058, 3.1).
        set(LIST_UNSUBSCRIBE_POST, "List-Unsubscribe=One-Click".to_owned());
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use upshelf_store::{MailId, Time};

    use super::*;

    fn mail(recipient: &str, subject: &str) -> Mail {
        Mail {
            id: MailId(uuid::Uuid::nil()),
            message_key: "approved:1".into(),
            recipient: recipient.into(),
            subject: subject.into(),
            body: "It was approved.".into(),
            html: "<p>It was approved.</p>".into(),
            unsubscribe_url: Some(format!("https://shelf.example.org/unsubscribe/{}", "x".repeat(60))),
            created_at: Time::EPOCH,
            sent_at: None,
            refusal: None,
        }
    }

    fn composed(mail: &Mail) -> Result<Message> {
        compose(&"Shelf <shelf@example.org>".parse().expect("an address"), mail)
    }

    fn header(mail: &Mail, name: &str) -> Option<String> {
        composed(mail).expect("a mail").headers().get_raw(name).map(str::to_owned)
    }

    #[test]
    fn no_value_can_add_headers() {
        let injected = "Hello\r\nBcc: eve@example.org";
        let url = format!("https://x/{injected}");
        for mail in [
            mail("ada@example.org", injected),
            Mail { unsubscribe_url: Some(url), ..mail("ada@example.org", "Hello") },
        ] {
            let text = String::from_utf8(composed(&mail).expect("it is one").formatted());
            let text = text.expect("mails are ASCII");
            assert!(!text.lines().any(|line| line.starts_with("Bcc:")), "{text}");
        }
    }

    #[test]
    fn a_recipient_cannot_add_recipients() {
        assert!(composed(&mail("ada@example.org\r\nBcc: eve@example.org", "Hello")).is_err());
        assert!(composed(&mail("ada@example.org, eve@example.org", "Hello")).is_err());
    }

    #[test]
    fn the_same_mail_has_the_same_message_id_and_date() {
        let one = mail("ada@example.org", "Hello");
        for name in ["Message-ID", "Date"] {
            assert!(header(&one, name).is_some());
            assert_eq!(header(&one, name), header(&one, name));
        }
        assert_eq!(header(&one, "Date").as_deref(), Some("Thu, 01 Jan 1970 00:00:00 +0000"));
    }

    #[test]
    fn a_mail_says_how_its_kind_is_switched_off_and_one_that_always_comes_does_not() {
        let one = mail("ada@example.org", "Hello");
        let url = one.unsubscribe_url.as_deref().expect("a URL");
        assert_eq!(header(&one, "List-Unsubscribe"), Some(format!("<{url}>")));
        assert_eq!(header(&one, "List-Unsubscribe-Post").as_deref(), Some("List-Unsubscribe=One-Click"));
        let text = String::from_utf8(composed(&one).expect("a mail").formatted()).expect("ASCII");
        assert!(text.contains(&format!("<{url}>\r\n")), "the URL is in one piece: {text}");
        let always = Mail { unsubscribe_url: None, ..one };
        assert_eq!(header(&always, "List-Unsubscribe"), None);
        assert_eq!(header(&always, "List-Unsubscribe-Post"), None);
    }
}
