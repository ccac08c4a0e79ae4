//! Background work, as its operators see it.

mod views;

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use upshelf_catalog::parse_job_id;
use upshelf_queue::{Broker, Entry, State as JobState};
use upshelf_store::Page;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::{Admin, Json, Limited, MaybeJson, Path, Query, page};
use crate::limits::{Read, Write};
use crate::problem::{Problem, Result};
use crate::web::Web;
use views::StateWord;

pub use views::{JobView, QueueView};

pub(super) fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(stats))
        .routes(routes!(jobs))
        .routes(routes!(promote_job))
        .routes(routes!(promote))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(clean))
        .routes(routes!(retry_failed))
}

/// A queue.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum QueueName {
    /// Looks at suggestions that may be ripe.
    AutoApproval,
    /// Tells those concerned.
    Notifications,
    /// Adds up counts.
    Analytics,
    /// Sends mails.
    Email,
    /// Clears away what is old.
    Cleanup,
}

impl QueueName {
    /// Every queue there is.
    pub const ALL: [QueueName; 5] = [
        QueueName::AutoApproval,
        QueueName::Notifications,
        QueueName::Analytics,
        QueueName::Email,
        QueueName::Cleanup,
    ];

    /// Gives the word.
    pub const fn as_str(self) -> &'static str {
        match self {
            QueueName::AutoApproval => "auto-approval",
            QueueName::Notifications => "notifications",
            QueueName::Analytics => "analytics",
            QueueName::Email => "email",
            QueueName::Cleanup => "cleanup",
        }
    }
}

async fn view(web: &Web, name: QueueName) -> Result<QueueView> {
    Ok(QueueView::new(name, web.catalog().queue().stats(name.as_str()).await?))
}

/// Lists the queues with their numbers
#[utoipa::path(get, path = "/admin/queues", tag = "Admins", extensions(("x-role" = json!("admin"))),
    responses((status = 200, body = Page<QueueView>, description = "All five.")))]
async fn list(_: Limited<Read>, State(web): State<Web>, _: Admin) -> Result<Json<Page<QueueView>>> {
    let mut items = Vec::with_capacity(QueueName::ALL.len());
    for name in QueueName::ALL {
        items.push(view(&web, name).await?);
    }
    Ok(Json(Page { items, next_cursor: None }))
}

/// Gives the numbers of a queue
#[utoipa::path(get, path = "/admin/queues/{name}", tag = "Admins", params(("name" = QueueName, Path, description = "The queue.")),
    extensions(("x-role" = json!("admin"))), responses((status = 200, body = QueueView, description = "The queue.")))]
async fn stats(
    _: Limited<Read>,
    State(web): State<Web>,
    _: Admin,
    Path(name): Path<QueueName>,
) -> Result<Json<QueueView>> {
    view(&web, name).await.map(Json)
}

/// Which jobs to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct JobsQuery {
    /// Where they are in their life; `failed` by default.
    state: Option<StateWord>,
    /// How many rows, 20 by default.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists the jobs of a queue
#[utoipa::path(get, path = "/admin/queues/{name}/jobs", tag = "Admins",
    params(("name" = QueueName, Path, description = "The queue."), JobsQuery), extensions(("x-role" = json!("admin"))),
    responses((status = 200, body = Page<JobView>, description = "A page of jobs, newest first.")))]
async fn jobs(
    _: Limited<Read>,
    State(web): State<Web>,
    _: Admin,
    Path(name): Path<QueueName>,
    Query(JobsQuery { state, limit, cursor }): Query<JobsQuery>,
) -> Result<Json<Page<JobView>>> {
    let state = state.map_or(JobState::Failed, JobState::from);
    let limit = u32::try_from(page(limit, None)?.limit()).unwrap_or(u32::MAX);
    let found = web.catalog().queue().jobs(name.as_str(), state, cursor.as_deref(), limit).await?;
    Ok(Json(Page { items: found.jobs.into_iter().map(JobView::from).collect(), next_cursor: found.next }))
}

/// Makes a delayed job due now
#[utoipa::path(post, path = "/admin/queues/{name}/jobs/{id}/promote", tag = "Admins",
    params(("name" = QueueName, Path, description = "The queue."), ("id" = String, Path, description = "The job.")),
    extensions(("x-role" = json!("admin"))), responses(
        (status = 200, body = JobView, description = "The job as it is now."),
        (status = 409, description = "It is not delayed."),
    ))]
async fn promote_job(
    _: Limited<Write>,
    State(web): State<Web>,
    _: Admin,
    Path((name, id)): Path<(QueueName, String)>,
) -> Result<Json<JobView>> {
    let queue = web.catalog().queue();
    let missing = || Problem::not_found("job");
    let find = async || -> Result<Entry> {
        let id = parse_job_id(&id).ok_or_else(missing)?;
        queue.find_job(id).await?.filter(|job| job.queue == name.as_str()).ok_or_else(missing)
    };
    if !queue.promote(find().await?.id).await? {
        return Err(Problem::new(StatusCode::CONFLICT, "job_not_delayed", "This job is not delayed."));
    }
    Ok(Json(JobView::from(find().await?)))
}

/// Makes all delayed jobs due now
///
/// What looks at the time itself (approval after its delay) may find that it is early, and leaves the work to a later job.
#[utoipa::path(post, path = "/admin/queues/{name}/promote", tag = "Admins", params(("name" = QueueName, Path, description = "The queue.")),
    extensions(("x-role" = json!("admin"))), responses((status = 200, body = JobCount, description = "How many are due now.")))]
async fn promote(
    _: Limited<Write>,
    State(web): State<Web>,
    _: Admin,
    Path(name): Path<QueueName>,
) -> Result<Json<JobCount>> {
    Ok(Json(JobCount { jobs: web.catalog().promote_delayed(name.as_str()).await? }))
}

/// Stops handing out jobs; what runs is finished
#[utoipa::path(post, path = "/admin/queues/{name}/pause", tag = "Admins", params(("name" = QueueName, Path, description = "The queue.")),
    extensions(("x-role" = json!("admin"))), responses((status = 200, body = QueueView, description = "The queue.")))]
async fn pause(
    _: Limited<Write>,
    State(web): State<Web>,
    _: Admin,
    Path(name): Path<QueueName>,
) -> Result<Json<QueueView>> {
    web.catalog().queue().pause(name.as_str()).await?;
    view(&web, name).await.map(Json)
}

/// Hands out jobs again
#[utoipa::path(post, path = "/admin/queues/{name}/resume", tag = "Admins", params(("name" = QueueName, Path, description = "The queue.")),
    extensions(("x-role" = json!("admin"))), responses((status = 200, body = QueueView, description = "The queue.")))]
async fn resume(
    _: Limited<Write>,
    State(web): State<Web>,
    _: Admin,
    Path(name): Path<QueueName>,
) -> Result<Json<QueueView>> {
    web.catalog().queue().resume(name.as_str()).await?;
    view(&web, name).await.map(Json)
}

/// What to clear away.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Cleaning {
    /// `completed` or `failed`; completed without it.
    #[serde(default)]
    state: Option<FinishedWord>,
    /// Only what finished longer ago than so many seconds; everything without it.
    #[serde(default)]
    #[schema(minimum = 0)]
    older_than_seconds: Option<u32>,
}

/// How a job ended.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum FinishedWord {
    /// Done.
    Completed,
    /// Failed.
    Failed,
}

/// How many jobs it was.
#[derive(Serialize, ToSchema)]
struct JobCount {
    /// How many.
    jobs: u64,
}

/// Clears finished jobs away
#[utoipa::path(post, path = "/admin/queues/{name}/clean", tag = "Admins", params(("name" = QueueName, Path, description = "The queue.")),
    request_body = Option<Cleaning>, extensions(("x-role" = json!("admin"))),
    responses((status = 200, body = JobCount, description = "How many went.")))]
async fn clean(
    _: Limited<Write>,
    State(web): State<Web>,
    _: Admin,
    Path(name): Path<QueueName>,
    MaybeJson(Cleaning { state, older_than_seconds }): MaybeJson<Cleaning>,
) -> Result<Json<JobCount>> {
    let state = match state {
        None | Some(FinishedWord::Completed) => JobState::Completed,
        Some(FinishedWord::Failed) => JobState::Failed,
    };
    let age = Duration::from_secs(older_than_seconds.unwrap_or(0).into());
    Ok(Json(JobCount { jobs: web.catalog().queue().clean(name.as_str(), state, age).await? }))
}

/// Makes failed jobs wait again
#[utoipa::path(post, path = "/admin/queues/{name}/retry-failed", tag = "Admins",
    params(("name" = QueueName, Path, description = "The queue.")), extensions(("x-role" = json!("admin"))),
    responses((status = 200, body = JobCount, description = "How many wait again.")))]
async fn retry_failed(
    _: Limited<Write>,
    State(web): State<Web>,
    _: Admin,
    Path(name): Path<QueueName>,
) -> Result<Json<JobCount>> {
    Ok(Json(JobCount { jobs: web.catalog().queue().retry_failed(name.as_str()).await? }))
}
