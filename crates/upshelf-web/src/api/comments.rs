//! What members write under a suggestion.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use upshelf_catalog::CommentView;
use upshelf_store::{Page, SuggestionId};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::{Id, Json, Limited, MaybeMember, Member, PageQuery, Query};
use crate::limits::{Comment, Read};
use crate::problem::Result;
use crate::web::Web;

pub(super) fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list, add))
}

/// Lists the comments under a suggestion
#[utoipa::path(get, path = "/suggestions/{id}/comments", tag = "Suggestions",
    params(("id" = Uuid, Path, description = "The suggestion."), PageQuery),
    responses((status = 200, body = Page<CommentView>, description = "A page of comments, oldest first.")))]
async fn list(
    _: Limited<Read>,
    State(web): State<Web>,
    _: MaybeMember,
    Id(id): Id<SuggestionId>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<CommentView>>> {
    Ok(Json(web.catalog().comments(id, &query.page()?).await?))
}

/// A comment to be written.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewComment {
    /// The words, in Markdown.
    body: String,
}

/// Writes a comment under a suggestion
#[utoipa::path(post, path = "/suggestions/{id}/comments", tag = "Suggestions",
    params(("id" = Uuid, Path, description = "The suggestion.")), request_body = NewComment,
    extensions(("x-role" = json!("member"))),
    responses((status = 201, body = CommentView, description = "The comment.")))]
async fn add(
    _: Limited<Comment>,
    State(web): State<Web>,
    member: Member,
    Id(id): Id<SuggestionId>,
    Json(NewComment { body }): Json<NewComment>,
) -> Result<impl IntoResponse> {
    let comment = web.catalog().add_comment(&member, id, &body).await?;
    Ok((StatusCode::CREATED, Json(comment)))
}
