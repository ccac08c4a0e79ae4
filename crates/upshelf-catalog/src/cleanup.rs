//! Putting away what nobody needs any more.

use std::time::Duration;

use crate::invalidation::of_popular;
use crate::{Catalog, Result};

const DAY: Duration = Duration::from_secs(86_400);

/// How long a notice stays in an inbox.
const NOTICES: Duration = Duration::from_secs(180 * 86_400);
/// How long a mail stays in the outbox.
const MAILS: Duration = Duration::from_secs(30 * 86_400);

/// What was put away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CleanedUp {
    /// Notices older than 180 days.
    pub notices: u64,
    /// Mails older than 30 days.
    pub mails: u64,
    /// Replies kept for `Idempotency-Key`s for more than a day.
    pub replies: u64,
    /// Tags that no resource carries.
    pub tags: u64,
}

impl Catalog {
    /// Puts away what is too old to be needed. Ended sessions are the session service's.
    pub async fn clean_up(&self) -> Result<CleanedUp> {
        let now = self.clock().now();
        let mut tx = self.store().write().await?;
        let cleaned = CleanedUp {
            notices: tx.delete_notices_before(now.before(NOTICES)).await?,
            mails: tx.delete_mails_before(now.before(MAILS)).await?,
            replies: tx.delete_idempotency_before(now.before(DAY)).await?,
            tags: tx.remove_unused_tags().await?,
        };
        tx.commit().await?;
        Ok(cleaned)
    }

    /// Computes anew how popular each resource is; gives how many changed.
    pub async fn recount_popularity(&self) -> Result<u64> {
        let mut tx = self.store().write().await?;
        let changed = tx.recount_popularity(self.clock().now().day()).await?;
        if changed > 0 {
            let stale = self.stale(&mut tx, of_popular()).await?;
            tx.commit().await?;
            self.forget(stale).await;
        }
        Ok(changed)
    }
}
