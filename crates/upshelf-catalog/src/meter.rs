//! How much resources are used: counted in memory, handed over in batches, and never with a name.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use upshelf_queue::{Broker, Options};
use upshelf_store::{Claim, Counts, Reply, ResourceId};

use crate::{Catalog, CountUse, Result};

/// How many different resources and days are counted between two hand-overs; what is more is not counted.
const MOST: usize = 20_000;

/// How many counts one job carries.
const BATCH: usize = 1_000;

/// How much a resource was used on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// Which resource.
    pub resource: ResourceId,
    /// Days since 1970, in UTC.
    pub day: i64,
    /// Visits of its page.
    pub views: i64,
    /// Times it was put into a collection.
    pub saves: i64,
    /// Votes on suggestions about it.
    pub votes: i64,
}

/// The counts since the last hand-over.
#[derive(Debug, Default)]
pub(crate) struct Meter(Mutex<BTreeMap<(ResourceId, i64), Counts>>);

impl Meter {
    fn counts(&self) -> MutexGuard<'_, BTreeMap<(ResourceId, i64), Counts>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, resource: ResourceId, day: i64, more: Counts) {
        let mut counts = self.counts();
        if counts.len() >= MOST && !counts.contains_key(&(resource, day)) {
            return;
        }
        let sum = counts.entry((resource, day)).or_default();
        sum.views += more.views;
        sum.saves += more.saves;
        sum.votes += more.votes;
    }

    fn take(&self) -> Vec<Use> {
        std::mem::take(&mut *self.counts())
            .into_iter()
            .map(|((resource, day), Counts { views, saves, votes })| Use {
                resource,
                day,
                views,
                saves,
                votes,
            })
            .collect()
    }

    fn give_back(&self, uses: &[Use]) {
        for Use { resource, day, views, saves, votes } in uses.iter().copied() {
            self.add(resource, day, Counts { views, saves, votes });
        }
    }
}

impl Catalog {
    fn count(&self, resource: ResourceId, more: Counts) {
        self.inner.meter.add(resource, self.clock().now().day(), more);
    }

    /// Counts a visit of a resource's page.
    pub fn count_view(&self, resource: ResourceId) {
        self.count(resource, Counts { views: 1, ..Counts::default() });
    }

    /// Counts that a resource was put into a collection.
    pub fn count_save(&self, resource: ResourceId) {
        self.count(resource, Counts { saves: 1, ..Counts::default() });
    }

    /// Counts a vote on a suggestion about a resource.
    pub fn count_vote(&self, resource: ResourceId) {
        self.count(resource, Counts { votes: 1, ..Counts::default() });
    }

    /// Hands what was counted since the last time to the queue `analytics`; gives how many counts. To be called every few
    /// seconds and before the program ends. What cannot be handed over is kept for the next time.
    pub async fn flush_counts(&self) -> Result<usize> {
        let uses = self.inner.meter.take();
        for (sent, batch) in uses.chunks(BATCH).enumerate() {
            let job = CountUse { batch: self.clock().id(), uses: batch.to_vec() };
            if let Err(error) = self.queue().push(&job, Options::default()).await {
                self.inner.meter.give_back(&uses[sent * BATCH..]);
                return Err(error.into());
            }
        }
        Ok(uses.len())
    }

    /// Adds counts to the library's, once per batch however often it is called.
    pub async fn add_use(&self, job: &CountUse) -> Result<()> {
        let key = format!("use:{}", job.batch);
        let counts: Vec<_> = job
            .uses
            .iter()
            .map(|one| {
                (one.resource, one.day, Counts { views: one.views, saves: one.saves, votes: one.votes })
            })
            .collect();
        let mut tx = self.store().write().await?;
        // The claim and the counts are one transaction: there is never one without the other.
        if tx.claim_idempotency(&key, "", self.clock().now()).await? == Claim::New {
            tx.add_counts(&counts).await?;
            tx.finish_idempotency(&key, &Reply { status: 204, content_type: None, body: Vec::new() }).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn resource(number: u128) -> ResourceId {
        Uuid::from_u128(number).into()
    }

    const VIEW: Counts = Counts { views: 1, saves: 0, votes: 0 };

    #[test]
    fn counts_of_a_resource_and_day_add_up_and_are_taken_once() {
        let meter = Meter::default();
        meter.add(resource(1), 7, VIEW);
        meter.add(resource(1), 7, Counts { saves: 2, ..VIEW });
        meter.add(resource(1), 8, VIEW);
        let taken = meter.take();
        assert_eq!(taken.len(), 2);
        assert_eq!(taken[0], Use { resource: resource(1), day: 7, views: 2, saves: 2, votes: 0 });
        assert!(meter.take().is_empty());
        meter.give_back(&taken);
        assert_eq!(meter.take(), taken);
    }

    #[test]
    fn memory_is_bounded_and_what_is_counted_already_goes_on_counting() {
        let meter = Meter::default();
        for number in 0..MOST as u128 + 10 {
            meter.add(resource(number), 7, VIEW);
        }
        meter.add(resource(0), 7, VIEW);
        let taken = meter.take();
        assert_eq!(taken.len(), MOST);
        assert_eq!(taken[0].views, 2);
    }
}
