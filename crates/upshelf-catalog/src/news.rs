//! What happens, as it is told to those who watch: heard on the bus, and read from the database where the bus may have
//! been silent.

mod channel;
mod payload;

use bytes::Bytes;
use upshelf_bus::{Event, Subscription};
use upshelf_store::{Action, Inbox, MemberId, Notice, ResourceId, ResourceStatus, Tx};

pub(crate) use self::channel::KEYS_CHANNEL;
use self::channel::{CHANGES, NOTICES};
pub use self::channel::{Topic, VOTES_CHANNEL, changes_channel, notices_channel};
pub use self::payload::{Change, ChangeNews, StandingNews, count_news};
pub(crate) use self::payload::{KeysNews, NoticeNews, ReadNews};
use crate::notices::notice_view;
use crate::{Catalog, Result};

/// More open suggestions than anybody looks at; those with the highest scores are told of.
const MOST_STANDINGS: u32 = 10_000;

/// Something that was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A suggestion stands anew.
    Standing(StandingNews),
    /// A member has a new notice.
    Notice {
        /// Whose.
        member: MemberId,
        /// Its number.
        seq: u64,
        /// How many were unread when it came.
        unread: i64,
        /// What is told.
        json: Bytes,
    },
    /// A member has read notices.
    Read(MemberId),
    /// A member's API keys may sign in no longer, or for less.
    Keys(MemberId),
    /// A resource changed.
    Change(ChangeNews),
    /// Something may have been missed: the database knows it.
    Missed,
}

/// Hears what all processes tell; what makes no sense is left out.
pub struct Listener(Subscription);

impl Listener {
    /// Waits for the next news; `None` once the bus is gone.
    pub async fn next(&mut self) -> Option<News> {
        loop {
            let (channel, payload) = match self.0.recv().await? {
                Event::Resync => return Some(News::Missed),
                Event::Message { channel, payload } => (channel, payload),
            };
            if let Some(news) = read(&channel, &payload) {
                return Some(news);
            }
            tracing::debug!(%channel, "an odd message");
        }
    }
}

fn read(channel: &str, payload: &[u8]) -> Option<News> {
    if channel == KEYS_CHANNEL {
        return serde_json::from_slice(payload).ok().map(|KeysNews { member_id }| News::Keys(member_id));
    }
    match Topic::find(channel)? {
        Topic::Votes => serde_json::from_slice(payload).ok().map(News::Standing),
        Topic::Notices(member) => {
            // Written anew: who publishes on Redis may break lines, and lines are what clients are sent.
            let value: serde_json::Value = serde_json::from_slice(payload).ok()?;
            if value.get("read_up_to").is_some() {
                return Some(News::Read(member));
            }
            let seq = value.get("seq")?.as_u64()?;
            let unread = value.get("unread")?.as_i64()?;
            Some(News::Notice { member, seq, unread, json: value.to_string().into() })
        }
        Topic::Changes(resource) => {
            let news: ChangeNews = serde_json::from_slice(payload).ok()?;
            (news.resource_id == resource).then_some(News::Change(news))
        }
    }
}

/// An inbox behind a number.
#[derive(Clone, Debug, Default)]
pub struct InboxNews {
    /// Names this life of the library; numbers of another one mean nothing in it.
    pub life: String,
    /// The number of the last notice.
    pub seq: u64,
    /// How many are not read.
    pub unread: i64,
    /// What is told of each notice, by number; all with the present count of unread ones.
    pub told: Vec<(u64, Bytes)>,
}

impl Catalog {
    /// Hears of standings from now on.
    pub async fn hear_votes(&self) -> Listener {
        Listener(self.bus().subscribe(VOTES_CHANNEL).await)
    }

    /// Hears of everybody's notices from now on.
    pub async fn hear_notices(&self) -> Listener {
        Listener(self.bus().subscribe_pattern(&format!("{NOTICES}*")).await)
    }

    /// Hears of the changes of all resources from now on.
    pub async fn hear_changes(&self) -> Listener {
        Listener(self.bus().subscribe_pattern(&format!("{CHANGES}*")).await)
    }

    /// Hears of API keys that may have ended from now on.
    pub async fn hear_keys(&self) -> Listener {
        Listener(self.bus().subscribe(KEYS_CHANNEL).await)
    }

    /// Says whether other processes may do things that are not heard of here.
    pub fn may_miss_news(&self) -> bool {
        self.bus().is_degraded() || (!self.settings().alone && !self.is_shared())
    }

    /// Reads what a member's inbox tells behind number `since`, at most `limit` notices, and where it is.
    pub async fn inbox_news(&self, member: MemberId, since: Option<u64>, limit: usize) -> Result<InboxNews> {
        let mut tx = self.store().read().await?;
        let life = match tx.find_life().await? {
            Some(life) => life,
            None => {
                drop(tx);
                let life = self.begin_life().await?;
                tx = self.store().read().await?;
                life
            }
        };
        let Some(inbox) = tx.find_inbox(member).await? else { return Ok(InboxNews::default()) };
        let notices = match since {
            Some(since) => {
                let since = i64::try_from(since).unwrap_or(i64::MAX);
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                tx.list_notices_behind(member, since, limit).await?
            }
            None => Vec::new(),
        };
        // What came between the two reads is published, too.
        let notices = notices.into_iter().filter(|notice| notice.seq <= inbox.seq);
        let told = notices.map(|notice| told(notice, inbox.unread)).collect();
        Ok(InboxNews { life, seq: inbox.seq.cast_unsigned(), unread: inbox.unread, told })
    }

    async fn begin_life(&self) -> Result<String> {
        let mut tx = self.store().write().await?;
        tx.begin_life(&self.clock().id::<uuid::Uuid>().simple().to_string()).await?;
        let life = tx.find_life().await?.unwrap_or_default();
        tx.commit().await?;
        Ok(life)
    }

    /// Says where the inbox of each of these members is.
    pub async fn inboxes(&self, members: &[MemberId]) -> Result<Vec<(MemberId, Inbox)>> {
        Ok(self.store().read().await?.list_inboxes(members).await?)
    }

    /// Gives the standings of all suggestions that are open.
    pub async fn standings(&self) -> Result<Vec<StandingNews>> {
        let top = self.store().read().await?.list_top(MOST_STANDINGS).await?;
        Ok(top.into_iter().map(|(id, standing)| StandingNews::of(id, standing)).collect())
    }

    /// Gives a resource's version, if there is or was such a resource.
    pub async fn find_resource_version(&self, resource: ResourceId) -> Result<Option<i64>> {
        let found = self.store().read().await?.find_resource(resource).await?;
        Ok(found.map(|resource| resource.version))
    }

    /// Tells how those resources came to be as they are whose version is another one than the one known.
    pub async fn changes_since(&self, known: &[(ResourceId, i64)]) -> Result<Vec<ChangeNews>> {
        let mut news = Vec::new();
        let mut tx = self.store().read().await?;
        for chunk in known.chunks(1_000) {
            let ids: Vec<ResourceId> = chunk.iter().map(|(id, _)| *id).collect();
            for resource in tx.list_resources_of(&ids).await? {
                let is_known = chunk.contains(&(resource.id, resource.version));
                if !is_known {
                    let change = last_change(&mut tx, resource.id, resource.version).await?;
                    let change = change.unwrap_or(match resource.status {
                        ResourceStatus::Live => Change::Edited,
                        ResourceStatus::Removed => Change::Removed,
                    });
                    news.push(ChangeNews { resource_id: resource.id, change, version: resource.version });
                }
            }
        }
        Ok(news)
    }
}

/// Finds in the public log what made a resource's version.
async fn last_change(tx: &mut Tx, resource: ResourceId, version: i64) -> Result<Option<Change>> {
    let Some(log) = tx.find_version(resource, version).await?.and_then(|version| version.log_id) else {
        return Ok(None);
    };
    let Some(entry) = tx.list_log_of(&[log]).await?.pop() else { return Ok(None) };
    if entry.action == Action::Reverted {
        return Ok(Some(Change::Reverted));
    }
    let suggestion = match entry.suggestion_id {
        Some(id) => tx.find_suggestion(id).await?,
        None => None,
    };
    Ok(suggestion.map(|suggestion| suggestion.kind.into()))
}

/// What is told of a notice; one of a kind that this program does not know counts, and says nothing.
fn told(notice: Notice, unread: i64) -> (u64, Bytes) {
    let seq = notice.seq;
    let view = notice_view(notice);
    let news = NoticeNews { seq, unread, notice: view.as_ref() };
    (seq.cast_unsigned(), news.json())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_no_news() {
        let id = uuid::Uuid::from_u128(7);
        let notices = notices_channel(id.into());
        assert_eq!(read(&notices, b"{}"), None);
        assert_eq!(read(&notices, b"{\"seq\":-1,\"unread\":1}"), None);
        let json = "{\"seq\":3,\"unread\":1}".into();
        let read_again = News::Notice { member: id.into(), seq: 3, unread: 1, json };
        assert_eq!(read(&notices, b"{\n\"seq\": 3, \"unread\": 1}"), Some(read_again));
        let other =
            br#"{"resource_id":"00000000-0000-0000-0000-000000000001","change":"edited","version":2}"#;
        assert_eq!(read(&changes_channel(id.into()), other), None, "it names another resource");
    }
}
