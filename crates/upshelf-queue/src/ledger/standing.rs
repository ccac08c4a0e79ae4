//! Where rows stand.

use std::collections::HashMap;

use super::gather::Question;
use super::json;
use crate::error::During;
use crate::local::Pools;
use crate::{Result, State};

/// What is known of a job when one of its attempts begins or it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) state: State,
    pub(crate) is_handed_over: bool,
    /// Attempts made before it was handed over.
    pub(crate) attempt: u16,
}

/// Asks where the row of this number stands; `None` when it is gone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whereabouts(pub(crate) i64);

impl Question for Whereabouts {
    type Answer = Option<Standing>;

    async fn ask(pools: &Pools, questions: &[Self]) -> Result<Vec<Option<Standing>>> {
        let ids: Vec<_> = questions.iter().map(|question| question.0).collect();
        let found = standings(pools, &ids).await?;
        Ok(ids.iter().map(|id| found.get(id).copied()).collect())
    }
}

/// Reads where a row stands; `None` when it is gone.
pub(crate) async fn standing(pools: &Pools, id: i64) -> Result<Option<Standing>> {
    Ok(standings(pools, &[id]).await?.remove(&id))
}

/// Reads where rows stand; those that are gone are missing.
pub(crate) async fn standings(pools: &Pools, ids: &[i64]) -> Result<HashMap<i64, Standing>> {
    const SQLITE: &str =
        "SELECT id, state, attempt FROM river_job WHERE id IN (SELECT value FROM json_each($1))";
    const POSTGRES: &str = "SELECT id, state::text, attempt::bigint FROM river_job WHERE id = ANY($1)";
    let found: Vec<(i64, String, i64)> = match pools {
        Pools::Sqlite { read, .. } => sqlx::query_as(SQLITE).bind(json(ids)).fetch_all(read).await,
        Pools::Postgres(pool) => sqlx::query_as(POSTGRES).bind(ids).fetch_all(pool).await,
    }
    .during("read where jobs stand")?;
    Ok(found.into_iter().map(|(id, state, attempt)| (id, of(&state, attempt))).collect())
}

fn of(state: &str, attempt: i64) -> Standing {
    Standing {
        is_handed_over: state == "pending",
        state: match state {
            "completed" => State::Completed,
            "discarded" | "cancelled" => State::Failed,
            "running" => State::Active,
            "scheduled" | "retryable" => State::Delayed,
            _ => State::Waiting,
        },
        attempt: u16::try_from(attempt).unwrap_or(u16::MAX),
    }
}
