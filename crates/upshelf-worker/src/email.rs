//! Handing mails over to an SMTP server, once each.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use secrecy::{ExposeSecret as _, SecretString};
use upshelf_catalog::{Catalog, SendMail};
use upshelf_queue::{BoxError, Context, Outcome};
use upshelf_store::Mail as Letter;

/// How mails leave the site.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The server; without it, mails wait in the outbox.
    pub smtp_url: Option<SecretString>,
    /// The sender.
    pub from: String,
}

/// An open way out for mails.
#[derive(Clone, Debug)]
pub(crate) struct Postman {
    from: Mailbox,
    transport: Option<AsyncSmtpTransport<Tokio1Executor>>,
}

impl Postman {
    /// # Errors
    /// When the sender is no address, or the server's URL cannot be used.
    pub(crate) fn new(mail: &Mail) -> anyhow::Result<Postman> {
        let from = mail.from.parse().with_context(|| format!("{:?} is no sender of mails", mail.from))?;
        let transport = match &mail.smtp_url {
            Some(url) => Some(
                AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose_secret())
                    .context("the address of the mail server cannot be used")?
                    .timeout(Some(Duration::from_secs(20)))
                    .build(),
            ),
            None => None,
        };
        Ok(Postman { from, transport })
    }

    /// Whether there is a server to hand mails to.
    pub(crate) fn delivers(&self) -> bool {
        self.transport.is_some()
    }

    /// Hands a mail over. Its `Message-ID` is made of its message key: a server that sees it twice can tell.
    ///
    /// # Errors
    /// When the mail cannot be written, or the server does not take it.
    pub(crate) async fn send(&self, letter: &Letter) -> anyhow::Result<()> {
        let Some(transport) = &self.transport else { return Ok(()) };
        transport.send(self.compose(letter)?).await.context("the mail server did not take the mail")?;
        Ok(())
    }

    fn compose(&self, letter: &Letter) -> anyhow::Result<Message> {
        let to: Mailbox = letter.recipient.parse().context("the recipient is no mail address")?;
        let domain = self.from.email.domain();
        let plain = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(letter.body.clone());
        let html = SinglePart::builder().header(ContentType::TEXT_HTML).body(letter.html.clone());
        Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(letter.subject.clone())
            .message_id(Some(format!("<{}@{domain}>", letter.id)))
            .multipart(MultiPart::alternative().singlepart(plain).singlepart(html))
            .context("the mail cannot be written")
    }
}

/// Hands a mail over. One that is noted as sent is not sent again; without a server it stays in the outbox.
pub(crate) async fn send(
    catalog: Catalog,
    postman: Arc<Postman>,
    job: SendMail,
) -> Result<Outcome, BoxError> {
    let Some(mail) = catalog.find_mail(job.mail).await? else { return Ok(Outcome::Done) };
    if mail.sent_at.is_none() && postman.delivers() {
        postman.send(&mail).await?;
        catalog.mark_mail_sent(mail.id).await?;
    }
    Ok(Outcome::Done)
}

/// Writes the daily mails. Idempotent: a member has at most one a day.
pub(crate) async fn digests(catalog: Catalog, context: Context) -> Result<Outcome, BoxError> {
    let written = catalog.write_digests(catalog.clock().now()).await?;
    context.log(format!("{written} mails written"));
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use upshelf_store::{MailId, Time};

    use super::*;

    fn letter(recipient: &str, subject: &str) -> Letter {
        Letter {
            id: MailId(uuid::Uuid::nil()),
            message_key: "approved:1".into(),
            recipient: recipient.into(),
            subject: subject.into(),
            body: "It was approved.".into(),
            html: "<p>It was approved.</p>".into(),
            created_at: Time::EPOCH,
            sent_at: None,
        }
    }

    fn postman() -> Postman {
        Postman::new(&Mail { smtp_url: None, from: "Shelf <shelf@example.org>".into() })
            .expect("it is in order")
    }

    #[test]
    fn a_subject_cannot_add_headers() {
        let mail = postman()
            .compose(&letter("ada@example.org", "Hello\r\nBcc: eve@example.org"))
            .expect("it is one");
        let text = String::from_utf8(mail.formatted()).expect("mails are ASCII");
        assert!(!text.lines().any(|line| line.starts_with("Bcc:")), "{text}");
    }

    #[test]
    fn a_recipient_cannot_add_recipients() {
        assert!(postman().compose(&letter("ada@example.org\r\nBcc: eve@example.org", "Hello")).is_err());
    }

    #[test]
    fn the_same_mail_has_the_same_message_id() {
        let id = |mail: Message| mail.headers().get_raw("Message-ID").map(str::to_owned);
        let (one, again) = (letter("ada@example.org", "Hello"), letter("ada@example.org", "Hello"));
        assert_eq!(
            id(postman().compose(&one).expect("a mail")),
            id(postman().compose(&again).expect("a mail"))
        );
    }
}
