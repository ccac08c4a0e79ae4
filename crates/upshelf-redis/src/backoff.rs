//! How long to wait before the next try.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);

/// Doubles from 100 ms up to a bound, each time with some chance in it, so that many processes do not come at once.
#[derive(Debug)]
pub(crate) struct Backoff {
    tries: u32,
    longest: Duration,
}

impl Backoff {
    pub(crate) fn up_to(longest: Duration) -> Self {
        Self { tries: 0, longest }
    }

    pub(crate) fn reset(&mut self) {
        self.tries = 0;
    }

    /// The next pause: between half of the doubled time and all of it.
    pub(crate) fn next(&mut self) -> Duration {
        let whole = FIRST.saturating_mul(1 << self.tries.min(16)).min(self.longest);
        self.tries += 1;
        whole.mul_f64(0.5 + 0.5 * chance())
    }
}

/// A number in 0..1. No secret depends on it: the hasher's seed is chance enough, and needs no generator.
fn chance() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    (RandomState::new().hash_one(0_u8) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_within_their_bounds() {
        let mut backoff = Backoff::up_to(Duration::from_secs(5));
        for most in [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000] {
            let pause = backoff.next().as_millis();
            assert!((most / 2..=most).contains(&pause), "{pause} of {most}");
        }
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
