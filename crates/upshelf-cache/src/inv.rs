//! What can be invalidated, and what is promised when it has been.

use std::future::Future;

use serde::{Deserialize, Serialize};

/// One thing to invalidate.
///
/// As JSON it is `{"key":"cache:profile:7"}`, `{"tag":"resource:7"}` and so on, and `"all"`: what a job may hold that makes
/// good for a program that ended between a change and its invalidation. Repeating one does no harm.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inv {
    /// The entry of this key.
    Key(Box<str>),
    /// Every entry that carries this tag.
    Tag(Box<str>),
    /// Every entry whose key this Redis pattern covers; the cost grows with the number of entries.
    Pattern(Box<str>),
    /// This tag, and whatever the [`Cascade`](crate::Cascade) says follows from it.
    Cascade(Box<str>),
    /// Everything.
    All,
}

impl Inv {
    /// Names the entry of a key.
    pub fn key(key: impl Into<Box<str>>) -> Self {
        Self::Key(key.into())
    }

    /// Names every entry that carries a tag.
    pub fn tag(tag: impl Into<Box<str>>) -> Self {
        Self::Tag(tag.into())
    }

    /// Names every entry whose key a Redis pattern covers.
    pub fn pattern(pattern: impl Into<Box<str>>) -> Self {
        Self::Pattern(pattern.into())
    }

    /// Names a tag and whatever follows from it.
    pub fn cascade(name: impl Into<Box<str>>) -> Self {
        Self::Cascade(name.into())
    }

    /// Names everything.
    pub fn all() -> Self {
        Self::All
    }
}

/// What an invalidation has done, cascades followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// Keys named, whether or not they were cached.
    pub keys: usize,
    /// Tags named.
    pub tags: usize,
    /// Patterns named.
    pub patterns: usize,
    /// Whether everything was dropped.
    pub all: bool,
    /// Whether Redis was not told, and this process remembers to tell it.
    pub(crate) is_remembered: bool,
    /// Under which number which process told the others.
    pub(crate) news: Option<(u64, u64)>,
}

impl Receipt {
    pub(crate) fn of(what: &[Inv]) -> Self {
        let count = |is: fn(&Inv) -> bool| what.iter().filter(|inv| is(inv)).count();
        Self {
            keys: count(|inv| matches!(inv, Inv::Key(_))),
            tags: count(|inv| matches!(inv, Inv::Tag(_) | Inv::Cascade(_))),
            patterns: count(|inv| matches!(inv, Inv::Pattern(_))),
            all: what.contains(&Inv::All),
            ..Self::default()
        }
    }

    /// Says whether it holds for all processes: Redis has acknowledged it, or there is no Redis to be told.
    ///
    /// Otherwise it holds in this process, which remembers it and tells Redis as soon as that is back. What must
    /// not depend on this process living until then is repeated later, by a job that was committed with the change.
    pub fn is_everywhere(&self) -> bool {
        !self.is_remembered
    }
}

/// What every level of the cache promises; one suite of tests holds the cache to it, whatever its levels.
pub trait Level: Send + Sync {
    /// Why this level could not do its work.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Makes everything named unreadable: a read of this level that begins after this has returned `Ok` sees no value
    /// that was loaded before it began, and no load that was under way will be kept.
    ///
    /// Cascades have been followed before; [`Inv::Cascade`] is taken for its own tag.
    fn invalidate(&self, what: &[Inv]) -> impl Future<Output = Result<Receipt, Self::Error>> + Send;
}
