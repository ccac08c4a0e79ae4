//! Hearing of commits: PostgreSQL tells them when they are done.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgPoolOptions};

use super::Shared;
use crate::Result;
use crate::error::During;

const AGAIN: Duration = Duration::from_secs(1);

/// Listens, on a connection of its own: one of the pool's would be missing there.
pub(super) async fn begin(pool: &PgPool) -> Result<PgListener> {
    const DOING: &str = "listen for jobs";
    let schema: String =
        sqlx::query_scalar("SELECT current_schema()::text").fetch_one(pool).await.during(DOING)?;
    let options = pool.connect_options().as_ref().clone();
    let own = PgPoolOptions::new().max_connections(1).connect_lazy_with(options);
    let mut listener = PgListener::connect_with(&own).await.during(DOING)?;
    listener.listen(&format!("{schema}.river_insert")).await.during(DOING)?;
    Ok(listener)
}

/// Wakes who hands jobs over.
pub(super) async fn forever(shared: Shared, mut listener: PgListener) {
    #[derive(serde::Deserialize)]
    struct Inserted {
        queue: String,
    }
    loop {
        match listener.try_recv().await {
            Ok(Some(told)) => match serde_json::from_str::<Inserted>(told.payload()) {
                Ok(inserted) => crate::Broker::wake(&shared, &inserted.queue),
                Err(_) => shared.wake_all(),
            },
            // The connection was lost; what was told meanwhile, nobody heard.
            Ok(None) => shared.wake_all(),
            Err(error) => {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "cannot hear of new jobs; they are looked for"
                );
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}
