//! Whether what processes share through Redis agrees with the database.

use std::sync::Arc;

use serde::Serialize;
use upshelf_store::{Finding, PageRequest, ResourceFilter, ResourceSort, SuggestionId};
use upshelf_tally::{CheckError, Counts};

use crate::library::read_tree;
use crate::votes::counts;
use crate::{Catalog, Result};

/// The lengths of popular lists that are compared: those that pages and programs ask for without saying how many.
const POPULAR: [u32; 2] = [10, 20];

/// What is found where Redis is away: it cannot be compared, and nothing is known to be wrong.
pub const NO_ANSWER: &str = "Redis that does not answer";

impl Catalog {
    /// Says whether processes share what is cached and counted through Redis.
    pub fn is_shared(&self) -> bool {
        self.inner.services.cache.is_shared()
    }

    /// Reads through the cache since the start, by where they were answered from.
    pub fn cache_reads(&self) -> [(&'static str, u64); 4] {
        let stats = self.inner.services.cache.stats();
        [
            ("memory", stats.hits_l1),
            ("redis", stats.hits_l2),
            ("stale", stats.hits_stale),
            ("loader", stats.loads),
        ]
    }

    /// How often this process has dropped all that it had cached, because it may have missed a change.
    pub fn cache_flushes(&self) -> u64 {
        self.inner.services.cache.stats().flushes
    }

    /// Everything that competes on the top list.
    pub(crate) async fn load_top(&self) -> Result<Vec<(SuggestionId, Counts)>, upshelf_store::Error> {
        let top = self.store().read().await?.list_top(u32::MAX).await?;
        Ok(top.into_iter().map(|(id, standing)| (id, counts(standing))).collect())
    }

    /// Loads the top list into Redis where it is missing, for programs that read it there. To be called every second or so.
    pub async fn keep_top(&self) -> Result<()> {
        if self.is_shared() {
            self.tally().top(0, async || self.load_top().await).await?;
        }
        Ok(())
    }

    /// Makes good for processes that ended between a commit of votes and telling Redis of it; gives how many standings
    /// were wrong there.
    pub async fn reconcile_standings(&self) -> Result<usize> {
        self.check_standings(true).await
    }

    async fn check_standings(&self, repair: bool) -> Result<usize> {
        match self.tally().check(repair, || self.load_top()).await {
            None => Ok(0),
            Some(Ok(checked)) => Ok(checked.wrong),
            Some(Err(CheckError::Load(error))) => Err(error.into()),
            // It will be told when it is back.
            Some(Err(CheckError::Redis(error))) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "standings were not compared");
                Ok(0)
            }
        }
    }

    /// Compares what Redis holds with the database, and mends it if `repair` says so. Gives one finding per check; to be
    /// called where this process has cached nothing itself.
    pub async fn check_shared(&self, repair: bool) -> Result<Vec<Finding>> {
        if self.tally().is_degraded() || self.inner.services.cache.is_degraded() {
            return Ok(vec![Finding { what: NO_ANSWER, count: 1, repaired: false }]);
        }
        let standings = self.check_standings(repair).await?;
        let mut tx = self.store().read().await?;
        let (tree, tags) = (read_tree(&mut tx).await?, tx.list_tags().await?);
        drop(tx);
        let mut cached = 0;
        if differ(&self.categories().await?, &tree) || differ(&self.tags().await?, &tags) {
            cached += 1;
            if repair {
                self.invalidate_categories().await;
            }
        }
        for limit in POPULAR {
            let page = PageRequest::first(limit);
            let fresh = self.resources(&ResourceFilter::default(), ResourceSort::Popular, &page).await?.items;
            if differ(&self.popular(limit).await?, &fresh) {
                cached += 1;
                if repair {
                    self.invalidate_popular_resources(None).await;
                }
            }
        }
        let finding = |what, count: usize| Finding {
            what,
            count: i64::try_from(count).unwrap_or(i64::MAX),
            repaired: repair && count > 0,
        };
        Ok(vec![
            finding("standings in Redis that are not the database's", standings),
            finding("cached values that are not the database's", cached),
        ])
    }
}

/// Compares what is shown with what should be, as it is sent.
fn differ<T: Serialize>(shown: &Arc<T>, fresh: &T) -> bool {
    serde_json::to_value(shown.as_ref()).ok() != serde_json::to_value(fresh).ok()
}
