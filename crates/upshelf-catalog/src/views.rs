//! What people and programs get to see: the JSON of the API.

use serde::{Deserialize, Serialize};
use upshelf_store::{
    Action, Actor, ApiKeyId, CategoryId, CollectionId, CommentId, ListId, LogId, MemberId, Owner, Page,
    ResourceId, ResourceState, ResourceStatus, Role, Scope, SuggestionId, SuggestionKind, Time,
};
use utoipa::ToSchema;

use crate::{NoticeKind, ResourceRef};

/// A member as others see them in passing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Person {
    /// Names the member.
    pub id: MemberId,
    /// The member's name.
    pub username: String,
}

impl From<Owner> for Person {
    fn from(owner: Owner) -> Person {
        Person { id: owner.id, username: owner.username }
    }
}

/// A category with what lies below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CategoryNode {
    /// Names the category.
    pub id: CategoryId,
    /// The list whose heading it is.
    pub list_id: ListId,
    /// Its word in URLs.
    pub slug: String,
    /// The heading's text.
    pub title: String,
    /// Its place in the list, counted over the whole tree from the top.
    pub position: i64,
    /// How many live resources are placed in it or further down, each counted once.
    pub resources: i64,
    /// The categories below it, in their order.
    #[schema(no_recursion)]
    pub children: Vec<CategoryNode>,
}

/// A category as a resource names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CategoryRef {
    /// Names the category.
    pub id: CategoryId,
    /// Its word in URLs.
    pub slug: String,
    /// The heading's text.
    pub title: String,
    /// The headings from the top of the list down to this one.
    pub path: Vec<String>,
}

/// A resource, and where it stands on the shelf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResourceView {
    /// Names the resource.
    pub id: ResourceId,
    /// Its address.
    pub url: String,
    /// Its name.
    pub title: String,
    /// What it is, in inline Markdown.
    pub description: String,
    /// Where it is placed, in the order of the tree.
    pub categories: Vec<CategoryRef>,
    /// Its tags, by their words in URLs.
    pub tags: Vec<String>,
    /// Whether it is on the shelf.
    pub status: ResourceStatus,
    /// Grows by one with every change.
    pub version: i64,
    /// How much it was viewed, saved and voted on of late; no unit.
    pub popularity: i64,
    /// How many suggestions about it can be voted on.
    pub open_suggestions: i64,
    /// Who suggested it; `null` when it was imported.
    pub added_by: Option<Person>,
    /// When it came onto the shelf.
    pub added_at: Time,
    /// When it last changed.
    pub changed_at: Time,
}

/// One version of a resource.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HistoryEntry {
    /// Counts from 1.
    pub version: i64,
    /// When it came to be.
    pub at: Time,
    /// What the resource was then.
    pub state: ResourceState,
    /// What made it so; `null` for what came before the log.
    pub cause: Option<HistoryCause>,
}

/// What made a version of a resource.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HistoryCause {
    /// The entry of the public log.
    pub log_id: LogId,
    /// Who, in kind.
    pub actor: Actor,
    /// The member's name, when the actor is one.
    pub username: Option<String>,
    /// What changed.
    pub action: Action,
    /// The suggestion that was applied.
    pub suggestion_id: Option<SuggestionId>,
    /// The rule that was met, with what it asked.
    #[schema(value_type = Option<Object>)]
    pub rule: Option<serde_json::Value>,
    /// The standing at that moment.
    #[schema(value_type = Option<Object>)]
    pub standing: Option<serde_json::Value>,
    /// Why, in somebody's words.
    pub reason: Option<String>,
}

/// A member's own ordered selection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CollectionView {
    /// Names the collection.
    pub id: CollectionId,
    /// Whose it is.
    pub owner: Person,
    /// Its name.
    pub title: String,
    /// What it is for, in Markdown.
    pub description: String,
    /// Whether others see it.
    pub public: bool,
    /// How many live resources are in it.
    pub items: i64,
    /// When it was made.
    pub created_at: Time,
    /// When it, or what is in it, last changed.
    pub changed_at: Time,
}

/// A collection with its first resources.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CollectionPage {
    /// The collection.
    #[serde(flatten)]
    pub collection: CollectionView,
    /// What is in it, in the member's order.
    pub resources: Page<ResourceView>,
}

/// A member as others see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProfileView {
    /// Names the member.
    pub id: MemberId,
    /// The member's name.
    pub username: String,
    /// The name that others read.
    pub display_name: String,
    /// What the member says about themselves, in Markdown.
    pub bio: String,
    /// What the member may do.
    pub role: Role,
    /// When the account was made.
    pub joined_at: Time,
    /// How many suggestions the member made.
    pub suggestions: i64,
    /// How many of them were approved.
    pub approved: i64,
    /// How many public collections the member has.
    pub collections: i64,
}

/// What a member wrote under a suggestion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CommentView {
    /// Names the comment.
    pub id: CommentId,
    /// Who wrote it.
    pub author: Person,
    /// The words, in Markdown.
    pub body: String,
    /// When it was written.
    pub created_at: Time,
}

/// Why a member gets a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Interest {
    /// It is about the member's own account.
    Account,
    /// It is about the member's own suggestion.
    Author,
    /// The member voted.
    Voter,
    /// The member wrote a comment.
    Commenter,
    /// The member watches what it is about.
    Watcher,
}

/// A suggestion as a notice names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SuggestionRef {
    /// Names the suggestion.
    pub id: SuggestionId,
    /// What it asks for.
    pub kind: SuggestionKind,
    /// The name of the resource it is about.
    pub title: String,
}

/// How many people voted on a suggestion, as a notice tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VotesTold {
    /// For it.
    pub up: i64,
    /// Against it.
    pub down: i64,
}

/// What a notice is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NoticePayload {
    /// The same in a sentence.
    pub text: String,
    /// Why the member gets it.
    pub interest: Interest,
    /// The entry of the public log, when it has one.
    pub log_id: Option<LogId>,
    /// Who did it, when it was a member.
    pub actor: Option<Person>,
    /// Which suggestion.
    pub suggestion: Option<SuggestionRef>,
    /// Which resource.
    pub resource: Option<ResourceRef>,
    /// Which comment.
    pub comment_id: Option<CommentId>,
    /// How many people voted, where that is what happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub votes: Option<VotesTold>,
    /// Why, in the actor's words.
    pub reason: Option<String>,
}

/// One entry in a member's inbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct NoticeView {
    /// Its number in this inbox: one more than that of the notice before it.
    pub seq: i64,
    /// What happened.
    pub kind: NoticeKind,
    /// Names its group, if it has one: it took the place of the unread ones of the group before it.
    pub group: Option<String>,
    /// What it is about.
    pub payload: NoticePayload,
    /// When it happened.
    pub created_at: Time,
    /// When the member read it; `null` when not yet.
    pub read_at: Option<Time>,
}

/// A program's way to sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ApiKeyView {
    /// Names the key.
    pub id: ApiKeyId,
    /// Whom it signs in.
    pub member_id: MemberId,
    /// What the member calls it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Time,
    /// When it was last used, to the minute; `null` when never.
    pub last_used_at: Option<Time>,
    /// When it was taken back; `null` while it is valid.
    pub revoked_at: Option<Time>,
}

/// How much the library is used.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AnalyticsView {
    /// How many members there are.
    pub members: i64,
    /// How many live resources there are.
    pub resources: i64,
    /// How many suggestions there are in each status.
    pub suggestions: std::collections::BTreeMap<String, i64>,
    /// Each day, the last one first.
    pub days: Vec<DayView>,
    /// The resources used most in these days.
    pub top: Vec<UsedResource>,
}

/// What was counted on one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct DayView {
    /// The day, in UTC.
    #[schema(value_type = String, format = Date, example = "2026-11-23")]
    pub date: String,
    /// Visits of resources' pages.
    pub views: i64,
    /// Times a resource was put into a collection.
    pub saves: i64,
    /// Votes on suggestions about resources.
    pub votes: i64,
}

/// How much a resource was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct UsedResource {
    /// The resource.
    pub resource: ResourceRef,
    /// Visits of its page.
    pub views: i64,
    /// Times it was put into a collection.
    pub saves: i64,
    /// Votes on suggestions about it.
    pub votes: i64,
}
