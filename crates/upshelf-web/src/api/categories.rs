//! The tree and the labels.

use axum::extract::State;
use upshelf_catalog::CategoryNode;
use upshelf_store::{Page, Tag};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::{Limited, MaybeMember};
use crate::kept::Written;
use crate::limits::Read;
use crate::problem::Result;
use crate::web::Web;

pub(super) fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(categories)).routes(routes!(tags))
}

/// Gives the tree of categories with their counts
#[utoipa::path(get, path = "/categories", tag = "Library", responses(
    (status = 200, body = Page<CategoryNode>, description = "The whole tree, list by list."),
))]
async fn categories(_: Limited<Read>, State(web): State<Web>, _: MaybeMember) -> Result<Written> {
    let tree = web.catalog().categories().await?;
    Ok(web.written().categories.of(0, tree, |tree| tree))
}

/// Lists the tags with their counts
#[utoipa::path(get, path = "/tags", tag = "Library", responses(
    (status = 200, body = Page<Tag>, description = "Every tag in use."),
))]
async fn tags(_: Limited<Read>, State(web): State<Web>, _: MaybeMember) -> Result<Written> {
    let tags = web.catalog().tags().await?;
    Ok(web.written().tags.of(0, tags, |tags| tags))
}
