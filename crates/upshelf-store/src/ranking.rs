//! The orders of suggestions that are more than a number of votes.

use crate::Time;

/// Ranks a suggestion by score and youth: ten times the score outweighs half a day (Reddit's "hot").
pub(crate) fn hot(score: i64, opened_at: Time) -> f64 {
    let size = (score.unsigned_abs().max(1) as f64).log10();
    score.signum() as f64 * size + opened_at.micros() as f64 / 1e6 / 45_000.0
}

/// Ranks a suggestion by how many votes it has on both sides.
pub(crate) fn controversy(up: i64, down: i64) -> f64 {
    if up == 0 || down == 0 {
        return 0.0;
    }
    ((up + down) as f64).powf(up.min(down) as f64 / up.max(down) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_votes_weigh_as_much_as_half_a_day() {
        let morning = Time::from_micros(1_700_000_000_000_000);
        let evening = morning.after(std::time::Duration::from_secs(45_000));
        assert!((hot(10, morning) - hot(1, evening)).abs() < 1e-9);
        assert!(hot(-5, morning) < hot(0, morning));
    }

    #[test]
    fn even_sides_are_more_controversial_than_uneven_ones() {
        assert!(controversy(10, 10) > controversy(19, 1));
        assert!(controversy(10, 10) > controversy(5, 5));
        assert_eq!(controversy(7, 0), 0.0);
    }
}
