//! Lists in and out.

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;
use serde::Deserialize;
use upshelf_catalog::{ImportReport, ImportRequest};
use upshelf_lists::Format;
use upshelf_store::{List, Page};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::{Admin, Json, Limited, Query, RawBody};
use crate::limits::{Import, Read};
use crate::problem::{Problem, Result};
use crate::web::Web;

pub(super) fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(import)).routes(routes!(export)).routes(routes!(lists))
}

/// A format that lists come in.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FileFormat {
    /// An awesome-style list.
    Markdown,
    /// A bookmark file, as browsers export it.
    Netscape,
    /// An array of entries.
    Json,
    /// A table whose header names at least `url`.
    Csv,
}

impl From<FileFormat> for Format {
    fn from(format: FileFormat) -> Format {
        match format {
            FileFormat::Markdown => Format::Markdown,
            FileFormat::Netscape => Format::Netscape,
            FileFormat::Json => Format::Json,
            FileFormat::Csv => Format::Csv,
        }
    }
}

/// How to read the file.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ImportQuery {
    /// The file's format; guessed without it.
    format: Option<FileFormat>,
    /// The list's slug; without it the only list there is, or a new one named as the document is.
    list: Option<String>,
    /// Whether to report only, and change nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Brings a list in
///
/// The body is the file, 10 MiB at most. All of it comes in, or nothing. A second import of the same file adds nothing.
#[utoipa::path(post, path = "/admin/import", tag = "Admins", params(ImportQuery),
    request_body(description = "The file.", content(
        (String = "application/octet-stream"), (String = "text/markdown"), (String = "text/html"), (String = "text/csv"),
        (Object = "application/json"),
    )),
    extensions(("x-role" = json!("admin"))), responses(
        (status = 200, body = ImportReport, description = "What was done, or would be done."),
        (status = 404, description = "There is no such list."),
    ))]
async fn import(
    _: Limited<Import>,
    State(web): State<Web>,
    Admin(admin): Admin,
    Query(ImportQuery { format, list, dry_run }): Query<ImportQuery>,
    RawBody(file): RawBody,
) -> Result<Json<ImportReport>> {
    let format = format.map(Format::from);
    let request = ImportRequest { format, file_name: String::new(), list, by: Some(admin.id), dry_run };
    Ok(Json(web.catalog().import(file.into(), &request).await?))
}

/// How to write the file.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ExportQuery {
    /// The file's format; Markdown without it.
    format: Option<FileFormat>,
    /// The list's slug; may be left out where there is only one.
    list: Option<String>,
}

/// Writes a list out
///
/// In Markdown it is the imported document with the approved changes applied, byte for byte the same elsewhere.
#[utoipa::path(get, path = "/admin/export", tag = "Admins", params(ExportQuery), extensions(("x-role" = json!("admin"))),
    responses(
        (status = 200, description = "The file.", content(
            (String = "text/markdown"), (String = "text/html"), (String = "text/csv"), (Object = "application/json"),
        )),
        (status = 404, description = "There is no such list, or none at all."),
    ))]
async fn export(
    _: Limited<Import>,
    State(web): State<Web>,
    _: Admin,
    Query(ExportQuery { format, list }): Query<ExportQuery>,
) -> Result<impl IntoResponse> {
    let format = format.map_or(Format::Markdown, Format::from);
    let export = web.catalog().export(format, list.as_deref()).await?;
    let kind = HeaderValue::from_static(export.format.content_type());
    // A slug is made of letters, digits and dashes, so it needs no quoting rules.
    let name = format!("attachment; filename=\"{}\"", export.file_name);
    let name = HeaderValue::try_from(name).map_err(Problem::internal)?;
    Ok(([(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, name)], export.bytes))
}

/// Lists the lists of the site
#[utoipa::path(get, path = "/admin/lists", tag = "Admins", extensions(("x-role" = json!("admin"))),
    responses((status = 200, body = Page<List>, description = "Every list, oldest first.")))]
async fn lists(_: Limited<Read>, State(web): State<Web>, _: Admin) -> Result<Json<Page<List>>> {
    Ok(Json(Page { items: web.catalog().lists().await?, next_cursor: None }))
}
