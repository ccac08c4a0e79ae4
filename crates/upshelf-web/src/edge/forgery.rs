//! Requests that another site makes a browser send (CSRF).

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};

use crate::cookies;
use crate::problem::{Problem, Result};
use crate::web::Web;

/// Refuses unsafe requests that a browser says, or does not deny, were made for another site.
///
/// What carries an `Authorization` header was made on purpose: no browser adds one by itself.
pub(super) fn screen(web: &Web, request: &Request) -> Result<()> {
    let headers = request.headers();
    if request.method().is_safe() || headers.contains_key(AUTHORIZATION) {
        return Ok(());
    }
    let is_own = match text(headers, "sec-fetch-site") {
        Some(site) => matches!(site, "same-origin" | "none"),
        None => match headers.get(ORIGIN) {
            Some(origin) => origin.to_str().is_ok_and(|origin| is_own_origin(web, headers, origin)),
            // A program, not a browser; with the site's cookies it has to say where it stands.
            None => !cookies::has_any(web, headers),
        },
    };
    if is_own {
        return Ok(());
    }
    Err(Problem::forbidden("cross_site", "This request does not come from this site."))
}

/// Says whether an `Origin` is this site's.
pub(crate) fn is_own_origin(web: &Web, headers: &HeaderMap, origin: &str) -> bool {
    match &web.settings().public_url {
        Some(url) => url.origin().ascii_serialization() == origin,
        None => {
            let host = text(headers, HOST.as_str());
            host.is_some() && origin.split_once("://").map(|(_, host)| host) == host
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
