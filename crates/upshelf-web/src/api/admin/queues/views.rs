//! What an operator sees of queues and jobs.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use upshelf_queue::{Entry, JobId, State as JobState, Stats};
use upshelf_store::Time;
use utoipa::ToSchema;

use super::QueueName;

/// The numbers of a queue at this moment.
#[derive(Serialize, ToSchema)]
pub(super) struct QueueView {
    /// Names the queue.
    name: QueueName,
    /// Whether it hands out no jobs.
    is_paused: bool,
    /// Jobs that are due.
    waiting: u64,
    /// Jobs that are due, of another priority than normal.
    prioritized: u64,
    /// Jobs that are due, but held back because the queue is paused.
    paused: u64,
    /// Jobs that are not due yet, or between two attempts.
    delayed: u64,
    /// Jobs that run.
    active: u64,
    /// Jobs that are done, and still kept.
    completed: u64,
    /// Jobs that failed, and are still kept.
    failed: u64,
    /// For how many seconds the oldest job that is due has been so.
    oldest_waiting_seconds: Option<f64>,
    /// Jobs completed within the last minute.
    completed_last_minute: u64,
    /// How many seconds those waited on average.
    mean_wait_seconds: Option<f64>,
    /// How many seconds those ran on average.
    mean_run_seconds: Option<f64>,
}

impl QueueView {
    pub(super) fn new(name: QueueName, stats: Stats) -> QueueView {
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
        QueueView {
            name,
            is_paused: stats.is_paused,
            waiting: stats.waiting,
            prioritized: stats.prioritized,
            paused: stats.paused,
            delayed: stats.delayed,
            active: stats.active,
            completed: stats.completed,
            failed: stats.failed,
            oldest_waiting_seconds: seconds(stats.oldest_waiting),
            completed_last_minute: stats.completed_last_minute,
            mean_wait_seconds: seconds(stats.mean_wait),
            mean_run_seconds: seconds(stats.mean_run),
        }
    }
}

/// Where a job is in its life.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum StateWord {
    /// Due, or about to be.
    Waiting,
    /// Not due yet, or between two attempts.
    Delayed,
    /// Running.
    Active,
    /// Done.
    Completed,
    /// Out of attempts, or failed for good.
    Failed,
}

impl From<StateWord> for JobState {
    fn from(word: StateWord) -> JobState {
        match word {
            StateWord::Waiting => JobState::Waiting,
            StateWord::Delayed => JobState::Delayed,
            StateWord::Active => JobState::Active,
            StateWord::Completed => JobState::Completed,
            StateWord::Failed => JobState::Failed,
        }
    }
}

impl From<JobState> for StateWord {
    fn from(state: JobState) -> StateWord {
        match state {
            JobState::Waiting => StateWord::Waiting,
            JobState::Delayed => StateWord::Delayed,
            JobState::Active => StateWord::Active,
            JobState::Completed => StateWord::Completed,
            JobState::Failed => StateWord::Failed,
        }
    }
}

/// The name of a job.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum JobName {
    /// Its number.
    Number(i64),
    /// Its queue and its id there, for a job that is only in Redis.
    Text(String),
}

impl From<JobId> for JobName {
    fn from(id: JobId) -> JobName {
        match id {
            JobId::Row(number) => JobName::Number(number),
            JobId::Shared { .. } => JobName::Text(id.to_string()),
        }
    }
}

/// One job.
#[derive(Serialize, ToSchema)]
pub(super) struct JobView {
    /// Names the job.
    id: JobName,
    /// Its kind.
    name: String,
    /// Where it is in its life.
    state: StateWord,
    /// What it works on.
    #[schema(value_type = Object)]
    payload: Value,
    /// Attempts begun so far.
    attempt: u16,
    /// Attempts it has in all.
    attempts: u16,
    /// When it was inserted.
    created_at: Time,
    /// When it was, is or will be due.
    due_at: Time,
    /// When its last attempt began.
    begun_at: Option<Time>,
    /// When it was completed or failed.
    finished_at: Option<Time>,
    /// Why its last failed attempt failed.
    error: Option<String>,
    /// How far the work is, in percent.
    progress: Option<u8>,
    /// The newest lines of its log.
    log: Vec<String>,
}

impl From<Entry> for JobView {
    fn from(job: Entry) -> JobView {
        JobView {
            id: job.id.into(),
            name: job.name,
            state: job.state.into(),
            payload: serde_json::from_str(job.payload.get()).unwrap_or_default(),
            attempt: job.attempt,
            attempts: job.attempts,
            created_at: job.created_at.into(),
            due_at: job.due_at.into(),
            begun_at: job.begun_at.map(Time::from),
            finished_at: job.finished_at.map(Time::from),
            error: job.error,
            progress: job.progress,
            log: job.log,
        }
    }
}
