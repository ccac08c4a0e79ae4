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
    /// On the clock of this process, if the server decided as soon as it was asked.
    earliest: Tat,
    /// The same if it decided just before its answer came.
    latest: Tat,
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
            let ask = Ask::new(policy.rate(), cost);
            // Nobody is refused here whom the server would allow, and nobody is told to come back too early.
            is_refused |= !policy.is_shadow() && !ask.of(Some(owed.earliest), now).fits();
            is_trusted &= now < owed.trusted_until;
            usages.push(Usage::new(policy, &ask.of(Some(owed.latest), now), false));
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
    pub(super) fn remember(&self, ticket: Ticket, subject: &Subject, refusal: &Verdict) {
        let mut shard = self.shard(subject);
        let now = self.now();
        if shard.drops != ticket.drops
            || !(shard.subjects.contains_key(subject.as_str()) || shard.has_room(now))
        {
            return;
        }
        let known = shard.subjects.entry(subject.as_str().into()).or_default();
        known.retain(|owed| refusal.usages.iter().all(|usage| owed.policy != usage.policy));
        known.extend(refusal.usages.iter().map(|usage| {
            let owed =
                u64::try_from(usage.reset_after.as_micros()).expect("no debt is longer than 142 years");
            Owed {
                policy: usage.policy.clone(),
                earliest: ticket.asked_at + owed,
                latest: now + owed,
                trusted_until: ticket.asked_at + TRUSTED_MICROS,
                is_being_asked: false,
            }
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
            self.subjects
                .retain(|_, known| known.iter().any(|owed| now < owed.trusted_until.min(owed.earliest)));
        }
        self.subjects.len() < FULL
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;
    use crate::policy::Rate;

    const HOUR: u64 = 3_600_000_000;

    fn hourly() -> Policy {
        Policy::new("hourly", Rate::per_hour(1)).expect("it is a name")
    }

    fn refusal(owed: u64) -> Verdict {
        let policy = hourly();
        let reading = Ask::new(policy.rate(), 1).of(Some(owed), 0);
        Verdict { is_allowed: false, usages: vec![Usage::new(&policy, &reading, false)] }
    }

    /// Has a subject refused, as the server would, and says whether it still is.
    fn refuse(refusals: &Refusals, subject: &Subject) -> bool {
        let ticket = refusals.find(subject, &[&hourly()], 1).expect_err("it is not known");
        refusals.remember(ticket, subject, &refusal(HOUR));
        refusals.find(subject, &[&hourly()], 1).is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_from_before_a_pardon_does_not_bring_the_refusal_back() {
        let (refusals, ada, hourly) = (Refusals::default(), Subject::member("ada"), hourly());
        let ticket = refusals.find(&ada, &[&hourly], 1).expect_err("it is not known");
        refusals.drop_of(&ada);
        refusals.remember(ticket, &ada, &refusal(HOUR));
        assert!(refusals.find(&ada, &[&hourly], 1).is_err());
        assert!(refuse(&refusals, &ada));
    }

    #[tokio::test(start_paused = true)]
    async fn one_asks_again_for_all_and_if_no_answer_comes_everybody_does() {
        let (refusals, ada, hourly) = (Refusals::default(), Subject::member("ada"), hourly());
        assert!(refuse(&refusals, &ada));
        advance(Duration::from_micros(TRUSTED_MICROS)).await;
        let ticket = refusals.find(&ada, &[&hourly], 1).expect_err("the first one asks");
        assert!(refusals.find(&ada, &[&hourly], 1).is_ok(), "the second one does not");
        advance(Duration::from_micros(ASKING_MICROS)).await;
        for _ in 0..2 {
            assert!(refusals.find(&ada, &[&hourly], 1).is_err());
        }
        assert!(refuse(&refusals, &ada));
        refusals.allow(ticket, &ada);
        assert!(refusals.find(&ada, &[&hourly], 1).is_err(), "the one that asked was allowed");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_was_slow_refuses_no_longer_and_promises_no_more() {
        let (refusals, ada, hourly) = (Refusals::default(), Subject::member("ada"), hourly());
        let ticket = refusals.find(&ada, &[&hourly], 1).expect_err("it is not known");
        advance(Duration::from_millis(40)).await;
        refusals.remember(ticket, &ada, &refusal(500_000));
        let told = refusals.find(&ada, &[&hourly], 1).expect("it is refused").retry_after();
        assert_eq!(told, Duration::from_millis(500));
        advance(Duration::from_millis(460)).await;
        assert!(refusals.find(&ada, &[&hourly], 1).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded_and_what_is_over_makes_room() {
        let refusals = Refusals::default();
        let count =
            || refusals.shards.iter().map(|shard| shard.lock().expect("no panic").subjects.len()).sum();
        for visitor in 0..2 * SHARDS * FULL {
            refuse(&refusals, &Subject::member(visitor));
        }
        let held: usize = count();
        assert!(held <= SHARDS * FULL && held > SHARDS * FULL / 2, "{held} subjects are held");
        advance(Duration::from_micros(TRUSTED_MICROS)).await;
        assert!(refuse(&refusals, &Subject::member("new")));
    }
}
