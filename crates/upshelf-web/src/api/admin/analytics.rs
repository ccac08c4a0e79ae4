//! How much the library is used; nothing here says by whom.

use axum::extract::State;
use serde::Deserialize;
use upshelf_catalog::AnalyticsView;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::{Admin, Json, Limited, Query};
use crate::limits::Read;
use crate::problem::{Problem, Result};
use crate::web::Web;

pub(super) fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(analytics))
}

/// Which days to look at.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DaysQuery {
    /// The last so many days, 30 by default.
    #[param(minimum = 1, maximum = 366, default = 30)]
    days: Option<u32>,
}

/// Gives counts by day and the resources used most
#[utoipa::path(get, path = "/admin/analytics", tag = "Admins", params(DaysQuery), extensions(("x-role" = json!("admin"))),
    responses((status = 200, body = AnalyticsView, description = "The counts.")))]
async fn analytics(
    _: Limited<Read>,
    State(web): State<Web>,
    _: Admin,
    Query(DaysQuery { days }): Query<DaysQuery>,
) -> Result<Json<AnalyticsView>> {
    let days = days.unwrap_or(30);
    if !(1..=366).contains(&days) {
        return Err(Problem::invalid("days", "It is a number from 1 to 366."));
    }
    Ok(Json(web.catalog().analytics(days).await?))
}
