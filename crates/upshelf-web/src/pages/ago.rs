//! Times as people read them.

use std::fmt;

use askama::filters::HtmlSafe;
use upshelf_store::Time;

/// A point in time, said by its distance from now, with the exact one for who wants it.
pub(crate) struct Ago {
    time: Time,
    now: Time,
}

impl Ago {
    pub(crate) fn new(time: Time, now: Time) -> Ago {
        Ago { time, now }
    }

    fn words(&self) -> String {
        let is_past = self.time <= self.now;
        let gap = if is_past { self.now.since(self.time) } else { self.time.since(self.now) };
        let seconds = gap.as_secs();
        let (count, unit) = match seconds {
            0..60 if is_past => return "just now".to_owned(),
            0..60 => return "in a moment".to_owned(),
            60..3_600 => (seconds / 60, "min"),
            3_600..86_400 => (seconds / 3_600, "h"),
            86_400..2_592_000 => (seconds / 86_400, if seconds < 172_800 { "day" } else { "days" }),
            _ => return self.date(),
        };
        if is_past { format!("{count} {unit} ago") } else { format!("in {count} {unit}") }
    }

    fn date(&self) -> String {
        self.time.timestamp().strftime("%-d %B %Y").to_string()
    }
}

impl fmt::Display for Ago {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = self.time.timestamp();
        let said = exact.strftime("%-d %B %Y, %H:%M UTC");
        write!(
            f,
            r#"<time datetime="{}" title="{said}">{}</time>"#,
            exact.strftime("%Y-%m-%dT%H:%M:%SZ"),
            self.words()
        )
    }
}

impl HtmlSafe for Ago {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_said_in_its_largest_sensible_unit() {
        let now = Time::from_micros(1_800_000_000_000_000);
        let words =
            |seconds: i64| Ago::new(Time::from_micros(now.micros() + seconds * 1_000_000), now).words();
        assert_eq!(words(0), "just now");
        assert_eq!(words(-59), "just now");
        assert_eq!(words(-60), "1 min ago");
        assert_eq!(words(-7_200), "2 h ago");
        assert_eq!(words(-86_400), "1 day ago");
        assert_eq!(words(-3 * 86_400), "3 days ago");
        assert_eq!(words(600), "in 10 min");
        assert_eq!(words(-40 * 86_400), "6 December 2026");
    }
}
