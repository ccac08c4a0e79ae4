//! What several looks at a link add up to: pure, and owing nothing to chance.
//!
//! A page counts as dead, or as moved, once that was seen three times in a row over at least seven days. Seeing it alive
//! takes back what was seen of its death. What says nothing about the page (a refusal, an overload, a failure, a time-out)
//! neither counts nor takes anything back: a server that refuses this program is no sign that the page is there, nor that
//! it is not.

use std::time::Duration;

use upshelf_store::{Link, ResourceId, Time};

/// How often it must be seen.
const TIMES: i64 = 3;
/// Over which time.
const SPAN: Duration = Duration::from_secs(7 * 86_400);

/// What was seen at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkSight {
    /// The page is there.
    Alive {
        /// Where it is now, when it has moved there for good.
        moved_to: Option<String>,
    },
    /// The page is gone; says how that was seen.
    Gone(String),
    /// Nothing that tells whether it is there; says what it was.
    Unclear(String),
}

/// What the site has to say about a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    Gone(Gone),
    Moved(Moved),
}

/// A dead link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gone {
    times: i64,
    since: Time,
    last: Time,
    seen: String,
}

/// A page that has moved for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) to: String,
    times: i64,
    since: Time,
    last: Time,
}

impl Gone {
    pub(super) fn evidence(&self) -> String {
        let Gone { times, since, last, seen } = self;
        format!("{seen}, seen {times} times from {} to {}", date(*since), date(*last))
    }

    pub(super) fn reason(&self) -> String {
        let Gone { times, since, last, seen } = self;
        format!(
            "The link is dead. The site has looked {times} times from {} to {}, twice each time, and never found the page; \
             the last answer: {seen}.",
            date(*since),
            date(*last)
        )
    }
}

impl Moved {
    pub(super) fn reason(&self) -> String {
        let Moved { to, times, since, last } = self;
        format!(
            "The page has moved for good: {times} times from {} to {} its server said that it is at {to} now, and there it \
             was.",
            date(*since),
            date(*last)
        )
    }
}

fn date(time: Time) -> String {
    time.timestamp().strftime("%Y-%m-%d").to_string()
}

/// What is known of a link after one more look.
pub(super) fn noted(
    known: Option<Link>,
    resource_id: ResourceId,
    url: &str,
    sight: &LinkSight,
    now: Time,
) -> Link {
    let fresh = Link {
        resource_id,
        url: url.to_owned(),
        checked_at: now,
        seen: String::new(),
        gone_times: 0,
        gone_since: None,
        gone_last: None,
        moved_to: None,
        moved_times: 0,
        moved_since: None,
        told_gone: false,
        told_moved_to: None,
    };
    // Another address is another story.
    let known = known.filter(|known| known.url == url).unwrap_or(fresh);
    let link = Link { checked_at: now, ..known };
    match sight {
        LinkSight::Unclear(seen) => Link { seen: seen.clone(), ..link },
        LinkSight::Gone(seen) => Link {
            seen: seen.clone(),
            gone_times: link.gone_times + 1,
            gone_since: link.gone_since.or(Some(now)),
            gone_last: Some(now),
            moved_to: None,
            moved_times: 0,
            moved_since: None,
            ..link
        },
        LinkSight::Alive { moved_to } => {
            let is_same = moved_to.is_some() && link.moved_to == *moved_to;
            Link {
                seen: moved_to.as_ref().map_or_else(|| "there".to_owned(), |to| format!("moved to {to}")),
                gone_times: 0,
                gone_since: None,
                gone_last: None,
                told_gone: false,
                moved_times: if is_same { link.moved_times + 1 } else { i64::from(moved_to.is_some()) },
                moved_since: if is_same { link.moved_since } else { moved_to.as_ref().map(|_| now) },
                moved_to: moved_to.clone(),
                ..link
            }
        }
    }
}

/// What there is to say that was not said yet.
pub(super) fn finding(link: &Link) -> Option<Finding> {
    if let (Some(since), Some(last)) = (link.gone_since, link.gone_last)
        && link.gone_times >= TIMES
        && last.since(since) >= SPAN
        && !link.told_gone
    {
        return Some(Finding::Gone(Gone { times: link.gone_times, since, last, seen: link.seen.clone() }));
    }
    if let (Some(to), Some(since)) = (&link.moved_to, link.moved_since)
        && link.moved_times >= TIMES
        && link.checked_at.since(since) >= SPAN
        && link.told_moved_to.as_ref() != Some(to)
        && (!is_front_page(to) || is_front_page(&link.url))
    {
        let (to, times, last) = (to.clone(), link.moved_times, link.checked_at);
        return Some(Finding::Moved(Moved { to, times, since, last }));
    }
    None
}

/// Whether an address is a site's front page. A page that leads there is not moved but gone without a word.
fn is_front_page(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').map_or("", |at| &rest[at + 1..]);
    path.split('#').next().unwrap_or_default().is_empty()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const URL: &str = "https://example.org/a";

    fn gone() -> LinkSight {
        LinkSight::Gone("404 Not Found".to_owned())
    }

    fn alive() -> LinkSight {
        LinkSight::Alive { moved_to: None }
    }

    fn moved(to: &str) -> LinkSight {
        LinkSight::Alive { moved_to: Some(to.to_owned()) }
    }

    fn unclear() -> LinkSight {
        LinkSight::Unclear("status 503".to_owned())
    }

    /// Looks on each of these days.
    fn after(looks: &[(u64, LinkSight)]) -> Link {
        let day = |day: u64| Time::EPOCH.after(Duration::from_secs(day * 86_400));
        let look = |link, (on, sight): &(u64, LinkSight)| {
            Some(noted(link, uuid::Uuid::nil().into(), URL, sight, day(*on)))
        };
        looks.iter().fold(None, look).expect("there was a look")
    }

    fn is_dead(looks: &[(u64, LinkSight)]) -> bool {
        matches!(finding(&after(looks)), Some(Finding::Gone(_)))
    }

    #[test]
    fn a_link_is_dead_after_three_failures_over_seven_days() {
        assert!(!is_dead(&[(0, gone()), (7, gone())]), "two are too few");
        assert!(!is_dead(&[(0, gone()), (1, gone()), (2, gone()), (6, gone())]), "six days are too short");
        assert!(is_dead(&[(0, gone()), (1, gone()), (7, gone())]));
    }

    #[test]
    fn being_there_takes_it_all_back_and_being_unclear_takes_and_adds_nothing() {
        assert!(!is_dead(&[(0, gone()), (3, gone()), (5, alive()), (8, gone()), (9, gone())]));
        assert!(is_dead(&[(0, gone()), (3, unclear()), (4, gone()), (5, unclear()), (8, gone())]));
        assert!(!is_dead(&[(0, gone()), (1, unclear()), (8, unclear()), (9, gone())]), "two are too few");
    }

    #[test]
    fn a_finding_is_told_once_until_the_link_was_alive_again() {
        let told = Link { told_gone: true, ..after(&[(0, gone()), (3, gone()), (8, gone())]) };
        assert_eq!(finding(&told), None);
        let day = |day: u64| Time::EPOCH.after(Duration::from_secs(day * 86_400));
        let again = noted(Some(told), uuid::Uuid::nil().into(), URL, &gone(), day(20));
        assert_eq!(finding(&again), None);
        let alive = noted(Some(again), uuid::Uuid::nil().into(), URL, &alive(), day(21));
        assert!(!alive.told_gone);
    }

    #[test]
    fn a_page_has_moved_when_it_was_seen_at_the_same_place_each_time() {
        let there = "https://example.org/b";
        let looks = |second: &str| after(&[(0, moved(there)), (4, moved(second)), (7, moved(there))]);
        let found = finding(&looks(there));
        assert!(matches!(&found, Some(Finding::Moved(moved)) if moved.to == there), "{found:?}");
        assert_eq!(finding(&looks("https://example.org/c")), None);
        assert_eq!(finding(&Link { told_moved_to: Some(there.to_owned()), ..looks(there) }), None);
        let home = "https://example.org/";
        assert_eq!(finding(&after(&[(0, moved(home)), (4, moved(home)), (7, moved(home))])), None);
    }

    #[test]
    fn front_pages_are_known() {
        for url in ["https://a.example", "https://a.example/", "http://a.example:80/#top"] {
            assert!(is_front_page(url), "{url}");
        }
        for url in ["https://a.example/b", "https://a.example/?b=c", "https://a.example//"] {
            assert!(!is_front_page(url), "{url}");
        }
    }

    #[test]
    fn another_address_is_another_story() {
        let known = after(&[(0, gone()), (3, gone())]);
        let now = Time::EPOCH.after(Duration::from_secs(8 * 86_400));
        let link = noted(Some(known), uuid::Uuid::nil().into(), "https://example.org/new", &gone(), now);
        assert_eq!((link.gone_times, link.gone_since), (1, Some(now)));
    }

    #[test]
    fn what_is_said_names_what_was_seen_and_when() {
        let Some(Finding::Gone(gone)) = finding(&after(&[(0, gone()), (3, gone()), (8, gone())])) else {
            panic!("it is dead")
        };
        assert_eq!(gone.evidence(), "404 Not Found, seen 3 times from 1970-01-01 to 1970-01-09");
        assert!(gone.reason().contains("3 times from 1970-01-01 to 1970-01-09"), "{}", gone.reason());
    }

    proptest! {
        #[test]
        fn what_is_unclear_never_makes_or_saves_a_dead_link(looks in prop::collection::vec((1_u64..4, 0_u8..3), 1..20)) {
            let mut day = 0;
            let looks: Vec<_> = looks.into_iter().map(|(days, what)| {
                day += days;
                (day, match what { 0 => gone(), 1 => unclear(), _ => alive() })
            }).collect();
            let clear: Vec<_> = looks.iter().filter(|(_, sight)| *sight != unclear()).cloned().collect();
            let dead = !clear.is_empty() && is_dead(&clear);
            prop_assert_eq!(is_dead(&looks), dead);
        }
    }
}
