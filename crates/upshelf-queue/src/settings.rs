use std::collections::BTreeMap;
use std::time::Duration;

use crate::{Error, Result};

/// The settings of all queues.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Queues that differ from the default.
    pub queues: BTreeMap<String, QueueSettings>,
    /// Every other queue.
    pub default: QueueSettings,
    /// How soon, at the earliest, an attempt whose process died is taken over: this or the job's own time-out plus
    /// a few seconds, whichever is longer. Default 30 s.
    pub rescue_after: Duration,
    /// No other process works these jobs, so whatever is running when this one begins is an orphan and is taken over
    /// at once. Default false.
    pub alone: bool,
    /// How often to look for jobs that nobody announced: those that have just become due, and on SQLite those of
    /// other processes. Default 500 ms.
    pub poll: Duration,
    /// The shortest time between two fetches of a queue; it bounds jobs/s at concurrency ÷ cooldown. Default 2 ms.
    pub cooldown: Duration,
    /// How often finished jobs are cleaned away. Default 30 s.
    pub tidy: Duration,
    /// With Redis: how often to see whether it still knows the jobs that were handed over to it. Default 10 s.
    pub recheck: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            queues: BTreeMap::new(),
            default: QueueSettings::default(),
            rescue_after: Duration::from_secs(30),
            alone: false,
            poll: Duration::from_millis(500),
            cooldown: Duration::from_millis(2),
            tidy: Duration::from_secs(30),
            recheck: Duration::from_secs(10),
        }
    }
}

/// The settings of one queue.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueSettings {
    /// Attempts of a job whose kind does not say. Default 3.
    pub attempts: u16,
    /// The wait between attempts.
    pub backoff: Backoff,
    /// Jobs running side by side in one process. Default 5.
    pub concurrency: u16,
    /// Jobs begun in any window of time in one process, with Redis in the whole fleet; `None` for as many as it can.
    /// Default 10 per second.
    pub rate: Option<Rate>,
    /// Which completed jobs are kept. Default the last 1,000 of the last day.
    pub keep_completed: Keep,
    /// Which failed jobs are kept. Default the last 5,000 of the last 7 days.
    pub keep_failed: Keep,
}

impl Default for QueueSettings {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(86_400);
        Self {
            attempts: 3,
            backoff: Backoff::default(),
            concurrency: 5,
            rate: Some(Rate { jobs: 10, per: Duration::from_secs(1) }),
            keep_completed: Keep { count: 1_000, age: DAY },
            keep_failed: Keep { count: 5_000, age: 7 * DAY },
        }
    }
}

/// An exponential wait: `first`, twice that, and so on up to `limit`, each a quarter shorter or longer by chance, so
/// that jobs which failed together do not come back together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// After the first attempt. Default 1 s.
    pub first: Duration,
    /// The longest wait. Default 1 h.
    pub limit: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), limit: Duration::from_secs(3600) }
    }
}

impl Backoff {
    /// Gives the wait after attempt number `attempt`; `chance` is any number that differs between jobs.
    pub fn after(&self, attempt: u16, chance: u64) -> Duration {
        let doubled =
            self.first.saturating_mul(1_u32.checked_shl(attempt.max(1).into()).unwrap_or(u32::MAX) / 2);
        // The finaliser of SplitMix64: neighbouring numbers give unrelated ones.
        let mut mixed = chance.wrapping_add(u64::from(attempt)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let percent = 75 + u32::try_from((mixed ^ (mixed >> 31)) % 51).expect("less than 51");
        doubled.min(self.limit).saturating_mul(percent) / 100
    }
}

/// At most `jobs` begin in any window of `per`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// How many.
    pub jobs: u32,
    /// In how long.
    pub per: Duration,
}

/// What is kept of finished jobs: no more than `count`, none older than `age`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Keep {
    /// How many.
    pub count: u32,
    /// How long.
    pub age: Duration,
}

impl Settings {
    /// Gives the settings of a queue.
    pub fn of(&self, queue: &str) -> &QueueSettings {
        self.queues.get(queue).unwrap_or(&self.default)
    }

    pub(crate) fn check(&self) -> Result<()> {
        let refuse = |what: String| Err(Error::Settings(what));
        if self.cooldown < Duration::from_millis(1) || self.poll < self.cooldown {
            return refuse("the cooldown is at least 1 ms and no longer than the poll interval".to_owned());
        }
        if self.rescue_after.is_zero() || self.tidy.is_zero() || self.recheck.is_zero() {
            return refuse("jobs cannot be rescued, tidied or looked at after no time at all".to_owned());
        }
        for (name, queue) in
            self.queues.iter().map(|(name, queue)| (name.as_str(), queue)).chain([("default", &self.default)])
        {
            if queue.attempts == 0 || i16::try_from(queue.attempts).is_err() {
                return refuse(format!("queue {name}: attempts must be between 1 and 32767"));
            }
            if queue.concurrency == 0 || queue.concurrency > 10_000 {
                return refuse(format!("queue {name}: concurrency must be between 1 and 10000"));
            }
            if queue.rate.is_some_and(|rate| rate.jobs == 0 || rate.per.is_zero()) {
                return refuse(format!("queue {name}: a rate needs at least one job in some time"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_wait_doubles_with_a_quarter_of_chance_and_has_a_limit(attempt in 1_u16.., chance: u64) {
            let backoff = Backoff::default();
            let plain = Duration::from_secs(1 << (attempt - 1).min(12)).min(backoff.limit);
            let wait = backoff.after(attempt, chance);
            proptest::prop_assert!(wait >= plain * 3 / 4 && wait <= plain * 5 / 4, "{wait:?}");
        }
    }

    #[test]
    fn jobs_that_failed_together_come_back_apart() {
        let waits: std::collections::HashSet<_> =
            (0..100).map(|job| Backoff::default().after(1, job)).collect();
        assert!(waits.len() > 30, "{}", waits.len());
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        assert!(Settings::default().check().is_ok());
        let with = |queue| Settings { default: queue, ..Settings::default() }.check();
        assert!(with(QueueSettings { attempts: 0, ..QueueSettings::default() }).is_err());
        assert!(with(QueueSettings { concurrency: 0, ..QueueSettings::default() }).is_err());
        let none = Some(Rate { jobs: 0, per: Duration::from_secs(1) });
        assert!(with(QueueSettings { rate: none, ..QueueSettings::default() }).is_err());
        assert!(Settings { poll: Duration::ZERO, ..Settings::default() }.check().is_err());
    }
}
