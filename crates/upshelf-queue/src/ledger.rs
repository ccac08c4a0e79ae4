//! The rows of jobs that Redis works: the table is the ledger, and Redis may forget everything.
//!
//! A row is `pending`, River's state for what somebody else takes care of, from the moment it is handed over until its
//! job has finished; then it is completed or discarded as if River had worked it. While it is pending, `attempted_at`
//! is when it was handed over, and `attempt` counts what was attempted before.

use std::time::Duration;

use crate::Result;
use crate::error::During;
use crate::local::Pools;

mod due;
mod end;
mod gather;
mod standing;
mod wish;

pub(crate) use due::{Due, NextDue, claim, read};
pub(crate) use end::{End, settle};
pub(crate) use gather::Gather;
pub(crate) use standing::{Whereabouts, standing, standings};
pub(crate) use wish::{last_wish, told, wish};

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
