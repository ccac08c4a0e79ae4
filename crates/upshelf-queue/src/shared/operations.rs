use std::time::Duration;

use bullmq::RetryOptions;
use tokio_util::sync::CancellationToken;

use super::{Link, Shared, ask, jobs, log_and_go_on};
use crate::local::{operations, tidy};
use crate::{Broker as _, Error, JobId, Result, State, ledger};

impl Shared {
    /// Notes the wish in the database, which remembers it, and tells Redis when that is there; else whoever reaches Redis next
    /// tells it.
    pub(super) async fn set_paused(&self, queue: &str, pause: bool) -> Result<()> {
        const DOING: &str = "pause or resume a queue in Redis";
        let pools = self.local().pools();
        let wish = ledger::wish(pools, queue, pause).await?;
        let link = self.inner.link.borrow().clone();
        let Some(link) = link else { return Ok(()) };
        let told = ask(DOING, async {
            let jobs = link.queue(queue).await?;
            if pause { jobs.pause().await } else { jobs.resume().await }
        });
        match told.await {
            Ok(()) => ledger::told(pools, queue, wish).await,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(queue, error, "a pause or its end waits until Redis is reached");
                Ok(())
            }
        }
    }

    /// Makes failed rows due again, so that they are handed over again, and has Redis work again what is only there.
    pub(super) async fn retry_all_failed(&self, queue: &str) -> Result<u64> {
        const DOING: &str = "retry failed jobs in Redis";
        let link = self.link(DOING).await?;
        let failed =
            ask(DOING, async { link.queue(queue).await?.get_ranges(&["failed"], 0, -1, true).await }).await?;
        let (rows, others): (Vec<_>, Vec<_>) = failed.iter().partition(|id| jobs::row_of(id).is_some());
        // A row that is handed over again must be unknown there.
        for id in rows {
            ask(DOING, async { link.queue(queue).await?.remove(id).await }).await?;
        }
        let attempts = self.local().settings().of(queue).attempts;
        let count = operations::retry_failed(self.local().pools(), queue, attempts).await?;
        self.local().announce(queue, count).await?;
        self.wake(queue);
        let mut retried = 0;
        for id in others {
            retried += ask(DOING, async {
                let Some(mut job) = link.queue(queue).await?.get_job(id).await? else { return Ok(0) };
                let anew = RetryOptions { reset_attempts_made: true, reset_attempts_started: true };
                job.retry("failed", Some(anew)).await.map(|()| 1)
            })
            .await?;
        }
        Ok(count + retried)
    }

    pub(super) async fn promote_job(&self, id: JobId) -> Result<bool> {
        const DOING: &str = "promote a job in Redis";
        let (queue, name) = match &id {
            JobId::Row(row) => match self.handed_over(*row).await? {
                Some(queue) => (queue, jobs::id_of(*row)),
                None => {
                    let promoted = self.local().promote(id.clone()).await?;
                    self.wake_all();
                    return Ok(promoted);
                }
            },
            JobId::Shared { queue, id } => (queue.to_string(), id.to_string()),
        };
        let link = self.link(DOING).await?;
        let state = ask(DOING, async {
            let jobs = link.queue(&queue).await?;
            let state = jobs.get_job_state(&name).await?;
            if state == bullmq::JobState::Delayed
                && let Some(job) = jobs.get_job(&name).await?
            {
                job.promote().await?;
            }
            Ok(state)
        })
        .await?;
        match state {
            bullmq::JobState::Delayed => Ok(true),
            bullmq::JobState::Active => Err(Error::Active(id)),
            _ => Ok(false),
        }
    }

    pub(super) async fn remove_job(&self, id: JobId) -> Result<bool> {
        match &id {
            JobId::Row(row) => match self.handed_over(*row).await? {
                Some(queue) => {
                    let name = jobs::id_of(*row);
                    let link = self.link("remove a job in Redis").await?;
                    self.remove_in(&link, &queue, &name, id.clone()).await?;
                    self.local().remove(id.clone()).await
                }
                None => self.local().remove(id.clone()).await,
            },
            JobId::Shared { queue, id: name } => {
                let link = self.link("remove a job in Redis").await?;
                self.remove_in(&link, queue, name, id.clone()).await
            }
        }
    }

    /// Removes a job in Redis; says whether it was there.
    async fn remove_in(&self, link: &Link, queue: &str, name: &str, id: JobId) -> Result<bool> {
        const DOING: &str = "remove a job in Redis";
        let jobs = ask(DOING, link.queue(queue)).await?;
        if ask(DOING, jobs.get_job(name)).await?.is_none() {
            return Ok(false);
        }
        if ask(DOING, jobs.remove(name)).await? { Ok(true) } else { Err(Error::Active(id)) }
    }

    /// The queue of a row, if that is handed over.
    async fn handed_over(&self, row: i64) -> Result<Option<String>> {
        let standing = ledger::standing(self.local().pools(), row).await?;
        if !standing.is_some_and(|standing| standing.is_handed_over) {
            return Ok(None);
        }
        let found = crate::local::list::find(&self.local().reader()?, row).await?;
        Ok(found.map(|found| found.queue))
    }

    pub(super) async fn clean_finished(&self, queue: &str, state: State, age: Duration) -> Result<u64> {
        const DOING: &str = "clean finished jobs in Redis";
        let name = match state {
            State::Completed => "completed",
            State::Failed => "failed",
            State::Waiting | State::Delayed | State::Active => return Ok(0),
        };
        let link = self.link(DOING).await?;
        let rows = tidy::clean(self.local().pools(), queue, state, age).await?;
        let grace = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        let removed = ask(DOING, async { link.queue(queue).await?.clean(grace, 0, name).await }).await?;
        let others = removed.iter().filter(|id| jobs::row_of(id).is_none()).count();
        Ok(rows + u64::try_from(others).unwrap_or(u64::MAX))
    }

    /// Removes what Redis has kept for too long of finished jobs, for as long as this process works: by itself BullMQ does so
    /// only when another job of the queue finishes.
    pub(super) async fn keep_tidy(self, queues: Vec<&'static str>, closing: CancellationToken) {
        const DOING: &str = "clean finished jobs in Redis";
        let settings = self.local().settings();
        while closing.run_until_cancelled(tokio::time::sleep(settings.tidy)).await.is_some() {
            let link = self.inner.link.borrow().clone();
            let Some(link) = link else { continue };
            for queue in queues.iter().copied() {
                let settings = settings.of(queue);
                for (keep, name) in [(settings.keep_completed, "completed"), (settings.keep_failed, "failed")]
                {
                    let age = u64::try_from(keep.age.as_millis()).unwrap_or(u64::MAX);
                    let cleaned =
                        ask(DOING, async { link.queue(queue).await?.clean(age, 0, name).await }).await;
                    log_and_go_on(cleaned, DOING, queue);
                }
            }
        }
    }

    /// Rows go first: a job without its row is nobody's, a row without its job would be handed over again.
    pub(super) async fn drain_queue(&self, queue: &str) -> Result<u64> {
        const DOING: &str = "drain a queue in Redis";
        let link = self.link(DOING).await?;
        let jobs = ask(DOING, link.queue(queue)).await?;
        let running = ask(DOING, jobs.get_ranges(&["active"], 0, -1, true)).await?;
        let running: Vec<_> = running.iter().filter_map(|id| jobs::row_of(id)).collect();
        let others = ask(DOING, jobs.get_ranges(&["waiting", "delayed", "prioritized"], 0, -1, true)).await?;
        let others = others.iter().filter(|id| jobs::row_of(id).is_none()).count();
        let rows = operations::drain(self.local().pools(), queue).await?
            + ledger::drain(self.local().pools(), queue, &running).await?;
        ask(DOING, jobs.drain(true)).await?;
        Ok(rows + u64::try_from(others).unwrap_or(u64::MAX))
    }
}
