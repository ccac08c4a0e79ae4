use aws_lc_rs::digest::{SHA256, digest};
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::problem::Problem;

/// Gives what is read a tag of its bytes, and answers 304 to who has them already.
pub(crate) async fn etag(request: Request, next: Next) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let known = request.headers().get(IF_NONE_MATCH).cloned();
    let reply = next.run(request).await;
    if reply.status() != StatusCode::OK || is_endless(&reply) {
        return reply;
    }
    let (mut parts, body) = reply.into_parts();
    let tag = match parts.headers.get(ETAG) {
        Some(tag) => tag.clone(),
        None => {
            let Ok(bytes) = to_bytes(body, usize::MAX).await else { return Problem::bug().into_response() };
            let tag = strong(&bytes);
            parts.headers.insert(ETAG, tag.clone());
            return finish(Response::from_parts(parts, Body::from(bytes)), known.as_ref(), &tag);
        }
    };
    finish(Response::from_parts(parts, body), known.as_ref(), &tag)
}

fn finish(mut reply: Response, known: Option<&HeaderValue>, tag: &HeaderValue) -> Response {
    if !known.is_some_and(|known| matches(known, tag)) {
        return reply;
    }
    *reply.status_mut() = StatusCode::NOT_MODIFIED;
    *reply.body_mut() = Body::empty();
    reply.headers_mut().remove(CONTENT_LENGTH);
    reply.headers_mut().remove(CONTENT_TYPE);
    reply
}

/// A stream of events has no whole to make a tag of.
fn is_endless(reply: &Response) -> bool {
    reply.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream")
}

/// A tag made of a body's bytes.
pub(crate) fn strong(bytes: &[u8]) -> HeaderValue {
    let hash = digest(&SHA256, bytes);
    let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16]));
    HeaderValue::try_from(tag).expect("base64url in quotes is a header value")
}

/// Compares as `If-None-Match` asks: weakly (RFC 9110, 13.1.2).
fn matches(known: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(known), Ok(tag)) = (known.to_str(), tag.to_str()) else { return false };
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    known.trim() == "*" || known.split(',').any(|one| bare(one) == bare(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly_and_in_lists() {
        let is_known = |known: &'static str| matches(&HeaderValue::from_static(known), &strong(b"a"));
        let tag = strong(b"a").to_str().expect("a tag is text").to_owned();
        let list: &'static str = format!("\"x\", W/{tag}").leak();
        assert!(is_known(list));
        assert!(is_known("*"));
        assert!(!is_known("\"x\", \"y\""));
        assert_ne!(strong(b"a"), strong(b"b"));
    }
}
