use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::handover::HandOver;
use super::look::Look;
use super::station::Station;
use super::{Registrar, Shared, listen};
use crate::handler::{Periodic, Registry};
use crate::local::Pools;
use crate::{Broker as _, Error, Handlers, Result};

/// What River adds to the time-out of a job before it gives its process up, and some more.
const MARGIN: Duration = Duration::from_secs(15);

/// BullMQ's workers of this process, and what hands jobs over to them.
#[derive(Debug)]
pub(crate) struct Running {
    tasks: TaskTracker,
    limit: watch::Sender<Duration>,
    worked: Worked,
}

/// The queues that this process works, until this is dropped.
#[derive(Debug)]
struct Worked {
    shared: Shared,
    queues: Vec<&'static str>,
    closing: CancellationToken,
    stop: CancellationToken,
}

impl Running {
    pub(crate) async fn close(self, limit: Duration) {
        self.limit.send_replace(limit);
        self.worked.closing.cancel();
        self.tasks.close();
        if tokio::time::timeout(limit, self.tasks.wait()).await.is_err() {
            self.worked.stop.cancel();
            self.tasks.wait().await;
        }
    }
}

impl Drop for Worked {
    fn drop(&mut self) {
        self.closing.cancel();
        self.stop.cancel();
        self.shared.worked().retain(|queue, _| !self.queues.contains(queue));
    }
}

impl Shared {
    pub(crate) async fn work(&self, handlers: Handlers) -> Result<Running> {
        let Handlers { register, periodic, .. } = handlers;
        let mut registrar = Registrar::default();
        for register in register {
            register(Registry::Shared(&mut registrar))?;
        }
        if registrar.queues.is_empty() {
            return Err(Error::Settings("there are no handlers".to_owned()));
        }
        let periodic = periodic.into_iter().map(Periodic::checked).collect::<Result<Vec<_>>>()?;
        let longest = periodic.iter().map(|(_, every, _)| *every).max().unwrap_or_default();
        let (worked, woken) = self.occupy(&registrar)?;
        let local = self.local();
        if local.settings().alone {
            let count = local.take_over().await?;
            if count > 0 {
                tracing::warn!(count, "took over jobs of a process that died");
            }
        }

        let (closing, tasks) = (worked.closing.clone(), TaskTracker::new());
        if let Pools::Postgres(pool) = local.pools() {
            let listener = listen::begin(pool).await?;
            tasks.spawn(closing.clone().run_until_cancelled_owned(listen::forever(self.clone(), listener)));
        }
        let (limit, limits) = watch::channel(Duration::ZERO);
        for (queue, kinds) in registrar.queues {
            let slowest = kinds.values().map(|kind| kind.time_out()).max().unwrap_or_default();
            let rows = Arc::new(HandOver {
                shared: self.clone(),
                queue,
                kinds: serde_json::to_string(&kinds.keys().collect::<Vec<_>>())
                    .expect("names are JSON")
                    .into(),
                woken: woken.get(queue).map(Arc::clone).unwrap_or_default(),
            });
            let rescue_after = local.settings().rescue_after.max(slowest + MARGIN);
            let look = Look { rows: Arc::clone(&rows), rescue_after };
            let station = Arc::new(Station {
                shared: self.clone(),
                queue,
                kinds,
                permits: Semaphore::new(local.settings().of(queue).concurrency.into()),
                stop: worked.stop.clone(),
            });
            tasks.spawn(rows.run(closing.clone()));
            tasks.spawn(look.run(closing.clone()));
            tasks.spawn(station.run(closing.clone(), limits.clone(), tasks.clone()));
        }
        tasks.spawn(local.clone().keep_tidy(worked.queues.clone(), longest, closing.clone()));
        tasks.spawn(self.clone().keep_tidy(worked.queues.clone(), closing.clone()));
        for (row, every, at_start) in periodic {
            let shared = self.clone();
            let wake = move |queue: &str| shared.wake(queue);
            tasks.spawn(local.clone().keep_time(row, every, at_start, closing.clone(), wake));
        }
        Ok(Running { tasks, limit, worked })
    }

    /// Notes that these queues are worked here.
    fn occupy(&self, registrar: &Registrar) -> Result<(Worked, HashMap<&'static str, Arc<Notify>>)> {
        let mut worked = self.worked();
        if let Some(queue) = registrar.queues.keys().find(|queue| worked.contains_key(**queue)) {
            return Err(Error::Settings(format!("the queue {queue} is worked in this process already")));
        }
        let queues: Vec<_> = registrar.queues.keys().copied().collect();
        worked.extend(queues.iter().map(|queue| (*queue, Arc::new(Notify::new()))));
        let woken = worked.clone();
        drop(worked);
        let (closing, stop) = (CancellationToken::new(), CancellationToken::new());
        Ok((Worked { shared: self.clone(), queues, closing, stop }, woken))
    }
}
