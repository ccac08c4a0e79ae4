//! Handing mails over, once each: to an SMTP server, or into a folder.

mod folder;
mod letter;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use lettre::message::Mailbox;
use lettre::transport::smtp;
use lettre::transport::smtp::response::Category;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use secrecy::{ExposeSecret as _, SecretString};
use upshelf_catalog::{Catalog, SendMail, Taking};
use upshelf_queue::{BoxError, Context, Outcome};
use upshelf_store::{Mail as Letter, MailId};

use folder::Folder;

/// How mails leave the site. Without a server and a folder they wait in the outbox.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The server.
    pub smtp_url: Option<SecretString>,
    /// The folder that each mail is written into, as a file; where there is a server, it is not used.
    pub folder: Option<PathBuf>,
    /// The sender.
    pub from: String,
}

/// An open way out for mails.
#[derive(Debug)]
pub(crate) struct Postman {
    from: Mailbox,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Server(AsyncSmtpTransport<Tokio1Executor>),
    Folder(Folder),
    None,
}

/// Why a mail did not leave.
#[derive(Debug)]
enum Undelivered {
    /// Another attempt may succeed.
    Later(anyhow::Error),
    /// None can.
    Never(anyhow::Error),
}

impl Postman {
    /// # Errors
    /// When the sender is no address, the server's URL cannot be used, or the folder cannot be made.
    pub(crate) fn new(mail: &Mail) -> anyhow::Result<Postman> {
        let from = mail.from.parse().with_context(|| format!("{:?} is no sender of mails", mail.from))?;
        let way = match (&mail.smtp_url, &mail.folder) {
            (Some(url), _) => Way::Server(
                AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose_secret())
                    .context("the address of the mail server cannot be used")?
                    .timeout(Some(Duration::from_secs(20)))
                    .build(),
            ),
            (None, Some(folder)) => Way::Folder(Folder::open(folder)?),
            (None, None) => Way::None,
        };
        Ok(Postman { from, way })
    }

    /// Whether mails have a way out.
    pub(crate) fn delivers(&self) -> bool {
        !matches!(self.way, Way::None)
    }

    async fn send(&self, letter: &Letter) -> Result<(), Undelivered> {
        let message = letter::compose(&self.from, letter).map_err(Undelivered::Never)?;
        match &self.way {
            Way::Server(server) => match server.send(message).await {
                Ok(_) => Ok(()),
                // It says what its causes say, too.
                Err(error) if is_final(&error) => {
                    Err(Undelivered::Never(anyhow::anyhow!("the mail server refused the mail: {error}")))
                }
                Err(error) => Err(Undelivered::Later(
                    anyhow::Error::new(error).context("the mail server did not take the mail"),
                )),
            },
            Way::Folder(folder) => {
                folder.put(letter.id, &message.formatted()).await.map_err(Undelivered::Later)
            }
            Way::None => Ok(()),
        }
    }
}

/// Whether the server has said for good that it will not take this mail (RFC 5321, 4.2.3: 55x, the mail system's own
/// answer about a recipient or a message). Other refusals, of a sign-in say, end when somebody mends the settings.
fn is_final(error: &smtp::Error) -> bool {
    error.is_permanent() && error.status().is_some_and(|code| matches!(code.category, Category::MailSystem))
}

/// Hands a mail over. One that is noted as sent is not sent again, and one worker at a time has it in hand; without a way
/// out it stays in the outbox.
pub(crate) async fn send(
    catalog: Catalog,
    postman: Arc<Postman>,
    job: SendMail,
) -> Result<Outcome, BoxError> {
    if !postman.delivers() {
        return Ok(Outcome::Done);
    }
    let held = match catalog.take_mail(job.mail).await? {
        Taking::Held(held) => held,
        Taking::Busy(time) => return Ok(Outcome::Snooze(time)),
        Taking::Over => return Ok(Outcome::Done),
    };
    match postman.send(&held.mail).await {
        Ok(()) => {
            note_sent(&catalog, held.mail.id).await?;
            Ok(Outcome::Done)
        }
        Err(Undelivered::Later(error)) => {
            catalog.put_mail_down(&held).await?;
            Err(error.into())
        }
        Err(Undelivered::Never(error)) => {
            let refusal = format!("{error:#}");
            catalog.note_refused_mail(&held, &refusal).await?;
            Ok(Outcome::Fail(refusal))
        }
    }
}

/// Notes that a mail has left. A database that is away for a moment must not have it sent again.
async fn note_sent(catalog: &Catalog, id: MailId) -> Result<(), BoxError> {
    for seconds in [1, 2, 4, 8] {
        match catalog.mark_mail_sent(id).await {
            Ok(()) => return Ok(()),
            Err(error) => {
                tracing::warn!(mail = %id, error = &error as &dyn std::error::Error, "could not note that a mail has left");
                tokio::time::sleep(Duration::from_secs(seconds)).await;
            }
        }
    }
    Ok(catalog.mark_mail_sent(id).await?)
}

/// Writes the daily mails. Idempotent: a member has at most one a day.
pub(crate) async fn digests(catalog: Catalog, context: Context) -> Result<Outcome, BoxError> {
    let written = catalog.write_digests(catalog.clock().now()).await?;
    context.log(format!("{written} mails written"));
    Ok(Outcome::Done)
}
