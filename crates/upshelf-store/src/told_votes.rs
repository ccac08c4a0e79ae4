use crate::database::on;
use crate::error::During;
use crate::{Result, SuggestionId, Tx};

impl Tx {
    /// Lists suggestions that can be voted on and have more votes than those concerned were told of, after `after` by id;
    /// with how many votes they have.
    pub async fn list_untold_votes(
        &mut self,
        after: Option<SuggestionId>,
        limit: u32,
    ) -> Result<Vec<(SuggestionId, i64)>> {
        const SQL: &str = "SELECT id, up + down FROM suggestions
            WHERE status IN ('open', 'approving') AND up + down > told_votes AND id > $1 ORDER BY id LIMIT $2";
        let after = after.unwrap_or(SuggestionId(uuid::Uuid::nil()));
        on!(self, db => sqlx::query_as(SQL).bind(after).bind(i64::from(limit)).fetch_all(db).await)
            .during("list votes that nobody was told of")
    }

    /// Notes of how many votes on a suggestion those concerned are told; false when they were told of as many before.
    pub async fn note_told_votes(&mut self, suggestion: SuggestionId, votes: i64) -> Result<bool> {
        const SQL: &str = "UPDATE suggestions SET told_votes = $2 WHERE id = $1 AND told_votes < $2";
        on!(self, db => sqlx::query(SQL).bind(suggestion).bind(votes).execute(db).await
            .map(|done| done.rows_affected() == 1))
        .during("note the votes told of")
    }
}
