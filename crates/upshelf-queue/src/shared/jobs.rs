//! What jobs are in BullMQ's words.

use std::fmt::Write as _;
use std::time::SystemTime;

use bullmq::options::JobOptions;
use bullmq::queue::BulkJob;
use bullmq::types::{BackoffStrategy, KeepJobs, RemoveOnFinish};
use jiff::Timestamp;
use serde_json::Value;

use super::{Link, ask};
use crate::job::Row;
use crate::ledger::Due;
use crate::{Error, JobId, Keep, Priority, QueueSettings, Result, Settings};

/// What the id of a job begins with that a row stands for.
pub(super) const OF_ROW: &str = "river-";

/// The numbers of the priorities after the normal one, which has none; between them there is room for others'.
const LOW: u32 = 10;
const IDLE: u32 = 100;

/// The id of a row's job: adding it twice adds it once.
pub(super) fn id_of(row: i64) -> String {
    format!("{OF_ROW}{row}")
}

/// The row that a job stands for, if one does.
pub(super) fn row_of(id: &str) -> Option<i64> {
    id.strip_prefix(OF_ROW)?.parse().ok()
}

/// How others name a job of a queue.
pub(super) fn job_id(queue: &str, id: &str) -> JobId {
    match row_of(id) {
        Some(row) => JobId::Row(row),
        None => JobId::Shared { queue: queue.into(), id: id.into() },
    }
}

/// A row as a job; an error when its payload cannot be one.
pub(super) fn of_row(row: &Due, settings: &QueueSettings) -> Result<BulkJob, serde_json::Error> {
    let payload: Value = serde_json::from_str(&row.payload)?;
    let options =
        options(settings, row.attempts).job_id(id_of(row.id)).timestamp(SystemTime::from(row.created_at));
    Ok(BulkJob::with_options(&row.name, payload, with_priority(options, row.priority)))
}

/// The options that every job has; Node's workers go by them, too.
fn options(settings: &QueueSettings, attempts: u16) -> JobOptions {
    let first = u64::try_from(settings.backoff.first.as_millis()).unwrap_or(u64::MAX);
    JobOptions::new()
        .attempts(attempts.into())
        .backoff(BackoffStrategy::Exponential(first))
        .remove_on_complete(kept(settings.keep_completed))
        .remove_on_fail(kept(settings.keep_failed))
}

pub(super) fn kept(keep: Keep) -> RemoveOnFinish {
    let count = usize::try_from(keep.count).unwrap_or(usize::MAX);
    RemoveOnFinish::Options(KeepJobs { age: Some(keep.age.as_secs()), count: Some(count), limit: None })
}

/// BullMQ takes jobs without a priority before those with one: an urgent job goes to the front of those.
fn with_priority(options: JobOptions, priority: i16) -> JobOptions {
    match priority {
        ..=1 => options.lifo(),
        2 => options,
        3 => options.priority(LOW),
        4.. => options.priority(IDLE),
    }
}

pub(super) fn priority_of(options: &JobOptions) -> Priority {
    match (options.priority.unwrap_or_default(), options.lifo.unwrap_or_default()) {
        (0, true) => Priority::Urgent,
        (0, false) => Priority::Normal,
        (1..=LOW, _) => Priority::Low,
        _ => Priority::Idle,
    }
}

/// Adds a job that no row stands for. Its id is random, so that a client that repeats itself adds it once.
pub(super) async fn push(link: &Link, row: &Row, settings: &Settings) -> Result<JobId> {
    const DOING: &str = "add a job";
    let settings = settings.of(row.queue);
    let mut random = [0; 16];
    aws_lc_rs::rand::fill(&mut random)
        .map_err(|error| Error::Redis { doing: DOING, source: Some(error.to_string().into()) })?;
    let mut id = "push-".to_owned();
    for byte in random {
        let _ = write!(id, "{byte:02x}");
    }
    let options = options(settings, row.attempts.unwrap_or(settings.attempts)).job_id(&id);
    let options = with_priority(options, row.priority as i16);
    ask(DOING, async {
        let payload: Value = serde_json::from_str(row.payload.get())?;
        link.queue(row.queue).await?.add(row.name, payload).options(options).await.map(drop)
    })
    .await?;
    Ok(job_id(row.queue, &id))
}

pub(super) fn time(milliseconds: u64) -> Timestamp {
    i64::try_from(milliseconds)
        .ok()
        .and_then(|time| Timestamp::from_millisecond(time).ok())
        .unwrap_or_default()
}
