//! The arithmetic of one policy and one subject, in whole microseconds.
//!
//! The state is one number, the theoretical arrival time: when the subject will have paid for everything it took. Each
//! unit costs an interval; the debt may be as large as the burst. Nothing here can overflow, and nothing in the scripts
//! loses a digit: a debt is at most `LONGEST`, and a clock that counts from the start of the process, or a server's that
//! counts from 1970, leaves room for that below 2^53 until 2112.

use std::time::Duration;

use crate::policy::Rate;
use crate::throttle::Adjustment;

/// No debt is longer (142 years), so that sums stay exact in a double.
pub(crate) const LONGEST: u64 = 1 << 52;

/// The theoretical arrival time, in microseconds of the limiter's clock.
pub(crate) type Tat = u64;

/// What a request asks of one policy, whoever asks and whenever.
#[derive(Clone, Copy)]
pub(crate) struct Ask {
    interval: u64,
    /// How much debt is allowed.
    tolerance: u64,
    price: u64,
}

impl Ask {
    pub(crate) fn new(rate: Rate, cost: u32) -> Self {
        let interval = rate.interval_micros();
        Self {
            interval,
            tolerance: interval * u64::from(rate.burst()),
            price: interval * u64::from(cost.min(rate.burst())),
        }
    }

    pub(crate) fn price(&self) -> u64 {
        self.price
    }

    /// The largest debt that still has room for the request.
    pub(crate) fn slack(&self) -> u64 {
        self.tolerance - self.price
    }

    /// Looks at what is owed; `None` and the past are nothing.
    pub(crate) fn of(self, tat: Option<Tat>, now: u64) -> Reading {
        Reading { ask: self, now, tat: tat.unwrap_or(now).max(now) }
    }
}

/// One policy's view of one request.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    ask: Ask,
    now: u64,
    /// The state before the request; never in the past.
    tat: Tat,
}

impl Reading {
    /// Whether there is room for the request.
    pub(crate) fn fits(&self) -> bool {
        self.owed() <= self.ask.slack()
    }

    /// How long until there is room for the request, if nothing else is taken meanwhile.
    pub(crate) fn retry_after(&self) -> Duration {
        Duration::from_micros(self.owed().saturating_sub(self.ask.slack()))
    }

    /// The state once the request is charged.
    pub(crate) fn charged(&self) -> Self {
        Self { tat: self.tat + self.ask.price, ..*self }
    }

    pub(crate) fn tat(&self) -> Tat {
        self.tat
    }

    /// How long the subject has to go on paying, in microseconds.
    pub(crate) fn owed(&self) -> u64 {
        self.tat - self.now
    }

    /// How many units are left.
    pub(crate) fn remaining(&self) -> u32 {
        u32::try_from(self.room() / self.ask.interval).expect("it is at most the burst")
    }

    /// How long until nothing is owed any more.
    pub(crate) fn reset_after(&self) -> Duration {
        Duration::from_micros(self.owed())
    }

    /// How long until one more unit is left than now; zero when nothing is owed.
    pub(crate) fn next_after(&self) -> Duration {
        let owed = self.owed();
        Duration::from_micros(match owed.checked_sub(self.ask.tolerance) {
            Some(beyond) => beyond + self.ask.interval,
            None if owed == 0 => 0,
            None => self.ask.interval - self.room() % self.ask.interval,
        })
    }

    fn room(&self) -> u64 {
        self.ask.tolerance.saturating_sub(self.owed())
    }

    /// The state after an adjustment.
    pub(crate) fn shifted(&self, shift: Shift) -> Tat {
        self.now + self.owed().saturating_add_signed(shift.by).clamp(shift.least, LONGEST)
    }
}

/// An adjustment of one policy's debt: it changes by so much, and is then at least so much, in microseconds.
#[derive(Clone, Copy)]
pub(crate) struct Shift {
    pub(crate) by: i64,
    pub(crate) least: u64,
}

impl Shift {
    pub(crate) fn new(rate: Rate, adjustment: Adjustment) -> Self {
        let interval = rate.interval_micros();
        let price = |cost: u32| {
            let price = interval.saturating_mul(u64::from(cost)).min(LONGEST);
            i64::try_from(price).expect("the longest debt is far below 2^63")
        };
        match adjustment {
            Adjustment::Penalty(cost) => Self { by: price(cost), least: 0 },
            Adjustment::Refund(cost) => Self { by: -price(cost), least: 0 },
            Adjustment::Block(time) => {
                let time = u64::try_from(time.as_micros()).unwrap_or(LONGEST).min(LONGEST);
                // One unit, and with it the cheapest request, has room again once this much debt is left.
                let slack = interval * u64::from(rate.burst() - 1);
                Self { by: 0, least: (slack + time).min(LONGEST) }
            }
        }
    }
}
