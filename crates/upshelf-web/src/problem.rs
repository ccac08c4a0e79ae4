//! Errors as RFC 9457 has them: the only thing that is turned into an error response.

mod reasons;

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// The media type of a problem.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// No name and no sentence of ours is longer.
const LONGEST_TEXT: usize = 400;

/// A result of a handler.
pub(crate) type Result<T, E = Problem> = std::result::Result<T, E>;

/// What went wrong with a request: small, because every result carries room for one.
#[derive(Clone, Debug)]
pub(crate) struct Problem(Box<Report>);

/// What went wrong with a request (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Report {
    /// Names the kind of problem; `about:blank` where the status says it all.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What happened, as a sentence for a person.
    detail: Cow<'static, str>,
    /// What happened, as a word for programs.
    #[schema(example = "suggestion_closed")]
    code: &'static str,
    /// What is wrong with single fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<FieldError>,
    /// Names the request in the site's log.
    request_id: String,
    #[serde(skip)]
    headers: HeaderMap,
    #[serde(skip)]
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// The field's name, with dots where it lies deeper.
    pub(crate) field: String,
    /// What is allowed, as a sentence.
    pub(crate) detail: String,
}

impl Problem {
    /// Describes a problem in a word and a sentence.
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Problem {
        Problem(Box::new(Report {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            code,
            errors: Vec::new(),
            request_id: String::new(),
            headers: HeaderMap::new(),
            source: None,
        }))
    }

    /// 400: the request cannot be read.
    pub(crate) fn malformed(detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "malformed", detail)
    }

    /// 401: nobody is signed in, or no longer.
    pub(crate) fn unauthorized(code: &'static str, detail: &'static str) -> Problem {
        Problem::new(StatusCode::UNAUTHORIZED, code, detail)
            .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// 403: whoever asks may not.
    pub(crate) fn forbidden(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(StatusCode::FORBIDDEN, code, detail)
    }

    /// 404: there is no such thing.
    pub(crate) fn not_found(what: &str) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "not_found", format!("There is no such {what}."))
    }

    /// 422: one value cannot be taken.
    pub(crate) fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Problem {
        Problem::invalid_fields(vec![FieldError { field: field.into(), detail: detail.into() }])
    }

    /// 422: these values cannot be taken.
    pub(crate) fn invalid_fields(mut errors: Vec<FieldError>) -> Problem {
        for error in &mut errors {
            shorten(&mut error.field);
            shorten(&mut error.detail);
        }
        let detail = match &errors[..] {
            [one] if one.field.is_empty() => one.detail.clone(),
            [one] => format!("{}: {}", one.field, one.detail),
            several => format!("{} fields cannot be taken as they are.", several.len()),
        };
        let mut problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail);
        problem.0.errors = errors;
        problem
    }

    /// 503: not now.
    pub(crate) fn unavailable(code: &'static str, detail: &'static str) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
            .with_header(RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// 500: our fault; the cause goes to the log.
    pub(crate) fn internal(source: impl std::error::Error + Send + Sync + 'static) -> Problem {
        Problem::bug().caused_by(source)
    }

    /// 500 without a cause that could be told.
    pub(crate) fn bug() -> Problem {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side.")
    }

    fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Problem {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// Describes a bare error status that did not come from a handler of ours.
    pub(crate) fn of_status(status: StatusCode) -> Problem {
        match status {
            StatusCode::NOT_FOUND => Problem::not_found("page"),
            StatusCode::METHOD_NOT_ALLOWED => {
                Problem::new(status, "method_not_allowed", "This cannot be done here; see the Allow header.")
            }
            status => Problem::new(status, "refused", status.canonical_reason().unwrap_or("Refused")),
        }
    }

    /// Adds a header to the reply.
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Problem {
        self.0.headers.insert(name, value);
        self
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).expect("it was a status when the problem was made")
    }

    /// The word for programs.
    pub(crate) fn code(&self) -> &str {
        self.0.code
    }

    /// The sentence for a person.
    pub(crate) fn detail(&self) -> &str {
        &self.0.detail
    }

    /// What is wrong with single fields.
    pub(crate) fn errors(&self) -> &[FieldError] {
        &self.0.errors
    }

    /// The cause of a failure on our side.
    pub(crate) fn source(&self) -> Option<&(dyn std::error::Error + Send + Sync)> {
        self.0.source.as_deref()
    }

    /// Names the request.
    pub(crate) fn of_request(mut self, request_id: &str) -> Problem {
        request_id.clone_into(&mut self.0.request_id);
        self
    }
}

impl IntoResponse for Problem {
    /// Leaves itself in the response's extensions, so that what lies further out can name the request, or show a page.
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.0).expect("a problem is plain JSON");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status();
        response.headers_mut().extend(self.0.headers.clone());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        response.extensions_mut().insert(self);
        response
    }
}

/// Turns any error response that is no problem yet into one, and keeps what its headers say.
pub(crate) fn explain(response: Response) -> Response {
    let status = response.status();
    if status.as_u16() < 400 || response.extensions().get::<Problem>().is_some() {
        return response;
    }
    let kind = response.headers().get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if !kind.is_empty() && !kind.starts_with(b"text/plain") {
        return response;
    }
    let mut problem = Problem::of_status(status);
    if let Some(allow) = response.headers().get(ALLOW) {
        problem = problem.with_header(ALLOW, allow.clone());
    }
    problem.into_response()
}

/// Names and values that somebody made up can be as long as a body.
fn shorten(text: &mut String) {
    if text.len() > LONGEST_TEXT {
        text.truncate(text.floor_char_boundary(LONGEST_TEXT));
        text.push('…');
    }
}
