//! HTTP: the API, the pages, the feeds, the way in to the live channels.
//!
//! [`router`] is the whole site as one [`axum::Router`] over a [`Web`]; [`serve`] holds it out to the network with the
//! limits that a public site needs; [`openapi`] describes the API, and is true for every route and every error because
//! it is made of the handlers themselves and tested against them.
//!
//! One endpoint, one place: its request, reply, documentation and handler stand together under `api/`. A handler says
//! in its arguments what it takes: who calls (`MaybeMember`, `Member`, `Curator`, `Admin`), how often at most
//! (`Limited<…>`), with what (`Json`, `Query`, `Id`). Everything that goes wrong is a `Problem` (RFC 9457). What
//! happens to each request and reply alike is in `edge`.
//!
//! Nothing here knows SQL or the rules of the library: `upshelf-catalog` does. The time comes from its clock.
//!
//! ```
//! let document = upshelf_web::openapi();
//! assert!(document.paths.paths.contains_key("/api/v1/suggestions/{id}/vote"));
//! ```

mod api;
mod cookies;
mod edge;
mod extract;
mod feeds;
mod kept;
mod limits;
mod live;
mod metrics;
mod openapi;
mod operations;
mod pages;
mod problem;
mod serve;
mod settings;
mod web;

pub use api::{JobView, QueueName, QueueView};
pub use limits::Limits;
pub use metrics::Metrics;
pub use openapi::openapi;
pub use operations::{Health, SharedParts, metrics_router};
pub use serve::serve;
pub use settings::Settings;
pub use upshelf_live::Settings as LiveSettings;
pub use web::{Parts, Pulse, Web};

use axum::Router;
use axum::middleware::from_fn_with_state;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};

use crate::problem::Problem;

/// The whole site.
pub fn router(web: Web) -> Router {
    router_with(web, Router::new())
}

/// The whole site, with more routes behind the same door.
pub fn router_with(web: Web, more: Router<Web>) -> Router {
    let (described, _) = openapi::described().split_for_parts();
    let described = described.layer(from_fn_with_state(web.clone(), edge::courtesy));
    // A few hundred bytes are not worth the work. Problems are written anew at the edge, which names their request.
    let worth = SizeAbove::new(1024)
        .and(NotForContentType::IMAGES)
        .and(NotForContentType::SSE)
        .and(NotForContentType::const_new(problem::MEDIA_TYPE));
    Router::new()
        .merge(described)
        .merge(openapi::router())
        .merge(pages::router())
        .merge(more)
        .fallback(|| async { Problem::not_found("page") })
        .layer(from_fn_with_state(web.clone(), pages::look))
        .layer(CompressionLayer::new().compress_when(worth))
        // Programs come here, and nothing of theirs is compressed.
        .merge(live::router())
        .layer(from_fn_with_state(web.clone(), edge::edge))
        .with_state(web)
}
