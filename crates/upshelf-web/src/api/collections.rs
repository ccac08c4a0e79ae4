//! Members' own selections.

use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::IntoResponse;
use serde::Deserialize;
use upshelf_catalog::{CollectionPage, CollectionView, CollectionWish, CollectionsOf};
use upshelf_store::{CollectionId, MemberId, Page, ResourceId};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::extract::{Id, Json, Limited, MaybeMember, Member, Path, Query, page};
use crate::limits::{Read, Write};
use crate::problem::{Problem, Result};
use crate::web::Web;

pub(super) fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(collection, change, remove))
        .routes(routes!(put, take))
}

/// Whose collections to list.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Whose {
    /// Everybody's public ones.
    Everybody,
    /// One's own, private ones included.
    Mine,
}

/// Which collections to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Whose; everybody's by default.
    whose: Option<Whose>,
    /// Only those of this member.
    member: Option<MemberId>,
    /// How many rows, 20 by default.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists collections
///
/// Everybody's public ones; with `whose=mine` one's own, private ones included.
#[utoipa::path(get, path = "/collections", tag = "Collections", params(ListQuery), responses(
    (status = 200, body = Page<CollectionView>, description = "A page of collections, newest first."),
))]
async fn list(
    _: Limited<Read>,
    State(web): State<Web>,
    viewer: MaybeMember,
    Query(ListQuery { whose, member, limit, cursor }): Query<ListQuery>,
) -> Result<Json<Page<CollectionView>>> {
    let whose = match (whose, member) {
        (Some(Whose::Mine), None) if viewer.0.is_none() => {
            return Err(Problem::unauthorized("not_signed_in", "Sign in first."));
        }
        (Some(Whose::Mine), None) => CollectionsOf::Viewer,
        (None | Some(Whose::Everybody), None) => CollectionsOf::Everybody,
        (None, Some(member)) => CollectionsOf::Member(member),
        (Some(_), Some(_)) => return Err(Problem::invalid("member", "It does not go together with whose.")),
    };
    Ok(Json(web.catalog().collections(viewer.as_deref(), whose, &page(limit, cursor)?).await?))
}

/// A collection to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewCollection {
    /// Its name.
    title: String,
    /// What it is for, in Markdown.
    #[serde(default)]
    description: String,
    /// Whether others see it.
    #[serde(default)]
    public: bool,
}

/// Makes an empty collection
#[utoipa::path(post, path = "/collections", tag = "Collections", request_body = NewCollection, extensions(("x-role" = json!("member"))),
    responses((status = 201, body = CollectionView, description = "The collection.")))]
async fn add(
    _: Limited<Write>,
    State(web): State<Web>,
    member: Member,
    Json(NewCollection { title, description, public }): Json<NewCollection>,
) -> Result<impl IntoResponse> {
    let wish = CollectionWish { title: Some(title), description: Some(description), public: Some(public) };
    let collection = web.catalog().add_collection(&member, &wish).await?;
    let place =
        HeaderValue::try_from(format!("/api/v1/collections/{}", collection.id)).map_err(Problem::internal)?;
    Ok((StatusCode::CREATED, [(LOCATION, place)], Json(collection)))
}

/// Which of the collection's resources to give.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ItemsQuery {
    /// How many resources, 20 by default.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the resources before.
    cursor: Option<String>,
}

/// Gives a collection with a page of its resources
///
/// Another member's private one is not there.
#[utoipa::path(get, path = "/collections/{id}", tag = "Collections",
    params(("id" = Uuid, Path, description = "The collection."), ItemsQuery),
    responses((status = 200, body = CollectionPage, description = "The collection.")))]
async fn collection(
    _: Limited<Read>,
    State(web): State<Web>,
    viewer: MaybeMember,
    Id(id): Id<CollectionId>,
    Query(ItemsQuery { limit, cursor }): Query<ItemsQuery>,
) -> Result<Json<CollectionPage>> {
    let mut found = web.catalog().collection(viewer.as_deref(), id).await?;
    if limit.is_some() || cursor.is_some() {
        let page = page(limit, cursor)?;
        found.resources = web.catalog().collection_resources(viewer.as_deref(), id, &page).await?;
    }
    Ok(Json(found))
}

/// What changes; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CollectionChange {
    /// Its name.
    title: Option<String>,
    /// What it is for, in Markdown.
    description: Option<String>,
    /// Whether others see it.
    public: Option<bool>,
}

/// Changes one's own collection
#[utoipa::path(patch, path = "/collections/{id}", tag = "Collections", params(("id" = Uuid, Path, description = "The collection.")),
    request_body = CollectionChange, extensions(("x-role" = json!("member"))),
    responses((status = 200, body = CollectionView, description = "The changed collection.")))]
async fn change(
    _: Limited<Write>,
    State(web): State<Web>,
    member: Member,
    Id(id): Id<CollectionId>,
    Json(CollectionChange { title, description, public }): Json<CollectionChange>,
) -> Result<Json<CollectionView>> {
    let wish = CollectionWish { title, description, public };
    Ok(Json(web.catalog().change_collection(&member, id, &wish).await?))
}

/// Removes one's own collection
#[utoipa::path(delete, path = "/collections/{id}", tag = "Collections", params(("id" = Uuid, Path, description = "The collection.")),
    extensions(("x-role" = json!("member"))), responses((status = 204, description = "It is gone.")))]
async fn remove(
    _: Limited<Write>,
    State(web): State<Web>,
    member: Member,
    Id(id): Id<CollectionId>,
) -> Result<StatusCode> {
    web.catalog().remove_collection(&member, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Puts a resource at the end of one's own collection
#[utoipa::path(put, path = "/collections/{id}/resources/{resource_id}", tag = "Collections",
    params(("id" = Uuid, Path, description = "The collection."), ("resource_id" = Uuid, Path, description = "The resource.")),
    extensions(("x-role" = json!("member"))), responses((status = 200, body = CollectionView, description = "The collection it is in now.")))]
async fn put(
    _: Limited<Write>,
    State(web): State<Web>,
    member: Member,
    Path((collection, resource)): Path<(Uuid, Uuid)>,
) -> Result<Json<CollectionView>> {
    let (collection, resource) = (CollectionId(collection), ResourceId(resource));
    Ok(Json(web.catalog().put_in_collection(&member, collection, resource).await?))
}

/// Takes a resource out of one's own collection
#[utoipa::path(delete, path = "/collections/{id}/resources/{resource_id}", tag = "Collections",
    params(("id" = Uuid, Path, description = "The collection."), ("resource_id" = Uuid, Path, description = "The resource.")),
    extensions(("x-role" = json!("member"))), responses((status = 200, body = CollectionView, description = "The collection it is not in now.")))]
async fn take(
    _: Limited<Write>,
    State(web): State<Web>,
    member: Member,
    Path((collection, resource)): Path<(Uuid, Uuid)>,
) -> Result<Json<CollectionView>> {
    let (collection, resource) = (CollectionId(collection), ResourceId(resource));
    Ok(Json(web.catalog().take_from_collection(&member, collection, resource).await?))
}
