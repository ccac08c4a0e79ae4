//! What a member wants to hear of.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use upshelf_store::{Page, Watch, WatchKind, WatchLevel};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::extract::{Json, Limited, MaybeJson, Member, PageQuery, Path, Query};
use crate::limits::{Read, Write};
use crate::problem::Result;
use crate::web::Web;

pub(super) fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(watch, unwatch))
}

/// Lists what one watches, or wants to hear nothing of
#[utoipa::path(get, path = "/watches", tag = "Notices", params(PageQuery), extensions(("x-role" = json!("member"))),
    responses((status = 200, body = Page<Watch>, description = "A page of watches.")))]
async fn list(
    _: Limited<Read>,
    State(web): State<Web>,
    member: Member,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Watch>>> {
    Ok(Json(web.catalog().watches(&member, &query.page()?).await?))
}

/// How closely.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Closeness {
    /// How closely; `watching` without it.
    #[serde(default = "watching")]
    level: WatchLevel,
}

fn watching() -> WatchLevel {
    WatchLevel::Watching
}

impl Default for Closeness {
    fn default() -> Closeness {
        Closeness { level: watching() }
    }
}

/// Watches something, or mutes it
#[utoipa::path(put, path = "/watches/{kind}/{id}", tag = "Notices",
    params(("kind" = WatchKind, Path, description = "What kind of thing it is."), ("id" = Uuid, Path, description = "The thing.")),
    request_body = Option<Closeness>, extensions(("x-role" = json!("member"))),
    responses((status = 204, description = "It is watched so.")))]
async fn watch(
    _: Limited<Write>,
    State(web): State<Web>,
    member: Member,
    Path((kind, id)): Path<(WatchKind, Uuid)>,
    MaybeJson(Closeness { level }): MaybeJson<Closeness>,
) -> Result<StatusCode> {
    web.catalog().watch(&member, kind, id, level).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Watches something no longer
#[utoipa::path(delete, path = "/watches/{kind}/{id}", tag = "Notices",
    params(("kind" = WatchKind, Path, description = "What kind of thing it is."), ("id" = Uuid, Path, description = "The thing.")),
    extensions(("x-role" = json!("member"))), responses((status = 204, description = "It is not watched.")))]
async fn unwatch(
    _: Limited<Write>,
    State(web): State<Web>,
    member: Member,
    Path((kind, id)): Path<(WatchKind, Uuid)>,
) -> Result<StatusCode> {
    web.catalog().unwatch(&member, kind, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
