//! One resource: what it is, what is suggested about it, what it was.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use upshelf_catalog::{HistoryEntry, ResourceView};
use upshelf_store::{
    Action, PageRequest, ResourceId, ResourceStatus, SuggestionFilter, SuggestionSort, WatchKind, WatchLevel,
};

use crate::extract::{Curator, Id, Limited, Member, Query};
use crate::limits::{Read, Write};
use crate::pages::ago::Ago;
use crate::pages::card::{Card, cards};
use crate::pages::collections;
use crate::pages::form::Form;
use crate::pages::frame::{Frame, see};
use crate::pages::log;
use crate::pages::markdown::{self, Safe};
use crate::pages::page;
use crate::pages::row::{Pager, Start, host, outward};
use crate::problem::{Problem, Result};
use crate::web::Web;

/// The newest versions that the resource's own page shows.
const RECENT: u32 = 4;

#[derive(Template)]
#[template(path = "resource.html")]
struct ResourcePage {
    frame: Frame,
    resource: ResourceView,
    href: String,
    host: String,
    description: Safe,
    added: Ago,
    changed: Option<Ago>,
    is_live: bool,
    cards: Vec<Card>,
    versions: Vec<Version>,
    has_older: bool,
    collections: Vec<Choice>,
    is_watched: bool,
}

/// A collection to put the resource into.
struct Choice {
    id: String,
    title: String,
}

/// `GET /resources/{id}`
pub(crate) async fn show(
    _: Limited<Read>,
    State(web): State<Web>,
    frame: Frame,
    Id(id): Id<ResourceId>,
) -> Result<Response> {
    let catalog = web.catalog();
    let resource = catalog.resource(id).await?;
    catalog.count_view(id);
    let about = SuggestionFilter { resource: Some(id), ..SuggestionFilter::default() };
    let open =
        catalog.suggestions(&about, SuggestionSort::New, &PageRequest::first(10), frame.member()).await?;
    let history = catalog.history(id, &PageRequest::first(RECENT)).await?;
    let (mut kept_in, mut is_watched) = (Vec::new(), false);
    if let Some(member) = frame.member() {
        let own = collections::own(&web, member).await?;
        kept_in = own.into_iter().map(|one| Choice { id: one.id.to_string(), title: one.title }).collect();
        is_watched = catalog.watch_level(member, WatchKind::Resource, id.0).await? == WatchLevel::Watching;
    }
    page(&ResourcePage {
        href: outward(&resource.url).to_owned(),
        host: host(&resource.url),
        description: markdown::inline(&resource.description),
        added: frame.ago(&resource.added_at),
        changed: (resource.version > 1).then(|| frame.ago(&resource.changed_at)),
        is_live: resource.status == ResourceStatus::Live,
        cards: cards(&open.items, &frame),
        versions: history.items.iter().map(|entry| Version::new(entry, &frame)).collect(),
        has_older: history.next_cursor.is_some(),
        collections: kept_in,
        is_watched,
        resource,
        frame,
    })
}

/// One version of a resource, as the history tells it.
pub(crate) struct Version {
    number: i64,
    at: Ago,
    who: String,
    who_is_member: bool,
    did: &'static str,
    suggestion: Option<String>,
    reason: Option<String>,
    title: String,
    url: String,
    description: String,
}

impl Version {
    fn new(entry: &HistoryEntry, frame: &Frame) -> Version {
        let cause = entry.cause.as_ref();
        let (who, who_is_member) = cause
            .map_or(("The site".to_owned(), false), |cause| log::who(cause.actor, cause.username.as_deref()));
        Version {
            number: entry.version,
            at: frame.ago(&entry.at),
            who,
            who_is_member,
            did: match cause.map(|cause| cause.action) {
                None | Some(Action::Imported) => "brought it onto the shelf with a list",
                Some(action) => log::did(action, None),
            },
            suggestion: cause.and_then(|cause| cause.suggestion_id).map(|id| id.to_string()),
            reason: cause.and_then(|cause| cause.reason.clone()).filter(|reason| !reason.is_empty()),
            title: entry.state.title.clone(),
            url: entry.state.url.clone(),
            description: entry.state.description.clone(),
        }
    }
}

#[derive(Template)]
#[template(path = "history.html")]
struct HistoryPage {
    frame: Frame,
    resource: ResourceView,
    versions: Vec<Version>,
    pager: Pager,
}

/// `GET /resources/{id}/history`
pub(crate) async fn history(
    _: Limited<Read>,
    State(web): State<Web>,
    frame: Frame,
    Id(id): Id<ResourceId>,
    Query(asked): Query<Start>,
) -> Result<Response> {
    let resource = web.catalog().resource(id).await?;
    let history = web.catalog().history(id, &asked.page()?).await?;
    page(&HistoryPage {
        versions: history.items.iter().map(|entry| Version::new(entry, &frame)).collect(),
        pager: Pager::new(&frame, history.next_cursor.as_deref()),
        resource,
        frame,
    })
}

/// `POST /resources/{id}/revert`
pub(crate) async fn revert(
    _: Limited<Write>,
    State(web): State<Web>,
    Curator(curator): Curator,
    Id(id): Id<ResourceId>,
    form: Form,
) -> Result<Response> {
    let version: i64 = form.parse("to_version")?;
    let Some(reason) = form.some("reason") else {
        return Err(Problem::invalid("reason", "Say why; the log shows it to everybody."));
    };
    web.catalog().revert(&curator, id, version, reason).await?;
    Ok(see(&format!("/resources/{id}"), "reverted"))
}

/// `POST /resources/{id}/watch`
pub(crate) async fn watch(
    _: Limited<Write>,
    State(web): State<Web>,
    member: Member,
    Id(id): Id<ResourceId>,
    form: Form,
) -> Result<impl IntoResponse> {
    let to = format!("/resources/{id}");
    if form.has("watch", "yes") {
        web.catalog().watch(&member, WatchKind::Resource, id.0, WatchLevel::Watching).await?;
        return Ok(see(&to, "watching"));
    }
    web.catalog().unwatch(&member, WatchKind::Resource, id.0).await?;
    Ok(see(&to, "unwatched"))
}
