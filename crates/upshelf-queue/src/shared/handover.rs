//! Handing rows over: in order, many at once, as soon as they are committed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::trouble::Trouble;
use super::{Link, Shared, ask, jobs, log_and_go_on};
use crate::ledger::{self, Due, End, NextDue};
use crate::{Error, Result};

/// Rows of one step: enough that the way to Redis costs little, and few enough that a step is short.
const STEP: u32 = 200;
/// How long to leave rows to another process.
const TAKEN: Duration = Duration::from_millis(50);
/// How long to wait after a failure.
const AGAIN: Duration = Duration::from_millis(500);

/// Hands over the rows of one queue.
pub(super) struct HandOver {
    pub(super) shared: Shared,
    pub(super) queue: &'static str,
    /// The names of the jobs that this process has handlers for, as JSON: others wait for who knows them.
    pub(super) kinds: Arc<str>,
    pub(super) woken: Arc<Notify>,
}

impl HandOver {
    pub(super) async fn run(self: Arc<Self>, closing: CancellationToken) {
        closing.run_until_cancelled(self.forever()).await;
    }

    async fn forever(&self) {
        let mut link = self.shared.inner.link.clone();
        let mut trouble = Trouble::default();
        loop {
            // While Redis is away, rows are left as they are.
            let Ok(current) = link.wait_for(Option::is_some).await.map(|link| link.clone()) else { return };
            let Some(current) = current else { continue };
            let wait = match self.step(&current).await {
                Ok(wait) => {
                    if let Some(failures) = trouble.end() {
                        tracing::info!(queue = self.queue, failures, "jobs are handed over again");
                    }
                    wait
                }
                Err(error) => {
                    let (queue, error) = (self.queue, &*error as &(dyn std::error::Error + 'static));
                    if trouble.is_news(error, Instant::now()) {
                        tracing::warn!(queue, error, "jobs could not be handed over; they wait");
                    }
                    Some(AGAIN)
                }
            };
            if let Some(time) = wait {
                let _ = tokio::time::timeout(time, self.woken.notified()).await;
            }
        }
    }

    /// Hands over what is due; says for how long to wait then, or for a word that there is something. While nothing is due that
    /// is one question, which all queues ask together.
    async fn step(&self, link: &Link) -> Result<Option<Duration>, Arc<Error>> {
        let local = self.shared.local();
        let (settings, next) =
            (local.settings(), NextDue { queue: self.queue, kinds: Arc::clone(&self.kinds) });
        match self.shared.inner.dues.ask(local.pools(), next).await? {
            Some(Duration::ZERO) => {}
            Some(due) => return Ok(Some(due.min(settings.poll).max(settings.cooldown))),
            None => return Ok(Some(settings.poll)),
        }
        let mut rows = self.claim().await?;
        if rows.is_empty() {
            // Another process is taking them at this moment.
            return Ok(Some(TAKEN));
        }
        while rows.len() >= usize::try_from(STEP).expect("a small number") {
            // There are more: the database gives them while Redis takes these.
            let (added, more) = tokio::join!(self.add_claimed(link, rows), self.claim());
            if let (Err(_), Ok(more)) = (&added, &more) {
                self.give_back(more.iter().map(|row| row.id).collect()).await;
            }
            added?;
            rows = more?;
        }
        self.add_claimed(link, rows).await?;
        Ok(None)
    }

    async fn claim(&self) -> Result<Vec<Due>> {
        ledger::claim(self.shared.local().pools(), self.queue, &self.kinds, STEP).await
    }

    async fn add_claimed(&self, link: &Link, rows: Vec<Due>) -> Result<()> {
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        let added = self.add(link, rows).await;
        if added.is_err() {
            // If they were added all the same, adding them again changes nothing.
            self.give_back(ids).await;
        }
        added
    }

    async fn give_back(&self, ids: Vec<i64>) {
        let given_back = ledger::give_back(self.shared.local().pools(), &ids).await;
        log_and_go_on(given_back, "giving jobs back", self.queue);
    }

    /// Adds the jobs of rows that are handed over; those that BullMQ knows already stay as they are there.
    pub(super) async fn add(&self, link: &Link, rows: Vec<Due>) -> Result<()> {
        let settings = self.shared.local().settings().of(self.queue);
        let (mut batch, mut urgent) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in rows {
            match jobs::of_row(&row, settings) {
                Ok(job) if row.priority <= 1 => urgent.push(job),
                Ok(job) => batch.push(job),
                Err(error) => self.refuse(&row, &error).await?,
            }
        }
        // Each urgent job goes before those that wait: the first must come last.
        batch.extend(urgent.into_iter().rev());
        let count = batch.len();
        ask("hand jobs over", link.add_in_order(self.queue, batch)).await?;
        tracing::debug!(queue = self.queue, count, "handed jobs over");
        Ok(())
    }

    async fn refuse(&self, row: &Due, error: &serde_json::Error) -> Result<(), Error> {
        let reason = format!("the payload cannot be read: {error}");
        let end = End {
            row: row.id,
            error: Some(reason),
            attempt: 1,
            begun_at: None,
            progress: None,
            log: Vec::new(),
        };
        ledger::settle(self.shared.local().pools(), &[end]).await
    }
}
