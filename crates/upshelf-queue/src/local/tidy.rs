use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Local, Pools};
use crate::error::During;
use crate::{Keep, Result, State};

/// Rows of one statement, so that a big clean-up never holds SQLite's one writer for long.
const STEP: i64 = 1_000;

/// Removes finished jobs older than `$2` seconds. Marks of periods that are not over (`unique_states` all set) stay.
macro_rules! aged {
    ($states:literal, $since:literal, $mark:literal, $over:literal) => {
        concat!(
            "DELETE FROM river_job WHERE id IN (SELECT id FROM river_job WHERE queue = $1 AND state IN (",
            $states,
            ") AND finalized_at < ",
            $since,
            " AND (unique_states IS NULL OR unique_states <> ",
            $mark,
            " OR finalized_at < ",
            $over,
            ") LIMIT $4)"
        )
    };
}

/// Removes finished jobs but the newest `$2`.
macro_rules! surplus {
    ($states:literal, $mark:literal, $over:literal) => {
        concat!(
            "DELETE FROM river_job WHERE id IN (SELECT id FROM river_job WHERE queue = $1 AND state IN (",
            $states,
            ") AND (unique_states IS NULL OR unique_states <> ",
            $mark,
            " OR finalized_at < ",
            $over,
            ") ORDER BY finalized_at DESC, id DESC LIMIT $4 OFFSET $2)"
        )
    };
}

/// The texts of both engines for a list of states: aged, then surplus.
macro_rules! texts {
    ($states:literal) => {
        [
            [
                aged!(
                    $states,
                    "datetime('now', 'subsec', -$2 || ' seconds')",
                    "255",
                    "datetime('now', 'subsec', -$3 || ' seconds')"
                ),
                surplus!($states, "255", "datetime('now', 'subsec', -$3 || ' seconds')"),
            ],
            [
                aged!(
                    $states,
                    "now() - make_interval(secs => $2::bigint)",
                    "B'11111111'",
                    "now() - make_interval(secs => $3::bigint)"
                ),
                surplus!($states, "B'11111111'", "now() - make_interval(secs => $3::bigint)"),
            ],
        ]
    };
}

const COMPLETED: [[&str; 2]; 2] = texts!("'completed'");
const FAILED: [[&str; 2]; 2] = texts!("'discarded', 'cancelled'");

/// Removes the finished jobs of a queue that are older than `age`, whatever they mark.
pub(crate) async fn clean(pools: &Pools, queue: &str, state: State, age: Duration) -> Result<u64> {
    let texts = match state {
        State::Completed => COMPLETED,
        State::Failed => FAILED,
        State::Waiting | State::Delayed | State::Active => return Ok(0),
    };
    remove(pools, texts.map(|[aged, _]| aged), queue, whole(age), whole(age)).await
}

/// Runs one text of the two, again and again until it finds less than a full step.
async fn remove(
    pools: &Pools,
    texts: [&'static str; 2],
    queue: &str,
    bound: i64,
    period: i64,
) -> Result<u64> {
    const DOING: &str = "clean finished jobs";
    let mut removed = 0;
    loop {
        let step = match pools {
            Pools::Sqlite { write, .. } => {
                let query = sqlx::query(texts[0]).bind(queue).bind(bound).bind(period).bind(STEP);
                query.execute(write).await.during(DOING)?.rows_affected()
            }
            Pools::Postgres(pool) => {
                let query = sqlx::query(texts[1]).bind(queue).bind(bound).bind(period).bind(STEP);
                query.execute(pool).await.during(DOING)?.rows_affected()
            }
        };
        removed += step;
        if step < STEP.unsigned_abs() {
            return Ok(removed);
        }
    }
}

impl Local {
    /// Keeps what the settings say of finished jobs; `longest` is the longest period whose marks must stay.
    pub(crate) async fn tidy(&self, queue: &str, longest: Duration) -> Result<u64> {
        let settings = self.settings.of(queue);
        let mut removed = 0;
        for (keep, texts) in [(settings.keep_completed, COMPLETED), (settings.keep_failed, FAILED)] {
            let Keep { count, age } = keep;
            let [sqlite, postgres] = texts;
            removed +=
                remove(&self.pools, [sqlite[0], postgres[0]], queue, whole(age), whole(longest)).await?;
            removed +=
                remove(&self.pools, [sqlite[1], postgres[1]], queue, count.into(), whole(longest)).await?;
        }
        Ok(removed)
    }

    pub(crate) async fn keep_tidy(
        self,
        queues: Vec<&'static str>,
        longest: Duration,
        closing: CancellationToken,
    ) {
        loop {
            tokio::select! {
                () = closing.cancelled() => return,
                () = tokio::time::sleep(self.settings.tidy) => {}
            }
            for queue in queues.iter().copied() {
                if let Err(error) = self.tidy(queue, longest).await {
                    tracing::warn!(
                        queue,
                        error = &error as &dyn std::error::Error,
                        "could not clean finished jobs"
                    );
                }
            }
        }
    }
}

fn whole(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}
