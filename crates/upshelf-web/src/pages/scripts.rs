//! The scripts of the pages, and the client that they share with everybody (`clients/js`). They import each other by
//! relative paths, so all lie under one name, made of the content of all, and browsers may keep them for ever.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
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

/// What pages begin with.
pub(crate) const PAGES: &str = "live.js";

/// The URLs of what [`PAGES`] needs: without them a browser would find out file by file, from import to import.
pub(crate) static NEEDED: LazyLock<Vec<String>> =
    LazyLock::new(|| needed(PAGES, &SCRIPTS.by_path).iter().map(|path| url(path)).collect());

fn needed(first: &str, by_path: &BTreeMap<String, Cow<'static, [u8]>>) -> Vec<String> {
    let (mut found, mut waiting) = (BTreeSet::from([first.to_owned()]), vec![first.to_owned()]);
    while let Some(path) = waiting.pop() {
        let bytes = by_path.get(&path).map_or(&[][..], AsRef::as_ref);
        waiting.extend(imports(&path, bytes).into_iter().filter(|import| found.insert(import.clone())));
    }
    found.remove(first);
    found.into_iter().collect()
}

/// The paths of what a script imports, as our formatter writes it: the file stands on the statement's last line.
fn imports(path: &str, bytes: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let begins = |line: &&str| ["import ", "export {", "} from "].iter().any(|word| line.starts_with(word));
    let files = text.lines().filter(begins).filter_map(|line| line.split('"').nth(1));
    files.map(|file| beside(path, file)).collect()
}

/// The path of a file as another one names it.
fn beside(path: &str, file: &str) -> String {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<_> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in file.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

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
            for import in imports(path, bytes) {
                assert!(SCRIPTS.by_path.contains_key(&import), "{path} imports {import}");
            }
        }
    }

    #[test]
    fn what_a_page_needs_is_named_at_once_and_nothing_else() {
        let source = |text: &'static str| Cow::Borrowed(text.as_bytes());
        let by_path = [
            (
                "a.js",
                "/** A page's script. */\nimport { b } from \"./in/b.js\";\nexport { c } from \"./in/c.js\";\n",
            ),
            ("in/b.js", "import \"../d.js\";\n/** @type {import(\"../e.js\").E} */\n"),
            ("in/c.js", "import { b } from \"./b.js\";\n"),
            ("d.js", "import {\n  a,\n} from \"./a.js\";\n"),
            ("e.js", ""),
        ];
        let by_path = by_path.map(|(path, text)| (path.to_owned(), source(text))).into();
        assert_eq!(needed("a.js", &by_path), ["d.js", "in/b.js", "in/c.js"]);
        assert!(NEEDED.contains(&url("client/index.js")) && !NEEDED.contains(&url(PAGES)));
    }

    #[test]
    fn what_pages_load_of_their_own_stays_small() {
        let all: usize = Pages::iter().filter_map(|name| Pages::get(&name)).map(|file| file.data.len()).sum();
        assert!((1..=8 * 1024).contains(&all), "{all} bytes");
    }
}
