use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A limit under a name: what an endpoint asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    name: Cow<'static, str>,
    rate: Rate,
    is_shadow: bool,
}

impl Policy {
    /// Names a rate. The name stands in replies, so it is made of ASCII letters, digits, `-`, `_` and `.` only.
    pub fn new(name: impl Into<Cow<'static, str>>, rate: Rate) -> Result<Self, Error> {
        let name = name.into();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_plain) {
            return Err(Error::Name);
        }
        Ok(Self { name, rate, is_shadow: false })
    }

    /// Makes it count without refusing: to see what a new limit would do.
    #[must_use]
    pub fn shadow(self) -> Self {
        Self { is_shadow: true, ..self }
    }

    /// Names it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Says how much it allows.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Says whether it only counts.
    pub fn is_shadow(&self) -> bool {
        self.is_shadow
    }

    /// What one of so many processes may allow when each decides alone.
    pub(crate) fn share(&self, processes: u32) -> Self {
        Self { rate: self.rate.share(processes), ..self.clone() }
    }

    pub(crate) fn shared_name(&self) -> Cow<'static, str> {
        self.name.clone()
    }
}

/// So many requests in a period, of which so many may come at once.
///
/// Written `60/min`, `30/h`, `5/10s`, `600/min burst 50`. Without a burst of its own, all of a period's requests may
/// come at once. In any one period at most limit + burst pass: for a hard cap, give it a small burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    limit: u32,
    period: Duration,
    burst: u32,
    /// What one request is worth. Rounded up: a rate that does not divide evenly allows less, never more.
    interval_micros: u64,
}

const SECOND: u64 = 1;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// Sums of times stay exact in a double, which is what scripts on a server count in.
const LONGEST_MICROS: u128 = 1 << 51;

impl Rate {
    /// Allows `limit` requests in each `period`, all of which may come at once. No rate is above a million a second.
    pub fn new(limit: u32, period: Duration) -> Result<Self, Error> {
        Self::checked(limit, period, limit).ok_or(Error::Rate)
    }

    /// Allows `limit` requests a second. Panics on none, and on more than a million a second.
    pub const fn per_second(limit: u32) -> Self {
        Self::constant(limit, SECOND)
    }

    /// Allows `limit` requests a minute. Panics on none, and on more than a million a second.
    pub const fn per_minute(limit: u32) -> Self {
        Self::constant(limit, MINUTE)
    }

    /// Allows `limit` requests an hour. Panics on none, and on more than a million a second.
    pub const fn per_hour(limit: u32) -> Self {
        Self::constant(limit, HOUR)
    }

    /// Allows `limit` requests a day. Panics on none, and on more than a million a second.
    pub const fn per_day(limit: u32) -> Self {
        Self::constant(limit, DAY)
    }

    const fn constant(limit: u32, seconds: u64) -> Self {
        Self::checked(limit, Duration::from_secs(seconds), limit)
            .expect("a rate allows at least one request, and at most a million a second")
    }

    /// Sets how many requests may come at once.
    pub fn with_burst(self, burst: u32) -> Result<Self, Error> {
        Self::checked(self.limit, self.period, burst).ok_or(Error::Rate)
    }

    const fn checked(limit: u32, period: Duration, burst: u32) -> Option<Self> {
        let micros = period.as_micros();
        if limit == 0 || burst == 0 || micros > LONGEST_MICROS || micros < limit as u128 {
            return None;
        }
        let interval = micros.div_ceil(limit as u128);
        if interval * burst as u128 > LONGEST_MICROS {
            return None;
        }
        Some(Self { limit, period, burst, interval_micros: interval as u64 })
    }

    /// Divides it among so many processes. Units come back as many times more slowly, so that together they never
    /// come back faster than they would undivided; but each process lets at least one through.
    fn share(self, processes: u32) -> Self {
        let burst = (self.burst / processes).max(1);
        let longest = LONGEST_MICROS as u64 / u64::from(burst);
        Self {
            limit: (self.limit / processes).max(1),
            period: self.period,
            burst,
            interval_micros: self.interval_micros.saturating_mul(processes.into()).min(longest),
        }
    }

    /// How many requests a period allows.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// How long the period is.
    pub fn period(&self) -> Duration {
        self.period
    }

    /// How many requests may come at once.
    pub fn burst(&self) -> u32 {
        self.burst
    }

    pub(crate) fn interval_micros(&self) -> u64 {
        self.interval_micros
    }
}

impl FromStr for Rate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (rate, burst) = match text.split_once(" burst ") {
            Some((rate, burst)) => (rate, Some(burst)),
            None => (text, None),
        };
        let (limit, period) = rate.split_once('/').ok_or(Error::Rate)?;
        let rate = Self::new(number(limit)?, parse_period(period)?)?;
        burst.map_or(Ok(rate), |burst| rate.with_burst(number(burst)?))
    }
}

fn number(text: &str) -> Result<u32, Error> {
    text.trim().parse().map_err(|_| Error::Rate)
}

fn parse_period(text: &str) -> Result<Duration, Error> {
    let text = text.trim();
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or(Error::Rate)?;
    let (count, unit) = text.split_at(unit_at);
    let count = if count.is_empty() { 1 } else { number(count)? };
    let unit = match unit {
        "s" | "sec" | "second" => SECOND,
        "m" | "min" | "minute" => MINUTE,
        "h" | "hour" => HOUR,
        "d" | "day" => DAY,
        _ => return Err(Error::Rate),
    };
    Ok(Duration::from_secs(u64::from(count) * unit))
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.limit)?;
        let seconds = self.period.as_secs();
        let units = [(DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s")];
        let (unit, name) = units
            .into_iter()
            .find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit))
            .unwrap_or((SECOND, "s"));
        match seconds / unit {
            _ if self.period.subsec_nanos() != 0 => write!(f, "{:?}", self.period)?,
            1 => f.write_str(name)?,
            count => write!(f, "{count}{name}")?,
        }
        if self.burst == self.limit { Ok(()) } else { write!(f, " burst {}", self.burst) }
    }
}

/// Why a limit cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is not a rate, or one of zero, or one that is too long to count.
    #[error("not a rate such as 60/min, 30/h or 600/min burst 50")]
    Rate,
    /// It has characters that do not belong into a name.
    #[error("a policy's name is made of letters, digits, '-', '_' and '.'")]
    Name,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_as_it_is_written() {
        for text in ["60/min", "30/h", "5/10s", "1/s", "10/d", "600/min burst 50", "7/90s burst 1"] {
            assert_eq!(text.parse::<Rate>().map(|rate| rate.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("60/60s".parse(), Ok(Rate::per_minute(60)));
    }

    #[test]
    fn what_is_not_a_rate_is_refused() {
        let wrong = [
            "",
            "/",
            "60",
            "60/",
            "/min",
            "0/min",
            "-1/min",
            "60/fortnight",
            "60/0s",
            "1.5/s",
            "60/min burst 0",
            "60/min burst",
            "1/4294967295d",
            "1/9999d burst 4294967295",
            "99999999999/s",
            "1000001/s",
        ];
        for text in wrong {
            assert_eq!(text.parse::<Rate>(), Err(Error::Rate), "{text}");
        }
    }

    #[test]
    fn a_name_cannot_break_out_of_a_header_field() {
        for name in ["", "a b", "a\"b", "a\\b", "a\r\nb", "é"] {
            assert_eq!(Policy::new(name, Rate::per_second(1)), Err(Error::Name), "{name:?}");
        }
    }

    #[test]
    fn an_uneven_rate_allows_less_rather_than_more() {
        assert_eq!(Rate::per_second(3).interval_micros(), 333_334);
    }

    #[test]
    fn a_share_is_never_nothing_and_never_too_long_to_count() {
        let of = |text: &str, processes| text.parse::<Rate>().expect("it is a rate").share(processes);
        let third = of("10/min", 3);
        assert_eq!((third.limit(), third.burst(), third.interval_micros()), (3, 3, 18_000_000));
        let tenth = of("600/min burst 5", 10);
        assert_eq!((tenth.limit(), tenth.burst(), tenth.interval_micros()), (60, 1, 1_000_000));
        assert_eq!(of("60/min", 1), Rate::per_minute(60));
        assert_eq!(of("1/9999d burst 2", u32::MAX).interval_micros(), LONGEST_MICROS as u64);
    }
}
