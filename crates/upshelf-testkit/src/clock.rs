use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

/// A wall clock that stands still until a test moves it; clones show the same time.
///
/// It counts microseconds, as the databases do.
#[derive(Clone, Debug)]
pub struct HandClock(Arc<AtomicI64>);

impl HandClock {
    /// Starts a clock at `time`.
    pub fn at(time: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(time.as_microsecond())))
    }

    /// Reads the time it was set to.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::SeqCst))
            .expect("a clock is set and moved within jiff's range")
    }

    /// Moves it forward and returns the new time.
    pub fn advance(&self, by: Duration) -> Timestamp {
        let step = i64::try_from(by.as_micros()).expect("a step of a test fits 292,000 years");
        self.0.fetch_add(step, Ordering::SeqCst);
        self.now()
    }

    /// Sets it to any time, the past included: clocks of real machines do that too.
    pub fn set(&self, time: Timestamp) {
        self.0.store(time.as_microsecond(), Ordering::SeqCst);
    }
}

/// The morning of 5 January 2026, a Monday: an ordinary day with nothing special about it.
impl Default for HandClock {
    fn default() -> Self {
        Self::at("2026-01-05T09:00:00Z".parse().expect("an RFC 3339 time"))
    }
}
