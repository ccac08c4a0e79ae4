//! Members, as others see them.

use axum::extract::State;
use serde::Deserialize;
use upshelf_catalog::{ProfileChanges, ProfileView};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::{Json, Limited, MaybeMember, Member, Path};
use crate::limits::{Read, Write};
use crate::problem::Result;
use crate::web::Web;

pub(super) fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(profile)).routes(routes!(change))
}

/// Gives a member's profile
#[utoipa::path(get, path = "/profiles/{username}", tag = "Profiles", params(("username" = String, Path, description = "The member's name.")),
    responses((status = 200, body = ProfileView, description = "The profile.")))]
async fn profile(
    _: Limited<Read>,
    State(web): State<Web>,
    _: MaybeMember,
    Path(username): Path<String>,
) -> Result<Json<ProfileView>> {
    Ok(Json(web.catalog().profile(&username).await?))
}

/// What changes; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ProfileChange {
    /// The name that others read.
    display_name: Option<String>,
    /// What one says about oneself, in Markdown.
    bio: Option<String>,
}

/// Changes one's own profile
#[utoipa::path(patch, path = "/profiles/me", tag = "Profiles", request_body = ProfileChange, extensions(("x-role" = json!("member"))),
    responses((status = 200, body = ProfileView, description = "The changed profile.")))]
async fn change(
    _: Limited<Write>,
    State(web): State<Web>,
    member: Member,
    Json(ProfileChange { display_name, bio }): Json<ProfileChange>,
) -> Result<Json<ProfileView>> {
    Ok(Json(web.catalog().change_profile(&member, &ProfileChanges { display_name, bio }).await?))
}
