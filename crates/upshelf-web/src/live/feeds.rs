//! What feeds the channels: the bus, and the database where the bus may have been silent.

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::SetOnce;
use tokio::time::{MissedTickBehavior, interval};
use upshelf_catalog::{
    Listener, News, Result, Topic, VOTES_CHANNEL, changes_channel, count_news, notices_channel,
};
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
    /// Of API keys that may have ended.
    Keys,
}

pub(super) const ALL: [Kinds; 4] = [Kinds::Votes, Kinds::Notices, Kinds::Changes, Kinds::Keys];

impl Kinds {
    fn feed(self, house: &SiteHouse) -> &Feed {
        match self {
            Kinds::Votes => &house.votes,
            Kinds::Notices => &house.notices,
            Kinds::Changes => &house.changes,
            Kinds::Keys => &house.keys,
        }
    }

    async fn listen(self, house: &SiteHouse) -> Listener {
        match self {
            Kinds::Votes => house.catalog().hear_votes().await,
            Kinds::Notices => house.catalog().hear_notices().await,
            Kinds::Changes => house.catalog().hear_changes().await,
            Kinds::Keys => house.catalog().hear_keys().await,
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
            News::Notice { member, seq, unread, json } => {
                let channel = notices_channel(member);
                live.publish(&channel, seq, &json);
                if live.has(&channel) {
                    live.house().counts.told(member, unread);
                }
            }
            News::Read(member) => {
                if live.has(&notices_channel(member)) {
                    live.house().counts.doubt(member);
                    or_say_so(kind, look_at_inboxes(&live, &[member]).await);
                }
            }
            News::Keys(member) => live.review(|visitor| visitor.key_of() == Some(member)).await,
            News::Change(news) => {
                let channel = changes_channel(news.resource_id);
                if live.has(&channel) && live.house().is_new(&news) {
                    live.announce(&channel, written(&news));
                }
            }
            News::Missed => or_say_so(kind, look(&live, kind).await),
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
        let doubted = live.house().counts.doubted();
        if live.house().catalog().may_miss_news() || rounds % ANYWAY == 0 {
            for kind in [Kinds::Votes, Kinds::Notices, Kinds::Changes] {
                or_say_so(kind, look(&live, kind).await);
            }
        } else if !doubted.is_empty() {
            or_say_so(Kinds::Notices, look_at_inboxes(&live, &doubted).await);
        }
    }
}

fn or_say_so(kind: Kinds, looked: Result<()>) {
    if let Err(error) = looked {
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
            house.counts.keep(&members);
            look_at_inboxes(live, &members).await?;
        }
        Kinds::Keys => live.review(|visitor| visitor.key_of().is_some()).await,
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

/// Tells members of notices that were not heard of here, and of counts that are others than those that were told.
async fn look_at_inboxes(live: &Live<SiteHouse>, members: &[MemberId]) -> Result<()> {
    let house = live.house();
    for (member, inbox) in house.catalog().inboxes(members).await? {
        let channel = notices_channel(member);
        live.look(&channel, Some(inbox.seq.cast_unsigned()));
        if house.counts.told(member, inbox.unread) {
            live.mention(&channel, &count_news(inbox));
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
