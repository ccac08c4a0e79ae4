//! What is printed for people.

use std::time::Duration;

use upshelf_queue::{Entry, RowStats, Stats};
use upshelf_web::QueueName;

use super::table::table;

/// How many jobs it was.
pub(super) fn count(jobs: u64, what: &str) -> String {
    format!("{jobs} {} {what}\n", if jobs == 1 { "job" } else { "jobs" })
}

/// The queues with their numbers.
pub(super) fn overview(all: &[(QueueName, Stats)]) -> String {
    let head = ["queue", "state", "waiting", "oldest", "active", "delayed", "completed", "failed"];
    let rows = all.iter().map(|(name, stats)| {
        vec![
            name.as_str().to_owned(),
            if stats.is_paused { "paused" } else { "running" }.to_owned(),
            (stats.waiting + stats.prioritized + stats.paused).to_string(),
            span(stats.oldest_waiting),
            stats.active.to_string(),
            stats.delayed.to_string(),
            stats.completed.to_string(),
            stats.failed.to_string(),
        ]
    });
    table(&head, rows)
}

/// The queues with what the database alone knows of them.
pub(super) fn rows(all: &[(QueueName, RowStats)]) -> String {
    let head = ["queue", "state", "waiting", "handed over", "active", "delayed", "completed", "failed"];
    let rows = all.iter().map(|(name, stats)| {
        vec![
            name.as_str().to_owned(),
            if stats.is_paused { "paused" } else { "running" }.to_owned(),
            stats.waiting.to_string(),
            stats.handed_over.to_string(),
            "?".to_owned(),
            "?".to_owned(),
            stats.completed.to_string(),
            stats.failed.to_string(),
        ]
    });
    table(&head, rows)
}

/// All numbers of a queue.
pub(super) fn numbers(name: QueueName, stats: &Stats) -> String {
    let rows = [
        ("paused", if stats.is_paused { "yes" } else { "no" }.to_owned()),
        ("waiting", stats.waiting.to_string()),
        ("prioritized", stats.prioritized.to_string()),
        ("held back", stats.paused.to_string()),
        ("delayed", stats.delayed.to_string()),
        ("active", stats.active.to_string()),
        ("completed", stats.completed.to_string()),
        ("failed", stats.failed.to_string()),
        ("oldest waiting", span(stats.oldest_waiting)),
        ("completed in the last minute", stats.completed_last_minute.to_string()),
        ("mean wait", span(stats.mean_wait)),
        ("mean run", span(stats.mean_run)),
    ];
    let rows = rows.into_iter().map(|(what, number)| vec![what.to_owned(), number]);
    table(&[name.as_str(), ""], rows)
}

/// Jobs, one a line.
pub(super) fn jobs(jobs: &[Entry]) -> String {
    let head = ["id", "job", "attempt", "due", "error"];
    let rows = jobs.iter().map(|job| {
        let error = job.error.as_deref().unwrap_or_default();
        vec![
            job.id.to_string(),
            job.name.clone(),
            format!("{}/{}", job.attempt, job.attempts),
            job.due_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            error.lines().next().unwrap_or_default().chars().take(100).collect(),
        ]
    });
    table(&head, rows)
}

/// Says a length of time in its largest sensible unit; a dash for none.
fn span(time: Option<Duration>) -> String {
    match time {
        None => "-".to_owned(),
        Some(time) => match time.as_secs() {
            0 => format!("{} ms", time.as_millis()),
            1..120 => format!("{} s", time.as_secs()),
            120..7_200 => format!("{} min", time.as_secs() / 60),
            7_200..172_800 => format!("{} h", time.as_secs() / 3_600),
            _ => format!("{} d", time.as_secs() / 86_400),
        },
    }
}
