use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde_json::Value;
use sqlx::QueryBuilder;

use crate::database::on;
use crate::error::During;
use crate::log::Document;
use crate::{Json, MemberId, Page, PageRequest, Result, Time, Tx};

/// One entry in a member's inbox.
#[derive(Clone, Debug, PartialEq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct Notice {
    /// Its number in this inbox: one more than that of the notice before it.
    pub seq: i64,
    /// What happened, as a word.
    pub kind: String,
    /// Names its group, if it has one: it took the place of the unread ones before it.
    #[sqlx(rename = "group_key")]
    #[serde(rename = "group")]
    pub group: Option<String>,
    /// What it is about.
    #[schema(value_type = Object)]
    pub payload: Document,
    /// When it happened.
    pub created_at: Time,
    /// When the member read it; `null` when not yet.
    pub read_at: Option<Time>,
}

/// What a new notice is made of.
#[derive(Clone, Debug)]
pub struct NewNotice {
    /// Whose inbox it goes into.
    pub member_id: MemberId,
    /// What happened, as a word.
    pub kind: String,
    /// Names the event: a member gets one notice of it, however often it is added.
    pub event_key: String,
    /// Names a group: of its unread notices a member sees the newest alone.
    pub group: Option<String>,
    /// What it is about.
    pub payload: Value,
    /// When it happened.
    pub at: Time,
}

/// Where a notice went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Whose inbox.
    pub member_id: MemberId,
    /// The notice's number there.
    pub seq: i64,
    /// How many notices the member has not read, this batch included.
    pub unread: i64,
    /// False when the inbox held this event's notice already.
    pub is_new: bool,
}

impl Tx {
    /// Adds notices, in their order, and gives for each where it went, also when it was there before: a job that runs
    /// twice can tell the same again. Notices of members who do not exist are left out.
    pub async fn add_notices(&mut self, notices: &[NewNotice]) -> Result<Vec<Delivery>> {
        let mut deliveries = Vec::with_capacity(notices.len());
        for chunk in notices.chunks(500) {
            deliveries.extend(self.add_notices_at_once(chunk).await?);
        }
        Ok(deliveries)
    }

    async fn add_notices_at_once(&mut self, notices: &[NewNotice]) -> Result<Vec<Delivery>> {
        let mut last = self.lock_inboxes(notices).await?;
        let mut seqs = self.find_notices(notices).await?;
        let mut new = Vec::new();
        let mut placed = Vec::with_capacity(notices.len());
        for notice in notices {
            let Some(last) = last.get_mut(&notice.member_id) else { continue };
            let key = (notice.member_id, notice.event_key.clone());
            let (seq, is_new) = match seqs.get(&key) {
                Some(seq) => (*seq, false),
                None => {
                    *last += 1;
                    seqs.insert(key, *last);
                    new.push((notice, *last));
                    (*last, true)
                }
            };
            placed.push((notice.member_id, seq, is_new));
        }
        if !new.is_empty() {
            self.insert_notices(&new).await?;
            for (notice, seq) in &new {
                if let Some(group) = &notice.group {
                    self.replace_notices(notice, group, *seq).await?;
                }
            }
        }
        let unread = self.count_unread_of(last.keys().copied()).await?;
        Ok(placed
            .into_iter()
            .map(|(member_id, seq, is_new)| Delivery {
                member_id,
                seq,
                unread: unread.get(&member_id).copied().unwrap_or(0),
                is_new,
            })
            .collect())
    }

    /// Holds the inboxes until the transaction ends and gives the last number of each. Always in the order of their
    /// ids, so that two batches wait for each other in one direction only.
    async fn lock_inboxes(&mut self, notices: &[NewNotice]) -> Result<BTreeMap<MemberId, i64>> {
        // Weaker than FOR UPDATE: other rows may still refer to the member meanwhile.
        let lock = match self {
            Tx::Sqlite(_) => "",
            Tx::Postgres(_) => " FOR NO KEY UPDATE",
        };
        let rows: Vec<(MemberId, i64)> = on!(self, db => {
            let mut sql = QueryBuilder::new("SELECT id, notice_seq FROM members WHERE id IN (");
            let mut list = sql.separated(", ");
            for notice in notices {
                list.push_bind(notice.member_id);
            }
            sql.push(") ORDER BY id").push(lock);
            sql.build_query_as().persistent(false).fetch_all(db).await
        })
        .during("hold inboxes")?;
        Ok(rows.into_iter().collect())
    }

    async fn find_notices(&mut self, notices: &[NewNotice]) -> Result<HashMap<(MemberId, String), i64>> {
        let rows: Vec<(MemberId, String, i64)> = on!(self, db => {
            let mut sql = QueryBuilder::new(
                "SELECT member_id, event_key, seq FROM notices WHERE (member_id, event_key) IN (",
            );
            sql.push_values(notices, |mut row, notice| {
                row.push_bind(notice.member_id).push_bind(&notice.event_key);
            });
            sql.push(")");
            sql.build_query_as().persistent(false).fetch_all(db).await
        })
        .during("find notices")?;
        Ok(rows.into_iter().map(|(member, key, seq)| ((member, key), seq)).collect())
    }

    async fn insert_notices(&mut self, new: &[(&NewNotice, i64)]) -> Result<()> {
        let last: BTreeMap<MemberId, i64> =
            new.iter().map(|(notice, seq)| (notice.member_id, *seq)).collect();
        on!(self, db => {
            let mut sql =
                QueryBuilder::new(
                "INSERT INTO notices (member_id, seq, kind, event_key, group_key, payload, created_at) ",
            );
            sql.push_values(new, |mut row, (notice, seq)| {
                row.push_bind(notice.member_id)
                    .push_bind(seq)
                    .push_bind(&notice.kind)
                    .push_bind(&notice.event_key)
                    .push_bind(&notice.group)
                    .push_bind(Json(&notice.payload))
                    .push_bind(notice.at);
            });
            sql.build().persistent(false).execute(db).await.map(|_| ())
        })
        .during("add notices")?;
        on!(self, db => {
            let mut sql = QueryBuilder::new("WITH last (id, seq) AS (");
            sql.push_values(last, |mut row, (member, seq)| {
                row.push_bind(member).push_bind(seq);
            });
            sql.push(") UPDATE members SET notice_seq = last.seq FROM last WHERE last.id = members.id");
            sql.build().persistent(false).execute(db).await.map(|_| ())
        })
        .during("number notices")
    }

    /// Lets a notice stand for the unread ones of its group before it.
    async fn replace_notices(&mut self, notice: &NewNotice, group: &str, seq: i64) -> Result<()> {
        const SQL: &str = "UPDATE notices SET replaced_by = $3, read_at = $4
            WHERE member_id = $1 AND group_key = $2 AND seq < $3 AND read_at IS NULL";
        on!(self, db => sqlx::query(SQL)
            .bind(notice.member_id)
            .bind(group)
            .bind(seq)
            .bind(notice.at)
            .execute(db)
            .await
            .map(|_| ()))
        .during("group notices")
    }

    async fn count_unread_of(
        &mut self,
        members: impl Iterator<Item = MemberId>,
    ) -> Result<HashMap<MemberId, i64>> {
        let mut members = members.peekable();
        if members.peek().is_none() {
            return Ok(HashMap::new());
        }
        let rows: Vec<(MemberId, i64)> = on!(self, db => {
            let mut sql = QueryBuilder::new(
                "SELECT member_id, COUNT(*) FROM notices WHERE read_at IS NULL AND member_id IN (",
            );
            let mut list = sql.separated(", ");
            for member in members {
                list.push_bind(member);
            }
            sql.push(") GROUP BY member_id");
            sql.build_query_as().persistent(false).fetch_all(db).await
        })
        .during("count unread notices")?;
        Ok(rows.into_iter().collect())
    }

    /// Lists a member's notices, newest first.
    pub async fn list_notices(
        &mut self,
        member: MemberId,
        unread_only: bool,
        page: &PageRequest,
    ) -> Result<Page<Notice>> {
        let before = page.after()?.unwrap_or(i64::MAX);
        let rows = on!(self, db => {
            let mut sql = QueryBuilder::new(
                "SELECT seq, kind, group_key, payload, created_at, read_at FROM notices
                WHERE replaced_by IS NULL AND member_id = ",
            );
            sql.push_bind(member).push(" AND seq < ").push_bind(before);
            if unread_only {
                sql.push(" AND read_at IS NULL");
            }
            sql.push(" ORDER BY seq DESC LIMIT ").push_bind(page.fetch());
            sql.build_query_as().fetch_all(db).await
        })
        .during("list notices")?;
        Ok(page.page(rows, |notice: &Notice| notice.seq))
    }

    /// Counts the notices that a member has not read.
    pub async fn count_unread(&mut self, member: MemberId) -> Result<i64> {
        const SQL: &str = "SELECT COUNT(*) FROM notices WHERE member_id = $1 AND read_at IS NULL";
        on!(self, db => sqlx::query_scalar(SQL).bind(member).fetch_one(db).await)
            .during("count unread notices")
    }

    /// Marks a member's notices up to number `up_to` as read; gives how many were not before.
    pub async fn read_notices(&mut self, member: MemberId, up_to: i64, now: Time) -> Result<u64> {
        const SQL: &str =
            "UPDATE notices SET read_at = $3 WHERE member_id = $1 AND seq <= $2 AND read_at IS NULL";
        on!(self, db => sqlx::query(SQL).bind(member).bind(up_to).bind(now).execute(db).await
            .map(|done| done.rows_affected()))
        .during("mark notices as read")
    }

    /// Deletes notices, read or not, that are older than `before`, at most `limit`; gives how many. Numbers are never given
    /// again.
    pub async fn delete_notices_before(&mut self, before: Time, limit: u32) -> Result<u64> {
        const SQL: &str = "DELETE FROM notices WHERE (member_id, seq) IN
            (SELECT member_id, seq FROM notices WHERE created_at < $1 ORDER BY created_at LIMIT $2)";
        on!(self, db => sqlx::query(SQL).bind(before).bind(i64::from(limit)).execute(db).await
            .map(|done| done.rows_affected()))
        .during("delete old notices")
    }
}
