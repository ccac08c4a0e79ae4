//! The five queues' jobs, and the clock that starts them.
//!
//! | queue | jobs | started by |
//! | --- | --- | --- |
//! | `auto-approval` | a look at a ripe suggestion; a sweep for forgotten ones | votes, in their commit; every 5 minutes |
//! | `notifications` | notices of the log's entries and of comments; of votes | decisions and comments, in their commit; every minute |
//! | `analytics` | adding up counts; popularity | every few seconds; every 15 minutes |
//! | `email` | handing a mail over; daily mails | notices, in their commit; once a day |
//! | `cleanup` | putting away what is too old; forgetting what a process left stale in Redis; mending standings there; looking at links | once an hour; changes, in their commit; every minute; every 10 minutes |
//!
//! Every handler is idempotent, and says how: a job may run again when a process dies between its work and the note of
//! it. All work is the catalog's; here it only meets the queue. Every process that works the queues registers all
//! kinds of jobs.

mod analytics;
mod attempts;
mod auto_approval;
mod cleanup;
mod email;
mod link_check;
mod notifications;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upshelf_catalog::{
    AutoApproval, Catalog, CheckLinks, CleanUp, CountUse, Invalidate, Notify, NotifyComment, NotifyVotes,
    ReconcileStandings, RecountPopularity, SendMail, SweepApprovals, TellOfVotes, WriteDigests,
};
use upshelf_queue::{Handlers, Running};
use upshelf_session::Sessions;
use upshelf_store::Store;

pub use email::Mail;
pub use link_check::{LinkCheck, Walked};

const MINUTE: Duration = Duration::from_secs(60);

/// How often the counts of views, saves and votes are handed over.
const FLUSH: Duration = Duration::from_secs(5);

/// The workers of this process.
#[derive(Debug)]
#[must_use = "the workers stop when this is dropped"]
pub struct Workers {
    running: Running,
    flusher: Flusher,
    /// Tells what can be cut short that it should be.
    closing: CancellationToken,
}

/// Hands over what is counted in this process, every few seconds; a process that answers requests has one.
#[derive(Debug)]
#[must_use = "nothing is handed over once this is dropped"]
pub struct Flusher {
    catalog: Catalog,
    tasks: TaskTracker,
    closing: CancellationToken,
}

impl Flusher {
    /// Begins.
    pub fn start(catalog: Catalog) -> Flusher {
        let (tasks, closing) = (TaskTracker::new(), CancellationToken::new());
        let (token, counting) = (closing.clone(), catalog.clone());
        tasks.spawn(async move {
            let mut every = tokio::time::interval(FLUSH);
            every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            while token.run_until_cancelled(every.tick()).await.is_some() {
                flush(&counting).await;
            }
        });
        Flusher { catalog, tasks, closing }
    }

    /// Hands over what is left and ends.
    pub async fn close(self) {
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        flush(&self.catalog).await;
    }
}

async fn flush(catalog: &Catalog) {
    if let Err(error) = catalog.flush_counts().await {
        tracing::warn!(error = &error as &dyn std::error::Error, "could not hand over counts");
    }
}

/// Begins to work all five queues; looks at the links of the shelf where `links` says how.
///
/// # Errors
/// When the mail settings cannot be used, or the database does not answer.
pub async fn start(
    catalog: Catalog,
    sessions: Arc<Sessions<Store>>,
    mail: Mail,
    links: Option<LinkCheck>,
) -> Result<Workers> {
    let postman = Arc::new(email::Postman::new(&mail)?);
    if postman.delivers() {
        catalog.send_waiting_mails().await.context("could not look into the outbox")?;
    }
    let queue = catalog.queue().clone();
    let closing = CancellationToken::new();
    let handlers = handlers(&catalog, &sessions, &postman, links, &closing);
    let running = queue.work(handlers).await.context("could not begin to work")?;
    Ok(Workers { running, flusher: Flusher::start(catalog), closing })
}

impl Workers {
    /// Closes cleanly: takes no new job, finishes what runs, and hands back what has not ended after `limit`.
    ///
    /// # Errors
    /// When the workers had stopped because of a failure.
    pub async fn close(self, limit: Duration) -> Result<()> {
        self.closing.cancel();
        self.flusher.close().await;
        self.running.close(limit).await.context("the workers had stopped")
    }
}

fn handlers(
    catalog: &Catalog,
    sessions: &Arc<Sessions<Store>>,
    postman: &Arc<email::Postman>,
    links: Option<LinkCheck>,
    closing: &CancellationToken,
) -> Handlers {
    /// A handler that is given its own clone of the catalog, and is measured.
    macro_rules! with {
        ($catalog:ident, |$job:ident: $kind:ty, $context:ident| $run:expr) => {{
            let $catalog = $catalog.clone();
            move |$job: $kind, $context| {
                let $catalog = $catalog.clone();
                let _ = &$context;
                attempts::measured::<$kind>($run)
            }
        }};
    }
    let (sessions, postman) = (sessions.clone(), postman.clone());
    let handlers = Handlers::default()
        .on(with!(catalog, |job: AutoApproval, context| auto_approval::run(catalog, job)))
        .on(with!(catalog, |_job: SweepApprovals, context| auto_approval::sweep(catalog, context)))
        .on(with!(catalog, |job: Notify, context| notifications::entry(catalog, job)))
        .on(with!(catalog, |job: NotifyComment, context| notifications::comment(catalog, job)))
        .on(with!(catalog, |job: NotifyVotes, context| notifications::votes(catalog, job)))
        .on(with!(catalog, |_job: TellOfVotes, context| notifications::tell_of_votes(catalog, context)))
        .on(with!(catalog, |job: CountUse, context| analytics::count(catalog, job)))
        .on(with!(catalog, |_job: RecountPopularity, context| analytics::recount(catalog, context)))
        .on(with!(catalog, |job: SendMail, context| email::send(catalog, postman.clone(), job)))
        .on(with!(catalog, |_job: WriteDigests, context| email::digests(catalog, context)))
        .on(with!(catalog, |_job: CleanUp, context| cleanup::run(catalog, sessions.clone(), context)))
        .on(with!(catalog, |job: Invalidate, context| cleanup::invalidate(catalog, job)))
        .periodic(&TellOfVotes::default(), MINUTE, false)
        .periodic(&SweepApprovals::default(), 5 * MINUTE, true)
        .periodic(&RecountPopularity::default(), 15 * MINUTE, true)
        .periodic(&CleanUp::default(), 60 * MINUTE, true)
        .periodic(&WriteDigests::default(), 24 * 60 * MINUTE, true)
        .on(with!(catalog, |_job: ReconcileStandings, context| cleanup::reconcile(catalog, context)));
    // Alone there is nothing to agree with.
    let handlers = match catalog.is_shared() {
        true => handlers.periodic(&ReconcileStandings::default(), MINUTE, true),
        false => handlers,
    };
    let handlers = match links {
        Some(_) => handlers.periodic(&CheckLinks::default(), link_check::PERIOD, true),
        None => handlers,
    };
    // Also where it is off: a job of when it was on is done by doing nothing.
    let closing = closing.clone();
    handlers.on(with!(catalog, |_job: CheckLinks, context| {
        link_check::run(catalog, links.clone(), closing.clone(), context)
    }))
}
