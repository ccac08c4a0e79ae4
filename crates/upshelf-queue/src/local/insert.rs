use serde::Serialize;
use serde_json::value::RawValue;

use super::{Connection, Local, Pools};
use crate::error::During;
use crate::job::Row;
use crate::{Broker, JobId, Result, Settings};

/// Inserts the jobs of one JSON array; those whose unique key is held already are left out.
///
/// River's own insertion takes one statement per job, and a `Transaction` where callers have a connection; the
/// columns it would write are written here. `$1` is the array.
const SQLITE: &str = "
    INSERT INTO river_job
        (args, kind, max_attempts, priority, queue, created_at, scheduled_at, state, unique_key, unique_states)
    SELECT jsonb(job.value -> '$.payload'), job.value ->> '$.name', job.value ->> '$.attempts',
        job.value ->> '$.priority', job.value ->> '$.queue', datetime('now', 'subsec'),
        coalesce(job.value ->> '$.run_at', datetime('now', 'subsec')),
        CASE WHEN job.value ->> '$.run_at' > datetime('now', 'subsec') THEN 'scheduled' ELSE 'available' END,
        unhex(job.value ->> '$.key'), job.value ->> '$.held'
    FROM json_each($1) AS job
    WHERE true
    ORDER BY job.key
    ON CONFLICT DO NOTHING
    RETURNING id";

/// The same; it also tells the workers of every process, which hear it when the transaction commits.
const POSTGRES: &str = "
    WITH given AS (
        SELECT * FROM jsonb_to_recordset($1::jsonb) AS job (payload jsonb, name text, attempts smallint,
            priority smallint, queue text, run_at timestamptz, key text, held integer)
    ), inserted AS (
        INSERT INTO river_job (args, kind, max_attempts, priority, queue, scheduled_at, state, unique_key, unique_states)
        SELECT payload, name, attempts, priority, queue, coalesce(run_at, now()),
            (CASE WHEN run_at > now() THEN 'scheduled' ELSE 'available' END)::river_job_state,
            decode(key, 'hex'), held::bit(8)
        FROM given
        ON CONFLICT DO NOTHING
        RETURNING id, queue, state
    ), told AS (
        SELECT pg_notify(current_schema() || '.river_insert', json_build_object('queue', queue)::text)
        FROM (SELECT DISTINCT queue FROM inserted WHERE state = 'available') AS queues
    )
    SELECT id FROM inserted WHERE (SELECT count(*) FROM told) >= 0 ORDER BY id";

#[derive(Serialize)]
struct Given<'r> {
    payload: &'r RawValue,
    name: &'static str,
    queue: &'static str,
    attempts: u16,
    priority: u8,
    run_at: Option<String>,
    key: Option<&'r str>,
    held: Option<u8>,
}

/// Inserts `rows` and returns the ids of the new jobs.
pub(crate) async fn insert(
    connection: Connection<'_>,
    rows: &[Row],
    settings: &Settings,
) -> Result<Vec<JobId>> {
    // River keeps the times of SQLite as UTC text with milliseconds, and compares that text.
    let format = match connection {
        Connection::Sqlite(_) => "%Y-%m-%d %H:%M:%S%.3f",
        Connection::Postgres(_) => "%Y-%m-%dT%H:%M:%S%.6fZ",
    };
    let given: Vec<_> = rows
        .iter()
        .map(|row| Given {
            payload: &row.payload,
            name: row.name,
            queue: row.queue,
            attempts: row.attempts.unwrap_or_else(|| settings.of(row.queue).attempts),
            priority: row.priority as u8,
            run_at: row.run_at.map(|time| time.strftime(format).to_string()),
            key: row.unique.as_ref().map(|unique| unique.hash.as_str()),
            held: row.unique.as_ref().map(|unique| unique.states as u8),
        })
        .collect();
    let given = serde_json::to_string(&given).expect("raw JSON, text and numbers are JSON");
    let ids: Vec<i64> = match connection {
        Connection::Sqlite(connection) => sqlx::query_scalar(SQLITE).bind(given).fetch_all(connection).await,
        Connection::Postgres(connection) => {
            sqlx::query_scalar(POSTGRES).bind(given).fetch_all(connection).await
        }
    }
    .during("insert jobs")?;
    Ok(ids.into_iter().map(JobId::Row).collect())
}

impl Local {
    /// Inserts in a transaction of its own, and wakes the workers.
    pub(crate) async fn push_rows(&self, rows: &[Row]) -> Result<Vec<JobId>> {
        const DOING: &str = "insert jobs";
        // One statement is its own transaction.
        let ids = match &self.pools {
            Pools::Sqlite { write, .. } => {
                let mut connection = write.acquire().await.during(DOING)?;
                insert(Connection::Sqlite(&mut connection), rows, &self.settings).await?
            }
            Pools::Postgres(pool) => {
                let mut connection = pool.acquire().await.during(DOING)?;
                insert(Connection::Postgres(&mut connection), rows, &self.settings).await?
            }
        };
        for row in rows.iter().filter(|row| row.run_at.is_none()) {
            self.wake(row.queue);
        }
        Ok(ids)
    }
}
