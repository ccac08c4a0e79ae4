//! Accounts, from above.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use upshelf_catalog::NewAccount;
use upshelf_store::{Member, MemberId, Page, Role};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::{Admin, Id, Json, Limited, MaybeJson, PageQuery, Query, Recent};
use crate::limits::{Read, Write};
use crate::problem::Result;
use crate::web::Web;

pub(super) fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(change_role))
        .routes(routes!(ban))
        .routes(routes!(unban))
}

/// Lists the members
#[utoipa::path(get, path = "/admin/members", tag = "Admins", params(PageQuery), extensions(("x-role" = json!("admin"))),
    responses((status = 200, body = Page<Member>, description = "A page of members, in the order they joined.")))]
async fn list(
    _: Limited<Read>,
    State(web): State<Web>,
    _: Admin,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Member>>> {
    Ok(Json(web.catalog().members(&query.page()?).await?))
}

/// An account to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewMember {
    /// 2 to 32 letters, digits, `_`, `-` or `.`.
    username: String,
    /// Where the site may write to.
    email: String,
    /// 12 to 128 characters.
    password: String,
    /// What the member may do.
    role: Role,
}

/// Makes an account with any role
///
/// It takes a sign-in that is no older than 15 minutes.
#[utoipa::path(post, path = "/admin/members", tag = "Admins", request_body = NewMember, extensions(("x-role" = json!("admin"))),
    responses(
        (status = 201, body = Member, description = "The member."),
        (status = 403, description = "No admin; or `sign_in_again`, `session_needed`: it takes a fresh sign-in."),
        (status = 409, description = "`username_taken` or `email_taken`."),
    ))]
async fn add(
    _: Limited<Write>,
    State(web): State<Web>,
    _: Admin,
    _: Recent,
    Json(NewMember { username, email, password, role }): Json<NewMember>,
) -> Result<impl IntoResponse> {
    let member = web.catalog().create_member(NewAccount { username, email, password }, role).await?;
    Ok((StatusCode::CREATED, Json(member)))
}

/// What a member may do from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RoleChange {
    /// The role.
    role: Role,
}

/// Changes what a member may do
///
/// It takes a sign-in that is no older than 15 minutes.
#[utoipa::path(put, path = "/admin/members/{id}/role", tag = "Admins", params(("id" = Uuid, Path, description = "The member.")),
    request_body = RoleChange, extensions(("x-role" = json!("admin"))), responses(
        (status = 200, body = Member, description = "The member."),
        (status = 403, description = "No admin; or `sign_in_again`, `session_needed`: it takes a fresh sign-in."),
        (status = 409, description = "`last_admin`: the site needs one."),
    ))]
async fn change_role(
    _: Limited<Write>,
    State(web): State<Web>,
    Admin(admin): Admin,
    _: Recent,
    Id(id): Id<MemberId>,
    Json(RoleChange { role }): Json<RoleChange>,
) -> Result<Json<Member>> {
    Ok(Json(web.catalog().change_role(&admin, id, role).await?))
}

/// Why, if one wants to say it.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Grounds {
    /// Why, for the public log.
    #[serde(default)]
    reason: Option<String>,
}

/// Shuts a member out, voids their votes and ends their sessions
#[utoipa::path(post, path = "/admin/members/{id}/ban", tag = "Admins", params(("id" = Uuid, Path, description = "The member.")),
    request_body = Option<Grounds>, extensions(("x-role" = json!("admin"))), responses(
        (status = 200, body = Member, description = "The member."),
        (status = 409, description = "`last_admin`: the site needs one."),
    ))]
async fn ban(
    _: Limited<Write>,
    State(web): State<Web>,
    Admin(admin): Admin,
    Id(id): Id<MemberId>,
    MaybeJson(Grounds { reason }): MaybeJson<Grounds>,
) -> Result<Json<Member>> {
    Ok(Json(web.ban(&admin, id, reason.as_deref().unwrap_or_default()).await?))
}

/// Lets a member in again
#[utoipa::path(post, path = "/admin/members/{id}/unban", tag = "Admins", params(("id" = Uuid, Path, description = "The member.")),
    extensions(("x-role" = json!("admin"))), responses((status = 200, body = Member, description = "The member.")))]
async fn unban(
    _: Limited<Write>,
    State(web): State<Web>,
    Admin(admin): Admin,
    Id(id): Id<MemberId>,
) -> Result<Json<Member>> {
    Ok(Json(web.catalog().unban(&admin, id).await?))
}
