//! Proposed changes.

use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::IntoResponse;
use serde::Deserialize;
use upshelf_catalog::{NewSuggestion, SuggestionView};
use upshelf_store::{
    Changes, MemberId, Page, ResourceId, SuggestionFilter, SuggestionId, SuggestionKind, SuggestionSort,
    SuggestionStatus,
};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::reply::Items;
use crate::extract::{Id, Json, Limited, MaybeMember, Member, Object, Query, page};
use crate::limits::{Read, Suggest, Write};
use crate::problem::{Problem, Result};
use crate::web::Web;

pub(super) fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(list, propose))
        .routes(routes!(top))
        .routes(routes!(suggestion))
        .routes(routes!(withdraw))
}

/// A change to be proposed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Proposal {
    /// What it asks for.
    kind: SuggestionKind,
    /// The resource it is about; left out for an addition.
    resource_id: Option<ResourceId>,
    /// The version of the resource that the member saw; the current one without it.
    #[schema(minimum = 1)]
    base_version: Option<i64>,
    /// What it changes; may be left out for a removal.
    #[schema(value_type = Option<Changes>)]
    changes: Option<Object<Changes>>,
    /// Why.
    #[serde(default)]
    reason: Option<String>,
}

/// Proposes a change
#[utoipa::path(post, path = "/suggestions", tag = "Suggestions", request_body = Proposal,
    extensions(("x-role" = json!("member"))), responses(
    (status = 201, body = SuggestionView, description = "It is open for votes."),
    (status = 404, description = "There is no such resource."),
    (status = 409, description = "`duplicate_resource` or `duplicate_suggestion`, with a `Location`; `out_of_date` or `conflict`."),
))]
async fn propose(
    _: Limited<Suggest>,
    State(web): State<Web>,
    member: Member,
    Json(proposal): Json<Proposal>,
) -> Result<impl IntoResponse> {
    let Proposal { kind, resource_id, base_version, changes, reason } = proposal;
    let changes = changes.map(|Object(changes)| changes).unwrap_or_default();
    let new = NewSuggestion { kind, resource_id, base_version, changes, reason: reason.unwrap_or_default() };
    let suggestion = web.catalog().propose(&member, new).await?;
    let place =
        HeaderValue::try_from(format!("/api/v1/suggestions/{}", suggestion.id)).map_err(Problem::internal)?;
    Ok((StatusCode::CREATED, [(LOCATION, place)], Json(suggestion)))
}

/// Which suggestions to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only those that stand here; `open` and `approving` without it.
    status: Option<SuggestionStatus>,
    /// Only those that ask for this.
    kind: Option<SuggestionKind>,
    /// Only those of this member, whatever their status.
    author: Option<MemberId>,
    /// Only those about this resource, whatever their status.
    resource: Option<ResourceId>,
    /// In this order; `hot` by default.
    sort: Option<SuggestionSort>,
    /// How many rows, 20 by default.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists suggestions
#[utoipa::path(get, path = "/suggestions", tag = "Suggestions", params(ListQuery), responses(
    (status = 200, body = Page<SuggestionView>, description = "A page of suggestions."),
))]
async fn list(
    _: Limited<Read>,
    State(web): State<Web>,
    viewer: MaybeMember,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<SuggestionView>>> {
    let ListQuery { status, kind, author, resource, sort, limit, cursor } = query;
    let filter = SuggestionFilter { status, kind, author, resource };
    let sort = sort.unwrap_or(SuggestionSort::Hot);
    let page = page(limit, cursor)?;
    Ok(Json(web.catalog().suggestions(&filter, sort, &page, viewer.as_deref()).await?))
}

/// How many to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct LimitQuery {
    /// How many, 20 by default.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
}

/// Lists the open suggestions with the highest scores
#[utoipa::path(get, path = "/suggestions/top", tag = "Suggestions", params(LimitQuery), responses(
    (status = 200, body = Page<SuggestionView>, description = "The top list, as it stands this moment."),
))]
async fn top(
    _: Limited<Read>,
    State(web): State<Web>,
    viewer: MaybeMember,
    Query(LimitQuery { limit }): Query<LimitQuery>,
) -> Result<Items> {
    let limit = page(limit, None)?.limit();
    let top =
        web.catalog().top_suggestions(u32::try_from(limit).unwrap_or(u32::MAX), viewer.as_deref()).await?;
    Ok(Items::of(&top))
}

/// Gives one suggestion
///
/// With its standing, with what its rule asks and what is missing, and with one's own vote when signed in.
#[utoipa::path(get, path = "/suggestions/{id}", tag = "Suggestions", params(("id" = Uuid, Path, description = "The suggestion.")),
    responses((status = 200, body = SuggestionView, description = "The suggestion.")))]
async fn suggestion(
    _: Limited<Read>,
    State(web): State<Web>,
    viewer: MaybeMember,
    Id(id): Id<SuggestionId>,
) -> Result<Json<SuggestionView>> {
    Ok(Json(web.catalog().suggestion(id, viewer.as_deref()).await?))
}

/// Takes one's own suggestion back
#[utoipa::path(post, path = "/suggestions/{id}/withdraw", tag = "Suggestions",
    params(("id" = Uuid, Path, description = "The suggestion.")), extensions(("x-role" = json!("member"))), responses(
    (status = 200, body = SuggestionView, description = "It is withdrawn."),
    (status = 404, description = "There is no such suggestion, or it is another member's."),
    (status = 409, description = "`suggestion_closed`: it is decided already."),
))]
async fn withdraw(
    _: Limited<Write>,
    State(web): State<Web>,
    member: Member,
    Id(id): Id<SuggestionId>,
) -> Result<Json<SuggestionView>> {
    Ok(Json(web.catalog().withdraw(&member, id).await?))
}
