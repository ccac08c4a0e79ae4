//! The site as people see it: plain pages and forms that need no script.
//!
//! A form is a `POST` that answers 303 with the page to look at next, or the form again with what is wrong beside each
//! field. Problems become pages at the edge ([`look`]).

mod account;
mod admin;
mod ago;
mod assets;
mod browse;
mod card;
mod collections;
mod diff;
mod error;
mod form;
mod frame;
mod home;
mod import;
mod log;
mod markdown;
mod notices;
mod outbox;
mod profile;
mod propose;
mod queues;
mod resource;
mod row;
mod scripts;
mod settings;
mod suggestion;
mod suggestions;
mod tree;
mod unsubscribe;
mod vote;

use askama::Template;
use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, VARY};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};

pub(crate) use error::look;

use crate::problem::{Problem, Result};
use crate::web::Web;

/// The pages. [`look`] belongs around them and around whatever answers unknown paths.
pub(crate) fn router() -> Router<Web> {
    Router::new()
        .route("/", get(home::show))
        .route("/rules", get(home::rules))
        .route("/set-up", post(account::set_up))
        .route("/sign-in", get(account::show_sign_in).post(account::sign_in))
        .route("/register", get(account::show_register).post(account::register))
        .route("/sign-out", post(account::sign_out))
        .route("/import", get(import::show).post(import::run))
        .route("/import/preview", post(import::preview))
        .route("/export", get(import::export))
        .route("/categories/{slug}", get(browse::category))
        .route("/tags", get(browse::tags))
        .route("/tags/{tag}", get(browse::tag))
        .route("/search", get(browse::search))
        .route("/resources/{id}", get(resource::show))
        .route("/resources/{id}/history", get(resource::history))
        .route("/resources/{id}/revert", post(resource::revert))
        .route("/resources/{id}/watch", post(resource::watch))
        .route("/resources/{id}/collect", post(collections::collect))
        .route("/resources/{id}/{kind}", get(propose::show_change).post(propose::change))
        .route("/suggest", get(propose::show_add).post(propose::add))
        .route("/suggestions", get(suggestions::show))
        .route("/suggestions/{id}", get(suggestion::show))
        .route("/suggestions/{id}/vote", post(vote::vote))
        .route("/suggestions/{id}/comments", post(suggestion::comment))
        .route("/suggestions/{id}/{decision}", post(suggestion::decide))
        .route("/log", get(log::show))
        .route("/notices", get(notices::show).post(notices::read))
        .route("/collections", get(collections::list).post(collections::add))
        .route("/collections/{id}", get(collections::show).post(collections::change))
        .route("/collections/{id}/delete", post(collections::delete))
        .route("/collections/{id}/take", post(collections::take))
        .route("/members/{username}", get(profile::show))
        .route("/settings", get(settings::show))
        .route("/settings/profile", post(settings::profile))
        .route("/settings/password", post(settings::password))
        .route("/settings/notices", post(settings::notices))
        .route("/settings/sessions/{id}/end", post(settings::end_session))
        .route("/admin", get(admin::show))
        .route("/admin/members/{id}", post(admin::change_member))
        .route("/admin/queues", get(queues::show).post(queues::act))
        .route("/admin/outbox", get(outbox::show))
        .route("/admin/outbox/{id}", get(outbox::mail))
        .route("/admin/outbox/{id}/html", get(outbox::html))
        .route("/unsubscribe/{token}", get(unsubscribe::show).post(unsubscribe::act))
        .route("/assets/{name}", get(assets::show))
        .route("/assets/scripts/{hash}/{*path}", get(scripts::show))
        .route("/favicon.ico", get(assets::favicon))
}

/// Sends a page.
pub(crate) fn page(template: &impl Template) -> Result<Response> {
    page_as(StatusCode::OK, template)
}

/// Sends a page with another status than 200.
pub(crate) fn page_as(status: StatusCode, template: &impl Template) -> Result<Response> {
    let html = template.render().map_err(Problem::internal)?;
    // A page shows who looks at it, so only that browser may keep it, and it asks again each time.
    let kept = [(CACHE_CONTROL, "private, no-cache"), (VARY, "Cookie")];
    Ok((status, kept, Html(html)).into_response())
}
