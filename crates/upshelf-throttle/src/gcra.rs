//! The arithmetic of one policy and one subject, in whole microseconds.
//!
//! The state is one number, the theoretical arrival time: when the subject will have paid for everything it took. Each
//! unit costs an interval; the debt may be as large as the burst. Nothing here can overflow: a debt is at most
//! `LONGEST`, and a clock that counts from the start of the process never comes near the rest of 64 bits.

use std::time::Duration;

use crate::policy::Rate;

/// No debt is longer (142 years), so that sums stay exact in a double.
const LONGEST: u64 = 1 << 52;

/// The theoretical arrival time, in microseconds of the limiter's clock.
pub(crate) type Tat = u64;

/// One policy's view of one request.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    interval: u64,
    /// How much debt is allowed.
    tolerance: u64,
    now: u64,
    /// The state before the request; never in the past.
    tat: Tat,
    price: u64,
}

impl Reading {
    pub(crate) fn new(rate: Rate, now: u64, tat: Option<Tat>, cost: u32) -> Self {
        let interval = rate.interval_micros();
        Self {
            interval,
            tolerance: interval * u64::from(rate.burst()),
            now,
            tat: tat.unwrap_or(now).max(now),
            price: interval * u64::from(cost.min(rate.burst())),
        }
    }

    /// Whether there is room for the request.
    pub(crate) fn fits(&self) -> bool {
        self.retry_after() == Duration::ZERO
    }

    /// How long until there is room for the request, if nothing else is taken meanwhile.
    pub(crate) fn retry_after(&self) -> Duration {
        Duration::from_micros((self.tat + self.price).saturating_sub(self.now + self.tolerance))
    }

    /// The state once the request is charged.
    pub(crate) fn charged(&self) -> Self {
        Self { tat: self.tat + self.price, ..*self }
    }

    pub(crate) fn tat(&self) -> Tat {
        self.tat
    }

    /// How many units are left.
    pub(crate) fn remaining(&self) -> u32 {
        u32::try_from(self.room() / self.interval).expect("it is at most the burst")
    }

    /// How long until nothing is owed any more.
    pub(crate) fn reset_after(&self) -> Duration {
        Duration::from_micros(self.tat - self.now)
    }

    /// How long until one more unit is left than now; zero when nothing is owed.
    pub(crate) fn next_after(&self) -> Duration {
        let owed = self.tat - self.now;
        Duration::from_micros(match owed.checked_sub(self.tolerance) {
            Some(beyond) => beyond + self.interval,
            None if owed == 0 => 0,
            None => self.interval - self.room() % self.interval,
        })
    }

    fn room(&self) -> u64 {
        (self.now + self.tolerance).saturating_sub(self.tat)
    }

    /// The state after taking `cost` units whether or not there is room.
    pub(crate) fn penalized(&self, cost: u32) -> Tat {
        self.tat.saturating_add(self.interval.saturating_mul(u64::from(cost))).min(self.now + LONGEST)
    }

    /// The state after giving `cost` units back.
    pub(crate) fn refunded(&self, cost: u32) -> Tat {
        self.tat.saturating_sub(self.interval.saturating_mul(u64::from(cost))).max(self.now)
    }

    /// The state from which a request has room again after exactly `time`, or later if it already owes more.
    pub(crate) fn blocked(&self, time: Duration) -> Tat {
        let time = u64::try_from(time.as_micros()).unwrap_or(LONGEST).min(LONGEST);
        self.tat.max(self.now + self.tolerance - self.interval + time)
    }
}
