//! The worker of one queue in this process: there is one for each connection.

use std::sync::Arc;
use std::time::Duration;

use bullmq::worker::WorkerEvent;
use bullmq::{RateLimiterOptions, Worker, WorkerOptions};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::look::agree_on_pause;
use super::registrar::Kinds;
use super::trouble::Trouble;
use super::{Link, Shared, jobs};
use crate::{BoxError, Rate};

/// How long making a worker may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How soon it is tried again, and how soon an idle worker looks for jobs after a failure.
const AGAIN: Duration = Duration::from_millis(100);
/// For how long a worker waits at Redis at once, idle or held back by its rate; closing waits it out. BullMQ takes whole seconds.
const DRAIN: Duration = Duration::from_secs(1);
/// How long a job is believed to be worked after the last sign of that.
const LOCK: Duration = Duration::from_secs(6);
/// How often to look for jobs whose worker died.
const STALLED: Duration = Duration::from_secs(2);
/// What ending, handing back and noting may take beyond the limit of closing.
const HANDING_BACK: Duration = Duration::from_secs(3);

/// Works one queue.
pub(super) struct Station {
    pub(super) shared: Shared,
    pub(super) queue: &'static str,
    pub(super) kinds: Kinds,
    /// One for each job that may run: while one worker takes over from another, both have jobs.
    pub(super) permits: Semaphore,
    /// What runs is to end.
    pub(super) stop: CancellationToken,
}

impl Station {
    /// Works until `closing`, then closes within the limit, and a little more.
    pub(super) async fn run(
        self: Arc<Self>,
        closing: CancellationToken,
        limit: watch::Receiver<Duration>,
        tasks: TaskTracker,
    ) {
        let mut links = self.shared.inner.link.clone();
        let mut trouble = Trouble::default();
        loop {
            let link = tokio::select! {
                () = closing.cancelled() => return,
                link = links.wait_for(Option::is_some) => match link {
                    Ok(link) => link.clone(),
                    Err(_) => return,
                },
            };
            let Some(link) = link else { continue };
            let worker = tokio::select! {
                () = closing.cancelled() => return,
                worker = self.worker(&link) => worker,
            };
            let worker = match worker {
                Ok(worker) => {
                    if let Some(failures) = trouble.end() {
                        tracing::info!(queue = self.queue, failures, "the queue's worker has started");
                    }
                    Arc::new(worker)
                }
                Err(error) => {
                    if trouble.is_news(&*error, Instant::now()) {
                        log_not_started(self.queue, &*error);
                    }
                    closing.run_until_cancelled(tokio::time::sleep(AGAIN)).await;
                    continue;
                }
            };
            tasks.spawn(drain(self.queue, Arc::clone(&worker)));
            let is_over = tokio::select! {
                () = closing.cancelled() => true,
                // Without the handle there is never another connection.
                changed = links.wait_for(|now| !now.as_ref().is_some_and(|now| now.is_same(&link))) => changed.is_err(),
            };
            if is_over {
                closing.cancelled().await;
                let limit = *limit.borrow();
                close(&worker, limit).await;
                return;
            }
            // What it still runs is finished and noted, or found stalled later; it takes nothing new.
            let stop = self.stop.clone();
            tasks.spawn(async move {
                let whole_day = Duration::from_secs(24 * 3600);
                if stop.run_until_cancelled(close(&worker, whole_day)).await.is_none() {
                    close(&worker, Duration::ZERO).await;
                }
            });
        }
    }

    async fn worker(self: &Arc<Self>, link: &Link) -> Result<Worker, BoxError> {
        // A pause that was made while Redis was away holds before the first job is handed out.
        agree_on_pause(&self.shared, link, self.queue, true).await?;
        let station = Arc::clone(self);
        let shown = link.clone();
        let process = move |job: bullmq::Job, _: bullmq::worker::CancellationToken| {
            let (station, link) = (Arc::clone(&station), shown.clone());
            async move { station.process(&link, job).await }
        };
        let options = self.options(link);
        Ok(tokio::time::timeout(CONNECT, Worker::with_options(self.queue, process, options)).await??)
    }

    fn options(&self, link: &Link) -> WorkerOptions {
        let settings = self.shared.local().settings().of(self.queue);
        let mut options = WorkerOptions::new()
            .connection(link.options().clone())
            .prefix(link.prefix())
            .concurrency(settings.concurrency.into())
            .lock_duration(LOCK)
            .stalled_interval(STALLED)
            .drain_delay(DRAIN)
            .maximum_rate_limit_delay(DRAIN)
            .run_retry_delay(AGAIN)
            // A job that takes its process down as often as it may be attempted has failed.
            .max_stalled_count(settings.attempts.into())
            .remove_on_complete(jobs::kept(settings.keep_completed))
            .remove_on_fail(jobs::kept(settings.keep_failed));
        if let Some(Rate { jobs, per }) = settings.rate {
            let duration = u64::try_from(per.as_millis()).unwrap_or(u64::MAX).max(1);
            options = options.limiter(RateLimiterOptions { max: jobs.into(), duration });
        }
        options
    }
}

fn log_not_started(queue: &str, error: &(dyn std::error::Error + 'static)) {
    tracing::warn!(queue, error, "the queue's worker did not start yet");
}

/// Reads what the worker tells, which would pile up otherwise.
async fn drain(queue: &'static str, worker: Arc<Worker>) {
    while let Some(event) = worker.next_event().await {
        match event {
            WorkerEvent::Closed => return,
            WorkerEvent::Error(error) => tracing::debug!(queue, error, "the queue's worker met an error"),
            WorkerEvent::Stalled { job_id } => {
                tracing::warn!(queue, job_id, "took over a job of a process that died");
            }
            _ => {}
        }
    }
}

async fn close(worker: &Worker, limit: Duration) {
    let limit = limit.saturating_add(HANDING_BACK).as_millis();
    if let Err(error) = worker.close(u64::try_from(limit).unwrap_or(u64::MAX)).await {
        tracing::debug!(error = &error as &dyn std::error::Error, "a worker did not close cleanly");
    }
}
