//! Programs' ways to sign in.

use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, StatusCode};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use upshelf_catalog::ApiKeyView;
use upshelf_store::{ApiKeyId, Page, Scope};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::{Admin, Id, Json, Limited, PageQuery, Query, Recent};
use crate::limits::{Read, Write};
use crate::problem::Result;
use crate::web::Web;

pub(super) fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(revoke))
}

/// Lists the API keys
#[utoipa::path(get, path = "/admin/api-keys", tag = "Admins", params(PageQuery), extensions(("x-role" = json!("admin"))),
    responses((status = 200, body = Page<ApiKeyView>, description = "A page of keys, newest first, those taken back included.")))]
async fn list(
    _: Limited<Read>,
    State(web): State<Web>,
    Admin(admin): Admin,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<ApiKeyView>>> {
    Ok(Json(web.catalog().api_keys(&admin, &query.page()?).await?))
}

/// A key to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewApiKey {
    /// What one calls it.
    name: String,
    /// What it may do; a wider scope includes the narrower ones.
    #[schema(min_items = 1)]
    scopes: Vec<Scope>,
}

/// A new key with its token.
#[derive(Serialize, ToSchema)]
struct NewKey {
    /// The key.
    key: ApiKeyView,
    /// `ups_…`, told now and never again.
    token: String,
}

/// Makes an API key
///
/// It takes a sign-in that is no older than 15 minutes.
#[utoipa::path(post, path = "/admin/api-keys", tag = "Admins", request_body = NewApiKey, extensions(("x-role" = json!("admin"))),
    responses(
        (status = 201, body = NewKey, description = "The key, with its token."),
        (status = 403, description = "No admin; or `sign_in_again`, `session_needed`: it takes a fresh sign-in."),
    ))]
async fn add(
    _: Limited<Write>,
    State(web): State<Web>,
    Admin(admin): Admin,
    _: Recent,
    Json(NewApiKey { name, scopes }): Json<NewApiKey>,
) -> Result<impl IntoResponse> {
    let (key, token) = web.catalog().add_api_key(&admin, &name, &scopes).await?;
    let secret = [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((StatusCode::CREATED, secret, Json(NewKey { key, token })))
}

/// Takes an API key back
#[utoipa::path(delete, path = "/admin/api-keys/{id}", tag = "Admins", params(("id" = Uuid, Path, description = "The key.")),
    extensions(("x-role" = json!("admin"))), responses((status = 204, description = "It is valid no longer.")))]
async fn revoke(
    _: Limited<Write>,
    State(web): State<Web>,
    Admin(admin): Admin,
    Id(id): Id<ApiKeyId>,
) -> Result<StatusCode> {
    web.catalog().revoke_api_key(&admin, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
