//! What happens to every request, whatever it asks for: limits of size and time, forgery, renewal of cookies, panics;
//! and to every reply: headers of security, problems that name their request, one line of log, counts.

mod etag;
mod forgery;
mod headers;
mod idempotency;
mod renewal;

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CONTENT_ENCODING, ETAG, SET_COOKIE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tokio::time::Instant;
use tower_http::timeout::TimeoutBody;
use uuid::Uuid;

use crate::extract::{BodyLimit, Notes};
use crate::metrics;
use crate::problem::{Problem, explain};
use crate::web::Web;

pub(crate) use etag::{etag, strong};
pub(crate) use forgery::is_own_origin;
pub(crate) use headers::Frames;

/// What every operation that the document describes does for its clients: what is read carries a tag, and what is
/// written can be sent twice.
pub(crate) async fn courtesy(State(web): State<Web>, request: Request, next: Next) -> Response {
    match request.method().is_safe() {
        true => etag(request, next).await,
        false => idempotency::idempotency(web, request, next).await,
    }
}

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longer than any address that we make; browsers stop at 2,000 to 8,000 characters.
const LONGEST_URI: usize = 8 * 1024;

/// The outermost of what we do.
pub(crate) async fn edge(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let request_id = web.catalog().clock().id::<Uuid>().to_string();
    let notes = Notes::default();
    request.extensions_mut().insert(notes.clone());

    let reply = answer(&web, request, next).await;

    let mut reply = explain(reply);
    let headers = reply.headers_mut();
    // Who has just signed in or out with this reply wants none of the cookies from before.
    let has_cookies = headers.contains_key(SET_COOKIE);
    for (name, value) in notes.take().into_iter().filter(|(name, _)| !has_cookies || name != SET_COOKIE) {
        headers.append(name, value);
    }
    weaken_etag(&mut reply);
    headers::secure(&web, &mut reply);
    let reply = name(reply, &request_id);
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let took = started.elapsed();
    metrics::request(&method, route, reply.status(), took);
    tracing::debug!(%method, route, status = reply.status().as_u16(), took_us = took.as_micros(), request_id, "request");
    reply
}

async fn answer(web: &Web, mut request: Request, next: Next) -> Response {
    if request.uri().path_and_query().is_some_and(|uri| uri.as_str().len() > LONGEST_URI) {
        return Problem::new(StatusCode::URI_TOO_LONG, "uri_too_long", "The address is too long.")
            .into_response();
    }
    // Mail providers switch mails off from anywhere, and browsers on behalf of them; the link itself is the proof.
    let is_one_click = request.uri().path().starts_with("/unsubscribe/");
    if !is_one_click && let Err(problem) = forgery::screen(web, &request) {
        return problem.into_response();
    }
    let (time, limit) = allowance(web, request.uri().path());
    request.extensions_mut().insert(BodyLimit(limit));
    let pause = web.settings().body_pause;
    if !request.body().is_end_stream() {
        request = request.map(|body| Body::new(TimeoutBody::new(pause, body)));
    }
    let work = async {
        let request = renewal::renew(web, request).await;
        next.run(request).await
    };
    match tokio::time::timeout(time, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(panic)) => {
            tracing::error!(panic = message(&*panic), "a handler panicked");
            Problem::bug().into_response()
        }
        Err(_) => Problem::unavailable("too_slow", "This took too long.").into_response(),
    }
}

/// How long a request may take, and how large its body may be.
fn allowance(web: &Web, path: &str) -> (Duration, usize) {
    let settings = web.settings();
    match path {
        // Whole lists: by the API and by the site's form.
        "/api/v1/admin/import" | "/import" | "/import/preview" => {
            (settings.import_time, settings.import_limit)
        }
        "/api/v1/admin/export" => (settings.import_time, settings.body_limit),
        _ => (settings.request_time, settings.body_limit),
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// A compressed reply is not byte for byte what the strong tag was made of (RFC 9110, 8.8.3).
fn weaken_etag(reply: &mut Response) {
    if !reply.headers().contains_key(CONTENT_ENCODING) {
        return;
    }
    let weak = reply.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).filter(|tag| tag.starts_with('"'));
    if let Some(weak) = weak.and_then(|tag| HeaderValue::try_from(format!("W/{tag}")).ok()) {
        reply.headers_mut().insert(ETAG, weak);
    }
}

/// Names the request in the reply; logs a failure on our side, here and nowhere else.
fn name(mut reply: Response, request_id: &str) -> Response {
    if let Some(problem) = reply.extensions_mut().remove::<Problem>() {
        let problem = problem.of_request(request_id);
        if problem.status() == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(request_id, causes = causes(&problem), "a request failed");
        }
        let is_ours =
            reply.headers().get("content-type").is_some_and(|kind| kind == crate::problem::MEDIA_TYPE);
        if is_ours {
            let (parts, _) = reply.into_parts();
            let body = problem.into_response().into_body();
            reply = Response::from_parts(parts, body);
            reply.headers_mut().remove("content-length");
        }
    }
    let id = HeaderValue::try_from(request_id).expect("an id is made of digits and dashes");
    reply.headers_mut().insert(X_REQUEST_ID.clone(), id);
    reply
}

fn causes(problem: &Problem) -> String {
    let mut text = String::new();
    let mut cause = problem.source().map(|source| source as &dyn std::error::Error);
    while let Some(error) = cause {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
