//! Errors as RFC 9457 has them: the only thing that is turned into an error response.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use upshelf_catalog::{self as catalog, Refusal};
use upshelf_session as session;
use upshelf_store as store;
use utoipa::ToSchema;

/// The media type of a problem.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// No name and no sentence of ours is longer.
const LONGEST_TEXT: usize = 400;

/// A result of a handler.
pub(crate) type Result<T, E = Problem> = std::result::Result<T, E>;

/// What went wrong with a request (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Names the kind of problem; `about:blank` where the status says it all.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    kind: Cow<'static, str>,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What happened, as a sentence for a person.
    detail: Cow<'static, str>,
    /// What happened, as a word for programs.
    #[schema(example = "suggestion_closed")]
    code: Cow<'static, str>,
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
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Problem {
        Problem {
            kind: Cow::Borrowed("about:blank"),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            code: code.into(),
            errors: Vec::new(),
            request_id: String::new(),
            headers: HeaderMap::new(),
            source: None,
        }
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
        Problem { errors, ..Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail) }
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

    fn caused_by(self, source: impl std::error::Error + Send + Sync + 'static) -> Problem {
        Problem { source: Some(Arc::new(source)), ..self }
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
        self.headers.insert(name, value);
        self
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).expect("it was a status when the problem was made")
    }

    /// The word for programs.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// The sentence for a person.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// What is wrong with single fields.
    pub(crate) fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// The cause of a failure on our side.
    pub(crate) fn source(&self) -> Option<&(dyn std::error::Error + Send + Sync)> {
        self.source.as_deref()
    }

    /// Names the request.
    pub(crate) fn of_request(mut self, request_id: &str) -> Problem {
        request_id.clone_into(&mut self.request_id);
        self
    }
}

impl IntoResponse for Problem {
    /// Leaves itself in the response's extensions, so that what lies further out can name the request, or show a page.
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).expect("a problem is plain JSON");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status();
        response.headers_mut().extend(self.headers.clone());
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

impl From<catalog::Error> for Problem {
    fn from(error: catalog::Error) -> Problem {
        match error {
            catalog::Error::Refused(refusal) => refusal.into(),
            catalog::Error::Store(error) => error.into(),
            catalog::Error::Busy => {
                Problem::unavailable("busy", "Many people are signing in; try again in a moment.")
            }
            error @ (catalog::Error::Queue(_) | catalog::Error::Load(_)) => Problem::internal(error),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        let status = match &refusal {
            Refusal::NotFound(_) => StatusCode::NOT_FOUND,
            Refusal::NotAllowed(_) | Refusal::Banned | Refusal::OwnSuggestion | Refusal::TooYoung(_) => {
                StatusCode::FORBIDDEN
            }
            Refusal::SuggestionClosed(_)
            | Refusal::DuplicateResource(_)
            | Refusal::DuplicateSuggestion(_)
            | Refusal::OutOfDate(_)
            | Refusal::Conflict
            | Refusal::Taken(_)
            | Refusal::LastAdmin => StatusCode::CONFLICT,
            Refusal::SetUp(_) | Refusal::WrongPassword => StatusCode::FORBIDDEN,
            Refusal::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
        };
        if let Refusal::Invalid(faults) = refusal {
            let told = faults
                .into_iter()
                .map(|fault| FieldError { field: fault.field.to_owned(), detail: fault.detail });
            return Problem::invalid_fields(told.collect());
        }
        let problem = Problem::new(status, refusal.code(), sentence(&refusal.to_string()));
        match &refusal {
            // Where the thing that is there already can be found.
            Refusal::DuplicateResource(id) => problem.seen_at(format!("/api/v1/resources/{id}")),
            Refusal::DuplicateSuggestion(id) => problem.seen_at(format!("/api/v1/suggestions/{id}")),
            _ => problem,
        }
    }
}

impl Problem {
    fn seen_at(self, place: String) -> Problem {
        match HeaderValue::try_from(place) {
            Ok(place) => self.with_header(axum::http::header::LOCATION, place),
            Err(_) => self,
        }
    }
}

/// Names and values that somebody made up can be as long as a body.
fn shorten(text: &mut String) {
    if text.len() > LONGEST_TEXT {
        text.truncate(text.floor_char_boundary(LONGEST_TEXT));
        text.push('…');
    }
}

/// Some refusals begin with the name of a thing.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Problem {
        match error {
            store::Error::Cursor => Problem::invalid("cursor", "This cursor was not made here."),
            store::Error::Taken(unique) => Refusal::Taken(unique).into(),
            store::Error::Closing => {
                Problem::unavailable("closing", "The site is closing; try again in a moment.")
            }
            error @ (store::Error::Database(..)
            | store::Error::Migration(_)
            | store::Error::Address(_)
            | store::Error::Stored(..)
            | store::Error::Inside(_)
            | store::Error::Backup(_)
            | store::Error::File(..)) => Problem::internal(error),
        }
    }
}

impl From<session::Error> for Problem {
    fn from(error: session::Error) -> Problem {
        match error {
            session::Error::Invalid => Problem::unauthorized("token_invalid", "The token is not valid."),
            session::Error::Expired => Problem::unauthorized("token_expired", "The token has expired."),
            session::Error::Revoked => Problem::unauthorized("session_ended", "The session has ended."),
            session::Error::Reused { .. } => Problem::unauthorized(
                "token_reused",
                "This refresh token was replaced before; to be safe, the session has ended.",
            ),
            error @ (session::Error::Vault(_) | session::Error::Keys(_)) => Problem::internal(error),
        }
    }
}
