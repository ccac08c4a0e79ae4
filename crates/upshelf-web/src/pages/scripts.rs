//! The scripts of the pages, and the client that they share with everybody (`clients/js`). They import each other by
//! relative paths, so all lie under one name, made of the content of all, and browsers may keep them for ever.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use aws_lc_rs::digest::{Context, SHA256};
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rust_embed::RustEmbed;

use crate::problem::{Problem, Result};

#[derive(RustEmbed)]
#[folder = "scripts"]
struct Pages;

#[derive(RustEmbed)]
#[folder = "../../clients/js/src"]
struct Client;

struct Scripts {
    hash: String,
    by_path: BTreeMap<String, Cow<'static, [u8]>>,
}

static SCRIPTS: LazyLock<Scripts> = LazyLock::new(|| {
    let own = Pages::iter().filter_map(|name| Some((name.to_string(), Pages::get(&name)?.data)));
    let client = Client::iter().filter_map(|name| Some((format!("client/{name}"), Client::get(&name)?.data)));
    let by_path: BTreeMap<_, _> = own.chain(client).collect();
    let mut context = Context::new(&SHA256);
    for (path, bytes) in &by_path {
        context.update(path.as_bytes());
        context.update(&(bytes.len() as u64).to_be_bytes());
        context.update(bytes);
    }
    Scripts { hash: URL_SAFE_NO_PAD.encode(&context.finish().as_ref()[..9]), by_path }
});

/// The URL of one of the scripts.
pub(crate) fn url(path: &str) -> String {
    format!("/assets/scripts/{}/{path}", SCRIPTS.hash)
}

/// `GET /assets/scripts/{hash}/{path}`
pub(crate) async fn show(Path((hash, path)): Path<(String, String)>) -> Result<Response> {
    let script = SCRIPTS.by_path.get(&path).filter(|_| hash == SCRIPTS.hash);
    let script = script.ok_or_else(|| Problem::not_found("file"))?;
    let headers = [
        (CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Ok((headers, script.as_ref()).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_import_is_there() {
        for (path, bytes) in &SCRIPTS.by_path {
            let text = std::str::from_utf8(bytes).expect("a script is text");
            let imports =
                text.lines().filter(|line| line.starts_with("import ") || line.starts_with("export {"));
            for import in imports.filter_map(|line| line.split('"').nth(1)) {
                let base = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                let mut parts: Vec<_> = base.split('/').filter(|part| !part.is_empty()).collect();
                for part in import.split('/') {
                    match part {
                        "." => {}
                        ".." => drop(parts.pop()),
                        part => parts.push(part),
                    }
                }
                assert!(SCRIPTS.by_path.contains_key(&parts.join("/")), "{path} imports {import}");
            }
        }
    }

    #[test]
    fn what_pages_load_of_their_own_stays_small() {
        let all: usize = Pages::iter().filter_map(|name| Pages::get(&name)).map(|file| file.data.len()).sum();
        assert!((1..=8 * 1024).contains(&all), "{all} bytes");
    }
}
