use serde::Serialize;

use crate::database::on;
use crate::error::During;
use crate::{MailId, Page, PageRequest, Result, Time, Tx};

/// A mail on its way, or sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct Mail {
    /// Names the mail.
    pub id: MailId,
    /// Names its cause: a cause has one mail.
    pub message_key: String,
    /// Where it goes.
    pub recipient: String,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub body: String,
    /// The same as HTML.
    pub html: String,
    /// Where its recipient can switch mails of this kind off; `null` for those that always come.
    pub unsubscribe_url: Option<String>,
    /// When it was written.
    pub created_at: Time,
    /// When it was handed to the mail server; `null` when not yet.
    pub sent_at: Option<Time>,
    /// Why it is not tried again, as when the mail server refused it for good; `null` when it may be.
    pub refusal: Option<String>,
}

/// What a new mail is made of.
#[derive(Clone, Debug)]
pub struct NewMail {
    /// Names the mail.
    pub id: MailId,
    /// Names its cause: a cause has one mail.
    pub message_key: String,
    /// Where it goes.
    pub recipient: String,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub body: String,
    /// The same as HTML.
    pub html: String,
    /// Where its recipient can switch mails of this kind off.
    pub unsubscribe_url: Option<String>,
    /// When it is written.
    pub created_at: Time,
}

impl Tx {
    /// Adds a mail and gives its id: that of the earlier one when its cause has a mail already.
    pub async fn add_mail(&mut self, new: &NewMail) -> Result<MailId> {
        const ADD: &str = "INSERT INTO mails
                (id, message_key, recipient, subject, body, html, unsubscribe_url, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (message_key) DO NOTHING";
        const FIND: &str = "SELECT id FROM mails WHERE message_key = $1";
        let added = on!(self, db => sqlx::query(ADD)
            .bind(new.id)
            .bind(&new.message_key)
            .bind(&new.recipient)
            .bind(&new.subject)
            .bind(&new.body)
            .bind(&new.html)
            .bind(&new.unsubscribe_url)
            .bind(new.created_at)
            .execute(db)
            .await
            .map(|done| done.rows_affected() > 0))
        .during("add a mail")?;
        if added {
            return Ok(new.id);
        }
        on!(self, db => sqlx::query_scalar(FIND).bind(&new.message_key).fetch_one(db).await)
            .during("find a mail by its cause")
    }

    /// Finds a mail.
    pub async fn find_mail(&mut self, id: MailId) -> Result<Option<Mail>> {
        const SQL: &str =
            "SELECT id, message_key, recipient, subject, body, html, unsubscribe_url, created_at, sent_at, refusal
            FROM mails WHERE id = $1";
        on!(self, db => sqlx::query_as(SQL).bind(id).fetch_optional(db).await).during("find a mail")
    }

    /// Lists mails that are neither sent yet nor refused for good, oldest first, from behind `after` on.
    pub async fn list_waiting_mails(&mut self, after: Option<MailId>, limit: u32) -> Result<Vec<MailId>> {
        const SQL: &str = "SELECT id FROM mails
            WHERE sent_at IS NULL AND refusal IS NULL AND id > $1 ORDER BY id LIMIT $2";
        let after = after.unwrap_or(MailId(uuid::Uuid::nil()));
        on!(self, db => sqlx::query_scalar(SQL).bind(after).bind(i64::from(limit)).fetch_all(db).await)
            .during("list waiting mails")
    }

    /// Takes an unsent mail in hand until `until`, for one worker at a time. False when another has it at `now`, it was
    /// sent, or there is no such mail.
    pub async fn hold_mail(&mut self, id: MailId, now: Time, until: Time) -> Result<bool> {
        const SQL: &str = "UPDATE mails SET held_until = $3
            WHERE id = $1 AND sent_at IS NULL AND (held_until IS NULL OR held_until <= $2)";
        on!(self, db => sqlx::query(SQL).bind(id).bind(now).bind(until).execute(db).await
            .map(|done| done.rows_affected() > 0))
        .during("take a mail in hand")
    }

    /// Puts a mail down again, so that it can be taken in hand at once. Only who holds it until `until` can.
    pub async fn release_mail(&mut self, id: MailId, until: Time) -> Result<()> {
        const SQL: &str = "UPDATE mails SET held_until = NULL WHERE id = $1 AND held_until = $2";
        on!(self, db => sqlx::query(SQL).bind(id).bind(until).execute(db).await.map(|_| ()))
            .during("put a mail down")
    }

    /// Puts a mail down that the mail server has refused for good, with what it said. Only who holds it until `until` can.
    pub async fn mark_mail_refused(&mut self, id: MailId, until: Time, refusal: &str) -> Result<()> {
        const SQL: &str =
            "UPDATE mails SET held_until = NULL, refusal = $3 WHERE id = $1 AND held_until = $2";
        on!(self, db => sqlx::query(SQL).bind(id).bind(until).bind(refusal).execute(db).await.map(|_| ()))
            .during("note that a mail was refused")
    }

    /// Notes that a mail was handed to the mail server. False when there is no such mail, or it was noted before.
    pub async fn mark_mail_sent(&mut self, id: MailId, now: Time) -> Result<bool> {
        const SQL: &str = "UPDATE mails SET sent_at = $2, refusal = NULL WHERE id = $1 AND sent_at IS NULL";
        on!(self, db => sqlx::query(SQL).bind(id).bind(now).execute(db).await.map(|done| done.rows_affected() > 0))
            .during("note that a mail was sent")
    }

    /// Lists mails, sent or not, newest first.
    pub async fn list_mails(&mut self, page: &PageRequest) -> Result<Page<Mail>> {
        const SQL: &str =
            "SELECT id, message_key, recipient, subject, body, html, unsubscribe_url, created_at, sent_at, refusal
            FROM mails WHERE id < $1 ORDER BY id DESC LIMIT $2";
        let before = page.after()?.unwrap_or(MailId(uuid::Uuid::max()));
        let rows = on!(self, db => sqlx::query_as(SQL).bind(before).bind(page.fetch()).fetch_all(db).await)
            .during("list mails")?;
        Ok(page.page(rows, |mail: &Mail| mail.id))
    }

    /// Deletes mails, sent or not, that were written before `before`, at most `limit`; gives how many.
    pub async fn delete_mails_before(&mut self, before: Time, limit: u32) -> Result<u64> {
        const SQL: &str = "DELETE FROM mails WHERE id IN
            (SELECT id FROM mails WHERE created_at < $1 ORDER BY created_at LIMIT $2)";
        on!(self, db => sqlx::query(SQL).bind(before).bind(i64::from(limit)).execute(db).await
            .map(|done| done.rows_affected()))
        .during("delete old mails")
    }
}
