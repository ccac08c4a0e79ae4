//! Putting away what nobody needs any more.

use std::time::Duration;

use crate::invalidation::of_popular;
use crate::{Catalog, Result};

const DAY: Duration = Duration::from_secs(86_400);

/// How long a notice stays in an inbox.
const NOTICES: Duration = Duration::from_secs(180 * 86_400);
/// How long a mail stays in the outbox.
const MAILS: Duration = Duration::from_secs(30 * 86_400);

/// How much is put away in one transaction.
const AT_ONCE: u32 = 1_000;

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
        /// Deletes in parts, so that nobody waits long for the database's one writer.
        macro_rules! in_parts {
            ($delete:ident, $before:expr) => {{
                let mut all = 0;
                loop {
                    let mut tx = self.store().write().await?;
                    let gone = tx.$delete($before, AT_ONCE).await?;
                    tx.commit().await?;
                    all += gone;
                    if gone < u64::from(AT_ONCE) {
                        break all;
                    }
                }
            }};
        }
        let now = self.clock().now();
        let notices = in_parts!(delete_notices_before, now.before(NOTICES));
        let mails = in_parts!(delete_mails_before, now.before(MAILS));
        let replies = in_parts!(delete_idempotency_before, now.before(DAY));
        let mut tx = self.store().write().await?;
        let tags = tx.remove_unused_tags().await?;
        tx.commit().await?;
        Ok(CleanedUp { notices, mails, replies, tags })
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
