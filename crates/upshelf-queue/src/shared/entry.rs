//! A job of BullMQ's, as an operator sees it.

use bullmq::{Job, JobProgress, JobState};
use serde_json::value::to_raw_value;

use super::{Link, jobs};
use crate::{Entry, State};

/// Reads what is told about a job, its log included.
pub(super) async fn entry(
    link: &Link,
    queue: &str,
    job: &Job,
    state: State,
    before: u16,
) -> Result<Entry, bullmq::Error> {
    let log = link.queue(queue).await?.get_job_logs(job.id(), 0, -1, true).await?.0;
    let narrow = |attempts: u32| before.saturating_add(u16::try_from(attempts).unwrap_or(u16::MAX));
    // What runs is an attempt begun, and not counted yet.
    let begun = job.attempts_made() + u32::from(state == State::Active);
    Ok(Entry {
        id: jobs::job_id(queue, job.id()),
        name: job.name().to_owned(),
        queue: queue.to_owned(),
        state,
        priority: jobs::priority_of(job.opts()),
        payload: to_raw_value(job.data())?,
        attempt: narrow(begun),
        attempts: narrow(job.opts().attempts.unwrap_or(1).max(1)),
        created_at: jobs::time(job.timestamp()),
        due_at: jobs::time(job.timestamp().saturating_add(job.delay())),
        begun_at: job.processed_on().map(jobs::time),
        finished_at: job.finished_on().map(jobs::time),
        error: Some(job.failed_reason().to_owned()).filter(|reason| !reason.is_empty()),
        progress: match job.progress() {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
            JobProgress::Number(percent) if *percent > 0.0 => Some(percent.clamp(0.0, 100.0) as u8),
            _ => None,
        },
        log,
    })
}

pub(super) fn state_of(state: JobState) -> Option<State> {
    match state {
        JobState::Waiting | JobState::Prioritized => Some(State::Waiting),
        JobState::Delayed | JobState::WaitingChildren => Some(State::Delayed),
        JobState::Active => Some(State::Active),
        JobState::Completed => Some(State::Completed),
        JobState::Failed => Some(State::Failed),
        JobState::Unknown => None,
    }
}
