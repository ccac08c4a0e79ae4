use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use upshelf_catalog::{Catalog, ChangeNews, StandingNews, Topic};
use upshelf_live::{Code, House, Item, Kind, Opening, Past, Publication, Turned, Welcome};
use upshelf_session::{self as session, Identity, Sessions};
use upshelf_store::{self as store, ApiKeyId, MemberId, ResourceId, Role, Store, SuggestionId};
use uuid::Uuid;

use super::counts::Counts;
use super::feeds::Feed;
use crate::extract::Proof;

/// The most suggestions that a subscription can be limited to: more than a page shows.
pub(crate) const MOST_SHOWN: usize = 200;

/// What stands behind the live channels of a site.
pub(crate) struct SiteHouse {
    catalog: Catalog,
    sessions: Arc<Sessions<Store>>,
    pub(super) votes: Feed,
    pub(super) notices: Feed,
    pub(super) changes: Feed,
    pub(super) keys: Feed,
    pub(super) counts: Counts,
    /// Of each resource that is watched, the version that was told of last.
    versions: Mutex<HashMap<ResourceId, i64>>,
}

/// Somebody who is connected.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Visitor {
    member: Option<MemberId>,
    pass: Pass,
}

/// What lets somebody in.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Pass {
    /// Nothing: it is nobody in particular.
    #[default]
    None,
    /// A session.
    Session(Identity),
    /// An API key, and what its member was then.
    Key(ApiKeyId, Role),
}

impl Pass {
    pub(super) fn of(member: &store::Member, proof: &Proof) -> Pass {
        match proof {
            Proof::Session(identity) => Pass::Session(*identity),
            Proof::Key(id, _) => Pass::Key(*id, member.role),
        }
    }
}

impl Visitor {
    pub(crate) fn session_id(&self) -> Option<Uuid> {
        match self.pass {
            Pass::Session(identity) => Some(identity.session_id),
            Pass::None | Pass::Key(..) => None,
        }
    }

    /// Whose key it is that let them in.
    pub(super) fn key_of(&self) -> Option<MemberId> {
        self.member.filter(|_| matches!(self.pass, Pass::Key(..)))
    }

    pub(crate) fn is_member(&self) -> bool {
        self.member.is_some()
    }
}

impl SiteHouse {
    pub(crate) fn new(catalog: Catalog, sessions: Arc<Sessions<Store>>) -> SiteHouse {
        SiteHouse {
            catalog,
            sessions,
            votes: Feed::default(),
            notices: Feed::default(),
            changes: Feed::default(),
            keys: Feed::default(),
            counts: Counts::default(),
            versions: Mutex::default(),
        }
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    pub(crate) fn sessions(&self) -> &Sessions<Store> {
        &self.sessions
    }

    /// Lets a member in, who has a session or a key.
    pub(crate) fn welcome(&self, member: MemberId, pass: Pass) -> Welcome<Visitor> {
        let now = self.catalog.clock().now().timestamp();
        let expires_in = match pass {
            Pass::Session(identity) => {
                Some(Duration::try_from(identity.expires_at.duration_since(now)).unwrap_or_default())
            }
            Pass::None | Pass::Key(..) => None,
        };
        Welcome {
            visitor: Visitor { member: Some(member), pass },
            expires_in,
            may_renew: false,
            channels: vec![upshelf_catalog::notices_channel(member)],
        }
    }

    /// Lets somebody in whom nobody knows.
    pub(crate) fn welcome_anybody(&self) -> Welcome<Visitor> {
        Welcome { visitor: Visitor::default(), expires_in: None, may_renew: false, channels: Vec::new() }
    }

    fn versions(&self) -> MutexGuard<'_, HashMap<ResourceId, i64>> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says whether a change has not been told of yet, and notes that it is now.
    pub(super) fn is_new(&self, news: &ChangeNews) -> bool {
        let mut versions = self.versions();
        let known = versions.insert(news.resource_id, news.version);
        if known.is_some_and(|known| known > news.version) {
            versions.extend(known.map(|known| (news.resource_id, known)));
        }
        known.is_none_or(|known| known < news.version)
    }

    /// Lists the versions that were told of last, of those resources that are watched still.
    pub(super) fn told(&self, is_watched: impl Fn(ResourceId) -> bool) -> Vec<(ResourceId, i64)> {
        let mut versions = self.versions();
        versions.retain(|resource, _| is_watched(*resource));
        versions.iter().map(|(resource, version)| (*resource, *version)).collect()
    }

    async fn find_out(&self, token: &str) -> Result<Identity, Turned> {
        let now = self.catalog.clock().now().timestamp();
        let identity = self.sessions.check(token, now).await.map_err(|error| match error {
            session::Error::Expired => Turned::Expired,
            session::Error::Invalid | session::Error::Revoked | session::Error::Reused { .. } => {
                Turned::Invalid
            }
            error @ (session::Error::Vault(_) | session::Error::Keys(_)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "could not check who connects");
                Turned::Failed
            }
        })?;
        match self.catalog.find_member(MemberId(identity.member_id)).await {
            Ok(Some(member)) if member.banned_at.is_none() => Ok(identity),
            Ok(_) => Err(Turned::Invalid),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "could not look up who connects");
                Err(Turned::Failed)
            }
        }
    }
}

/// What a subscription to the votes may say.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct VotesWish {
    filter: Option<Vec<SuggestionId>>,
}

impl House for SiteHouse {
    type Visitor = Visitor;

    async fn admit(&self, token: &str) -> Result<Welcome<Visitor>, Turned> {
        let identity = self.find_out(token).await?;
        Ok(Welcome { may_renew: true, ..self.welcome(MemberId(identity.member_id), Pass::Session(identity)) })
    }

    async fn renew(&self, visitor: &Visitor, token: &str) -> Result<Welcome<Visitor>, Turned> {
        let welcome = self.admit(token).await?;
        match visitor.member == welcome.visitor.member {
            true => Ok(welcome),
            false => Err(Turned::Invalid),
        }
    }

    async fn may_stay(&self, visitor: &Visitor) -> bool {
        // While it cannot be found out, nobody is sent away who was let in.
        match visitor.pass {
            Pass::None => true,
            Pass::Session(identity) => {
                let now = self.catalog.clock().now().timestamp();
                self.sessions.is_open(&identity, now).await.unwrap_or(true)
            }
            Pass::Key(id, role) => {
                self.keys.attend().await;
                self.catalog.does_api_key_hold(id, role).await.unwrap_or(true)
            }
        }
    }

    async fn open(&self, visitor: &Visitor, channel: &str, data: &Value) -> Result<Opening, Code> {
        match Topic::find(channel) {
            None => Err(Code::UnknownChannel),
            Some(Topic::Votes) => {
                let VotesWish { filter } =
                    Option::deserialize(data).map_err(|_| Code::BadRequest)?.unwrap_or_default();
                if filter.as_ref().is_some_and(|ids| ids.len() > MOST_SHOWN) {
                    return Err(Code::LimitExceeded);
                }
                self.votes.attend().await;
                let filter = filter.map(|ids| ids.iter().map(ToString::to_string).collect());
                Ok(Opening { kind: Kind::Latest, filter })
            }
            Some(Topic::Notices(member)) if visitor.member == Some(member) => {
                self.notices.attend().await;
                Ok(Opening { kind: Kind::Stream, filter: None })
            }
            Some(Topic::Notices(_)) => Err(Code::PermissionDenied),
            Some(Topic::Changes(resource)) => {
                self.changes.attend().await;
                // After a restart many come to one resource at once; it is looked up for the first of them.
                let is_known = self.versions().contains_key(&resource);
                if !is_known {
                    let version = self.catalog.find_resource_version(resource).await.map_err(failed)?;
                    let version = version.ok_or(Code::UnknownChannel)?;
                    self.versions().entry(resource).or_insert(version);
                }
                Ok(Opening { kind: Kind::Brief, filter: None })
            }
        }
    }

    async fn past(&self, channel: &str, since: Option<u64>, limit: usize) -> Result<Past, Code> {
        let Some(Topic::Notices(member)) = Topic::find(channel) else { return Err(Code::NotAvailable) };
        let inbox = self.catalog.inbox_news(member, since, limit).await.map_err(failed)?;
        self.counts.began(member, inbox.unread);
        let told = inbox.told.into_iter().map(|(offset, data)| Publication { offset, data });
        Ok(Past { epoch: inbox.life, top: inbox.seq, publications: told.collect() })
    }

    async fn latest(&self, _: &str) -> Result<Vec<Item>, Code> {
        let standings = self.catalog.standings().await.map_err(failed)?;
        Ok(standings.iter().map(item).collect())
    }
}

/// A standing as a value of the channel of votes.
pub(super) fn item(news: &StandingNews) -> Item {
    Item {
        key: news.suggestion_id.to_string().into(),
        version: news.version.cast_unsigned(),
        json: written(news),
    }
}

pub(super) fn written(news: &impl serde::Serialize) -> Bytes {
    serde_json::to_vec(news).expect("news are plain JSON").into()
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn failed(error: upshelf_catalog::Error) -> Code {
    tracing::warn!(error = &error as &dyn std::error::Error, "could not read what a channel tells");
    Code::Internal
}
