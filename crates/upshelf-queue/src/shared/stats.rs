use std::sync::LazyLock;
use std::time::Duration;

use upshelf_redis::client::Script;

use super::{Asked as _, Shared, ask, jobs};
use crate::local::stats::{HandedOver, stats};
use crate::{Result, Stats};

static STATS: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../../lua/stats-8.lua")));

impl Shared {
    /// Adds what is in Redis to the rows that are not there: those not handed over yet, and those that are finished.
    pub(super) async fn count(&self, queue: &str) -> Result<Stats> {
        const DOING: &str = "count jobs in Redis";
        let link = self.link(DOING).await?;
        let rows = stats(self.local().pools(), queue, HandedOver::LeftOut).await?;
        let base = format!("{}:{queue}", link.prefix());
        let names = ["wait", "paused", "active", "delayed", "prioritized", "completed", "failed", "meta"];
        let mut call = STATS.prepare_invoke();
        for name in names {
            call.key(format!("{base}:{name}"));
        }
        call.arg(format!("{base}:")).arg(jobs::OF_ROW);
        let mut connection = link.connection();
        let counts: [i64; 12] =
            ask(DOING, async { call.invoke_async(&mut connection).await.asked() }).await?;
        let [wait, paused, active, delayed, prioritized, completed, failed, is_paused, oldest, ..] =
            counts.map(i64::unsigned_abs);
        let [.., count, waited, ran] = counts.map(i64::unsigned_abs);

        let is_paused = is_paused > 0;
        let (waiting, prioritized) = (wait + rows.waiting, prioritized + rows.prioritized);
        let held = paused + rows.paused;
        let oldest = (counts[8] >= 0).then(|| Duration::from_millis(oldest));
        Ok(Stats {
            waiting: if is_paused { 0 } else { waiting },
            prioritized: if is_paused { 0 } else { prioritized },
            paused: if is_paused { held + waiting + prioritized } else { held },
            delayed: delayed + rows.delayed,
            active: active + rows.active,
            completed: completed + rows.completed,
            failed: failed + rows.failed,
            is_paused,
            oldest_waiting: rows.oldest_waiting.max(oldest),
            completed_last_minute: count + rows.completed_last_minute,
            mean_wait: mean(rows.completed_last_minute, rows.mean_wait, count, waited),
            mean_run: mean(rows.completed_last_minute, rows.mean_run, count, ran),
        })
    }
}

/// The mean of what has a mean already and of what has a sum in milliseconds.
fn mean(rows: u64, mean: Option<Duration>, count: u64, sum: u64) -> Option<Duration> {
    let all = u32::try_from(rows + count).unwrap_or(u32::MAX);
    let rows = u32::try_from(rows).unwrap_or(u32::MAX);
    (mean.unwrap_or_default().saturating_mul(rows) + Duration::from_millis(sum)).checked_div(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_weighs_both_sides() {
        assert_eq!(mean(0, None, 0, 0), None);
        assert_eq!(mean(3, Some(Duration::from_secs(1)), 1, 5_000), Some(Duration::from_secs(2)));
        assert_eq!(mean(0, None, 2, 5_000), Some(Duration::from_millis(2_500)));
    }
}
