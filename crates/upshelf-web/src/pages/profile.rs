//! A member as others see them.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use upshelf_catalog::{CollectionsOf, ProfileView};
use upshelf_store::{MemberId, PageRequest, Role, SuggestionFilter, SuggestionSort};

use crate::extract::{Limited, Path};
use crate::limits::Read;
use crate::pages::ago::Ago;
use crate::pages::card::{Card, cards};
use crate::pages::collections::{Entry, entries};
use crate::pages::frame::Frame;
use crate::pages::markdown::{self, Safe};
use crate::pages::page;
use crate::problem::Result;
use crate::web::Web;

#[derive(Template)]
#[template(path = "profile.html")]
struct ProfilePage {
    frame: Frame,
    profile: ProfileView,
    bio: Safe,
    joined: Ago,
    is_own: bool,
    is_plain_member: bool,
    collections: Vec<Entry>,
    cards: Vec<Card>,
}

/// `GET /members/{username}`
pub(crate) async fn show(
    _: Limited<Read>,
    State(web): State<Web>,
    frame: Frame,
    Path(username): Path<String>,
) -> Result<Response> {
    let catalog = web.catalog();
    let profile = catalog.profile(&username).await?;
    let id: MemberId = profile.id;
    let by = SuggestionFilter { author: Some(id), ..SuggestionFilter::default() };
    let suggestions =
        catalog.suggestions(&by, SuggestionSort::New, &PageRequest::first(10), frame.member()).await?;
    let collections =
        catalog.collections(frame.member(), CollectionsOf::Member(id), &PageRequest::first(20)).await?;
    page(&ProfilePage {
        bio: markdown::html(&profile.bio),
        joined: frame.ago(&profile.joined_at),
        is_own: frame.is(&id),
        is_plain_member: profile.role == Role::Member,
        collections: entries(&collections.items, &frame),
        cards: cards(&suggestions.items, &frame),
        profile,
        frame,
    })
}
