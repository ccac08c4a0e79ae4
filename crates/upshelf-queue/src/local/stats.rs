use std::time::Duration;

use super::{Local, Pools};
use crate::error::During;
use crate::{Result, RowStats, Stats};

/// One row per state, priority (normal or not) and whether it is due, with the age of the oldest due one.
const COUNTS_SQLITE: &str = "
    SELECT state, priority <> 2, scheduled_at <= datetime('now', 'subsec') AS due, count(*),
        CAST(max(unixepoch('subsec') - unixepoch(scheduled_at, 'subsec')) AS REAL)
    FROM river_job WHERE queue = $1
    GROUP BY 1, 2, 3";
const COUNTS_POSTGRES: &str = "
    SELECT state::text, priority <> 2, scheduled_at <= clock_timestamp() AS due, count(*),
        extract(epoch FROM max(clock_timestamp() - scheduled_at))::float8
    FROM river_job WHERE queue = $1
    GROUP BY 1, 2, 3";

/// What was completed in the last minute: how many, their mean wait, their mean run.
const SPEED_SQLITE: &str = "
    SELECT count(*),
        CAST(avg(unixepoch(attempted_at, 'subsec') - unixepoch(max(scheduled_at, created_at), 'subsec')) AS REAL),
        CAST(avg(unixepoch(finalized_at, 'subsec') - unixepoch(attempted_at, 'subsec')) AS REAL)
    FROM river_job
    WHERE queue = $1 AND state = 'completed' AND finalized_at > datetime('now', 'subsec', '-60 seconds')";
const SPEED_POSTGRES: &str = "
    SELECT count(*),
        extract(epoch FROM avg(attempted_at - greatest(scheduled_at, created_at)))::float8,
        extract(epoch FROM avg(finalized_at - attempted_at))::float8
    FROM river_job
    WHERE queue = $1 AND state = 'completed' AND finalized_at > now() - interval '60 seconds'";

const PAUSED: &str = "SELECT count(*) FROM river_queue WHERE name = $1 AND paused_at IS NOT NULL";

/// What to make of rows that are handed over to Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HandedOver {
    /// Count them: nobody else does.
    Counted,
    /// Leave them to who counts what is in Redis.
    LeftOut,
}

type Count = (String, bool, bool, i64, Option<f64>);
type Speed = (i64, Option<f64>, Option<f64>);

pub(crate) async fn stats(pools: &Pools, queue: &str, handed_over: HandedOver) -> Result<Stats> {
    const DOING: &str = "count jobs";
    let (counts, speed, paused): (Vec<Count>, Speed, i64) = match pools {
        Pools::Sqlite { read, .. } => (
            sqlx::query_as(COUNTS_SQLITE).bind(queue).fetch_all(read).await.during(DOING)?,
            sqlx::query_as(SPEED_SQLITE).bind(queue).fetch_one(read).await.during(DOING)?,
            sqlx::query_scalar(PAUSED).bind(queue).fetch_one(read).await.during(DOING)?,
        ),
        Pools::Postgres(pool) => (
            sqlx::query_as(COUNTS_POSTGRES).bind(queue).fetch_all(pool).await.during(DOING)?,
            sqlx::query_as(SPEED_POSTGRES).bind(queue).fetch_one(pool).await.during(DOING)?,
            sqlx::query_scalar(PAUSED).bind(queue).fetch_one(pool).await.during(DOING)?,
        ),
    };
    let mut stats = Stats {
        is_paused: paused > 0,
        completed_last_minute: speed.0.unsigned_abs(),
        mean_wait: speed.1.map(seconds),
        mean_run: speed.2.map(seconds),
        ..Stats::default()
    };
    for (state, is_prioritized, is_due, count, oldest) in counts {
        if state == "pending" && handed_over == HandedOver::LeftOut {
            continue;
        }
        let place = match (state.as_str(), is_due) {
            ("available", true) => {
                stats.oldest_waiting = stats.oldest_waiting.max(oldest.map(seconds));
                match (stats.is_paused, is_prioritized) {
                    (true, _) => &mut stats.paused,
                    (false, true) => &mut stats.prioritized,
                    (false, false) => &mut stats.waiting,
                }
            }
            ("available" | "scheduled" | "retryable" | "pending", _) => &mut stats.delayed,
            ("running", _) => &mut stats.active,
            ("completed", _) => &mut stats.completed,
            _ => &mut stats.failed,
        };
        *place += count.unsigned_abs();
    }
    Ok(stats)
}

impl Local {
    pub(crate) async fn row_stats(&self, queue: &str) -> Result<RowStats> {
        let (all, others) = (
            stats(&self.pools, queue, HandedOver::Counted).await?,
            stats(&self.pools, queue, HandedOver::LeftOut).await?,
        );
        Ok(RowStats {
            waiting: others.waiting + others.prioritized + others.paused + others.delayed,
            // A row may be handed over between the two counts.
            handed_over: all.delayed.saturating_sub(others.delayed),
            completed: others.completed,
            failed: others.failed,
            is_paused: others.is_paused,
        })
    }
}

/// A clock that was set back must not make an age negative.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default()
}
