//! What happens, as it is told to those who watch: heard on the bus, and read from the database where the bus may have
//! been silent.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use upshelf_bus::{Event, Subscription};
use upshelf_store::{
    Action, Inbox, MemberId, Notice, ResourceId, ResourceStatus, Standing, SuggestionId, SuggestionKind, Tx,
};

use crate::notices::notice_view;
use crate::views::NoticeView;
use crate::{Catalog, Result};

/// The channel on which standings are published.
pub const VOTES_CHANNEL: &str = "suggestions:votes";

/// The channel on which processes tell each other whose API keys may have ended; no client watches it.
pub(crate) const KEYS_CHANNEL: &str = "upshelf:keys";

/// What stands before a member in the name of the channel of their notices.
const NOTICES: &str = "notifications:";

/// What stands before a resource in the name of the channel of its changes.
const CHANGES: &str = "resource:updates:";

/// More open suggestions than anybody looks at; those with the highest scores are told of.
const MOST_STANDINGS: u32 = 10_000;

/// The channel on which a member's notices are published.
pub fn notices_channel(member: MemberId) -> String {
    format!("{NOTICES}{member}")
}

/// The channel on which a resource's changes are published.
pub fn changes_channel(resource: ResourceId) -> String {
    format!("{CHANGES}{resource}")
}

/// What a channel is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// The standings of all suggestions that are open.
    Votes,
    /// A member's notices.
    Notices(MemberId),
    /// A resource's changes.
    Changes(ResourceId),
}

impl Topic {
    /// Finds what the channel of this name is about.
    pub fn find(channel: &str) -> Option<Topic> {
        if channel == VOTES_CHANNEL {
            return Some(Topic::Votes);
        }
        let notices =
            channel.strip_prefix(NOTICES).and_then(|id| plain(id).map(|id| Topic::Notices(id.into())));
        let changes =
            || channel.strip_prefix(CHANGES).and_then(|id| plain(id).map(|id| Topic::Changes(id.into())));
        notices.or_else(changes)
    }
}

/// An id as we write it: one channel has one name.
fn plain(text: &str) -> Option<uuid::Uuid> {
    text.parse::<uuid::Uuid>().ok().filter(|id| id.to_string() == text)
}

/// What `suggestions:votes` tells everybody who listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingNews {
    /// Of which suggestion.
    pub suggestion_id: SuggestionId,
    /// Votes in favour.
    pub up: i64,
    /// Votes against.
    pub down: i64,
    /// `up` − `down`.
    pub score: i64,
    /// Grows by one with every change of the standing.
    pub version: i64,
}

impl StandingNews {
    /// Tells how a suggestion stands.
    pub fn of(suggestion_id: SuggestionId, standing: Standing) -> StandingNews {
        let Standing { up, down, score, version } = standing;
        StandingNews { suggestion_id, up, down, score, version }
    }
}

/// What `notifications:{memberId}` tells the member.
#[derive(Serialize)]
pub(crate) struct NoticeNews<'a> {
    pub(crate) seq: i64,
    pub(crate) unread: i64,
    pub(crate) notice: Option<&'a NoticeView>,
}

impl NoticeNews<'_> {
    pub(crate) fn json(&self) -> Bytes {
        serde_json::to_vec(self).expect("a notice is plain JSON").into()
    }
}

/// Writes what a member is told whose notices are fewer unread: it looks like a notice, and has none.
pub fn count_news(Inbox { seq, unread }: Inbox) -> Bytes {
    NoticeNews { seq, unread, notice: None }.json()
}

/// What the same channel tells the site's processes when a member has read notices.
#[derive(Serialize)]
pub(crate) struct ReadNews {
    pub(crate) read_up_to: i64,
    pub(crate) unread: i64,
}

/// What the site's processes tell each other of API keys.
#[derive(Serialize, Deserialize)]
pub(crate) struct KeysNews {
    pub(crate) member_id: MemberId,
}

/// What happened to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It came onto the shelf.
    Created,
    /// Its words or its address changed.
    Edited,
    /// Its place changed.
    Moved,
    /// It was taken off the shelf.
    Removed,
    /// It was put back to an earlier version.
    Reverted,
}

impl From<SuggestionKind> for Change {
    fn from(kind: SuggestionKind) -> Change {
        match kind {
            SuggestionKind::Add => Change::Created,
            SuggestionKind::Edit => Change::Edited,
            SuggestionKind::Move => Change::Moved,
            SuggestionKind::Remove => Change::Removed,
        }
    }
}

/// What `resource:updates:{resourceId}` tells everybody who listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeNews {
    /// Which resource.
    pub resource_id: ResourceId,
    /// What happened.
    pub change: Change,
    /// The resource's version after it.
    pub version: i64,
}

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
    fn a_channel_has_one_name() {
        let id = uuid::Uuid::from_u128(7);
        assert_eq!(Topic::find(VOTES_CHANNEL), Some(Topic::Votes));
        assert_eq!(Topic::find(&notices_channel(id.into())), Some(Topic::Notices(id.into())));
        assert_eq!(Topic::find(&changes_channel(id.into())), Some(Topic::Changes(id.into())));
        for odd in ["", "suggestions", "notifications:", "notifications:7", "resource:updates:x"] {
            assert_eq!(Topic::find(odd), None, "{odd}");
        }
        assert_eq!(Topic::find(&format!("notifications:{}", id.simple())), None);
        assert_eq!(Topic::find(KEYS_CHANNEL), None, "it is nobody's to watch");
    }

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
