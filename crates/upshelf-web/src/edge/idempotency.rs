//! `Idempotency-Key`: a request that is sent twice is done once, and answered twice.

use std::panic::AssertUnwindSafe;

use aws_lc_rs::digest::{Context, SHA256};
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt;
use upshelf_store::{Claim, Reply};

use crate::extract::{BodyLimit, Caller, ClientIp, read_body};
use crate::problem::{Problem, Result};
use crate::web::Web;

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const LONGEST_KEY: usize = 255;

/// Does an unsafe request with an `Idempotency-Key` at most once.
///
/// A reply that holds a secret (marked `no-store`) is never kept: such a request is done again. So is one that failed
/// on our side, or that came too often.
pub(super) async fn idempotency(web: Web, request: Request, next: Next) -> Response {
    if !request.headers().contains_key(&IDEMPOTENCY_KEY) {
        return next.run(request).await;
    }
    // Apart: every request that writes is as large as this, and few have a key.
    Box::pin(once(&web, request, next)).await.unwrap_or_else(IntoResponse::into_response)
}

async fn once(web: &Web, request: Request, next: Next) -> Result<Response> {
    let given = read_key(request.headers())?.to_owned();
    let limit = request.extensions().get().copied().unwrap_or(BodyLimit(web.settings().body_limit));
    let (mut parts, body) = request.into_parts();
    let who = match Caller::of(&mut parts, web).await?.member_id() {
        Some(id) => format!("member {id}"),
        None => {
            let ClientIp(ip) =
                ClientIp::of(&parts.extensions, &parts.headers, &web.settings().trusted_proxies);
            format!("address {ip}")
        }
    };
    let body = read_body(body, limit).await?;
    let key = hash([who.as_bytes(), given.as_bytes()]);
    let fingerprint = hash([parts.method.as_str().as_bytes(), parts.uri.to_string().as_bytes(), &body[..]]);

    let store = web.catalog().store();
    let mut tx = store.write().await?;
    let claim = tx.claim_idempotency(&key, &fingerprint, web.catalog().clock().now()).await?;
    tx.commit().await?;
    match claim {
        Claim::Running { fingerprint: first } | Claim::Replay { fingerprint: first, .. }
            if first != fingerprint =>
        {
            let detail = "This Idempotency-Key belongs to another request.";
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail))
        }
        Claim::Running { .. } => {
            let detail = "The first request with this Idempotency-Key is still running.";
            Err(Problem::new(StatusCode::CONFLICT, "idempotency_key_running", detail))
        }
        Claim::Replay { reply, .. } => Ok(replay(reply)),
        Claim::New => {
            let request = Request::from_parts(parts, Body::from(body));
            let web = web.clone();
            // It goes on when its client goes away: the client will come back with the same key.
            let work = web.tracker().clone().spawn(async move { run(&web, &key, request, next).await });
            work.await.unwrap_or_else(|_| Err(Problem::bug()))
        }
    }
}

async fn run(web: &Web, key: &str, request: Request, next: Next) -> Result<Response> {
    let reply = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let Ok(reply) = reply else {
        release(web, key).await?;
        return Err(Problem::bug());
    };
    let status = reply.status();
    let is_secret = reply.headers().get(CACHE_CONTROL).is_some_and(|value| value == "no-store");
    if is_secret || status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        release(web, key).await?;
        return Ok(reply);
    }
    let (parts, body) = reply.into_parts();
    let body = to_bytes(body, usize::MAX).await.map_err(Problem::internal)?;
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).map(str::to_owned);
    let mut tx = web.catalog().store().write().await?;
    tx.finish_idempotency(key, &Reply { status: status.as_u16(), content_type, body: body.to_vec() }).await?;
    tx.commit().await?;
    Ok(Response::from_parts(parts, Body::from(body)))
}

async fn release(web: &Web, key: &str) -> Result<()> {
    let mut tx = web.catalog().store().write().await?;
    tx.release_idempotency(key).await?;
    tx.commit().await.map_err(Problem::from)
}

fn replay(reply: Reply) -> Response {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(kind) = reply.content_type.and_then(|kind| HeaderValue::try_from(kind).ok()) {
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    response
        .headers_mut()
        .insert(HeaderName::from_static("idempotency-replayed"), HeaderValue::from_static("true"));
    response
}

fn read_key(headers: &HeaderMap) -> Result<&str> {
    let key = headers.get(&IDEMPOTENCY_KEY).and_then(|key| key.to_str().ok()).unwrap_or_default();
    match key.len() {
        1..=LONGEST_KEY => Ok(key),
        _ => Err(Problem::malformed("An Idempotency-Key has 1 to 255 visible ASCII characters.")),
    }
}

fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    URL_SAFE_NO_PAD.encode(context.finish())
}
