//! A member's inbox.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use upshelf_catalog::NoticeView;
use upshelf_store::{NoticePreference, Page};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::{Json, Limited, Member, Object, Query, page};
use crate::limits::{Read, Write};
use crate::problem::{Problem, Result};
use crate::web::Web;

pub(super) fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(unread_count))
        .routes(routes!(mark_read))
        .routes(routes!(preferences, put_preferences))
}

/// Which notices to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only those that are not read yet.
    #[serde(default)]
    unread: bool,
    /// How many rows, 20 by default.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists one's notices
#[utoipa::path(get, path = "/notifications", tag = "Notices", params(ListQuery), extensions(("x-role" = json!("member"))),
    responses((status = 200, body = Page<NoticeView>, description = "A page of notices, newest first.")))]
async fn list(
    _: Limited<Read>,
    State(web): State<Web>,
    member: Member,
    Query(ListQuery { unread, limit, cursor }): Query<ListQuery>,
) -> Result<Json<Page<NoticeView>>> {
    Ok(Json(web.catalog().notices(&member, unread, &page(limit, cursor)?).await?))
}

/// How many notices are not read yet.
#[derive(Serialize, ToSchema)]
struct Unread {
    /// How many.
    unread: i64,
}

/// Counts the notices one has not read
#[utoipa::path(get, path = "/notifications/unread-count", tag = "Notices", extensions(("x-role" = json!("member"))),
    responses((status = 200, body = Unread, description = "The count.")))]
async fn unread_count(_: Limited<Read>, State(web): State<Web>, member: Member) -> Result<Json<Unread>> {
    Ok(Json(Unread { unread: web.catalog().unread(&member).await? }))
}

/// How far one has read.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReadUpTo {
    /// The `seq` of the last notice read.
    #[schema(minimum = 0)]
    up_to: i64,
}

/// Notes how far one has read
#[utoipa::path(post, path = "/notifications/read", tag = "Notices", request_body = ReadUpTo,
    extensions(("x-role" = json!("member"))), responses((status = 200, body = Unread, description = "What is left.")))]
async fn mark_read(
    _: Limited<Write>,
    State(web): State<Web>,
    member: Member,
    Json(ReadUpTo { up_to }): Json<ReadUpTo>,
) -> Result<Json<Unread>> {
    if up_to < 0 {
        return Err(Problem::invalid("up_to", "It is the number of a notice, or 0."));
    }
    Ok(Json(Unread { unread: web.catalog().read_notices(&member, up_to).await? }))
}

/// How one wants to hear of events.
#[derive(Serialize, ToSchema)]
struct Preferences {
    /// One wish for each kind of event.
    items: Vec<NoticePreference>,
}

/// How one wants to hear of events from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Wishes {
    /// One wish for each kind of event; kinds that are left out stay as they are.
    #[schema(value_type = Vec<NoticePreference>)]
    items: Vec<Object<NoticePreference>>,
}

/// Says how one hears of events
#[utoipa::path(get, path = "/notifications/preferences", tag = "Notices", extensions(("x-role" = json!("member"))),
    responses((status = 200, body = Preferences, description = "One wish for each kind of event.")))]
async fn preferences(_: Limited<Read>, State(web): State<Web>, member: Member) -> Result<Json<Preferences>> {
    Ok(Json(Preferences { items: web.catalog().preferences(&member).await? }))
}

/// Changes how one hears of events
///
/// Kinds that are left out stay as they are.
#[utoipa::path(put, path = "/notifications/preferences", tag = "Notices", request_body = Wishes,
    extensions(("x-role" = json!("member"))),
    responses((status = 200, body = Preferences, description = "The wishes as they are now.")))]
async fn put_preferences(
    _: Limited<Write>,
    State(web): State<Web>,
    member: Member,
    Json(Wishes { items }): Json<Wishes>,
) -> Result<Json<Preferences>> {
    let items: Vec<NoticePreference> = items.into_iter().map(|Object(wish)| wish).collect();
    Ok(Json(Preferences { items: web.catalog().put_preferences(&member, &items).await? }))
}
