//! Suggesting: an addition in three fields; an edit, a move or a removal from the resource's page.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use upshelf_catalog::{
    CategoryTree, MAX_DESCRIPTION, MAX_REASON, MAX_TITLE, MAX_URL, NewSuggestion, ResourceView,
};
use upshelf_store::{CategoryId, Changes, ResourceId, ResourceStatus, SuggestionKind};
use uuid::Uuid;

use crate::extract::{Limited, Member, Path, Query};
use crate::limits::{Read, Suggest};
use crate::pages::form::Form;
use crate::pages::frame::{Frame, see};
use crate::pages::tree::{Choice, choices};
use crate::pages::{page, page_as};
use crate::problem::{Problem, Result};
use crate::web::Web;

#[derive(Template)]
#[template(path = "suggest.html")]
struct SuggestPage {
    frame: Frame,
    form: Form,
    categories: Vec<Choice>,
    limits: Lengths,
}

#[derive(Template)]
#[template(path = "change.html")]
struct ChangePage {
    frame: Frame,
    form: Form,
    kind: SuggestionKind,
    resource: ResourceView,
    categories: Vec<Choice>,
    limits: Lengths,
}

/// How long the texts may be.
struct Lengths {
    url: usize,
    title: usize,
    description: usize,
    reason: usize,
}

const LENGTHS: Lengths =
    Lengths { url: MAX_URL, title: MAX_TITLE, description: MAX_DESCRIPTION, reason: MAX_REASON };

/// What is known of an addition already.
#[derive(Deserialize)]
pub(crate) struct Known {
    #[serde(default)]
    url: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    category: String,
}

/// `GET /suggest`: also what a bookmarklet opens, with `url` and `title`.
pub(crate) async fn show_add(
    _: Limited<Read>,
    State(web): State<Web>,
    _member: Member,
    frame: Frame,
    Query(known): Query<Known>,
) -> Result<Response> {
    let form = Form::filled([("url", known.url), ("title", known.title), ("category_ids", known.category)]);
    page(&suggest_page(frame, form, &*web.catalog().categories().await?))
}

fn suggest_page(frame: Frame, form: Form, tree: &CategoryTree) -> SuggestPage {
    SuggestPage { frame, form, categories: choices(tree), limits: LENGTHS }
}

/// `POST /suggest`
pub(crate) async fn add(
    _: Limited<Suggest>,
    State(web): State<Web>,
    member: Member,
    frame: Frame,
    form: Form,
) -> Result<Response> {
    let new = NewSuggestion {
        kind: SuggestionKind::Add,
        resource_id: None,
        base_version: None,
        changes: Changes {
            url: Some(form.value("url").to_owned()),
            title: Some(form.value("title").to_owned()),
            description: form.some("description"),
            category_ids: Some(category_ids(&form)),
            tags: form.some("tags").map(|tags| split_tags(&tags)),
        },
        reason: form.value("reason").to_owned(),
    };
    match web.catalog().propose(&member, new).await {
        Ok(suggestion) => Ok(see(&format!("/suggestions/{}", suggestion.id), "suggested")),
        Err(error) => {
            let form = form.refused(error.into())?;
            page_as(form.status(), &suggest_page(frame, form, &*web.catalog().categories().await?))
        }
    }
}

/// Choices that are no ids are left out: then a category is missing, and the form says so.
fn category_ids(form: &Form) -> Vec<CategoryId> {
    form.values("category_ids").filter_map(|id| id.parse::<Uuid>().ok()).map(CategoryId::from).collect()
}

fn split_tags(tags: &str) -> Vec<String> {
    tags.split([',', ';', '\n']).map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
}

fn kind_of(word: &str) -> Result<SuggestionKind> {
    match word {
        "edit" => Ok(SuggestionKind::Edit),
        "move" => Ok(SuggestionKind::Move),
        "remove" => Ok(SuggestionKind::Remove),
        _ => Err(Problem::not_found("page")),
    }
}

async fn live(web: &Web, id: ResourceId) -> Result<ResourceView> {
    let resource = web.catalog().resource(id).await?;
    match resource.status {
        ResourceStatus::Live => Ok(resource),
        ResourceStatus::Removed => Err(Problem::not_found("resource")),
    }
}

/// `GET /resources/{id}/{edit|move|remove}`
pub(crate) async fn show_change(
    _: Limited<Read>,
    State(web): State<Web>,
    Path((id, kind)): Path<(Uuid, String)>,
    _member: Member,
    frame: Frame,
) -> Result<Response> {
    let kind = kind_of(&kind)?;
    let resource = live(&web, id.into()).await?;
    let mut values = vec![
        ("url", resource.url.clone()),
        ("title", resource.title.clone()),
        ("description", resource.description.clone()),
        ("tags", resource.tags.join(", ")),
        ("base_version", resource.version.to_string()),
    ];
    values.extend(resource.categories.iter().map(|category| ("category_ids", category.id.to_string())));
    let categories = choices(&*web.catalog().categories().await?);
    page(&ChangePage { frame, form: Form::filled(values), kind, resource, categories, limits: LENGTHS })
}

/// `POST /resources/{id}/{edit|move|remove}`
pub(crate) async fn change(
    _: Limited<Suggest>,
    State(web): State<Web>,
    Path((id, kind)): Path<(Uuid, String)>,
    member: Member,
    frame: Frame,
    form: Form,
) -> Result<Response> {
    let kind = kind_of(&kind)?;
    let resource = live(&web, id.into()).await?;
    let new = NewSuggestion {
        kind,
        resource_id: Some(resource.id),
        base_version: Some(form.parse("base_version")?),
        changes: changes(kind, &form, &resource),
        reason: form.value("reason").to_owned(),
    };
    match web.catalog().propose(&member, new).await {
        Ok(suggestion) => Ok(see(&format!("/suggestions/{}", suggestion.id), "suggested")),
        Err(error) => {
            let form = form.refused(error.into())?;
            let categories = choices(&*web.catalog().categories().await?);
            page_as(form.status(), &ChangePage { frame, form, kind, resource, categories, limits: LENGTHS })
        }
    }
}

/// Takes only the fields that differ: what stays as it is can then change elsewhere without a conflict.
fn changes(kind: SuggestionKind, form: &Form, now: &ResourceView) -> Changes {
    match kind {
        SuggestionKind::Edit => {
            let differing = |name: &str, now: &str| {
                Some(form.value(name).trim()).filter(|typed| *typed != now.trim()).map(str::to_owned)
            };
            Changes {
                url: differing("url", &now.url),
                title: differing("title", &now.title),
                description: differing("description", &now.description),
                tags: differing("tags", &now.tags.join(", ")).map(|tags| split_tags(&tags)),
                category_ids: None,
            }
        }
        SuggestionKind::Move => Changes { category_ids: Some(category_ids(form)), ..Changes::default() },
        SuggestionKind::Add | SuggestionKind::Remove => Changes::default(),
    }
}
