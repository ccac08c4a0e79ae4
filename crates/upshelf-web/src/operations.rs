//! For those who run the site: is it alive, is it ready, how is it doing; and the keys that tokens are signed with.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use serde::Serialize;
use serde_json::Value;
use upshelf_catalog::Catalog;
use upshelf_queue::Broker;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::QueueName;
use crate::extract::Json;
use crate::live;
use crate::metrics::{self, Metrics};
use crate::problem::Result;
use crate::web::Web;

pub(crate) fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(healthz)).routes(routes!(readyz)).routes(routes!(jwks))
}

/// How a part of the site is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// As it should.
    Up,
    /// Less than it should, and the site goes on without.
    Degraded,
    /// Not at all.
    Down,
}

/// What all processes share through Redis, as this process sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedParts {
    /// Redis itself.
    pub redis: Health,
    /// The cache; while degraded, each process has its own.
    pub cache: Health,
    /// Publications; while degraded, each process hears itself.
    pub bus: Health,
    /// Live counts; while degraded, they are read from the database.
    pub tally: Health,
    /// Sessions; while degraded, the database is asked, and an end is noticed elsewhere within five seconds.
    pub sessions: Health,
    /// Rate limits; while degraded, each process allows its share.
    pub limits: Health,
}

impl SharedParts {
    fn named(&self) -> [(&'static str, Health); 6] {
        [
            ("redis", self.redis),
            ("cache", self.cache),
            ("bus", self.bus),
            ("tally", self.tally),
            ("sessions", self.sessions),
            ("limits", self.limits),
        ]
    }
}

/// Whether the program is alive.
#[derive(Serialize, ToSchema)]
struct Alive {
    /// Always `up`: who answers is alive.
    status: Health,
}

/// Says that the program is alive
#[utoipa::path(get, path = "/healthz", tag = "Operations", responses((status = 200, body = Alive, description = "It is.")))]
async fn healthz() -> Json<Alive> {
    Json(Alive { status: Health::Up })
}

/// How the site and its parts are doing.
#[derive(Serialize, ToSchema)]
struct Ready {
    /// The site as a whole.
    status: Health,
    /// Each part.
    parts: ReadyParts,
}

/// Each part.
#[derive(Serialize, ToSchema)]
struct ReadyParts {
    /// The source of truth; without it the site cannot do anything.
    database: Health,
    /// Background jobs; while degraded, they wait.
    queue: Health,
    /// Live channels; while degraded, they are fed from the database and up to half a second behind.
    live: Health,
    /// Redis, through which processes share; missing where it is not used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    redis: Option<Health>,
    /// The cache, where Redis is used; while degraded, each process has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    cache: Option<Health>,
    /// Publications, where Redis is used; while degraded, each process hears itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    bus: Option<Health>,
    /// Live counts, where Redis is used; while degraded, they are read from the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    tally: Option<Health>,
    /// Sessions, where Redis is used; while degraded, the database is asked, and an end is noticed elsewhere within five
    /// seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    sessions: Option<Health>,
    /// Rate limits, where Redis is used; while degraded, each process allows its share.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    limits: Option<Health>,
}

/// Says how each part is doing
#[utoipa::path(get, path = "/readyz", tag = "Operations", responses(
    (status = 200, body = Ready, description = "The site can answer."),
    (status = 503, body = Ready, description = "The database is down."),
))]
async fn readyz(State(web): State<Web>) -> impl IntoResponse {
    let database = match ask_database(web.catalog()).await {
        Ok(()) => Health::Up,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the database does not answer");
            Health::Down
        }
    };
    let queue = web.catalog().queue();
    let queue = match queue.is_degraded() || queue.stats(QueueName::AutoApproval.as_str()).await.is_err() {
        false => Health::Up,
        true => Health::Degraded,
    };
    let live = match live::is_degraded(web.catalog()) {
        false => Health::Up,
        true => Health::Degraded,
    };
    let shared = web.shared();
    let mut others =
        shared.iter().flat_map(SharedParts::named).map(|(_, health)| health).chain([queue, live]);
    let (code, status) = match (database, others.all(|part| part == Health::Up)) {
        (Health::Up, true) => (StatusCode::OK, Health::Up),
        (Health::Up, false) => (StatusCode::OK, Health::Degraded),
        (_, _) => (StatusCode::SERVICE_UNAVAILABLE, Health::Down),
    };
    let parts = ReadyParts {
        database,
        queue,
        live,
        redis: shared.map(|shared| shared.redis),
        cache: shared.map(|shared| shared.cache),
        bus: shared.map(|shared| shared.bus),
        tally: shared.map(|shared| shared.tally),
        sessions: shared.map(|shared| shared.sessions),
        limits: shared.map(|shared| shared.limits),
    };
    (code, Json(Ready { status, parts }))
}

async fn ask_database(catalog: &Catalog) -> Result<(), upshelf_store::Error> {
    catalog.store().read().await?.find_setting("ready").await.map(|_| ())
}

/// Gives the public keys that access tokens are signed with (JWK set, RFC 7517)
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "Operations", responses(
    (status = 200, body = Object, description = "The keys."),
))]
async fn jwks(State(web): State<Web>) -> Result<Json<Value>> {
    Ok(Json(web.sessions().jwks(web.now()).await?))
}

/// The door for Prometheus: `GET /metrics`, on a listener of its own.
pub fn metrics_router(metrics: Metrics, web: Web) -> Router {
    Router::new().route("/metrics", get(scrape)).with_state((metrics, web))
}

async fn scrape(State((metrics, web)): State<(Metrics, Web)>) -> Result<impl IntoResponse> {
    let catalog = web.catalog();
    for (from, reads) in catalog.cache_reads() {
        metrics::cache_reads(from, reads);
    }
    metrics::cache_flushes(catalog.cache_flushes());
    for (part, health) in web.shared().iter().flat_map(SharedParts::named) {
        metrics::shared_part(part, health == Health::Up);
    }
    for name in QueueName::ALL {
        let queue = name.as_str();
        let stats = catalog.queue().stats(queue).await;
        if let Err(error) = &stats {
            tracing::debug!(queue, error = error as &dyn std::error::Error, "could not count a queue's jobs");
        }
        metrics::queue(queue, stats.as_ref().ok());
    }
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render()))
}
