use riverqueue::{Client, JobListCursor, JobListParams, JobRow, JobState, SortDirection};

use crate::error::During;
use crate::{Entry, Error, JobId, Page, Priority, Result, State};

pub(crate) async fn page(
    client: &Client,
    queue: &str,
    state: State,
    cursor: Option<&str>,
    limit: u32,
) -> Result<Page> {
    page_of(client, queue, states(state), cursor, limit).await
}

/// The same without the rows that are handed over to Redis.
pub(crate) async fn page_of_others(
    client: &Client,
    queue: &str,
    state: State,
    cursor: Option<&str>,
    limit: u32,
) -> Result<Page> {
    let all = states(state);
    let others: Vec<_> = all.iter().copied().filter(|state| *state != JobState::Pending).collect();
    page_of(client, queue, &others, cursor, limit).await
}

async fn page_of(
    client: &Client,
    queue: &str,
    states: &[JobState],
    cursor: Option<&str>,
    limit: u32,
) -> Result<Page> {
    let limit = limit.clamp(1, 1_000);
    let mut params = JobListParams::default()
        .queues([queue])
        .states(states.iter().copied())
        .direction(SortDirection::Descending)
        .limit(limit);
    if let Some(cursor) = cursor {
        params = params.after(JobListCursor::decode(cursor).map_err(|_| Error::Cursor)?);
    }
    let found = client.jobs().list(params).await.during("list jobs")?;
    let is_full = found.jobs.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    Ok(Page {
        next: found.last_cursor.filter(|_| is_full).map(|cursor| cursor.encode()),
        jobs: found.jobs.into_iter().map(entry).collect(),
    })
}

pub(crate) async fn find(client: &Client, id: i64) -> Result<Option<Entry>> {
    match client.jobs().get(id).await {
        Ok(row) => Ok(Some(entry(row))),
        Err(riverqueue::Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error).during("find a job"),
    }
}

fn states(state: State) -> &'static [JobState] {
    match state {
        State::Waiting => &[JobState::Available],
        State::Delayed => &[JobState::Scheduled, JobState::Retryable, JobState::Pending],
        State::Active => &[JobState::Running],
        State::Completed => &[JobState::Completed],
        State::Failed => &[JobState::Discarded, JobState::Cancelled],
    }
}

fn entry(row: JobRow) -> Entry {
    let state = match row.state {
        JobState::Available => State::Waiting,
        JobState::Running => State::Active,
        JobState::Completed => State::Completed,
        JobState::Discarded | JobState::Cancelled => State::Failed,
        _ => State::Delayed,
    };
    let priority = match row.priority {
        ..=1 => Priority::Urgent,
        2 => Priority::Normal,
        3 => Priority::Low,
        4.. => Priority::Idle,
    };
    // River's word for a failure that allows no other attempt.
    let reason = |error: &str| error.strip_prefix("JobCancelError: ").unwrap_or(error).to_owned();
    Entry {
        id: JobId::Row(row.id),
        state,
        priority,
        attempt: u16::try_from(row.attempt).unwrap_or_default(),
        attempts: u16::try_from(row.max_attempts).unwrap_or(u16::MAX),
        created_at: row.created_at,
        due_at: row.scheduled_at,
        begun_at: row.attempted_at,
        finished_at: row.finalized_at,
        error: row.errors.last().map(|error| reason(&error.error)),
        progress: row.metadata.get("progress").ok().flatten(),
        log: row.metadata.get("log").ok().flatten().unwrap_or_default(),
        payload: row.encoded_args,
        name: row.kind,
        queue: row.queue,
    }
}
