//! Bringing a list in: choose, look at what would happen, import. And taking it out again.

use askama::Template;
use axum::body::Body;
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;
use upshelf_catalog::{ImportReport, ImportRequest};
use upshelf_lists::Format;
use upshelf_store::List;

use crate::extract::{Admin, Limited, Query, RawBody};
use crate::limits::{Import, Read};
use crate::pages::form::Form;
use crate::pages::frame::{Frame, see};
use crate::pages::{page, page_as};
use crate::problem::{Problem, Result};
use crate::web::Web;

/// So many lines of each kind are shown in the preview.
const SHOWN: usize = 100;

#[derive(Template)]
#[template(path = "import.html")]
struct ImportPage {
    frame: Frame,
    form: Form,
    lists: Vec<List>,
}

#[derive(Template)]
#[template(path = "preview.html")]
struct PreviewPage {
    frame: Frame,
    report: ImportReport,
    file_name: String,
    list: String,
    format: String,
    /// The file, as it goes along with the form: lines end as they did, which a text area would not keep.
    encoded: String,
}

impl PreviewPage {
    fn shown<'a, T>(&self, all: &'a [T]) -> &'a [T] {
        &all[..all.len().min(SHOWN)]
    }

    fn left<T>(&self, all: &[T]) -> usize {
        all.len().saturating_sub(SHOWN)
    }
}

/// `GET /import`
pub(crate) async fn show(
    _: Limited<Read>,
    State(web): State<Web>,
    _admin: Admin,
    frame: Frame,
) -> Result<Response> {
    page(&ImportPage { frame, form: Form::default(), lists: web.catalog().lists().await? })
}

/// A file with what is said about it.
#[derive(Default)]
pub(crate) struct Upload {
    file: Vec<u8>,
    file_name: String,
    text: String,
    encoded: String,
    list: String,
    format: String,
}

impl FromRequest<Web> for Upload {
    type Rejection = Problem;

    async fn from_request(request: Request, web: &Web) -> Result<Upload> {
        let kind =
            request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let Ok(boundary) = multer::parse_boundary(kind) else {
            let detail = "A file is sent as multipart/form-data.";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_a_form", detail));
        };
        let RawBody(body) = RawBody::from_request(request, web).await?;
        let broken = |_| Problem::malformed("The form cannot be read.");
        let whole = stream::iter([Ok::<Bytes, std::convert::Infallible>(body)]);
        let mut parts = multer::Multipart::new(whole, boundary);
        let mut upload = Upload::default();
        while let Some(part) = parts.next_field().await.map_err(broken)? {
            let name = part.name().unwrap_or_default().to_owned();
            if name == "file" {
                upload.file_name = part.file_name().unwrap_or_default().replace('\0', "");
                upload.file = part.bytes().await.map_err(broken)?.into();
                continue;
            }
            let text = String::from_utf8_lossy(&part.bytes().await.map_err(broken)?).into_owned();
            match name.as_str() {
                "text" => upload.text = text,
                "encoded" => upload.encoded = text,
                "file_name" => upload.file_name = text,
                "list" => upload.list = text.trim().to_owned(),
                "format" => upload.format = text,
                _ => {}
            }
        }
        Ok(upload)
    }
}

impl Upload {
    /// The file: as it went along, else as it was chosen, else as it was typed.
    fn bytes(&self) -> Result<Vec<u8>> {
        if !self.encoded.is_empty() {
            return STANDARD
                .decode(&self.encoded)
                .map_err(|_| Problem::malformed("The file did not come through."));
        }
        if !self.file.is_empty() {
            return Ok(self.file.clone());
        }
        // Browsers send the lines of a text area with CR LF, whatever was pasted.
        Ok(self.text.replace("\r\n", "\n").into_bytes())
    }

    fn request(&self, dry_run: bool, by: upshelf_store::MemberId) -> Result<ImportRequest> {
        let format = Format::ALL.into_iter().find(|format| format.name() == self.format);
        let list = Some(self.list.clone()).filter(|list| !list.is_empty());
        Ok(ImportRequest { format, file_name: self.file_name.clone(), list, by: Some(by), dry_run })
    }
}

async fn again(web: &Web, frame: Frame, form: Form) -> Result<Response> {
    page_as(form.status(), &ImportPage { frame, form, lists: web.catalog().lists().await? })
}

/// `POST /import/preview`: reads the file and says what an import would do, and changes nothing.
pub(crate) async fn preview(
    _: Limited<Import>,
    State(web): State<Web>,
    Admin(admin): Admin,
    frame: Frame,
    upload: Upload,
) -> Result<Response> {
    let bytes = upload.bytes()?;
    let form = Form::filled([("text", upload.text.as_str()), ("file", ""), ("list", &upload.list)]);
    if bytes.is_empty() {
        return again(&web, frame, form.at_fault("file", "Choose a file, or paste its text below.")).await;
    }
    // The file travels once more, a third longer, with the button that imports it.
    if bytes.len() / 3 * 4 + 4096 > web.settings().import_limit {
        let detail = "The file is too long for this page; import it with the command line or the API.";
        return again(&web, frame, form.at_fault("file", detail)).await;
    }
    let encoded = STANDARD.encode(&bytes);
    match web.catalog().import(bytes, &upload.request(true, admin.id)?).await {
        Ok(report) if report.entries.is_empty() => {
            again(&web, frame, form.at_fault("file", "There is no entry in this file.")).await
        }
        Ok(report) => page(&PreviewPage {
            frame,
            report,
            file_name: upload.file_name,
            list: upload.list,
            format: upload.format,
            encoded,
        }),
        Err(error) => again(&web, frame, form.refused(error.into())?).await,
    }
}

/// `POST /import`
pub(crate) async fn run(
    _: Limited<Import>,
    State(web): State<Web>,
    Admin(admin): Admin,
    frame: Frame,
    upload: Upload,
) -> Result<Response> {
    let request = upload.request(false, admin.id)?;
    match web.catalog().import(upload.bytes()?, &request).await {
        Ok(_) => Ok(see("/", "imported")),
        Err(error) => again(&web, frame, Form::default().refused(error.into())?).await,
    }
}

/// Which list is taken out, and how.
#[derive(Deserialize)]
pub(crate) struct Wanted {
    list: Option<String>,
    format: Option<String>,
}

/// `GET /export`: the list with all that was approved.
pub(crate) async fn export(
    _: Limited<Import>,
    State(web): State<Web>,
    _admin: Admin,
    Query(Wanted { list, format }): Query<Wanted>,
) -> Result<Response> {
    let format = Format::ALL.into_iter().find(|known| Some(known.name()) == format.as_deref());
    let export = web.catalog().export(format.unwrap_or(Format::Markdown), list.as_deref()).await?;
    let headers = [
        (CONTENT_TYPE, export.format.content_type().to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", export.file_name)),
    ];
    Ok((headers, Body::from(export.bytes)).into_response())
}
