//! Reading votes one by one; casting them is in `ballots.rs`.

use serde::{Deserialize, Serialize};
use sqlx::QueryBuilder;

use crate::database::on;
use crate::error::During;
use crate::ranking::{controversy, hot};
use crate::{Error, MemberId, Result, Standing, SuggestionId, Time, Tx};

/// One side of a vote; `1` or `-1` in JSON and SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub enum Side {
    /// In favour.
    Up,
    /// Against.
    Down,
}

impl From<Side> for i64 {
    fn from(side: Side) -> i64 {
        match side {
            Side::Up => 1,
            Side::Down => -1,
        }
    }
}

impl TryFrom<i64> for Side {
    type Error = String;
    fn try_from(value: i64) -> Result<Side, String> {
        match value {
            1 => Ok(Side::Up),
            -1 => Ok(Side::Down),
            other => Err(format!("a vote is 1 or -1, not {other}")),
        }
    }
}

impl Tx {
    /// Finds a member's vote on a suggestion.
    pub async fn find_vote(&mut self, suggestion: SuggestionId, member: MemberId) -> Result<Option<Side>> {
        Ok(self.list_votes_of(member, &[suggestion]).await?.pop().map(|(_, side)| side))
    }

    /// Lists a member's votes on these suggestions.
    pub async fn list_votes_of(
        &mut self,
        member: MemberId,
        suggestions: &[SuggestionId],
    ) -> Result<Vec<(SuggestionId, Side)>> {
        if suggestions.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<(SuggestionId, i64)> = on!(self, db => {
            let mut sql = QueryBuilder::new("SELECT suggestion_id, value FROM votes WHERE member_id = ");
            sql.push_bind(member).push(" AND suggestion_id IN (");
            let mut list = sql.separated(", ");
            for id in suggestions {
                list.push_bind(id);
            }
            sql.push(")");
            sql.build_query_as().fetch_all(db).await
        })
        .during("list a member's votes")?;
        Ok(rows.into_iter().filter_map(|(id, value)| Some((id, Side::try_from(value).ok()?))).collect())
    }

    /// Lists who voted on a suggestion and how; for telling them, never for showing.
    pub async fn list_voters(&mut self, suggestion: SuggestionId) -> Result<Vec<(MemberId, i64)>> {
        const SQL: &str = "SELECT member_id, value FROM votes WHERE suggestion_id = $1 AND NOT void";
        on!(self, db => sqlx::query_as(SQL).bind(suggestion).fetch_all(db).await).during("list voters")
    }

    /// Counts the different networks that a suggestion's votes in favour came from; unknown ones count each.
    pub async fn count_origins(&mut self, suggestion: SuggestionId) -> Result<i64> {
        const SQL: &str = "SELECT COUNT(DISTINCT origin) + COUNT(CASE WHEN origin IS NULL THEN 1 END)
            FROM votes WHERE suggestion_id = $1 AND value = 1 AND NOT void";
        on!(self, db => sqlx::query_scalar(SQL).bind(suggestion).fetch_one(db).await)
            .during("count origins of votes")
    }

    /// Gives a suggestion's standing.
    pub async fn find_standing(&mut self, suggestion: SuggestionId) -> Result<Option<Standing>> {
        const SQL: &str = "SELECT up, down, score, version FROM suggestions WHERE id = $1";
        on!(self, db => sqlx::query_as(SQL).bind(suggestion).fetch_optional(db).await)
            .during("find a standing")
    }

    /// Lists the votable suggestions with the highest scores.
    pub async fn list_top(&mut self, limit: u32) -> Result<Vec<(SuggestionId, Standing)>> {
        #[derive(sqlx::FromRow)]
        struct Row {
            id: SuggestionId,
            #[sqlx(flatten)]
            standing: Standing,
        }
        const SQL: &str = "SELECT id, up, down, score, version FROM suggestions
            WHERE status IN ('open', 'approving') ORDER BY score DESC, id DESC LIMIT $1";
        let rows: Vec<Row> = on!(self, db => sqlx::query_as(SQL).bind(i64::from(limit)).fetch_all(db).await)
            .during("list the top suggestions")?;
        Ok(rows.into_iter().map(|row| (row.id, row.standing)).collect())
    }

    /// Voids a member's votes, or counts them again, and recounts the votable suggestions they were cast on; gives
    /// these with their new standings.
    pub async fn void_votes(
        &mut self,
        member: MemberId,
        void: bool,
    ) -> Result<Vec<(SuggestionId, Standing)>> {
        const TOUCHED: &str = "SELECT v.suggestion_id FROM votes v JOIN suggestions s ON s.id = v.suggestion_id
            WHERE v.member_id = $1 AND v.void <> $2 AND s.status IN ('open', 'approving') ORDER BY v.suggestion_id";
        let touched: Vec<SuggestionId> =
            on!(self, db => sqlx::query_scalar(TOUCHED).bind(member).bind(void).fetch_all(db).await)
                .during("find a member's votes")?;
        let mut standings = Vec::with_capacity(touched.len());
        for id in touched {
            const VOID: &str = "UPDATE votes SET void = $3 WHERE suggestion_id = $1 AND member_id = $2";
            // The suggestion first: voting takes its lock before it reads votes, too.
            if self.lock_suggestion(id).await?.is_none() {
                continue;
            }
            on!(self, db => sqlx::query(VOID).bind(id).bind(member).bind(void).execute(db).await.map(|_| ()))
                .during("void a vote")?;
            standings.push((id, self.recount(id).await?));
        }
        Ok(standings)
    }

    /// Counts a suggestion's votes anew and writes its standing.
    pub async fn recount(&mut self, id: SuggestionId) -> Result<Standing> {
        const COUNT: &str =
            "SELECT COUNT(CASE WHEN v.value = 1 THEN 1 END), COUNT(CASE WHEN v.value = -1 THEN 1 END)
            FROM votes v WHERE v.suggestion_id = $1 AND NOT v.void";
        const OPENED: &str = "SELECT opened_at FROM suggestions WHERE id = $1";
        let (up, down): (i64, i64) =
            on!(self, db => sqlx::query_as(COUNT).bind(id).fetch_one(db).await).during("recount votes")?;
        let opened_at: Option<Time> =
            on!(self, db => sqlx::query_scalar(OPENED).bind(id).fetch_optional(db).await)
                .during("recount votes")?;
        let opened_at = opened_at.ok_or(Error::Database("recount votes", sqlx::Error::RowNotFound))?;
        const PUT: &str = "UPDATE suggestions SET up = $2, down = $3, score = $4, hot = $5, controversy = $6,
                version = version + 1 WHERE id = $1 RETURNING up, down, score, version";
        on!(self, db => sqlx::query_as(PUT)
            .bind(id)
            .bind(up)
            .bind(down)
            .bind(up - down)
            .bind(hot(up - down, opened_at))
            .bind(controversy(up, down))
            .fetch_one(db)
            .await)
        .during("write a standing")
    }
}
