//! Looking again at what was handed over: Redis may have forgotten it, or others have worked it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use upshelf_redis::client::{cmd, pipe};

use super::handover::HandOver;
use super::{Asked as _, Link, Shared, ask, jobs};
use crate::Result;
use crate::ledger::{self, End};

/// How often to see whether Redis was emptied.
const GLANCE: Duration = Duration::from_secs(1);
/// What was handed over this short a time ago may still be on its way.
const ON_ITS_WAY: Duration = Duration::from_secs(5);
/// Jobs asked about at once.
const STEP: usize = 500;

/// Of a job: whether it is there, when it finished, what it returned, why it failed, its attempts, when it began.
type Found = (Option<String>, Option<u64>, Option<String>, Option<String>, Option<u16>, Option<u64>);

/// Looks again at the rows of one queue.
pub(super) struct Look {
    pub(super) rows: Arc<HandOver>,
    /// How long River may have been running a row before its process must be gone.
    pub(super) rescue_after: Duration,
}

impl Look {
    pub(super) async fn run(self, closing: CancellationToken) {
        closing.run_until_cancelled(self.forever()).await;
    }

    async fn forever(&self) {
        let shared = &self.rows.shared;
        let mut links = shared.inner.link.clone();
        let (mut seen, mut last) = (None::<Link>, None::<Instant>);
        loop {
            let Ok(link) = links.wait_for(Option::is_some).await.map(|link| link.clone()) else { return };
            let Some(link) = link else { continue };
            if !seen.as_ref().is_some_and(|seen| seen.is_same(&link)) {
                (seen, last) = (Some(link.clone()), None);
            }
            let queue = self.rows.queue;
            match self.glance(&link, &mut last).await {
                Ok(()) => {}
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::debug!(queue, error, "could not look at the jobs that were handed over");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(GLANCE) => {}
                changed = links.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Looks at everything when Redis was emptied or is new, at what is not new when it is time.
    async fn glance(&self, link: &Link, last: &mut Option<Instant>) -> Result<()> {
        let local = self.rows.shared.local();
        if self.was_emptied(link).await? {
            *last = None;
        }
        let is_new = last.is_none();
        if last.is_some_and(|last| last.elapsed() < local.settings().recheck) {
            return Ok(());
        }
        let begun = Instant::now();
        agree_on_pause(&self.rows.shared, link, self.rows.queue, is_new).await?;
        if ledger::rescue(local.pools(), self.rows.queue, self.rescue_after).await? > 0 {
            self.rows.woken.notify_one();
        }
        self.look(link, if is_new { Duration::ZERO } else { ON_ITS_WAY }).await?;
        *last = Some(begun);
        Ok(())
    }

    /// Leaves a mark beside the queue, and says whether it was not there.
    async fn was_emptied(&self, link: &Link) -> Result<bool> {
        let key = format!("{}:{}:ledger", link.prefix(), self.rows.queue);
        let mut connection = link.connection();
        ask("see whether Redis was emptied", async {
            let mut set = cmd("SET");
            set.arg(key).arg("kept in the database").arg("NX");
            set.query_async::<Option<String>>(&mut connection).await.map(|set| set.is_some()).asked()
        })
        .await
    }

    /// Hands over again what Redis does not know, and settles what was worked by others.
    async fn look(&self, link: &Link, since: Duration) -> Result<()> {
        let pools = self.rows.shared.local().pools();
        let ids = ledger::handed_over(pools, self.rows.queue, since).await?;
        for ids in ids.chunks(STEP) {
            let (mut missing, mut ended) = (Vec::new(), Vec::new());
            for (id, found) in ids.iter().copied().zip(self.found(link, ids).await?) {
                match found {
                    (None, ..) => missing.push(id),
                    (Some(_), Some(_), returned, reason, attempts, begun_at) => {
                        ended.push(End {
                            row: id,
                            error: returned.is_none().then(|| reason.unwrap_or_default()),
                            attempt: attempts.unwrap_or(1),
                            begun_at,
                            progress: None,
                            log: Vec::new(),
                        });
                    }
                    (Some(_), None, ..) => {}
                }
            }
            if !ended.is_empty() {
                let rows: Vec<_> = ended.iter().map(|end| end.row).collect();
                let before = ledger::standings(pools, &rows).await?;
                for end in &mut ended {
                    let before = before.get(&end.row).map_or(0, |standing| standing.attempt);
                    end.attempt = end.attempt.saturating_add(before);
                }
                ledger::settle(pools, &ended).await?;
            }
            if !missing.is_empty() {
                let rows = ledger::read(pools, &missing).await?;
                tracing::info!(
                    queue = self.rows.queue,
                    count = rows.len(),
                    "handing over again what Redis forgot"
                );
                self.rows.add(link, rows).await?;
            }
        }
        Ok(())
    }

    async fn found(&self, link: &Link, ids: &[i64]) -> Result<Vec<Found>> {
        let mut commands = pipe();
        for id in ids {
            let key = format!("{}:{}:{}", link.prefix(), self.rows.queue, jobs::id_of(*id));
            let fields = ["timestamp", "finishedOn", "returnvalue", "failedReason", "atm", "processedOn"];
            commands.cmd("HMGET").arg(key).arg(&fields);
        }
        let mut connection = link.connection();
        ask("look at jobs", async { commands.query_async(&mut connection).await.asked() }).await
    }
}

/// Where Redis is new or a wish has not reached it, the database says whether the queue is paused; else Redis does, where others
/// may have paused it.
pub(super) async fn agree_on_pause(shared: &Shared, link: &Link, name: &str, is_new: bool) -> Result<()> {
    const DOING: &str = "agree on a pause";
    let local = shared.local();
    let queue = ask(DOING, link.queue(name)).await?;
    let mut is_ours = is_new;
    loop {
        let wish = ledger::last_wish(local.pools(), name).await?;
        let there = ask(DOING, queue.is_paused()).await?;
        if !is_ours && !wish.is_untold {
            if wish.is_paused != there {
                let wish = ledger::wish(local.pools(), name, there).await?;
                ledger::told(local.pools(), name, wish).await?;
            }
            return Ok(());
        }
        match (wish.is_paused, there) {
            (true, false) => ask(DOING, queue.pause()).await?,
            (false, true) => ask(DOING, queue.resume()).await?,
            _ => {}
        }
        if wish.is_untold {
            ledger::told(local.pools(), name, wish).await?;
        }
        // Another wish may have reached Redis just before this one did.
        if ledger::last_wish(local.pools(), name).await?.is_still(wish) {
            return Ok(());
        }
        is_ours = true;
    }
}
