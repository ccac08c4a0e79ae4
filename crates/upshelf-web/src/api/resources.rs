//! What is on the shelf.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use upshelf_catalog::{HistoryEntry, ResourceView};
use upshelf_store::{Page, ResourceFilter, ResourceId, ResourceSort};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::reply::Items;
use crate::extract::{Id, Json, Limited, MaybeMember, PageQuery, Query, page};
use crate::kept::Written;
use crate::limits::{Read, Search};
use crate::problem::{Problem, Result};
use crate::web::Web;

pub(super) fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(popular))
        .routes(routes!(resource))
        .routes(routes!(history))
        .routes(routes!(search))
}

/// Which resources to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only those placed in this category or further down: its slug or its id.
    category: Option<String>,
    /// Only those with this tag.
    tag: Option<String>,
    /// Only those that these words find, best first, as `/search` does; not together with the others.
    #[param(max_length = 200)]
    q: Option<String>,
    /// In this order; `new` by default.
    sort: Option<ResourceSort>,
    /// How many rows, 20 by default.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists what is on the shelf
#[utoipa::path(get, path = "/resources", tag = "Library", params(ListQuery), responses(
    (status = 200, body = Page<ResourceView>, description = "A page of resources."),
    (status = 404, description = "There is no such category."),
))]
async fn list(
    _: Limited<Read>,
    State(web): State<Web>,
    _: MaybeMember,
    Query(query): Query<ListQuery>,
) -> Result<Response> {
    let page = page(query.limit, query.cursor.clone())?;
    if let Some(q) = &query.q {
        if query.category.is_some() || query.tag.is_some() || query.cursor.is_some() || query.sort.is_some() {
            return Err(Problem::invalid("q", "It does not go together with category, tag, sort or cursor."));
        }
        return found(&web, q, query.limit).await.map(IntoResponse::into_response);
    }
    let category = match &query.category {
        Some(word) => Some(web.catalog().category(word).await?.id),
        None => None,
    };
    let filter = ResourceFilter { category, tag: query.tag };
    let sort = query.sort.unwrap_or(ResourceSort::New);
    Ok(Json(web.catalog().resources(&filter, sort, &page).await?).into_response())
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

/// Lists what is viewed, saved and voted on most of late
#[utoipa::path(get, path = "/resources/popular", tag = "Library", params(LimitQuery), responses(
    (status = 200, body = Page<ResourceView>, description = "The most popular resources."),
))]
async fn popular(
    _: Limited<Read>,
    State(web): State<Web>,
    _: MaybeMember,
    Query(LimitQuery { limit }): Query<LimitQuery>,
) -> Result<Written> {
    let limit = u32::try_from(page(limit, None)?.limit()).unwrap_or(u32::MAX);
    let popular = web.catalog().popular(limit).await?;
    Ok(web.written().popular.of(limit, popular, |popular| popular))
}

/// Gives one resource
#[utoipa::path(get, path = "/resources/{id}", tag = "Library", params(("id" = Uuid, Path, description = "The resource.")),
    responses((status = 200, body = ResourceView, description = "The resource; also one that was removed.")))]
async fn resource(
    _: Limited<Read>,
    State(web): State<Web>,
    _: MaybeMember,
    Id(id): Id<ResourceId>,
) -> Result<Json<ResourceView>> {
    let resource = web.catalog().resource(id).await?;
    web.catalog().count_view(id);
    Ok(Json(resource))
}

/// Lists the versions of a resource
#[utoipa::path(get, path = "/resources/{id}/history", tag = "Library",
    params(("id" = Uuid, Path, description = "The resource."), PageQuery),
    responses((status = 200, body = Page<HistoryEntry>, description = "Its versions, newest first, each with its cause.")))]
async fn history(
    _: Limited<Read>,
    State(web): State<Web>,
    _: MaybeMember,
    Id(id): Id<ResourceId>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<HistoryEntry>>> {
    Ok(Json(web.catalog().history(id, &query.page()?).await?))
}

/// What to look for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SearchQuery {
    /// The words, the last one perhaps unfinished.
    #[param(max_length = 200)]
    q: String,
    /// How many, 20 by default.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
}

/// Searches the shelf
///
/// As one types: the last word may be unfinished, accents are folded, small typing errors forgiven.
#[utoipa::path(get, path = "/search", tag = "Library", params(SearchQuery), responses(
    (status = 200, body = Page<ResourceView>, description = "What was found, best first."),
))]
async fn search(
    _: Limited<Search>,
    State(web): State<Web>,
    _: MaybeMember,
    Query(SearchQuery { q, limit }): Query<SearchQuery>,
) -> Result<Items> {
    found(&web, &q, limit).await
}

async fn found(web: &Web, q: &str, limit: Option<u32>) -> Result<Items> {
    const LONGEST: usize = 200;
    if q.chars().count() > LONGEST {
        return Err(Problem::invalid("q", format!("It has at most {LONGEST} characters.")));
    }
    let limit = page(limit, None)?.limit();
    let found = web.catalog().search(q, u32::try_from(limit).unwrap_or(u32::MAX)).await?;
    Ok(Items::of(&found))
}
