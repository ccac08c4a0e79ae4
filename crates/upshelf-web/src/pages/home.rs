//! The front page: set-up at first, then the library. And what the rules are.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use upshelf_catalog::{MAX_URL, Rules};
use upshelf_store::{ResourceFilter, ResourceSort, SuggestionFilter, SuggestionSort};

use crate::extract::{Limited, Query, page as page_request};
use crate::limits::Read;
use crate::pages::account::SetUpPage;
use crate::pages::browse::sort_tabs;
use crate::pages::card::{Card, cards};
use crate::pages::form::Form;
use crate::pages::frame::Frame;
use crate::pages::page;
use crate::pages::row::{Pager, Row, Tab, rows};
use crate::pages::tree::Tree;
use crate::problem::Result;
use crate::web::Web;

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    frame: Frame,
    title: String,
    resources: i64,
    is_first: bool,
    tree: Tree,
    tabs: Vec<Tab>,
    rows: Vec<Row>,
    pager: Pager,
    cards: Vec<Card>,
    max_url: usize,
}

/// Which part of the library is asked for.
#[derive(Deserialize)]
pub(crate) struct Shelf {
    pub(crate) sort: Option<ResourceSort>,
    pub(crate) cursor: Option<String>,
}

/// `GET /`
pub(crate) async fn show(
    _: Limited<Read>,
    State(web): State<Web>,
    frame: Frame,
    Query(asked): Query<Shelf>,
) -> Result<Response> {
    let catalog = web.catalog();
    if catalog.set_up_needed().await? {
        return page(&SetUpPage { frame, form: Form::default() });
    }
    let sort = asked.sort.unwrap_or(ResourceSort::New);
    let is_first = asked.cursor.is_none();
    let tree = catalog.categories().await?;
    let found =
        catalog.resources(&ResourceFilter::default(), sort, &page_request(None, asked.cursor)?).await?;
    let open = catalog
        .suggestions(
            &SuggestionFilter::default(),
            SuggestionSort::Hot,
            &page_request(Some(5), None)?,
            frame.member(),
        )
        .await?;
    let resources = catalog.store().read().await?.count_resources().await?;
    let lists = catalog.lists().await?;
    let title = match &lists[..] {
        [one] => one.title.clone(),
        _ => "The library".to_owned(),
    };
    page(&HomePage {
        title,
        resources,
        is_first,
        tree: Tree::new(&tree, None),
        tabs: sort_tabs(&frame, sort, ResourceSort::New),
        rows: rows(&found.items),
        pager: Pager::new(&frame, found.next_cursor.as_deref()),
        cards: cards(&open.items, &frame),
        max_url: MAX_URL,
        frame,
    })
}

#[derive(Template)]
#[template(path = "rules.html")]
struct RulesPage {
    frame: Frame,
    rules: Rules,
}

impl RulesPage {
    fn percent(&self, share: &f64) -> String {
        format!("{:.0} %", share * 100.0)
    }

    fn span(&self, time: &std::time::Duration) -> String {
        let minutes = time.as_secs() / 60;
        match minutes {
            0 => "no time at all".to_owned(),
            1 => "1 minute".to_owned(),
            2..120 if minutes == 60 => "1 hour".to_owned(),
            2..120 => format!("{minutes} minutes"),
            _ => format!("{} hours", minutes / 60),
        }
    }
}

/// `GET /rules`
pub(crate) async fn rules(_: Limited<Read>, State(web): State<Web>, frame: Frame) -> Result<Response> {
    page(&RulesPage { frame, rules: web.catalog().settings().rules.clone() })
}
