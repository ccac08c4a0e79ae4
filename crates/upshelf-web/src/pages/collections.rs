//! Members' own selections.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use upshelf_catalog::{CollectionView, CollectionWish, CollectionsOf};
use upshelf_store::{self as store, CollectionId, PageRequest, ResourceId};

use crate::extract::{Id, Limited, Member, Query};
use crate::limits::{Read, Write};
use crate::pages::ago::Ago;
use crate::pages::form::Form;
use crate::pages::frame::{Frame, see};
use crate::pages::markdown::{self, Safe};
use crate::pages::row::{Pager, Row, Start, rows};
use crate::pages::{page, page_as};
use crate::problem::Result;
use crate::web::Web;

#[derive(Template)]
#[template(path = "collections.html")]
struct CollectionsPage {
    frame: Frame,
    own: Vec<Entry>,
    public: Vec<Entry>,
    form: Form,
    pager: Pager,
}

/// One collection of a list.
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) owner: String,
    pub(crate) items: i64,
    pub(crate) is_public: bool,
    pub(crate) changed: Ago,
}

impl Entry {
    fn new(view: &CollectionView, frame: &Frame) -> Entry {
        Entry {
            id: view.id.to_string(),
            title: view.title.clone(),
            owner: view.owner.username.clone(),
            items: view.items,
            is_public: view.public,
            changed: frame.ago(&view.changed_at),
        }
    }
}

/// Draws a list of collections.
pub(crate) fn entries(views: &[CollectionView], frame: &Frame) -> Vec<Entry> {
    views.iter().map(|view| Entry::new(view, frame)).collect()
}

/// A member's collections, private ones included.
pub(crate) async fn own(web: &Web, member: &store::Member) -> Result<Vec<CollectionView>> {
    let all = PageRequest::first(PageRequest::MAX);
    Ok(web.catalog().collections(Some(member), CollectionsOf::Viewer, &all).await?.items)
}

/// `GET /collections`
pub(crate) async fn list(
    _: Limited<Read>,
    State(web): State<Web>,
    frame: Frame,
    Query(asked): Query<Start>,
) -> Result<Response> {
    page(&draw(&web, frame, asked.page()?, Form::default()).await?)
}

async fn draw(web: &Web, frame: Frame, asked: PageRequest, form: Form) -> Result<CollectionsPage> {
    let public = web.catalog().collections(frame.member(), CollectionsOf::Everybody, &asked).await?;
    let own = match frame.member() {
        Some(member) => own(web, member).await?,
        None => Vec::new(),
    };
    Ok(CollectionsPage {
        own: entries(&own, &frame),
        public: entries(&public.items, &frame),
        form,
        pager: Pager::new(&frame, public.next_cursor.as_deref()),
        frame,
    })
}

fn wish(form: &Form) -> CollectionWish {
    CollectionWish {
        title: Some(form.value("title").to_owned()),
        description: Some(form.value("description").to_owned()),
        public: Some(form.has("public", "yes")),
    }
}

/// `POST /collections`
pub(crate) async fn add(
    _: Limited<Write>,
    State(web): State<Web>,
    member: Member,
    frame: Frame,
    form: Form,
) -> Result<Response> {
    match web.catalog().add_collection(&member, &wish(&form)).await {
        Ok(collection) => Ok(see(&format!("/collections/{}", collection.id), "saved")),
        Err(error) => {
            let form = form.refused(error.into())?;
            page_as(form.status(), &draw(&web, frame, PageRequest::first(20), form).await?)
        }
    }
}

#[derive(Template)]
#[template(path = "collection.html")]
struct CollectionPage {
    frame: Frame,
    collection: CollectionView,
    description: Safe,
    is_own: bool,
    rows: Vec<Row>,
    pager: Pager,
    form: Form,
}

/// `GET /collections/{id}`
pub(crate) async fn show(
    _: Limited<Read>,
    State(web): State<Web>,
    frame: Frame,
    Id(id): Id<CollectionId>,
    Query(asked): Query<Start>,
) -> Result<Response> {
    page(&draw_one(&web, frame, id, asked.page()?, None).await?)
}

async fn draw_one(
    web: &Web,
    frame: Frame,
    id: CollectionId,
    asked: PageRequest,
    form: Option<Form>,
) -> Result<CollectionPage> {
    let catalog = web.catalog();
    let collection = catalog.collection(frame.member(), id).await?.collection;
    let found = catalog.collection_resources(frame.member(), id, &asked).await?;
    let as_it_is = || {
        let public = if collection.public { "yes" } else { "" };
        Form::filled([
            ("title", collection.title.as_str()),
            ("description", &collection.description),
            ("public", public),
        ])
    };
    Ok(CollectionPage {
        description: markdown::html(&collection.description),
        is_own: frame.is(&collection.owner.id),
        rows: rows(&found.items),
        pager: Pager::new(&frame, found.next_cursor.as_deref()),
        form: form.unwrap_or_else(as_it_is),
        collection,
        frame,
    })
}

/// `POST /collections/{id}`
pub(crate) async fn change(
    _: Limited<Write>,
    State(web): State<Web>,
    member: Member,
    frame: Frame,
    Id(id): Id<CollectionId>,
    form: Form,
) -> Result<Response> {
    match web.catalog().change_collection(&member, id, &wish(&form)).await {
        Ok(_) => Ok(see(&format!("/collections/{id}"), "saved")),
        Err(error) => {
            let form = form.refused(error.into())?;
            let status = form.status();
            page_as(status, &draw_one(&web, frame, id, PageRequest::first(20), Some(form)).await?)
        }
    }
}

/// `POST /collections/{id}/delete`
pub(crate) async fn delete(
    _: Limited<Write>,
    State(web): State<Web>,
    member: Member,
    Id(id): Id<CollectionId>,
) -> Result<Response> {
    web.catalog().remove_collection(&member, id).await?;
    Ok(see("/collections", "removed"))
}

/// `POST /collections/{id}/take`
pub(crate) async fn take(
    _: Limited<Write>,
    State(web): State<Web>,
    member: Member,
    Id(id): Id<CollectionId>,
    form: Form,
) -> Result<Response> {
    let resource: ResourceId = form.parse("resource")?;
    web.catalog().take_from_collection(&member, id, resource).await?;
    Ok(see(&format!("/collections/{id}"), "removed"))
}

/// `POST /resources/{id}/collect`
pub(crate) async fn collect(
    _: Limited<Write>,
    State(web): State<Web>,
    member: Member,
    Id(resource): Id<ResourceId>,
    form: Form,
) -> Result<Response> {
    let id: CollectionId = form.parse("collection")?;
    web.catalog().put_in_collection(&member, id, resource).await?;
    Ok(see(&format!("/collections/{id}"), "saved"))
}
