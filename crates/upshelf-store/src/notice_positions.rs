//! Where inboxes are, for who follows them by number.

use sqlx::QueryBuilder;

use crate::database::on;
use crate::error::During;
use crate::{MemberId, Notice, Result, Tx};

/// Where an inbox is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Inbox {
    /// The number of the last notice; 0 before the first.
    pub seq: i64,
    /// How many notices are not read yet.
    pub unread: i64,
}

impl Tx {
    /// Says where a member's inbox is.
    pub async fn find_inbox(&mut self, member: MemberId) -> Result<Option<Inbox>> {
        const SQL: &str = "SELECT notice_seq AS seq,
                (SELECT COUNT(*) FROM notices WHERE member_id = $1 AND read_at IS NULL) AS unread
            FROM members WHERE id = $1";
        on!(self, db => sqlx::query_as(SQL).bind(member).fetch_optional(db).await).during("find an inbox")
    }

    /// Lists a member's notices behind number `since`, oldest first.
    pub async fn list_notices_behind(
        &mut self,
        member: MemberId,
        since: i64,
        limit: i64,
    ) -> Result<Vec<Notice>> {
        const SQL: &str = "SELECT seq, kind, group_key, payload, created_at, read_at FROM notices
            WHERE member_id = $1 AND seq > $2 ORDER BY seq LIMIT $3";
        on!(self, db => sqlx::query_as(SQL).bind(member).bind(since).bind(limit).fetch_all(db).await)
            .during("list notices by number")
    }

    /// Says where the inbox of each of these members is.
    pub async fn list_inboxes(&mut self, members: &[MemberId]) -> Result<Vec<(MemberId, Inbox)>> {
        let mut inboxes = Vec::with_capacity(members.len());
        for chunk in members.chunks(1_000) {
            let rows: Vec<(MemberId, i64, i64)> = on!(self, db => {
                let mut sql = QueryBuilder::new(
                    "SELECT id, notice_seq,
                        (SELECT COUNT(*) FROM notices WHERE member_id = members.id AND read_at IS NULL)
                    FROM members WHERE id IN (",
                );
                let mut list = sql.separated(", ");
                for member in chunk {
                    list.push_bind(member);
                }
                sql.push(")");
                sql.build_query_as().persistent(false).fetch_all(db).await
            })
            .during("list inboxes")?;
            inboxes.extend(rows.into_iter().map(|(member, seq, unread)| (member, Inbox { seq, unread })));
        }
        Ok(inboxes)
    }
}
