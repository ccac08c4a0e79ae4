use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard};

use tokio::time::Instant;

use crate::gcra::{Ask, Tat};
use crate::policy::Policy;
use crate::subject::Subject;
use crate::verdict::{Usage, Verdict};

const SHARDS: usize = 64;
/// So many subjects of each shard are remembered, 16,384 in all; the next one costs a call.
const FULL: usize = 256;
/// For how long what another process forgives may go unseen here.
const TRUSTED_MICROS: u64 = 1_000_000;
/// For how long the others are still refused while one asks again.
const ASKING_MICROS: u64 = 50_000;

/// What refused subjects are known to owe, so that refusing them again costs nothing.
///
/// Debts only grow, but for what is forgiven: what this process forgives is dropped here, and what others do is seen
/// after a second at most, when one request asks again on behalf of all.
#[derive(Debug)]
pub(super) struct Refusals {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
    started: Instant,
}

#[derive(Debug, Default)]
struct Shard {
    subjects: HashMap<Box<str>, Vec<Owed>>,
    /// Counts what was dropped, so that an answer from before does not bring it back.
    drops: u64,
}

#[derive(Debug)]
struct Owed {
    policy: Cow<'static, str>,
    /// On the clock of this process.
    tat: Tat,
    trusted_until: u64,
    /// Whether somebody has gone to ask again.
    is_being_asked: bool,
}

/// What was so when the server was asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    asked_at: u64,
    drops: u64,
    /// Whether the subject goes on being refused until the answer is there.
    is_asking_again: bool,
}

impl Default for Refusals {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            started: Instant::now(),
        }
    }
}

impl Refusals {
    /// Refuses what is known to be refused; otherwise hands out a ticket to ask the server.
    pub(super) fn find(&self, subject: &Subject, policies: &[&Policy], cost: u32) -> Result<Verdict, Ticket> {
        let mut shard = self.shard(subject);
        let now = self.now();
        let mut ticket = Ticket { asked_at: now, drops: shard.drops, is_asking_again: false };
        let Some(known) = shard.subjects.get_mut(subject.as_str()) else { return Err(ticket) };
        let mut usages = Vec::with_capacity(policies.len());
        let (mut is_refused, mut is_trusted) = (false, true);
        for policy in policies {
            let Some(owed) = known.iter().find(|owed| owed.policy == policy.name()) else {
                return Err(ticket);
            };
            let reading = Ask::new(policy.rate(), cost).of(Some(owed.tat), now);
            is_refused |= !policy.is_shadow() && !reading.fits();
            is_trusted &= now < owed.trusted_until;
            usages.push(Usage::new(policy, &reading, false));
        }
        if is_refused && is_trusted {
            return Ok(Verdict { is_allowed: false, usages });
        }
        if is_refused {
            let is_asked = |owed: &Owed| policies.iter().any(|policy| owed.policy == policy.name());
            // Who asked got no answer: nothing is known any more.
            known.retain(|owed| now < owed.trusted_until || !owed.is_being_asked || !is_asked(owed));
            for owed in known.iter_mut().filter(|owed| is_asked(owed)) {
                owed.trusted_until = now + ASKING_MICROS;
                owed.is_being_asked = true;
                ticket.is_asking_again = true;
            }
        }
        Err(ticket)
    }

    /// Remembers what a subject that was refused owes to each policy.
    pub(super) fn remember(&self, ticket: Ticket, subject: &Subject, policies: &[&Policy], owed: &[u64]) {
        let mut shard = self.shard(subject);
        if shard.drops != ticket.drops {
            return;
        }
        if !shard.subjects.contains_key(subject.as_str()) && !shard.has_room(self.now()) {
            return;
        }
        let known = shard.subjects.entry(subject.as_str().into()).or_default();
        known.retain(|owed| policies.iter().all(|policy| owed.policy != policy.name()));
        known.extend(policies.iter().zip(owed).map(|(policy, owed)| Owed {
            policy: policy.shared_name(),
            // From before it was asked, so that it is never refused here when the server would allow it.
            tat: ticket.asked_at + owed,
            trusted_until: ticket.asked_at + TRUSTED_MICROS,
            is_being_asked: false,
        }));
    }

    /// Lets go of what is known of a subject that was allowed after all.
    pub(super) fn allow(&self, ticket: Ticket, subject: &Subject) {
        if ticket.is_asking_again {
            self.drop_of(subject);
        }
    }

    /// Drops what is known of a subject, and what is on its way.
    pub(super) fn drop_of(&self, subject: &Subject) {
        let mut shard = self.shard(subject);
        shard.drops += 1;
        shard.subjects.remove(subject.as_str());
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).expect("584,000 years have not passed")
    }

    fn shard(&self, subject: &Subject) -> MutexGuard<'_, Shard> {
        let hash = self.hasher.hash_one(subject.as_str()) as usize;
        self.shards[hash % SHARDS].lock().expect("no code panics while it holds this lock")
    }
}

impl Shard {
    fn has_room(&mut self, now: u64) -> bool {
        if self.subjects.len() >= FULL {
            self.subjects.retain(|_, known| known.iter().any(|owed| now < owed.trusted_until.min(owed.tat)));
        }
        self.subjects.len() < FULL
    }
}
