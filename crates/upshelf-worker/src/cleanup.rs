use std::sync::Arc;
use std::time::Duration;

use upshelf_catalog::{Catalog, Invalidate, QUEUES};
use upshelf_queue::{BoxError, Broker as _, Context, Outcome, State};
use upshelf_session::Sessions;
use upshelf_store::Store;

/// How long an ended session is kept, so that its member can still see it.
const ENDED_SESSIONS: Duration = Duration::from_secs(30 * 86_400);

/// How long finished jobs are kept: completed ones, and failed ones. Each queue keeps to this by itself while it is worked;
/// one that stands still is cleaned here.
const FINISHED: [(State, Duration); 2] =
    [(State::Completed, Duration::from_secs(86_400)), (State::Failed, Duration::from_secs(7 * 86_400))];

/// How long to wait for Redis before the next attempt.
const AWAY: Duration = Duration::from_secs(5);

/// Forgets what a change made stale and its own process has not. Idempotent: what is loaded anew is loaded anew.
pub(crate) async fn invalidate(catalog: Catalog, job: Invalidate) -> Result<Outcome, BoxError> {
    Ok(if catalog.forget_again(&job.what).await { Outcome::Done } else { Outcome::Snooze(AWAY) })
}

/// Mends standings in Redis. Idempotent: an older one never overwrites a newer one.
pub(crate) async fn reconcile(catalog: Catalog, context: Context) -> Result<Outcome, BoxError> {
    let wrong = catalog.reconcile_standings().await?;
    if wrong > 0 {
        context.log(format!("{wrong} standings were mended"));
    }
    Ok(Outcome::Done)
}

/// Puts away what is too old, and turns the ring of signing keys when it is time. Idempotent: what is gone is gone.
pub(crate) async fn run(
    catalog: Catalog,
    sessions: Arc<Sessions<Store>>,
    context: Context,
) -> Result<Outcome, BoxError> {
    let cleaned = catalog.clean_up().await?;
    let now = catalog.clock().now();
    let ended = sessions.purge(now.before(ENDED_SESSIONS).timestamp()).await?;
    let turned = sessions.rotate_keys_if_due(now.timestamp()).await?;
    let mut jobs = 0;
    for queue in QUEUES {
        for (state, age) in FINISHED {
            match catalog.queue().clean(queue, state, age).await {
                Ok(cleaned) => jobs += cleaned,
                // Nothing depends on it, and the next time finds them.
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::debug!(queue, error, "could not clear finished jobs away");
                }
            }
        }
    }
    context.log(format!(
        "{} notices, {} mails, {} kept replies, {} tags, {ended} sessions, {jobs} finished jobs removed{}",
        cleaned.notices,
        cleaned.mails,
        cleaned.replies,
        cleaned.tags,
        if turned { "; a new signing key" } else { "" }
    ));
    Ok(Outcome::Done)
}
