//! The list of suggestions.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use upshelf_store::{SuggestionFilter, SuggestionKind, SuggestionSort, SuggestionStatus};

use crate::extract::{Limited, Query, page as page_request};
use crate::limits::Read;
use crate::pages::card::{Card, cards};
use crate::pages::frame::Frame;
use crate::pages::page;
use crate::pages::row::{Pager, Tab};
use crate::problem::Result;
use crate::web::Web;

#[derive(Template)]
#[template(path = "suggestions.html")]
struct SuggestionsPage {
    frame: Frame,
    statuses: Vec<Tab>,
    kinds: Vec<Tab>,
    sorts: Vec<Tab>,
    is_open: bool,
    cards: Vec<Card>,
    pager: Pager,
}

/// Which suggestions are asked for.
#[derive(Deserialize)]
pub(crate) struct Asked {
    status: Option<SuggestionStatus>,
    kind: Option<SuggestionKind>,
    sort: Option<SuggestionSort>,
    cursor: Option<String>,
}

/// `GET /suggestions`
pub(crate) async fn show(
    _: Limited<Read>,
    State(web): State<Web>,
    frame: Frame,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    let Asked { status, kind, .. } = asked;
    let sort = asked.sort.unwrap_or(if status.is_some() { SuggestionSort::New } else { SuggestionSort::Hot });
    let filter = SuggestionFilter { status, kind, ..SuggestionFilter::default() };
    let found =
        web.catalog().suggestions(&filter, sort, &page_request(None, asked.cursor)?, frame.member()).await?;
    let statuses = [
        (None, "Open"),
        (Some(SuggestionStatus::Approving), "About to be applied"),
        (Some(SuggestionStatus::Approved), "Approved"),
        (Some(SuggestionStatus::Rejected), "Rejected"),
        (Some(SuggestionStatus::Conflict), "In conflict"),
    ];
    let kinds = [
        (None, "All"),
        (Some(SuggestionKind::Add), "Additions"),
        (Some(SuggestionKind::Edit), "Edits"),
        (Some(SuggestionKind::Move), "Moves"),
        (Some(SuggestionKind::Remove), "Removals"),
    ];
    let sorts = [
        (SuggestionSort::Hot, "Hot"),
        (SuggestionSort::Top, "Top"),
        (SuggestionSort::New, "Newest"),
        (SuggestionSort::Controversial, "Disputed"),
    ];
    page(&SuggestionsPage {
        statuses: statuses
            .map(|(each, label)| {
                Tab::new(&frame, label, "status", each.map_or("", SuggestionStatus::as_str), each == status)
            })
            .into(),
        kinds: kinds
            .map(|(each, label)| {
                Tab::new(&frame, label, "kind", each.map_or("", SuggestionKind::as_str), each == kind)
            })
            .into(),
        sorts: sorts.map(|(each, label)| Tab::new(&frame, label, "sort", each.as_str(), each == sort)).into(),
        is_open: status.is_none(),
        cards: cards(&found.items, &frame),
        pager: Pager::new(&frame, found.next_cursor.as_deref()),
        frame,
    })
}
