use super::{Connection, Local, Pools};
use crate::error::During;
use crate::{Broker, Result};

/// Failed jobs wait again, unless their key is held by an unfinished job or by a newer failed one.
/// `$1` queue, `$2` attempts they get.
macro_rules! retry_failed {
    ($now:literal) => {
        concat!(
            "UPDATE river_job SET state = 'available', scheduled_at = ",
            $now,
            ", finalized_at = NULL, max_attempts = attempt + $2
            WHERE queue = $1 AND state IN ('discarded', 'cancelled')
                AND (unique_key IS NULL OR NOT EXISTS (
                    SELECT 1 FROM river_job AS other WHERE other.unique_key = river_job.unique_key
                        AND (other.state IN ('available', 'pending', 'retryable', 'running', 'scheduled')
                            OR (other.state IN ('discarded', 'cancelled') AND other.id > river_job.id))))"
        )
    };
}

/// A delayed job is due now. `$1` id; the reply is its queue.
macro_rules! promote {
    ($now:literal) => {
        concat!(
            "UPDATE river_job SET state = 'available', scheduled_at = ",
            $now,
            " WHERE id = $1 AND (state IN ('scheduled', 'retryable')
                OR (state = 'available' AND scheduled_at > ",
            $now,
            ")) RETURNING queue"
        )
    };
}

pub(crate) async fn retry_failed(pools: &Pools, queue: &str, attempts: u16) -> Result<u64> {
    let attempts = i32::from(attempts);
    Ok(match pools {
        Pools::Sqlite { write, .. } => {
            const SQL: &str = retry_failed!("datetime('now', 'subsec')");
            let query = sqlx::query(SQL).bind(queue).bind(attempts);
            query.execute(write).await.during("retry failed jobs")?.rows_affected()
        }
        Pools::Postgres(pool) => {
            const SQL: &str = retry_failed!("now()");
            let query = sqlx::query(SQL).bind(queue).bind(attempts);
            query.execute(pool).await.during("retry failed jobs")?.rows_affected()
        }
    })
}

pub(crate) async fn promote(pools: &Pools, id: i64) -> Result<Option<String>> {
    match pools {
        Pools::Sqlite { write, .. } => {
            const SQL: &str = promote!("datetime('now', 'subsec')");
            sqlx::query_scalar(SQL).bind(id).fetch_optional(write).await
        }
        Pools::Postgres(pool) => {
            const SQL: &str = promote!("now()");
            sqlx::query_scalar(SQL).bind(id).fetch_optional(pool).await
        }
    }
    .during("promote a job")
}

pub(crate) async fn drain(pools: &Pools, queue: &str) -> Result<u64> {
    const SQL: &str =
        "DELETE FROM river_job WHERE queue = $1 AND state IN ('available', 'retryable', 'scheduled')";
    Ok(match pools {
        Pools::Sqlite { write, .. } => {
            sqlx::query(SQL).bind(queue).execute(write).await.during("drain a queue")?.rows_affected()
        }
        Pools::Postgres(pool) => {
            sqlx::query(SQL).bind(queue).execute(pool).await.during("drain a queue")?.rows_affected()
        }
    })
}

impl Local {
    /// Tells workers about jobs that became due by an operation.
    pub(crate) async fn announce(&self, queue: &str, count: u64) -> Result<()> {
        const SQL: &str = "SELECT pg_notify(current_schema() || '.river_insert', json_build_object('queue', $1::text)::text)";
        if count == 0 {
            return Ok(());
        }
        match &self.pools {
            Pools::Sqlite { .. } => self.wake(queue),
            Pools::Postgres(pool) => {
                sqlx::query(SQL).bind(queue).execute(pool).await.during("announce jobs")?;
            }
        }
        Ok(())
    }

    pub(crate) async fn set_paused(&self, queue: &str, pause: bool) -> Result<()> {
        // River refuses to pause a queue that nobody has worked yet.
        const SQL: &str = "INSERT INTO river_queue (name, updated_at) VALUES ($1, CURRENT_TIMESTAMP)
            ON CONFLICT (name) DO NOTHING";
        const DOING: &str = "pause or resume a queue";
        match &self.pools {
            Pools::Sqlite { write, .. } => {
                sqlx::query(SQL).bind(queue).execute(write).await.during(DOING)?;
            }
            Pools::Postgres(pool) => {
                sqlx::query(SQL).bind(queue).execute(pool).await.during(DOING)?;
            }
        }
        // Through the client that works here, when there is one: its own producers then hear of it at once.
        let working = self.working.clients().get(queue).cloned();
        let client = match working {
            Some(client) => client,
            None => self.river()?,
        };
        match pause {
            true => client.queues().pause(queue).await.during(DOING),
            false => client.queues().resume(queue).await.during(DOING),
        }
    }

    /// Takes over what an earlier life of this only worker left running, and the leadership it left behind.
    pub(crate) async fn take_over(&self) -> Result<u64> {
        const DOING: &str = "take over orphaned jobs";
        const LEADER: &str = "DELETE FROM river_leader";
        const SQLITE: &str = "
            UPDATE river_job SET
                state = CASE WHEN attempt < max_attempts THEN 'available' ELSE 'discarded' END,
                finalized_at = CASE WHEN attempt < max_attempts THEN NULL ELSE datetime('now', 'subsec') END,
                errors = jsonb_insert(coalesce(errors, jsonb('[]')), '$[#]', jsonb_object('at',
                    strftime('%Y-%m-%dT%H:%M:%SZ'), 'attempt', attempt, 'error', 'the process died', 'trace', ''))
            WHERE state = 'running'";
        const POSTGRES: &str = "
            UPDATE river_job SET
                state = (CASE WHEN attempt < max_attempts THEN 'available' ELSE 'discarded' END)::river_job_state,
                finalized_at = CASE WHEN attempt < max_attempts THEN NULL ELSE now() END,
                errors = array_append(errors, jsonb_build_object('at', to_char(now() AT TIME ZONE 'UTC',
                    'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), 'attempt', attempt, 'error', 'the process died', 'trace', ''))
            WHERE state = 'running'";
        Ok(match &self.pools {
            Pools::Sqlite { write, .. } => {
                sqlx::query(LEADER).execute(write).await.during(DOING)?;
                sqlx::query(SQLITE).execute(write).await.during(DOING)?.rows_affected()
            }
            Pools::Postgres(pool) => {
                sqlx::query(LEADER).execute(pool).await.during(DOING)?;
                sqlx::query(POSTGRES).execute(pool).await.during(DOING)?.rows_affected()
            }
        })
    }
}

impl Connection<'_> {
    /// Borrows the connection again, for a second statement in the same transaction.
    pub fn reborrow(&mut self) -> Connection<'_> {
        match self {
            Connection::Sqlite(connection) => Connection::Sqlite(connection),
            Connection::Postgres(connection) => Connection::Postgres(connection),
        }
    }
}
