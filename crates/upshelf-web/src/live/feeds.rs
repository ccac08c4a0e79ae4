//! What feeds the channels: the bus, and the database where the bus may have been silent.

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::SetOnce;
use tokio::time::{MissedTickBehavior, interval};
use upshelf_catalog::{Listener, News, Result, Topic, VOTES_CHANNEL, changes_channel, notices_channel};
use upshelf_live::{Kind, Live};
use upshelf_store::{MemberId, ResourceId};

use super::house::{SiteHouse, item, written};

/// How often the database is read while other processes are not heard.
const BEHIND: Duration = Duration::from_millis(400);

/// After how many of those it is read anyway: what a process could not publish for some other reason is seen then.
const ANYWAY: u32 = 25;

/// Listens from the first time on that somebody wants to hear: a process that nobody watches hears nothing.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    is_wanted: SetOnce<()>,
    listens: SetOnce<()>,
}

impl Feed {
    /// Waits until this process listens.
    pub(super) async fn attend(&self) {
        let _ = self.is_wanted.set(());
        self.listens.wait().await;
    }
}

/// The kinds of news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kinds {
    Votes,
    Notices,
    Changes,
}

pub(super) const ALL: [Kinds; 3] = [Kinds::Votes, Kinds::Notices, Kinds::Changes];

impl Kinds {
    fn feed(self, house: &SiteHouse) -> &Feed {
        match self {
            Kinds::Votes => &house.votes,
            Kinds::Notices => &house.notices,
            Kinds::Changes => &house.changes,
        }
    }

    async fn listen(self, house: &SiteHouse) -> Listener {
        match self {
            Kinds::Votes => house.catalog().hear_votes().await,
            Kinds::Notices => house.catalog().hear_notices().await,
            Kinds::Changes => house.catalog().hear_changes().await,
        }
    }
}

/// Hands on what is heard of one kind.
pub(super) async fn follow(kind: Kinds, live: Live<SiteHouse>) {
    let feed = kind.feed(live.house());
    feed.is_wanted.wait().await;
    let mut listener = kind.listen(live.house()).await;
    let _ = feed.listens.set(());
    while let Some(news) = listener.next().await {
        match news {
            News::Standing(news) => live.put(VOTES_CHANNEL, [item(&news)]),
            News::Notice { member, seq, json } => live.publish(&notices_channel(member), seq, &json),
            News::Change(news) => {
                let channel = changes_channel(news.resource_id);
                if live.has(&channel) && live.house().is_new(&news) {
                    live.announce(&channel, written(&news));
                }
            }
            News::Missed => look_or_say_so(&live, kind).await,
        }
    }
}

/// Reads from the database what is watched here, for as long as other processes are not heard, and now and then.
pub(super) async fn keep_up(live: Live<SiteHouse>) {
    let mut every = interval(BEHIND);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut rounds = 0;
    loop {
        every.tick().await;
        rounds += 1;
        if live.house().catalog().may_miss_news() || rounds % ANYWAY == 0 {
            for kind in ALL {
                look_or_say_so(&live, kind).await;
            }
        }
    }
}

async fn look_or_say_so(live: &Live<SiteHouse>, kind: Kinds) {
    if let Err(error) = look(live, kind).await {
        // The next look finds it.
        tracing::debug!(error = &error as &dyn std::error::Error, ?kind, "could not look for news");
    }
}

async fn look(live: &Live<SiteHouse>, kind: Kinds) -> Result<()> {
    let house = live.house();
    match kind {
        Kinds::Votes => {
            if live.has(VOTES_CHANNEL) {
                live.replace(VOTES_CHANNEL, house.catalog().standings().await?.iter().map(item).collect());
            }
        }
        Kinds::Notices => {
            let members: Vec<MemberId> =
                live.channels(Kind::Stream).iter().filter_map(|name| member(name)).collect();
            for (member, seq) in house.catalog().inbox_seqs(&members).await? {
                live.look(&notices_channel(member), Some(seq));
            }
        }
        Kinds::Changes => {
            let watched: HashSet<ResourceId> =
                live.channels(Kind::Brief).iter().filter_map(|name| resource(name)).collect();
            let told = house.told(|resource| watched.contains(&resource));
            for news in house.catalog().changes_since(&told).await? {
                if house.is_new(&news) {
                    live.announce(&changes_channel(news.resource_id), written(&news));
                }
            }
        }
    }
    Ok(())
}

fn member(channel: &str) -> Option<MemberId> {
    match Topic::find(channel)? {
        Topic::Notices(member) => Some(member),
        Topic::Votes | Topic::Changes(_) => None,
    }
}

fn resource(channel: &str) -> Option<ResourceId> {
    match Topic::find(channel)? {
        Topic::Changes(resource) => Some(resource),
        Topic::Votes | Topic::Notices(_) => None,
    }
}
