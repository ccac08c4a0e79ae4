//! What admins look after.

mod analytics;
mod api_keys;
mod import_export;
mod members;
mod queues;

use utoipa_axum::router::OpenApiRouter;

use crate::web::Web;

pub(crate) use import_export::FileFormat;
pub use queues::{JobView, QueueName, QueueView};

pub(super) fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .merge(import_export::router())
        .merge(queues::router())
        .merge(members::router())
        .merge(analytics::router())
        .merge(api_keys::router())
}
