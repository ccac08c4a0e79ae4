//! What curators do, and the log that everybody reads.

use axum::extract::State;
use serde::Deserialize;
use upshelf_catalog::{ResourceView, SuggestionView};
use upshelf_store::{LogEntry, LogFilter, Page, ResourceId, SuggestionId};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::{Curator, Id, Json, Limited, MaybeJson, MaybeMember, Query, page};
use crate::limits::{Read, Write};
use crate::problem::Result;
use crate::web::Web;

pub(super) fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(approve))
        .routes(routes!(reject))
        .routes(routes!(stop))
        .routes(routes!(revert))
        .routes(routes!(log))
}

/// Why, if one wants to say it.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Grounds {
    /// Why, for the public log.
    #[serde(default)]
    reason: Option<String>,
}

/// Approves a suggestion now
#[utoipa::path(post, path = "/suggestions/{id}/approve", tag = "Curators", params(("id" = Uuid, Path, description = "The suggestion.")),
    request_body = Option<Grounds>, extensions(("x-role" = json!("curator"))), responses(
    (status = 200, body = SuggestionView, description = "It is applied, or shown as a conflict."),
    (status = 409, description = "`suggestion_closed` or `conflict`."),
))]
async fn approve(
    _: Limited<Write>,
    State(web): State<Web>,
    Curator(curator): Curator,
    Id(id): Id<SuggestionId>,
    MaybeJson(Grounds { reason }): MaybeJson<Grounds>,
) -> Result<Json<SuggestionView>> {
    Ok(Json(web.catalog().approve(&curator, id, reason).await?))
}

/// Rejects a suggestion
#[utoipa::path(post, path = "/suggestions/{id}/reject", tag = "Curators", params(("id" = Uuid, Path, description = "The suggestion.")),
    request_body = Option<Grounds>, extensions(("x-role" = json!("curator"))), responses(
    (status = 200, body = SuggestionView, description = "It is rejected."),
    (status = 409, description = "`suggestion_closed`: it is decided already."),
))]
async fn reject(
    _: Limited<Write>,
    State(web): State<Web>,
    Curator(curator): Curator,
    Id(id): Id<SuggestionId>,
    MaybeJson(Grounds { reason }): MaybeJson<Grounds>,
) -> Result<Json<SuggestionView>> {
    Ok(Json(web.catalog().reject(&curator, id, reason.unwrap_or_default()).await?))
}

/// Stops approval by rule
#[utoipa::path(post, path = "/suggestions/{id}/stop", tag = "Curators", params(("id" = Uuid, Path, description = "The suggestion.")),
    request_body = Option<Grounds>, extensions(("x-role" = json!("curator"))), responses(
    (status = 200, body = SuggestionView, description = "It is open, with an objection; no rule approves it."),
    (status = 409, description = "`suggestion_closed`: it is decided already."),
))]
async fn stop(
    _: Limited<Write>,
    State(web): State<Web>,
    Curator(curator): Curator,
    Id(id): Id<SuggestionId>,
    MaybeJson(Grounds { reason }): MaybeJson<Grounds>,
) -> Result<Json<SuggestionView>> {
    Ok(Json(web.catalog().stop(&curator, id, reason.unwrap_or_default()).await?))
}

/// A way back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Reversion {
    /// The version to go back to.
    #[schema(minimum = 1)]
    to_version: i64,
    /// Why, for the public log.
    reason: String,
}

/// Puts a resource back to an earlier version
#[utoipa::path(post, path = "/resources/{id}/revert", tag = "Curators", params(("id" = Uuid, Path, description = "The resource.")),
    request_body = Reversion, extensions(("x-role" = json!("curator"))), responses(
    (status = 200, body = ResourceView, description = "The resource, as a new version."),
    (status = 409, description = "`duplicate_resource`: another one has the earlier address now."),
))]
async fn revert(
    _: Limited<Write>,
    State(web): State<Web>,
    Curator(curator): Curator,
    Id(id): Id<ResourceId>,
    Json(Reversion { to_version, reason }): Json<Reversion>,
) -> Result<Json<ResourceView>> {
    Ok(Json(web.catalog().revert(&curator, id, to_version, reason).await?))
}

/// Which entries to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct LogQuery {
    /// Only those about this suggestion.
    suggestion: Option<SuggestionId>,
    /// Only those about this resource.
    resource: Option<ResourceId>,
    /// How many rows, 20 by default.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists every change of state
///
/// Each with its actor, its rule, the standing at that moment, and what was before and after.
#[utoipa::path(get, path = "/log", tag = "Library", params(LogQuery), responses(
    (status = 200, body = Page<LogEntry>, description = "A page of the public log, newest first."),
))]
async fn log(
    _: Limited<Read>,
    State(web): State<Web>,
    _: MaybeMember,
    Query(LogQuery { suggestion, resource, limit, cursor }): Query<LogQuery>,
) -> Result<Json<Page<LogEntry>>> {
    let filter = LogFilter { suggestion, resource };
    Ok(Json(web.catalog().log(&filter, &page(limit, cursor)?).await?))
}
