//! Saying that something fails again and again: at once, then ever more rarely, and when it is over.

use std::error::Error;
use std::time::Duration;

use tokio::time::Instant;

/// How soon the same is said again, at first and at most.
const AGAIN: Duration = Duration::from_secs(10);
const AT_MOST: Duration = Duration::from_secs(600);
/// How soon something else is said: two reasons that take turns are no news each time.
const CHANGED: Duration = Duration::from_secs(1);

/// What fails, and when that was said last.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    said: Option<Said>,
    times: u32,
}

#[derive(Debug)]
struct Said {
    reason: String,
    at: Instant,
    again: Duration,
}

impl Trouble {
    /// Counts a failure; says whether it is to be told.
    pub(super) fn is_news(&mut self, error: &(dyn Error + 'static), now: Instant) -> bool {
        self.times += 1;
        let reason = reasons(error);
        let again = match &self.said {
            None => AGAIN,
            Some(said) if said.reason != reason && now - said.at >= CHANGED => AGAIN,
            Some(said) if said.reason == reason && now - said.at >= said.again => {
                (said.again * 2).min(AT_MOST)
            }
            Some(_) => return false,
        };
        self.said = Some(Said { reason, at: now, again });
        true
    }

    /// Ends the trouble; gives how often it failed, if it did.
    pub(super) fn end(&mut self) -> Option<u32> {
        let Self { times, .. } = std::mem::take(self);
        (times > 0).then_some(times)
    }
}

/// The whole chain: two failures of one operation differ in what is behind them.
fn reasons(error: &(dyn Error + 'static)) -> String {
    let (mut reasons, mut inner) = (error.to_string(), error.source());
    while let Some(error) = inner {
        reasons.push_str(": ");
        reasons.push_str(&error.to_string());
        inner = error.source();
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BoxError;

    /// Fails ten times a second for so long; gives the seconds at which it was told.
    fn told(
        trouble: &mut Trouble,
        from: Instant,
        seconds: u64,
        reason: impl Fn(u64) -> &'static str,
    ) -> Vec<u64> {
        let mut told = Vec::new();
        for tenth in 0..10 * seconds {
            let error = BoxError::from(reason(tenth));
            if trouble.is_news(&*error, from + Duration::from_millis(100 * tenth)) {
                told.push(tenth / 10);
            }
        }
        told
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_is_said_at_once_and_then_ever_more_rarely() {
        let mut trouble = Trouble::default();
        assert_eq!(trouble.end(), None, "nothing has failed yet");
        let said = told(&mut trouble, Instant::now(), 3_600, |_| "refused");
        assert_eq!(said, [0, 10, 30, 70, 150, 310, 630, 1_230, 1_830, 2_430, 3_030]);
        assert_eq!(trouble.end(), Some(36_000));
        assert_eq!(trouble.end(), None, "it is over");
        assert_eq!(told(&mut trouble, Instant::now(), 1, |_| "refused"), [0], "it begins anew");
    }

    #[tokio::test(start_paused = true)]
    async fn another_reason_is_said_soon_and_two_in_turn_do_not_flood() {
        let mut trouble = Trouble::default();
        let changes = |tenth| if tenth < 35 { "refused" } else { "no such database" };
        assert_eq!(told(&mut trouble, Instant::now(), 5, changes), [0, 3]);
        let mut trouble = Trouble::default();
        let turns = |tenth: u64| if tenth.is_multiple_of(2) { "refused" } else { "no such database" };
        assert!(told(&mut trouble, Instant::now(), 60, turns).len() <= 60);
    }
}
