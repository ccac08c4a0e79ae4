//! How jobs ended.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::gather::Question;
use crate::Result;
use crate::error::During;
use crate::local::Pools;

/// The last moment that both engines can write: the end of the year 9999, in milliseconds since 1970.
const LAST: u64 = 253_402_300_799_999;

/// How a job ended.
#[derive(Clone, Debug)]
pub(crate) struct End {
    /// Its row.
    pub(crate) row: i64,
    /// Why it failed, if it did.
    pub(crate) error: Option<String>,
    pub(crate) attempt: u16,
    /// Milliseconds since 1970.
    pub(crate) begun_at: Option<u64>,
    pub(crate) progress: Option<u8>,
    pub(crate) log: Vec<String>,
}

impl End {
    /// PostgreSQL cannot store this one character, and a reason is worth more without it than not at all.
    fn reason(&self) -> Option<String> {
        self.error.as_ref().map(|error| error.replace('\0', " "))
    }

    fn begun_at(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a time of day fits")]
        self.begun_at.filter(|begun_at| *begun_at <= LAST).map(|milliseconds| milliseconds as f64 / 1000.0)
    }

    fn attempt(&self) -> i16 {
        i16::try_from(self.attempt).unwrap_or(i16::MAX)
    }

    fn metadata(&self) -> Value {
        let mut metadata = Map::new();
        if let Some(progress) = self.progress {
            metadata.insert("progress".to_owned(), progress.into());
        }
        if !self.log.is_empty() {
            metadata.insert("log".to_owned(), self.log.iter().map(|line| line.replace('\0', " ")).collect());
        }
        Value::Object(metadata)
    }
}

impl Question for End {
    type Answer = ();

    async fn ask(pools: &Pools, ends: &[Self]) -> Result<Vec<()>> {
        settle(pools, ends).await?;
        Ok(vec![(); ends.len()])
    }
}

/// Notes that jobs have ended. One that is gone, or was completed before, stays as it is.
pub(crate) async fn settle(pools: &Pools, ends: &[End]) -> Result<()> {
    const SQLITE: &str = "
        UPDATE river_job AS job SET state = iif(ended.error IS NULL, 'completed', 'discarded'),
            finalized_at = datetime('now', 'subsec'), attempt = ended.attempt,
            attempted_at =
                coalesce(datetime(ended.begun_at, 'unixepoch', 'subsec'), job.attempted_at, datetime('now', 'subsec')),
            errors = CASE WHEN ended.error IS NULL THEN job.errors ELSE jsonb_insert(coalesce(job.errors, jsonb('[]')), '$[#]',
                jsonb_object('at', strftime('%Y-%m-%dT%H:%M:%SZ'), 'attempt', ended.attempt, 'error', ended.error,
                'trace', '')) END,
            metadata = jsonb_patch(job.metadata, ended.metadata)
        FROM (SELECT value ->> 0 AS id, value ->> 1 AS error, value ->> 2 AS attempt, value ->> 3 AS begun_at,
            value -> 4 AS metadata FROM json_each($1)) AS ended
        WHERE job.id = ended.id AND job.state <> 'completed'";
    const POSTGRES: &str = r#"
        UPDATE river_job AS job SET
            state = (CASE WHEN ended.error IS NULL THEN 'completed' ELSE 'discarded' END)::river_job_state,
            finalized_at = now(), attempt = ended.attempt,
            attempted_at = coalesce(to_timestamp(ended.begun_at), job.attempted_at, now()),
            errors = CASE WHEN ended.error IS NULL THEN job.errors ELSE array_append(job.errors, jsonb_build_object(
                'at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'attempt', ended.attempt::int,
                'error', ended.error, 'trace', '')) END,
            metadata = job.metadata || ended.metadata::jsonb
        FROM unnest($1::bigint[], $2::text[], $3::smallint[], $4::float8[], $5::text[])
            AS ended (id, error, attempt, begun_at, metadata)
        WHERE job.id = ended.id AND job.state <> 'completed'"#;
    const DOING: &str = "note the end of jobs";
    let ends = one_each(ends);
    match pools {
        Pools::Sqlite { write, .. } => {
            let ends: Vec<_> = ends
                .values()
                .map(|end| (end.row, end.reason(), end.attempt(), end.begun_at(), end.metadata()))
                .collect();
            let ends = serde_json::to_string(&ends).expect("numbers and texts are JSON");
            sqlx::query(SQLITE).bind(ends).execute(write).await.during(DOING)?;
        }
        Pools::Postgres(pool) => {
            let query = sqlx::query(POSTGRES)
                .bind(ends.keys().copied().collect::<Vec<_>>())
                .bind(ends.values().map(|end| end.reason()).collect::<Vec<_>>())
                .bind(ends.values().map(|end| end.attempt()).collect::<Vec<_>>())
                .bind(ends.values().map(|end| end.begun_at()).collect::<Vec<_>>())
                .bind(ends.values().map(|end| end.metadata().to_string()).collect::<Vec<_>>());
            query.execute(pool).await.during(DOING)?;
        }
    }
    Ok(())
}

/// The end of each row, in the order of rows: two processes that note the same ones do not wait for each other in a circle.
/// What was done twice side by side is completed if it was so once, as it would be one after the other.
fn one_each(ends: &[End]) -> BTreeMap<i64, &End> {
    let mut each = BTreeMap::<i64, &End>::new();
    for end in ends {
        let known = each.entry(end.row).or_insert(end);
        if known.error.is_some() {
            *known = end;
        }
    }
    each
}
