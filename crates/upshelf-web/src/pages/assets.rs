//! The site's own files, inside the program. Their URLs name their content, so browsers may keep them for ever.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rust_embed::RustEmbed;

use crate::problem::{Problem, Result};

#[derive(RustEmbed)]
#[folder = "assets"]
struct Files;

struct Asset {
    url: String,
    etag: String,
    kind: &'static str,
    bytes: Vec<u8>,
}

/// By the last part of their URLs: `site.3q2-7w.css`.
static ASSETS: LazyLock<BTreeMap<String, Asset>> = LazyLock::new(|| {
    Files::iter()
        .filter_map(|name| {
            let bytes = Files::get(&name)?.data.into_owned();
            let (stem, ending) = name.rsplit_once('.')?;
            let hash = URL_SAFE_NO_PAD.encode(&digest(&SHA256, &bytes).as_ref()[..9]);
            let kind = match ending {
                "css" => "text/css; charset=utf-8",
                "svg" => "image/svg+xml",
                "png" => "image/png",
                _ => "application/octet-stream",
            };
            let versioned = format!("{stem}.{hash}.{ending}");
            let url = format!("/assets/{versioned}");
            Some((versioned, Asset { url, etag: format!("\"{hash}\""), kind, bytes }))
        })
        .collect()
});

static URLS: LazyLock<BTreeMap<String, &'static str>> = LazyLock::new(|| {
    Files::iter()
        .filter_map(|name| {
            let (stem, ending) = name.rsplit_once('.')?;
            let found = ASSETS.iter().find(|(versioned, _)| {
                versioned.strip_prefix(stem).is_some_and(|rest| rest.starts_with('.'))
                    && versioned.ends_with(ending)
            });
            found.map(|(_, asset)| (name.into_owned(), asset.url.as_str()))
        })
        .collect()
});

/// The URL of one of the site's files.
pub(crate) fn url(name: &str) -> &'static str {
    URLS.get(name).copied().unwrap_or_default()
}

/// `GET /assets/{name}`
pub(crate) async fn show(Path(name): Path<String>, headers: HeaderMap) -> Result<Response> {
    let asset = ASSETS.get(&name).ok_or_else(|| Problem::not_found("file"))?;
    let known = headers.get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok()).unwrap_or_default();
    let kept = [(ETAG, asset.etag.as_str()), (CACHE_CONTROL, "public, max-age=31536000, immutable")];
    if known.contains(&asset.etag) {
        return Ok((StatusCode::NOT_MODIFIED, kept).into_response());
    }
    Ok((kept, [(CONTENT_TYPE, asset.kind)], asset.bytes.as_slice()).into_response())
}

/// `GET /favicon.ico`: browsers ask for it unasked.
pub(crate) async fn favicon(headers: HeaderMap) -> Result<Response> {
    let name = url("logo.svg").rsplit('/').next().unwrap_or_default().to_owned();
    show(Path(name), headers).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_url_that_finds_it() {
        for name in Files::iter() {
            let last = url(&name).strip_prefix("/assets/").expect("it has a URL");
            assert!(ASSETS.contains_key(last), "{name}");
        }
    }

    #[test]
    fn the_look_stays_small() {
        let css = Files::get("site.css").expect("it is there").data;
        assert!(css.len() <= 12 * 1024, "{} bytes", css.len());
    }
}
