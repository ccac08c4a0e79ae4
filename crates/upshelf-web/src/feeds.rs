//! Atom feeds (RFC 4287). Text from people is text here: no reader takes it for markup.

use askama::Template;
use axum::extract::{FromRequestParts, State};
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::request::Parts;
use axum::response::IntoResponse;
use upshelf_catalog::{ResourceView, SuggestionView};
use upshelf_store::{PageRequest, ResourceFilter, ResourceSort, SuggestionFilter, SuggestionSort, Time};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::{Limited, Path};
use crate::limits::Read;
use crate::problem::{Problem, Result};
use crate::web::Web;

const MEDIA_TYPE: &str = "application/atom+xml; charset=utf-8";
/// Readers ask often and read little.
const ENTRIES: u32 = 50;

pub(crate) fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(resources)).routes(routes!(suggestions)).routes(routes!(category))
}

/// Where people reach the site, for links that leave it.
struct Site(String);

impl FromRequestParts<Web> for Site {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Site> {
        if let Some(url) = &web.settings().public_url {
            return Ok(Site(url.as_str().trim_end_matches('/').to_owned()));
        }
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
        Ok(Site(format!("http://{host}")))
    }
}

#[derive(Template)]
#[template(path = "feed.xml")]
struct Feed {
    title: String,
    site: String,
    path: String,
    updated: Time,
    entries: Vec<Entry>,
}

struct Entry {
    id: String,
    title: String,
    /// The page on this site.
    page: String,
    /// What it is about, elsewhere.
    about: String,
    author: String,
    summary: String,
    published: Time,
    updated: Time,
    categories: Vec<String>,
}

impl Feed {
    fn reply(mut self) -> Result<impl IntoResponse> {
        for entry in &mut self.entries {
            for text in [&mut entry.title, &mut entry.author, &mut entry.summary, &mut entry.about] {
                text.retain(is_xml);
            }
            entry.categories.iter_mut().for_each(|text| text.retain(is_xml));
        }
        self.title.retain(is_xml);
        Ok(([(CONTENT_TYPE, MEDIA_TYPE)], self.render().map_err(Problem::internal)?))
    }
}

/// XML 1.0 can hold no other control characters, not even escaped.
fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

/// What was put on the shelf last
#[utoipa::path(get, path = "/feeds/resources.atom", tag = "Feeds", responses(
    (status = 200, body = String, content_type = "application/atom+xml", description = "An Atom feed."),
    (status = 429, description = "Too often; `Retry-After` says when it goes on."),
))]
async fn resources(_: Limited<Read>, State(web): State<Web>, Site(site): Site) -> Result<impl IntoResponse> {
    shelf(&web, site, "/feeds/resources.atom", "New on the shelf", ResourceFilter::default()).await
}

/// What was put into a category last
#[utoipa::path(get, path = "/feeds/categories/{file}", tag = "Feeds",
    params(("file" = String, Path, description = "The category's slug with `.atom`.", example = "http.atom")), responses(
    (status = 200, body = String, content_type = "application/atom+xml", description = "An Atom feed."),
    (status = 429, description = "Too often; `Retry-After` says when it goes on."),
))]
async fn category(
    _: Limited<Read>,
    State(web): State<Web>,
    Site(site): Site,
    Path(file): Path<String>,
) -> Result<impl IntoResponse> {
    let slug = file.strip_suffix(".atom").ok_or_else(|| Problem::not_found("feed"))?;
    let category = web.catalog().category(slug).await?;
    let title = format!("New in {}", category.title);
    let path = format!("/feeds/categories/{}.atom", category.slug);
    shelf(&web, site, &path, &title, ResourceFilter { category: Some(category.id), tag: None }).await
}

async fn shelf(
    web: &Web,
    site: String,
    path: &str,
    title: &str,
    filter: ResourceFilter,
) -> Result<impl IntoResponse + use<>> {
    let page = PageRequest::first(ENTRIES);
    let found = web.catalog().resources(&filter, ResourceSort::New, &page).await?;
    let entries: Vec<Entry> = found.items.into_iter().map(|resource| of_resource(&site, resource)).collect();
    feed(site, path, title, entries).reply()
}

/// What was suggested last, and can be voted on
#[utoipa::path(get, path = "/feeds/suggestions.atom", tag = "Feeds", responses(
    (status = 200, body = String, content_type = "application/atom+xml", description = "An Atom feed."),
    (status = 429, description = "Too often; `Retry-After` says when it goes on."),
))]
async fn suggestions(
    _: Limited<Read>,
    State(web): State<Web>,
    Site(site): Site,
) -> Result<impl IntoResponse> {
    let page = PageRequest::first(ENTRIES);
    let found =
        web.catalog().suggestions(&SuggestionFilter::default(), SuggestionSort::New, &page, None).await?;
    let entries: Vec<Entry> =
        found.items.into_iter().map(|suggestion| of_suggestion(&site, suggestion)).collect();
    feed(site, "/feeds/suggestions.atom", "Open suggestions", entries).reply()
}

fn feed(site: String, path: &str, title: &str, entries: Vec<Entry>) -> Feed {
    let updated = entries.iter().map(|entry| entry.updated).max().unwrap_or(Time::EPOCH);
    Feed { title: title.to_owned(), site, path: path.to_owned(), updated, entries }
}

fn of_resource(site: &str, resource: ResourceView) -> Entry {
    Entry {
        id: format!("urn:uuid:{}", resource.id),
        page: format!("{site}/resources/{}", resource.id),
        about: resource.url,
        title: resource.title,
        author: resource.added_by.map_or_else(|| "Upshelf".to_owned(), |member| member.username),
        summary: resource.description,
        published: resource.added_at,
        updated: resource.changed_at,
        categories: resource.categories.into_iter().map(|category| category.title).collect(),
    }
}

fn of_suggestion(site: &str, suggestion: SuggestionView) -> Entry {
    let (name, url) = match suggestion.resource {
        Some(resource) => (resource.title, resource.url),
        None => (suggestion.changes.title.unwrap_or_default(), suggestion.changes.url.unwrap_or_default()),
    };
    Entry {
        id: format!("urn:uuid:{}", suggestion.id),
        title: format!("{}: {name}", suggestion.kind),
        page: format!("{site}/suggestions/{}", suggestion.id),
        about: url,
        author: suggestion.author.username,
        summary: suggestion.reason,
        published: suggestion.opened_at,
        updated: suggestion.opened_at,
        categories: Vec::new(),
    }
}
