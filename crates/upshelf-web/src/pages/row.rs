//! A resource in a list, and where a list goes on.

use askama::Template;
use askama::filters::HtmlSafe;
use serde::Deserialize;
use upshelf_catalog::{CategoryRef, ResourceView};
use upshelf_store::PageRequest;
use url::{Url, form_urlencoded};

use crate::extract::page;
use crate::pages::frame::Frame;
use crate::pages::markdown::{self, Safe};
use crate::problem::Result;

/// One resource of a list.
#[derive(Template)]
#[template(path = "parts/row.html")]
pub(crate) struct Row {
    pub(crate) id: String,
    title: String,
    href: String,
    host: String,
    description: Safe,
    categories: Vec<CategoryRef>,
    tags: Vec<String>,
    open_suggestions: i64,
}

impl HtmlSafe for Row {}

impl From<&ResourceView> for Row {
    fn from(view: &ResourceView) -> Row {
        Row {
            id: view.id.to_string(),
            title: view.title.clone(),
            href: outward(&view.url).to_owned(),
            host: host(&view.url),
            description: markdown::inline(&view.description),
            categories: view.categories.clone(),
            tags: view.tags.clone(),
            open_suggestions: view.open_suggestions,
        }
    }
}

/// Draws a list of resources.
pub(crate) fn rows(views: &[ResourceView]) -> Vec<Row> {
    views.iter().map(Row::from).collect()
}

/// Gives an address if a link may lead there; whatever is stored, nothing but the web is linked to.
pub(crate) fn outward(url: &str) -> &str {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    if matches!(scheme.as_deref(), Some("http" | "https")) { url } else { "" }
}

/// Gives the part of an address that tells people whose it is.
pub(crate) fn host(url: &str) -> String {
    let parsed = Url::parse(url).ok();
    let host = parsed.as_ref().and_then(Url::host_str).unwrap_or_default();
    host.strip_prefix("www.").unwrap_or(host).to_owned()
}

/// Where a page of a list begins.
#[derive(Deserialize)]
pub(crate) struct Start {
    cursor: Option<String>,
}

impl Start {
    /// Whether it is the beginning of the list.
    pub(crate) fn is_first(&self) -> bool {
        self.cursor.is_none()
    }

    pub(crate) fn page(self) -> Result<PageRequest> {
        page(None, self.cursor)
    }
}

/// Leads to the next page of a list.
#[derive(Template)]
#[template(path = "parts/pager.html")]
pub(crate) struct Pager {
    next: Option<String>,
    first: Option<String>,
}

impl HtmlSafe for Pager {}

impl Pager {
    /// Leads on from `frame`'s page to where `next_cursor` points, and back to the beginning.
    pub(crate) fn new(frame: &Frame, next_cursor: Option<&str>) -> Pager {
        let (path, query) = frame.here.split_once('?').unwrap_or((&frame.here, ""));
        let at = |cursor: Option<&str>| {
            let kept = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "cursor");
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(kept);
            if let Some(cursor) = cursor {
                query.append_pair("cursor", cursor);
            }
            let query = query.finish();
            if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
        };
        let is_first = !form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "cursor");
        Pager { next: next_cursor.map(|cursor| at(Some(cursor))), first: (!is_first).then(|| at(None)) }
    }
}

/// One of several orders or selections of a list.
pub(crate) struct Tab {
    pub(crate) label: &'static str,
    pub(crate) href: String,
    pub(crate) is_current: bool,
}

impl Tab {
    /// Leads to the same page with `name` set to `value` in the query.
    pub(crate) fn new(frame: &Frame, label: &'static str, name: &str, value: &str, is_current: bool) -> Tab {
        let (path, query) = frame.here.split_once('?').unwrap_or((&frame.here, ""));
        let kept =
            form_urlencoded::parse(query.as_bytes()).filter(|(known, _)| known != "cursor" && known != name);
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(kept);
        if !value.is_empty() {
            query.append_pair(name, value);
        }
        let query = query.finish();
        let href = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        Tab { label, href, is_current }
    }
}

#[cfg(test)]
mod tests {
    use upshelf_store::Time;

    use super::*;

    #[test]
    fn links_lead_to_the_web_and_nowhere_else() {
        assert_eq!(outward("https://example.org/a"), "https://example.org/a");
        assert_eq!(outward("HTTP://example.org"), "HTTP://example.org");
        for bad in ["javascript:alert(1)", "data:text/html,x", "javascript://x", " https", ""] {
            assert_eq!(outward(bad), "", "{bad}");
        }
        assert_eq!(host("https://www.example.org/a?b"), "example.org");
    }

    #[test]
    fn a_list_goes_on_with_what_was_asked_for() {
        let frame =
            Frame::new(None, 0, &"/suggestions?sort=new&cursor=a".parse().expect("a path"), Time::EPOCH);
        let pager = Pager::new(&frame, Some("b+c"));
        assert_eq!(pager.next.as_deref(), Some("/suggestions?sort=new&cursor=b%2Bc"));
        assert_eq!(pager.first.as_deref(), Some("/suggestions?sort=new"));
        let tab = Tab::new(&frame, "Top", "sort", "top", false);
        assert_eq!(tab.href, "/suggestions?sort=top");
        assert_eq!(Tab::new(&frame, "Hot", "sort", "", false).href, "/suggestions");
    }
}
