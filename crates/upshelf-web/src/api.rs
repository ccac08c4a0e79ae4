//! The API under `/api/v1`: one file for each thing, one place for each endpoint.

mod admin;
mod auth;
mod categories;
mod collections;
mod comments;
mod moderation;
mod notices;
mod profiles;
mod reply;
mod resources;
mod setup;
mod suggestions;
mod votes;
mod watches;

use utoipa_axum::router::OpenApiRouter;

use crate::live;
use crate::web::Web;

pub(crate) use admin::FileFormat;
pub use admin::{JobView, QueueName, QueueView};
pub(crate) use auth::{begin, sign_in};
pub(crate) use collections::Whose;
pub(crate) use votes::vote;

pub(crate) fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .merge(auth::router())
        .merge(setup::router())
        .merge(categories::router())
        .merge(resources::router())
        .merge(collections::router())
        .merge(profiles::router())
        .merge(suggestions::router())
        .merge(votes::router())
        .merge(comments::router())
        .merge(moderation::router())
        .merge(notices::router())
        .merge(watches::router())
        .merge(admin::router())
        .merge(live::described())
}
