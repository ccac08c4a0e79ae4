use serde::{Deserialize, Serialize};
use sqlx::QueryBuilder;

use crate::database::on;
use crate::error::During;
use crate::types::words;
use crate::{MemberId, Result, Tx};

words! {
    /// When a member wants a mail.
    EmailWish {
        /// Never.
        Off = "off",
        /// At once.
        Instant = "instant",
        /// With others, once a day.
        Digest = "digest",
    }
}

/// How a member wants to hear of one kind of event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoticePreference {
    /// The kind of event, as a word.
    pub kind: String,
    /// Whether the inbox gets a notice.
    pub inbox: bool,
    /// When a mail is sent.
    pub email: EmailWish,
}

impl Tx {
    /// Keeps a member's wishes, each over an earlier one for the same kind.
    pub async fn put_notice_preferences(
        &mut self,
        member: MemberId,
        preferences: &[NoticePreference],
    ) -> Result<()> {
        const SQL: &str =
            "INSERT INTO notice_preferences (member_id, kind, inbox, email) VALUES ($1, $2, $3, $4)
            ON CONFLICT (member_id, kind) DO UPDATE SET inbox = excluded.inbox, email = excluded.email";
        for preference in preferences {
            on!(self, db => sqlx::query(SQL)
                .bind(member)
                .bind(&preference.kind)
                .bind(preference.inbox)
                .bind(preference.email)
                .execute(db)
                .await
                .map(|_| ()))
            .during("keep a notice preference")?;
        }
        Ok(())
    }

    /// Keeps a member's wish for no mails of one kind of event, and leaves the inbox as it is.
    pub async fn switch_mails_off(&mut self, member: MemberId, kind: &str) -> Result<()> {
        const SQL: &str =
            "INSERT INTO notice_preferences (member_id, kind, inbox, email) VALUES ($1, $2, $3, $4)
            ON CONFLICT (member_id, kind) DO UPDATE SET email = excluded.email";
        on!(self, db => sqlx::query(SQL)
            .bind(member)
            .bind(kind)
            .bind(true)
            .bind(EmailWish::Off)
            .execute(db)
            .await
            .map(|_| ()))
        .during("switch mails off")
    }

    /// Keeps a member's wish for no daily mails; what is to come at once still does.
    pub async fn switch_digests_off(&mut self, member: MemberId) -> Result<()> {
        const SQL: &str =
            "UPDATE notice_preferences SET email = 'off' WHERE member_id = $1 AND email = 'digest'";
        on!(self, db => sqlx::query(SQL).bind(member).execute(db).await.map(|_| ()))
            .during("switch daily mails off")
    }

    /// Lists what a member wished; kinds without a wish are missing.
    pub async fn list_notice_preferences(&mut self, member: MemberId) -> Result<Vec<NoticePreference>> {
        const SQL: &str =
            "SELECT kind, inbox, email FROM notice_preferences WHERE member_id = $1 ORDER BY kind";
        on!(self, db => sqlx::query_as(SQL).bind(member).fetch_all(db).await)
            .during("list notice preferences")
    }

    /// Lists what these members wished for one kind of event; members without a wish are missing.
    pub async fn list_notice_preferences_of(
        &mut self,
        members: &[MemberId],
        kind: &str,
    ) -> Result<Vec<(MemberId, NoticePreference)>> {
        #[derive(sqlx::FromRow)]
        struct Row {
            member_id: MemberId,
            #[sqlx(flatten)]
            preference: NoticePreference,
        }
        let mut found: Vec<(MemberId, NoticePreference)> = Vec::new();
        for chunk in members.chunks(1_000) {
            let rows: Vec<Row> = on!(self, db => {
                let mut sql = QueryBuilder::new(
                    "SELECT member_id, kind, inbox, email FROM notice_preferences WHERE kind = ",
                );
                sql.push_bind(kind).push(" AND member_id IN (");
                let mut list = sql.separated(", ");
                for member in chunk {
                    list.push_bind(member);
                }
                sql.push(")");
                sql.build_query_as().persistent(false).fetch_all(db).await
            })
            .during("list the notice preferences of members")?;
            found.extend(rows.into_iter().map(|row| (row.member_id, row.preference)));
        }
        Ok(found)
    }

    /// Lists the members, after `after` by id, who wished to have any kind of event in a daily mail.
    pub async fn list_digest_members(
        &mut self,
        after: Option<MemberId>,
        limit: u32,
    ) -> Result<Vec<MemberId>> {
        const SQL: &str = "SELECT DISTINCT p.member_id FROM notice_preferences p
            JOIN members m ON m.id = p.member_id AND m.banned_at IS NULL
            WHERE p.email = 'digest' AND p.member_id > $1 ORDER BY p.member_id LIMIT $2";
        let after = after.unwrap_or(MemberId(uuid::Uuid::nil()));
        on!(self, db => sqlx::query_scalar(SQL).bind(after).bind(i64::from(limit)).fetch_all(db).await)
            .during("list members who want a daily mail")
    }
}
