use std::time::Duration;

use jiff::Timestamp;
use serde_json::value::RawValue;

use crate::{JobId, Priority};

/// Where a job is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
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

/// The numbers of one queue at one moment.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Stats {
    /// Due, of normal priority.
    pub waiting: u64,
    /// Due, of another priority than normal.
    pub prioritized: u64,
    /// Due, but held back because the queue is paused; then the two above are zero.
    pub paused: u64,
    /// Not due yet, or between two attempts.
    pub delayed: u64,
    /// Running.
    pub active: u64,
    /// Done, and still kept.
    pub completed: u64,
    /// Failed, and still kept.
    pub failed: u64,
    /// Whether the queue is paused.
    pub is_paused: bool,
    /// For how long the oldest job that is due has been so.
    pub oldest_waiting: Option<Duration>,
    /// Jobs completed within the last minute and still kept.
    pub completed_last_minute: u64,
    /// How long those took on average, from being due to being begun.
    pub mean_wait: Option<Duration>,
    /// How long those ran on average.
    pub mean_run: Option<Duration>,
}

/// What the database alone knows of a queue whose jobs Redis works.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct RowStats {
    /// Due or not, and not handed over yet.
    pub waiting: u64,
    /// Handed over and not known to have ended: waiting, delayed or running there.
    pub handed_over: u64,
    /// Done, and still kept.
    pub completed: u64,
    /// Failed, and still kept.
    pub failed: u64,
    /// Whether the queue is to be paused.
    pub is_paused: bool,
}

/// One job, as an operator sees it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its id.
    pub id: JobId,
    /// Its kind: [`Job::NAME`](crate::Job::NAME).
    pub name: String,
    /// Its queue.
    pub queue: String,
    /// Where it is in its life.
    pub state: State,
    /// Which of the jobs that are due it comes before.
    pub priority: Priority,
    /// The payload as JSON.
    pub payload: Box<RawValue>,
    /// Attempts begun so far.
    pub attempt: u16,
    /// Attempts it has in all.
    pub attempts: u16,
    /// When it was inserted.
    pub created_at: Timestamp,
    /// When it was, is or will be due.
    pub due_at: Timestamp,
    /// When its last attempt began.
    pub begun_at: Option<Timestamp>,
    /// When it was completed or failed.
    pub finished_at: Option<Timestamp>,
    /// Why its last failed attempt failed.
    pub error: Option<String>,
    /// How far the work is, in percent, when the handler said so.
    pub progress: Option<u8>,
    /// The newest lines of its log.
    pub log: Vec<String>,
}

/// A page of jobs, newest first.
#[derive(Clone, Debug)]
pub struct Page {
    /// The jobs.
    pub jobs: Vec<Entry>,
    /// The cursor of the next page, when there may be one.
    pub next: Option<String>,
}
