use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard};

use tokio::time::Instant;

use crate::debts::Debts;
use crate::gcra::{Reading, Shift};
use crate::policy::Policy;
use crate::subject::Subject;
use crate::throttle::{Adjustment, Limiter};
use crate::verdict::{Usage, Verdict};

const SHARDS: usize = 64;
const DEFAULT_CAPACITY: usize = 100_000;
/// Below this many subjects a shard is not worth sweeping.
const FEW: usize = 32;
/// A full shard is swept at most this often, so that a flood of new subjects costs no more than old ones do.
const SWEEP_EVERY_MICROS: u64 = 1_000_000;
/// How many subjects compete for being forgotten when a shard is full.
const SAMPLE: usize = 8;

/// Limits within one process.
///
/// Invariants: all that a subject owes stands in one shard, and a decision holds that shard's lock, so that it is all
/// or nothing. A subject that owes nothing need not be there. No more than the capacity is ever held: when that many
/// subjects owe something, the one of a few that would be free soonest is forgiven.
#[derive(Debug)]
pub struct Local {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
    started: Instant,
    shard_capacity: usize,
}

#[derive(Debug, Default)]
struct Shard {
    subjects: HashMap<Box<str>, Debts>,
    /// Twice what was left by the last sweep.
    sweep_above: usize,
    swept_at: u64,
}

impl Default for Local {
    /// Has room for 100,000 subjects.
    fn default() -> Self {
        Self::with_capacity(DEFAULT_CAPACITY)
    }
}

impl Local {
    /// Has room for about this many subjects that owe something.
    pub fn with_capacity(subjects: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            started: Instant::now(),
            shard_capacity: subjects.div_ceil(SHARDS),
        }
    }

    /// Counts the subjects that are held, those included that owe nothing any more and were not swept away yet.
    pub fn held(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).subjects.len()).sum()
    }

    /// Forgives everybody everything.
    pub(crate) fn clear(&self) {
        for shard in &self.shards {
            *lock(shard) = Shard::default();
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).expect("584,000 years have not passed")
    }

    fn shard(&self, subject: &Subject) -> MutexGuard<'_, Shard> {
        let hash = self.hasher.hash_one(subject.as_str()) as usize;
        lock(&self.shards[hash % SHARDS])
    }

    pub(crate) fn decide(
        &self,
        subject: &Subject,
        policies: &[&Policy],
        cost: u32,
        is_charged: bool,
    ) -> Verdict {
        let mut shard = self.shard(subject);
        // Read under the lock: time must not run backwards between two decisions about one subject.
        let now = self.now();
        let held = shard.subjects.get_mut(subject.as_str());
        let read = |policy: &&Policy| Debts::read(held.as_deref(), policy, cost, now);
        let readings: Vec<_> = policies.iter().map(read).collect();
        let asked = || policies.iter().copied().zip(&readings);
        let is_allowed = asked().all(|(policy, reading)| policy.is_shadow() || reading.fits());
        let charge = |reading: &Reading| is_charged && is_allowed && reading.fits();

        let usages = asked().map(|(policy, reading)| Usage::new(policy, reading, charge(reading))).collect();
        let charges = asked().filter(|(_, reading)| charge(reading));
        let charge_to = |debts: &mut Debts| {
            charges.for_each(|(policy, reading)| debts.set(policy, reading.charged().tat(), now));
        };
        match held {
            Some(debts) => charge_to(debts),
            None => shard.add(subject, now, self.shard_capacity, charge_to),
        }
        Verdict { is_allowed, usages }
    }
}

impl Limiter for Local {
    type Error = Infallible;

    async fn take(&self, subject: &Subject, policies: &[&Policy], cost: u32) -> Result<Verdict, Infallible> {
        Ok(self.decide(subject, policies, cost, true))
    }

    async fn peek(&self, subject: &Subject, policies: &[&Policy], cost: u32) -> Result<Verdict, Infallible> {
        Ok(self.decide(subject, policies, cost, false))
    }

    async fn adjust(&self, subject: &Subject, policy: &Policy, by: Adjustment) -> Result<(), Infallible> {
        let mut shard = self.shard(subject);
        let now = self.now();
        let reading = Debts::read(shard.subjects.get(subject.as_str()), policy, 0, now);
        let tat = reading.shifted(Shift::new(policy.rate(), by));
        let change = |debts: &mut Debts| debts.set(policy, tat, now);
        match shard.subjects.get_mut(subject.as_str()) {
            Some(debts) => change(debts),
            None => shard.add(subject, now, self.shard_capacity, change),
        }
        Ok(())
    }

    async fn forget(&self, subject: &Subject) -> Result<(), Infallible> {
        self.shard(subject).subjects.remove(subject.as_str());
        Ok(())
    }
}

impl Shard {
    /// Takes up a subject that is not held, if it comes to owe something.
    fn add(&mut self, subject: &Subject, now: u64, capacity: usize, change: impl FnOnce(&mut Debts)) {
        let mut debts = Debts::default();
        change(&mut debts);
        if debts.free_at() > now {
            self.make_room(now, capacity);
            self.subjects.insert(subject.as_str().into(), debts);
        }
    }

    fn make_room(&mut self, now: u64, capacity: usize) {
        if self.subjects.len() < self.sweep_above.max(FEW).min(capacity) {
            return;
        }
        if now >= self.swept_at + SWEEP_EVERY_MICROS {
            self.subjects.retain(|_, debts| debts.free_at() > now);
            self.sweep_above = self.subjects.len() * 2;
            self.swept_at = now;
            self.subjects.shrink_to(self.sweep_above);
        }
        if self.subjects.len() >= capacity {
            let soonest = self.subjects.iter().take(SAMPLE).min_by_key(|(_, debts)| debts.free_at());
            if let Some(subject) = soonest.map(|(subject, _)| subject.clone()) {
                self.subjects.remove(&subject);
            }
        }
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().expect("no code panics while it holds this lock")
}
