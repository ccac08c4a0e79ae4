//! The source of truth: SQLite or PostgreSQL behind one type.
//!
//! [`Store::open`] opens the database and brings its tables up to date; [`Store::read`] and [`Store::write`] begin a
//! [`Tx`], and every query is one of its methods, so that callers compose as many as one transaction needs. The SQL is
//! one text for both engines; where the dialects truly differ, both versions stand side by side in that function.
//! Nothing else in Upshelf knows SQL, except River's own tables inside the queue.
//!
//! Times are [`Time`] (microseconds), ids are UUID v7 made by a [`Clock`]. Votes do not go through a [`Tx`] of the
//! caller: they join a shared commit, see [`Ballots`].
//!
//! ```
//! # tokio::runtime::Runtime::new().expect("a runtime starts").block_on(async {
//! use upshelf_store::{Clock, MemberId, NewMember, Role, Store};
//!
//! let folder = tempfile::tempdir()?;
//! let store = Store::open(&Store::sqlite_url(&folder.path().join("upshelf.db"))).await?;
//! let clock = Clock::system();
//! let ada = NewMember {
//!     id: clock.id(),
//!     username: "Ada".into(),
//!     username_key: "ada".into(),
//!     email: "ada@example.org".into(),
//!     email_key: "ada@example.org".into(),
//!     role: Role::Member,
//!     password_hash: "$argon2id$…".into(),
//!     joined_at: clock.now(),
//! };
//! let mut tx = store.write().await?;
//! tx.add_member(&ada).await?;
//! tx.commit().await?;
//! assert_eq!(store.read().await?.find_member(ada.id).await?.expect("she is there").username, "Ada");
//! # anyhow::Ok(())
//! # }).expect("it is a library");
//! ```

mod analytics;
mod api_keys;
mod backup;
mod ballots;
mod categories;
mod clock;
mod collection_items;
mod collections;
mod comments;
mod database;
mod doctor;
mod error;
mod fold;
mod idempotency;
mod life;
mod links;
mod lists;
mod log;
mod mails;
mod members;
mod near;
mod notice_positions;
mod notice_preferences;
mod notices;
mod page;
mod placements;
mod profiles;
mod ranking;
mod resources;
mod search;
mod search_texts;
mod sessions;
mod settings;
mod suggestions;
mod told_votes;
mod types;
mod votes;
mod watches;

pub use analytics::{Counts, DayCounts, ResourceCounts};
pub use api_keys::{ApiKey, NewApiKey, Scope};
pub use ballots::{Ballots, Cast, Count, Outcome, Touched};
pub use categories::{Category, CountedCategory};
pub use clock::{Clock, Time};
pub use collection_items::CollectionItem;
pub use collections::{Collection, CollectionChange, CollectionFilter, NewCollection, Owner};
pub use comments::{Comment, NewComment};
pub use database::{Pools, Store, Tx};
pub use doctor::Finding;
pub use error::{Error, Result, Unique};
pub use fold::fold;
pub use idempotency::{Claim, Reply};
pub use links::Link;
pub use lists::{Documents, List};
pub use log::{Action, Actor, Document, LogEntry, LogFilter, NewLogEntry, ResourceVersion};
pub use mails::{Mail, NewMail};
pub use members::{Member, NewMember, Role};
pub use notice_positions::Inbox;
pub use notice_preferences::{EmailWish, NoticePreference};
pub use notices::{Delivery, NewNotice, Notice};
pub use page::{Page, PageRequest};
pub use placements::{Placement, Tag};
pub use profiles::Contributions;
pub use resources::{
    ChangedResource, NewResource, Resource, ResourceFilter, ResourceSort, ResourceState, ResourceStatus,
};
pub use search::Vocabulary;
pub use suggestions::{
    Changes, Decision, Standing, Suggestion, SuggestionFilter, SuggestionKind, SuggestionSort,
    SuggestionStatus,
};
pub use types::{
    ApiKeyId, CategoryId, CollectionId, CommentId, Json, ListId, LogId, MailId, MemberId, ResourceId,
    SuggestionId,
};
pub use votes::Side;
pub use watches::{Watch, WatchKind, WatchLevel};
