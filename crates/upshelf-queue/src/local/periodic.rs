use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Local, Pools};
use crate::error::During;
use crate::job::{Held, Row, Unique, hash};
use crate::{Error, Result};

impl Local {
    /// Inserts `row` once per period, for as long as this process works.
    ///
    /// River's periodic jobs count from the moment a leader begins, so a program restarted every night would never
    /// reach a daily one. Here a period is numbered by the database's clock, and its number is the unique key.
    pub(crate) async fn keep_time(
        self,
        row: Row,
        every: Duration,
        at_start: bool,
        closing: CancellationToken,
        wake: impl Fn(&str) + Send,
    ) {
        let mut is_due = at_start;
        loop {
            let wait = match self.turn(&row, every, is_due).await {
                Ok(wait) => {
                    wake(row.queue);
                    is_due = true;
                    wait
                }
                Err(error) => {
                    tracing::warn!(
                        job = row.name,
                        error = &error as &dyn std::error::Error,
                        "could not keep time"
                    );
                    Duration::from_secs(1)
                }
            };
            tokio::select! {
                () = closing.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Inserts the job of the present period if it is due, and returns the time to the next.
    async fn turn(&self, row: &Row, every: Duration, is_due: bool) -> Result<Duration> {
        let every = i64::try_from(every.as_millis())
            .map_err(|_| Error::Settings("that period never ends".to_owned()))?;
        let now = self.milliseconds().await?;
        if is_due {
            let key = format!("every {every} ms: {}", now.div_euclid(every));
            let unique = Unique { hash: hash(row.name, &key), states: Held::Always };
            self.push_rows(&[Row { unique: Some(unique), ..row.clone() }]).await?;
        }
        // One more, because a clock that reads whole milliseconds is up to one behind.
        Ok(Duration::from_millis((every - now.rem_euclid(every)).unsigned_abs() + 1))
    }

    /// Reads the database's clock.
    async fn milliseconds(&self) -> Result<i64> {
        match &self.pools {
            Pools::Sqlite { read, .. } => {
                sqlx::query_scalar("SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)").fetch_one(read).await
            }
            Pools::Postgres(pool) => {
                let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
                sqlx::query_scalar(sql).fetch_one(pool).await
            }
        }
        .during("read the database's clock")
    }
}
