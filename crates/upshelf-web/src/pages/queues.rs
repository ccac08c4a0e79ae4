//! The background jobs, for admins.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use upshelf_queue::{Broker as _, Entry, State as JobState, Stats};
use upshelf_store::Time;

use crate::api::QueueName;
use crate::extract::{Admin, Limited};
use crate::limits::{Read, Write};
use crate::pages::ago::Ago;
use crate::pages::form::Form;
use crate::pages::frame::{Frame, see};
use crate::pages::page;
use crate::problem::{Problem, Result};
use crate::web::Web;

#[derive(Template)]
#[template(path = "queues.html")]
struct QueuesPage {
    frame: Frame,
    queues: Vec<Row>,
    failed: Vec<Failed>,
}

/// A queue with its numbers.
struct Row {
    name: &'static str,
    stats: Stats,
    /// Since when the oldest job that is due has been so.
    oldest: Option<Ago>,
    /// How long jobs ran within the last minute, on average.
    run: Option<String>,
}

impl Row {
    fn new(name: &'static str, stats: Stats, now: Time, frame: &Frame) -> Row {
        let oldest = stats.oldest_waiting.map(|age| frame.ago(&now.before(age)));
        let run = stats.mean_run.map(|time| match time.as_millis() {
            0..1_000 => format!("{} ms", time.as_millis()),
            _ => format!("{:.1} s", time.as_secs_f64()),
        });
        Row { name, stats, oldest, run }
    }
}

/// A job that ran out of attempts.
struct Failed {
    queue: String,
    name: String,
    attempts: u16,
    at: Option<Ago>,
    error: String,
}

impl Failed {
    fn new(entry: Entry, frame: &Frame) -> Failed {
        Failed {
            queue: entry.queue,
            name: entry.name,
            attempts: entry.attempt,
            at: entry.finished_at.map(|at| frame.ago(&at.into())),
            error: entry.error.unwrap_or_default(),
        }
    }
}

/// `GET /admin/queues`
pub(crate) async fn show(
    _: Limited<Read>,
    State(web): State<Web>,
    _admin: Admin,
    frame: Frame,
) -> Result<Response> {
    let queue = web.catalog().queue();
    let (mut queues, mut failed) = (Vec::new(), Vec::new());
    for name in QueueName::ALL.map(QueueName::as_str) {
        let stats = queue.stats(name).await?;
        queues.push(Row::new(name, stats, web.catalog().clock().now(), &frame));
        let jobs = queue.jobs(name, JobState::Failed, None, 10).await?;
        failed.extend(jobs.jobs.into_iter().map(|entry| Failed::new(entry, &frame)));
    }
    page(&QueuesPage { frame, queues, failed })
}

/// `POST /admin/queues`
pub(crate) async fn act(
    _: Limited<Write>,
    State(web): State<Web>,
    _admin: Admin,
    form: Form,
) -> Result<Response> {
    let name = QueueName::ALL.map(QueueName::as_str).into_iter().find(|name| form.value("queue") == *name);
    let name = name.ok_or_else(|| Problem::not_found("queue"))?;
    let queue = web.catalog().queue();
    let done = match form.value("act") {
        "pause" => queue.pause(name).await,
        "resume" => queue.resume(name).await,
        "retry" => queue.retry_failed(name).await.map(|_| ()),
        "promote" => return promoted(&web, name).await,
        "clean" => queue.clean(name, JobState::Completed, Duration::ZERO).await.map(|_| ()),
        _ => return Err(Problem::invalid("act", "This value cannot be taken.")),
    };
    done?;
    Ok(see("/admin/queues", "saved"))
}

async fn promoted(web: &Web, name: &str) -> Result<Response> {
    web.catalog().promote_delayed(name).await?;
    Ok(see("/admin/queues", "saved"))
}
