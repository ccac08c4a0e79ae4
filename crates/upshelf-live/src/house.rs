use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use crate::Code;

/// What stands behind the connections: who may come in, what the channels are, what was said in them.
///
/// All of it is asked while a client waits for its reply, and never for a publication on its way.
pub trait House: Send + Sync + 'static {
    /// Somebody who has come in.
    type Visitor: Send + Sync + 'static;

    /// Finds out who brings a token.
    fn admit(&self, token: &str) -> impl Future<Output = Result<Welcome<Self::Visitor>, Turned>> + Send;

    /// Finds out who brings a new token to a connection that `visitor` has already; it must be the same person.
    fn renew(
        &self,
        visitor: &Self::Visitor,
        token: &str,
    ) -> impl Future<Output = Result<Welcome<Self::Visitor>, Turned>> + Send;

    /// Says whether somebody who came in before may stay: asked once they can be found, and whenever that is in doubt.
    fn may_stay(&self, visitor: &Self::Visitor) -> impl Future<Output = bool> + Send;

    /// Says whether somebody may watch a channel, and what kind it is. It is always the same kind for one name.
    ///
    /// Once this has returned, whoever feeds the channel has begun to listen: what happens from now on is either handed
    /// to [`Live`](crate::Live), or seen by a later [`past`](Self::past) or [`latest`](Self::latest).
    fn open(
        &self,
        visitor: &Self::Visitor,
        channel: &str,
        data: &Value,
    ) -> impl Future<Output = Result<Opening, Code>> + Send;

    /// Reads the position of a stream and what was published behind `since`: at most `limit`, the oldest first.
    fn past(
        &self,
        channel: &str,
        since: Option<u64>,
        limit: usize,
    ) -> impl Future<Output = Result<Past, Code>> + Send;

    /// Reads all values of a channel whose last value wins.
    fn latest(&self, channel: &str) -> impl Future<Output = Result<Vec<Item>, Code>> + Send;
}

/// Somebody who may come in.
#[derive(Clone, Debug)]
pub struct Welcome<V> {
    /// Who it is.
    pub visitor: V,
    /// After how long the sign-in runs out, if it does.
    pub expires_in: Option<Duration>,
    /// Whether the client can bring a new token before that; else it is closed and has to come back.
    pub may_renew: bool,
    /// What they watch without asking for it.
    pub channels: Vec<String>,
}

/// Somebody who may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// The token has run out; the client may bring another one.
    Expired,
    /// The token is not valid; the client need not come back with it.
    Invalid,
    /// It could not be found out.
    Failed,
}

/// A channel that somebody may watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// What kind it is.
    pub kind: Kind,
    /// The keys that are wanted of a channel whose last value wins; all without it.
    pub filter: Option<Vec<String>>,
}

/// The three kinds of channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Numbered without gap by the house, which keeps what was published.
    Stream,
    /// Values by key, of which the last one counts.
    Latest,
    /// Numbered by this process, which remembers the last ones for a while.
    Brief,
}

/// What a stream's keeper knows.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Names the numbering; another one begins when the house's memory is another one.
    pub epoch: String,
    /// The number of the last publication; 0 before the first.
    pub top: u64,
    /// What was asked for, in order.
    pub publications: Vec<Publication>,
}

/// Something published in a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Its number.
    pub offset: u64,
    /// One JSON value, without line breaks.
    pub data: Bytes,
}

/// A value of a channel whose last value wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What it is the value of.
    pub key: Arc<str>,
    /// Grows with each change; an older version never replaces a newer one.
    pub version: u64,
    /// One JSON value, without line breaks.
    pub json: Bytes,
}
