use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use riverqueue::{Client, MaintenanceConfig, QueueConfig, Retention, RunHandle, Workers};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::worker::{Backoffs, Registrar};
use super::{Local, Pools, Working};
use crate::error::During;
use crate::handler::{Periodic, Registry};
use crate::{Error, Handlers, Result, ledger};

/// River's workers of this process.
#[derive(Debug)]
pub(crate) struct Running {
    river: RunHandle,
    tasks: TaskTracker,
    working: Worked,
}

/// The queues that this process works, until this is dropped.
#[derive(Debug)]
struct Worked {
    queues: BTreeSet<&'static str>,
    working: Arc<Working>,
    closing: CancellationToken,
}

impl Running {
    pub(crate) async fn close(mut self, limit: Duration) -> Result<()> {
        self.working.closing.cancel();
        self.tasks.close();
        let stopped = match tokio::time::timeout(limit, self.river.stop()).await {
            Ok(stopped) => stopped,
            Err(_) => self.river.stop_and_cancel().await,
        };
        self.tasks.wait().await;
        stopped.during("keep working")
    }
}

impl Drop for Worked {
    fn drop(&mut self) {
        self.closing.cancel();
        self.working.clients().retain(|queue, _| !self.queues.contains(queue));
    }
}

impl Local {
    pub(crate) async fn work(&self, handlers: Handlers) -> Result<Running> {
        let Handlers { queues, register, periodic } = handlers;
        if queues.is_empty() {
            return Err(Error::Settings("there are no handlers".to_owned()));
        }
        let closing = CancellationToken::new();
        let mut registrar = Registrar {
            workers: Workers::new(),
            settings: &self.settings,
            paces: HashMap::new(),
            closing: closing.clone(),
        };
        for register in register {
            register(Registry::Local(&mut registrar))?;
        }
        let periodic = periodic.into_iter().map(Periodic::checked).collect::<Result<Vec<_>>>()?;
        let longest = periodic.iter().map(|(_, every, _)| *every).max().unwrap_or_default();
        let client = self.client(registrar.workers, queues.iter().copied())?;
        let working = self.occupy(queues, &client, closing)?;

        if self.settings.alone {
            let count = self.take_over().await?;
            if count > 0 {
                tracing::warn!(count, "took over jobs of a process that died");
            }
        }
        // What was handed over to Redis, when there was one, is for River again.
        for queue in &working.queues {
            ledger::take_back(&self.pools, queue).await?;
        }
        let mut river = client.start().during("start the workers")?;
        river.wait_ready().await.during("start the workers")?;
        let tasks = TaskTracker::new();
        let names = working.queues.iter().copied().collect();
        tasks.spawn(self.clone().keep_tidy(names, longest, working.closing.clone()));
        for (row, every, at_start) in periodic {
            tasks.spawn(self.clone().keep_time(row, every, at_start, working.closing.clone(), |_| {}));
        }
        Ok(Running { river, tasks, working })
    }

    /// Notes who works these queues here.
    fn occupy(
        &self,
        queues: BTreeSet<&'static str>,
        client: &Client,
        closing: CancellationToken,
    ) -> Result<Worked> {
        let mut clients = self.working.clients();
        if let Some(queue) = queues.iter().find(|queue| clients.contains_key(**queue)) {
            return Err(Error::Settings(format!("the queue {queue} is worked in this process already")));
        }
        clients.extend(queues.iter().map(|queue| (*queue, client.clone())));
        drop(clients);
        Ok(Worked { queues, working: Arc::clone(&self.working), closing })
    }

    /// Builds the River client that works.
    fn client(&self, workers: Workers, queues: impl Iterator<Item = &'static str>) -> Result<Client> {
        let settings = &self.settings;
        let maintenance = MaintenanceConfig::default()
            .with_rescue_after(settings.rescue_after)
            .with_rescuer_interval((settings.rescue_after / 4).min(Duration::from_secs(5)))
            .with_scheduler_interval(Duration::from_secs(1))
            // River cleans by age alone, and all queues alike: `tidy` does it by age and count for each.
            .with_completed_job_retention(Retention::Keep)
            .with_cancelled_job_retention(Retention::Keep)
            .with_discarded_job_retention(Retention::Keep)
            .with_job_cleaner_interval(Duration::from_secs(86_400))
            // A forgotten queue would also forget that it is paused.
            .with_queue_retention(Duration::from_secs(10 * 365 * 86_400));
        let builder = match &self.pools {
            // River would look for messages of other processes ten times a second, on the one connection that
            // writes; polling the queues themselves finds their jobs just as well.
            Pools::Sqlite { write, .. } => Client::builder(write.clone()).without_notifications(),
            Pools::Postgres(pool) => Client::builder(pool.clone()),
        };
        let builder = queues.fold(builder, |builder, name| {
            let config = QueueConfig::new(settings.of(name).concurrency.into());
            builder.queue(name, config.with_fetch_poll_interval(settings.poll))
        });
        builder
            .workers(workers)
            // A kind that only a newer version knows waits for that version.
            .fetch_only_known_kinds(true)
            .fetch_cooldown(settings.cooldown)
            .without_job_timeout()
            .retry_policy(Backoffs(Arc::clone(settings)))
            .maintenance(maintenance)
            .build()
            .map_err(|error| Error::Settings(error.to_string()))
    }
}
