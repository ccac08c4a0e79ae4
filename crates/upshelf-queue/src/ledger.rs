//! The rows of jobs that Redis works: the table is the ledger, and Redis may forget everything.
//!
//! A row is `pending`, River's state for what somebody else takes care of, from the moment it is handed over until its
//! job has finished; then it is completed or discarded as if River had worked it. While it is pending, `attempted_at`
//! is when it was handed over, and `attempt` counts what was attempted before.

use std::time::Duration;

use crate::error::During;
use crate::local::Pools;
use crate::{Result, State};

mod due;
mod wish;

pub(crate) use due::{Due, claim, next_due, read};
pub(crate) use wish::{last_wish, told, wish};

/// What is known of a job when one of its attempts begins or it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) state: State,
    pub(crate) is_handed_over: bool,
    /// Attempts made before it was handed over.
    pub(crate) attempt: u16,
}

/// How a job ended.
#[derive(Debug)]
pub(crate) struct End<'e> {
    /// Why it failed, if it did.
    pub(crate) error: Option<&'e str>,
    pub(crate) attempt: u16,
    /// Milliseconds since 1970.
    pub(crate) begun_at: Option<u64>,
    pub(crate) progress: Option<u8>,
    pub(crate) log: &'e [String],
}

/// Gives rows back that could not be handed over.
pub(crate) async fn give_back(pools: &Pools, ids: &[i64]) -> Result<()> {
    const SQLITE: &str = "UPDATE river_job SET state = 'available', attempted_at = NULL
        WHERE state = 'pending' AND id IN (SELECT value FROM json_each($1))";
    const POSTGRES: &str = "UPDATE river_job SET state = 'available', attempted_at = NULL
        WHERE state = 'pending'
            AND id IN (SELECT value::bigint FROM jsonb_array_elements_text($1::jsonb) AS given (value))";
    execute(pools, SQLITE, POSTGRES, "give jobs back", json(ids)).await.map(drop)
}

/// Takes back all rows of a queue: there is no Redis any more.
pub(crate) async fn take_back(pools: &Pools, queue: &str) -> Result<u64> {
    const SQL: &str = "UPDATE river_job SET state = 'available' WHERE queue = $1 AND state = 'pending'";
    execute(pools, SQL, SQL, "take jobs back", queue.to_owned()).await
}

/// Lists the rows of a queue that were handed over, longer than `since` ago, in their order.
pub(crate) async fn handed_over(pools: &Pools, queue: &str, since: Duration) -> Result<Vec<i64>> {
    const SQLITE: &str = "SELECT id FROM river_job WHERE queue = $1 AND state = 'pending'
            AND unixepoch(coalesce(attempted_at, created_at), 'subsec') <= unixepoch('subsec') - $2
        ORDER BY priority, scheduled_at, id";
    const POSTGRES: &str = "SELECT id FROM river_job WHERE queue = $1 AND state = 'pending'
            AND coalesce(attempted_at, created_at) <= clock_timestamp() - make_interval(secs => $2)
        ORDER BY priority, scheduled_at, id";
    let since = since.as_secs_f64();
    match pools {
        Pools::Sqlite { read, .. } => {
            sqlx::query_scalar(SQLITE).bind(queue).bind(since).fetch_all(read).await
        }
        Pools::Postgres(pool) => sqlx::query_scalar(POSTGRES).bind(queue).bind(since).fetch_all(pool).await,
    }
    .during("list the jobs that were handed over")
}

/// Makes rows that River was running for longer than `since` wait again: whoever ran them is gone. One that had no attempt
/// left has one more.
pub(crate) async fn rescue(pools: &Pools, queue: &str, since: Duration) -> Result<u64> {
    const SQLITE: &str = "UPDATE river_job SET state = 'available'
        WHERE queue = $1 AND state = 'running'
            AND unixepoch(attempted_at, 'subsec') <= unixepoch('subsec') - $2";
    const POSTGRES: &str = "UPDATE river_job SET state = 'available'
        WHERE queue = $1 AND state = 'running'
            AND attempted_at <= clock_timestamp() - make_interval(secs => $2)";
    const DOING: &str = "take over orphaned jobs";
    let since = since.as_secs_f64();
    Ok(match pools {
        Pools::Sqlite { write, .. } => {
            sqlx::query(SQLITE).bind(queue).bind(since).execute(write).await.during(DOING)?.rows_affected()
        }
        Pools::Postgres(pool) => {
            sqlx::query(POSTGRES).bind(queue).bind(since).execute(pool).await.during(DOING)?.rows_affected()
        }
    })
}

/// Reads where a row stands; `None` when it is gone.
pub(crate) async fn standing(pools: &Pools, id: i64) -> Result<Option<Standing>> {
    const SQLITE: &str = "SELECT state, attempt FROM river_job WHERE id = $1";
    const POSTGRES: &str = "SELECT state::text, attempt::bigint FROM river_job WHERE id = $1";
    let found: Option<(String, i64)> = match pools {
        Pools::Sqlite { read, .. } => sqlx::query_as(SQLITE).bind(id).fetch_optional(read).await,
        Pools::Postgres(pool) => sqlx::query_as(POSTGRES).bind(id).fetch_optional(pool).await,
    }
    .during("read where a job stands")?;
    Ok(found.map(|(state, attempt)| Standing {
        is_handed_over: state == "pending",
        state: match state.as_str() {
            "completed" => State::Completed,
            "discarded" | "cancelled" => State::Failed,
            "running" => State::Active,
            "scheduled" | "retryable" => State::Delayed,
            _ => State::Waiting,
        },
        attempt: u16::try_from(attempt).unwrap_or(u16::MAX),
    }))
}

/// Notes that a job has ended; `false` when it is gone, or was completed before.
pub(crate) async fn settle(pools: &Pools, id: i64, end: &End<'_>) -> Result<bool> {
    const SQLITE: &str = "
        UPDATE river_job SET state = $2, finalized_at = datetime('now', 'subsec'), attempt = $3,
            attempted_at = coalesce(datetime($4, 'unixepoch', 'subsec'), attempted_at, datetime('now', 'subsec')),
            errors = CASE WHEN $5 IS NULL THEN errors ELSE jsonb_insert(coalesce(errors, jsonb('[]')), '$[#]',
                jsonb_object('at', strftime('%Y-%m-%dT%H:%M:%SZ'), 'attempt', $3, 'error', $5, 'trace', '')) END,
            metadata = jsonb_patch(metadata, $6)
        WHERE id = $1 AND state <> 'completed'";
    const POSTGRES: &str = r#"
        UPDATE river_job SET state = $2::text::river_job_state, finalized_at = now(), attempt = $3,
            attempted_at = coalesce(to_timestamp($4), attempted_at, now()),
            errors = CASE WHEN $5::text IS NULL THEN errors ELSE array_append(errors, jsonb_build_object(
                'at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'attempt', $3::int,
                'error', $5::text, 'trace', '')) END,
            metadata = metadata || $6::jsonb
        WHERE id = $1 AND state <> 'completed'"#;
    const DOING: &str = "note the end of a job";
    let state = if end.error.is_some() { "discarded" } else { "completed" };
    let attempt = i16::try_from(end.attempt).unwrap_or(i16::MAX);
    #[expect(clippy::cast_precision_loss, reason = "a time of day fits")]
    let begun_at = end.begun_at.map(|milliseconds| milliseconds as f64 / 1000.0);
    // PostgreSQL cannot store this one character, and a reason is worth more without it than not at all.
    let error = end.error.map(|error| error.replace('\0', " "));
    let mut metadata = serde_json::Map::new();
    if let Some(progress) = end.progress {
        metadata.insert("progress".to_owned(), progress.into());
    }
    if !end.log.is_empty() {
        metadata.insert("log".to_owned(), end.log.iter().map(|line| line.replace('\0', " ")).collect());
    }
    let metadata = serde_json::Value::Object(metadata).to_string();
    let changed = match pools {
        Pools::Sqlite { write, .. } => {
            let query = sqlx::query(SQLITE).bind(id).bind(state).bind(attempt).bind(begun_at).bind(error);
            query.bind(metadata).execute(write).await.during(DOING)?.rows_affected()
        }
        Pools::Postgres(pool) => {
            let query = sqlx::query(POSTGRES).bind(id).bind(state).bind(attempt).bind(begun_at).bind(error);
            query.bind(metadata).execute(pool).await.during(DOING)?.rows_affected()
        }
    };
    Ok(changed > 0)
}

/// Removes the rows of a queue that were handed over, except those of a JSON array; says how many.
pub(crate) async fn drain(pools: &Pools, queue: &str, running: &[i64]) -> Result<u64> {
    const SQLITE: &str = "DELETE FROM river_job WHERE queue = $1 AND state = 'pending'
        AND id NOT IN (SELECT value FROM json_each($2))";
    const POSTGRES: &str = "DELETE FROM river_job WHERE queue = $1 AND state = 'pending'
        AND id NOT IN (SELECT value::bigint FROM jsonb_array_elements_text($2::jsonb) AS given (value))";
    const DOING: &str = "drain a queue";
    let running = json(running);
    Ok(match pools {
        Pools::Sqlite { write, .. } => {
            sqlx::query(SQLITE).bind(queue).bind(running).execute(write).await.during(DOING)?.rows_affected()
        }
        Pools::Postgres(pool) => {
            sqlx::query(POSTGRES).bind(queue).bind(running).execute(pool).await.during(DOING)?.rows_affected()
        }
    })
}

async fn execute(
    pools: &Pools,
    sqlite: &'static str,
    postgres: &'static str,
    doing: &'static str,
    argument: String,
) -> Result<u64> {
    Ok(match pools {
        Pools::Sqlite { write, .. } => {
            sqlx::query(sqlite).bind(argument).execute(write).await.during(doing)?.rows_affected()
        }
        Pools::Postgres(pool) => {
            sqlx::query(postgres).bind(argument).execute(pool).await.during(doing)?.rows_affected()
        }
    })
}

fn json(ids: &[i64]) -> String {
    serde_json::to_string(ids).expect("numbers are JSON")
}
