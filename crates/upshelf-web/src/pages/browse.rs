//! The shelves: categories, tags, search.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use upshelf_catalog::ResourceView;
use upshelf_store::{Page, ResourceFilter, ResourceSort, Tag};

use crate::extract::{Limited, Path, Query, page as page_request};
use crate::limits::{Read, Search};
use crate::pages::frame::Frame;
use crate::pages::home::Shelf;
use crate::pages::page;
use crate::pages::row::{Pager, Row, Tab, rows};
use crate::pages::tree::Tree;
use crate::problem::Result;
use crate::web::Web;

/// How many resources a search finds at most.
const MOST_FOUND: u32 = 50;

#[derive(Template)]
#[template(path = "shelf.html")]
struct ShelfPage {
    frame: Frame,
    title: String,
    above: Vec<String>,
    feed: Option<String>,
    suggest_at: Option<String>,
    tree: Tree,
    tabs: Vec<Tab>,
    rows: Vec<Row>,
    pager: Pager,
}

/// The orders of a list of resources.
pub(crate) fn sort_tabs(frame: &Frame, sort: ResourceSort, default: ResourceSort) -> Vec<Tab> {
    let all =
        [(ResourceSort::New, "Newest"), (ResourceSort::Popular, "Popular"), (ResourceSort::Name, "A to Z")];
    all.into_iter()
        .map(|(each, label)| {
            let value = if each == default { "" } else { each.as_str() };
            Tab::new(frame, label, "sort", value, each == sort)
        })
        .collect()
}

/// `GET /categories/{slug}`
pub(crate) async fn category(
    _: Limited<Read>,
    State(web): State<Web>,
    frame: Frame,
    Path(slug): Path<String>,
    Query(asked): Query<Shelf>,
) -> Result<Response> {
    let category = web.catalog().category(&slug).await?;
    let filter = ResourceFilter { category: Some(category.id), ..ResourceFilter::default() };
    let tree = web.catalog().categories().await?;
    let sort = asked.sort.unwrap_or(ResourceSort::Name);
    let found = web.catalog().resources(&filter, sort, &page_request(None, asked.cursor)?).await?;
    let mut above = category.path;
    above.pop();
    let shelf = ShelfPage {
        title: category.title,
        above,
        feed: Some(format!("/feeds/categories/{}.atom", category.slug)),
        suggest_at: Some(category.id.to_string()),
        tree: Tree::new(&tree, Some(&category.slug)),
        ..shelf(frame, sort, found)
    };
    page(&shelf)
}

/// `GET /tags/{tag}`
pub(crate) async fn tag(
    _: Limited<Read>,
    State(web): State<Web>,
    frame: Frame,
    Path(tag): Path<String>,
    Query(asked): Query<Shelf>,
) -> Result<Response> {
    let filter = ResourceFilter { tag: Some(tag.clone()), ..ResourceFilter::default() };
    let sort = asked.sort.unwrap_or(ResourceSort::Name);
    let found = web.catalog().resources(&filter, sort, &page_request(None, asked.cursor)?).await?;
    let tree = web.catalog().categories().await?;
    let shelf = ShelfPage {
        title: format!("#{tag}"),
        above: vec!["Tags".to_owned()],
        tree: Tree::new(&tree, None),
        ..shelf(frame, sort, found)
    };
    page(&shelf)
}

fn shelf(frame: Frame, sort: ResourceSort, found: Page<ResourceView>) -> ShelfPage {
    ShelfPage {
        title: String::new(),
        above: Vec::new(),
        feed: None,
        suggest_at: None,
        tree: Tree::default(),
        tabs: sort_tabs(&frame, sort, ResourceSort::Name),
        rows: rows(&found.items),
        pager: Pager::new(&frame, found.next_cursor.as_deref()),
        frame,
    }
}

#[derive(Template)]
#[template(path = "tags.html")]
struct TagsPage {
    frame: Frame,
    tags: std::sync::Arc<Vec<Tag>>,
}

/// `GET /tags`
pub(crate) async fn tags(_: Limited<Read>, State(web): State<Web>, frame: Frame) -> Result<Response> {
    page(&TagsPage { frame, tags: web.catalog().tags().await? })
}

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage {
    frame: Frame,
    query: String,
    rows: Vec<Row>,
    is_cut: bool,
}

/// What is looked for.
#[derive(Deserialize)]
pub(crate) struct Sought {
    #[serde(default)]
    q: String,
}

/// `GET /search`
pub(crate) async fn search(
    _: Limited<Search>,
    State(web): State<Web>,
    frame: Frame,
    Query(Sought { q }): Query<Sought>,
) -> Result<Response> {
    let query: String = q.trim().chars().take(200).collect();
    let found = match query.is_empty() {
        true => Vec::new(),
        false => web.catalog().search(&query, MOST_FOUND).await?,
    };
    page(&SearchPage { frame, query, is_cut: found.len() == MOST_FOUND as usize, rows: rows(&found) })
}
