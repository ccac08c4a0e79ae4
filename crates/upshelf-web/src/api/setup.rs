//! The first admin.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use upshelf_catalog::NewAccount;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::{SignedIn, begin};
use crate::extract::{ClientIp, Json, Limited, UserAgent};
use crate::limits::Login;
use crate::problem::Result;
use crate::web::Web;

pub(super) fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(set_up))
}

/// The first admin to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetUp {
    /// The code that the program printed when it started.
    code: String,
    /// 2 to 32 letters, digits, `_`, `-` or `.`.
    username: String,
    /// Where the site may write to.
    email: String,
    /// 12 to 128 characters.
    password: String,
}

/// Makes the first admin and signs them in
///
/// It works once, and only until there is an admin.
#[utoipa::path(post, path = "/setup", tag = "Accounts", request_body = SetUp, responses(
    (status = 201, body = SignedIn, description = "The site has an admin."),
    (status = 403, description = "`set_up`: the code is wrong, or the site is set up already."),
    (status = 409, description = "`username_taken` or `email_taken`."),
))]
async fn set_up(
    _: Limited<Login>,
    State(web): State<Web>,
    ClientIp(ip): ClientIp,
    UserAgent(agent): UserAgent,
    Json(SetUp { code, username, email, password }): Json<SetUp>,
) -> Result<impl IntoResponse> {
    let member = web.catalog().set_up(&code, NewAccount { username, email, password }).await?;
    let tokens = begin(&web, member.id, ip, agent.as_deref()).await?;
    Ok(SignedIn::new(member, &tokens).reply(StatusCode::CREATED))
}
