//! Live channels: who may watch what, and what is told in them.

mod counts;
mod door;
mod feeds;
mod house;

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use upshelf_catalog::Catalog;
use upshelf_live::Live;
use uuid::Uuid;

pub(crate) use door::{described, router};
pub(crate) use house::SiteHouse;

use crate::settings::Settings;
use crate::web::Parts;

/// How often those who stay connected are asked about while ends of sessions and keys are not heard of.
const REVIEW: Duration = Duration::from_secs(4);

/// Opens the live channels; what feeds them ends when the program closes.
pub(crate) fn open(parts: &Parts, settings: &Settings) -> Live<SiteHouse> {
    let (tracker, closing) = (parts.tracker.clone(), parts.closing.clone());
    let node = parts.catalog.clock().id::<Uuid>().simple().to_string();
    let house = SiteHouse::new(parts.catalog.clone(), parts.sessions.clone());
    let live = Live::open(house, settings.live.clone(), node, tracker.clone(), closing.clone());
    for feed in feeds::ALL {
        tracker.spawn(closing.clone().run_until_cancelled_owned(feeds::follow(feed, live.clone())));
    }
    tracker.spawn(closing.clone().run_until_cancelled_owned(feeds::keep_up(live.clone())));
    tracker.spawn(closing.clone().run_until_cancelled_owned(send_away(live.clone())));
    live
}

/// Says whether the live channels may be behind, because other processes are not heard.
pub(crate) fn is_degraded(catalog: &Catalog) -> bool {
    catalog.bus().is_degraded()
}

/// Closes the connections of those whose sessions have ended, and while nothing is heard of that, whose keys have.
async fn send_away(live: Live<SiteHouse>) {
    let mut ends = live.house().sessions().ends();
    let mut every = interval(REVIEW);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            suspects = ends.next() => {
                let Some(suspects) = suspects else { return };
                live.review(|visitor| visitor.session_id().is_some_and(|id| suspects.includes(id))).await;
            }
            _ = every.tick() => {
                let house = live.house();
                if house.sessions().is_degraded() || house.catalog().may_miss_news() {
                    live.review(|visitor| visitor.is_member()).await;
                }
            }
        }
    }
}
