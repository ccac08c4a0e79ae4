//! Rows on their way to Redis.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::gather::Question;
use super::json;
use crate::Result;
use crate::error::During;
use crate::local::Pools;

/// A row on its way to Redis.
#[derive(Debug)]
pub(crate) struct Due {
    pub(crate) id: i64,
    pub(crate) payload: String,
    pub(crate) name: String,
    /// River's number: 1 is urgent, 4 idle.
    pub(crate) priority: i16,
    /// Attempts that are left.
    pub(crate) attempts: u16,
    pub(crate) created_at: Timestamp,
    /// What rows are ordered by among those of one priority.
    place: (i64, i64),
}

/// What both engines give, in the same types.
#[derive(sqlx::FromRow)]
struct Found {
    id: i64,
    payload: String,
    kind: String,
    priority: i64,
    attempts: i64,
    created: i64,
    due: i64,
}

macro_rules! columns {
    (sqlite) => {
        "id, json(args) AS payload, kind, CAST(priority AS INTEGER) AS priority, max_attempts - attempt AS attempts,
        CAST(unixepoch(created_at, 'subsec') * 1000 AS INTEGER) AS created,
        CAST(unixepoch(scheduled_at, 'subsec') * 1000 AS INTEGER) AS due"
    };
    (postgres) => {
        "id, args::text AS payload, kind, priority::bigint, (max_attempts - attempt)::bigint AS attempts,
        (extract(epoch FROM created_at) * 1000)::bigint AS created,
        (extract(epoch FROM scheduled_at) * 1000000)::bigint AS due"
    };
}

/// Makes delayed rows due. `$1` queue.
const RIPEN_SQLITE: &str = "UPDATE river_job SET state = 'available'
    WHERE queue = $1 AND state IN ('scheduled', 'retryable') AND scheduled_at <= datetime('now', 'subsec')";
const RIPEN_POSTGRES: &str = "UPDATE river_job SET state = 'available'
    WHERE queue = $1 AND state IN ('scheduled', 'retryable') AND scheduled_at <= now()";

/// Takes the next due rows. `$1` queue, `$2` kinds as a JSON array, `$3` how many.
const CLAIM_SQLITE: &str = concat!(
    "UPDATE river_job SET state = 'pending', attempted_at = datetime('now', 'subsec')
    WHERE id IN (
        SELECT id FROM river_job
        WHERE queue = $1 AND state = 'available' AND scheduled_at <= datetime('now', 'subsec')
            AND kind IN (SELECT value FROM json_each($2))
        ORDER BY priority, scheduled_at, id LIMIT $3)
    RETURNING ",
    columns!(sqlite)
);
const CLAIM_POSTGRES: &str = concat!(
    "UPDATE river_job SET state = 'pending', attempted_at = now()
    WHERE id IN (
        SELECT id FROM river_job
        WHERE queue = $1 AND state = 'available' AND scheduled_at <= now()
            AND kind IN (SELECT jsonb_array_elements_text($2::jsonb))
        ORDER BY priority, scheduled_at, id LIMIT $3 FOR UPDATE SKIP LOCKED)
    RETURNING ",
    columns!(postgres)
);

/// Reads rows that are handed over. `$1` ids as a JSON array.
const READ_SQLITE: &str = concat!(
    "SELECT ",
    columns!(sqlite),
    " FROM river_job WHERE state = 'pending' AND id IN (SELECT value FROM json_each($1))"
);
const READ_POSTGRES: &str = concat!(
    "SELECT ",
    columns!(postgres),
    " FROM river_job
    WHERE state = 'pending' AND id IN (SELECT value::bigint FROM jsonb_array_elements_text($1::jsonb) AS given (value))"
);

impl From<Found> for Due {
    fn from(found: Found) -> Self {
        Self {
            id: found.id,
            payload: found.payload,
            name: found.kind,
            priority: i16::try_from(found.priority).unwrap_or(2),
            attempts: u16::try_from(found.attempts.max(1)).unwrap_or(u16::MAX),
            created_at: Timestamp::from_millisecond(found.created).unwrap_or_default(),
            place: (found.due, found.id),
        }
    }
}

fn in_order(found: Vec<Found>) -> Vec<Due> {
    let mut rows: Vec<_> = found.into_iter().map(Due::from).collect();
    rows.sort_by_key(|row| (row.priority, row.place));
    rows
}

/// Takes up to `limit` rows that are due, of the kinds of a JSON array: they are handed over from now on.
pub(crate) async fn claim(pools: &Pools, queue: &str, kinds: &str, limit: u32) -> Result<Vec<Due>> {
    const DOING: &str = "take jobs to hand over";
    let limit = i64::from(limit);
    let rows = match pools {
        Pools::Sqlite { write, .. } => {
            sqlx::query(RIPEN_SQLITE).bind(queue).execute(write).await.during(DOING)?;
            sqlx::query_as(CLAIM_SQLITE).bind(queue).bind(kinds).bind(limit).fetch_all(write).await
        }
        Pools::Postgres(pool) => {
            sqlx::query(RIPEN_POSTGRES).bind(queue).execute(pool).await.during(DOING)?;
            sqlx::query_as(CLAIM_POSTGRES).bind(queue).bind(kinds).bind(limit).fetch_all(pool).await
        }
    };
    Ok(in_order(rows.during(DOING)?))
}

/// Reads those of `ids` that are handed over.
pub(crate) async fn read(pools: &Pools, ids: &[i64]) -> Result<Vec<Due>> {
    let ids = json(ids);
    let rows = match pools {
        Pools::Sqlite { read, .. } => sqlx::query_as(READ_SQLITE).bind(ids).fetch_all(read).await,
        Pools::Postgres(pool) => sqlx::query_as(READ_POSTGRES).bind(ids).fetch_all(pool).await,
    };
    Ok(in_order(rows.during("read jobs to hand over again")?))
}

/// Asks how long it is until the next row of a queue is due, of the kinds of a JSON array; `None` when none waits.
#[derive(Clone, Debug)]
pub(crate) struct NextDue {
    pub(crate) queue: &'static str,
    pub(crate) kinds: Arc<str>,
}

impl Question for NextDue {
    type Answer = Option<Duration>;

    async fn ask(pools: &Pools, questions: &[Self]) -> Result<Vec<Option<Duration>>> {
        const SQLITE: &str = "
            SELECT (SELECT CAST(min(unixepoch(scheduled_at, 'subsec')) - unixepoch('subsec') AS REAL) FROM river_job
                WHERE queue = asked.value ->> 0 AND state IN ('available', 'scheduled', 'retryable')
                    AND kind IN (SELECT value FROM json_each(asked.value -> 1)))
            FROM json_each($1) AS asked ORDER BY asked.key";
        const POSTGRES: &str = "
            SELECT (SELECT extract(epoch FROM min(scheduled_at) - clock_timestamp())::float8 FROM river_job
                WHERE queue = asked.value ->> 0 AND state IN ('available', 'scheduled', 'retryable')
                    AND kind IN (SELECT jsonb_array_elements_text(asked.value -> 1)))
            FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS asked (value, place) ORDER BY place";
        let queue = |queue: &str| serde_json::to_string(queue).expect("a text is JSON");
        let asked = questions.iter().map(|one| format!("[{},{}]", queue(one.queue), one.kinds));
        let asked = format!("[{}]", asked.collect::<Vec<_>>().join(","));
        let seconds: Vec<Option<f64>> = match pools {
            Pools::Sqlite { read, .. } => sqlx::query_scalar(SQLITE).bind(asked).fetch_all(read).await,
            Pools::Postgres(pool) => sqlx::query_scalar(POSTGRES).bind(asked).fetch_all(pool).await,
        }
        .during("look for the next job")?;
        let left = |seconds: f64| Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default();
        Ok(seconds.into_iter().map(|seconds| seconds.map(left)).collect())
    }
}
