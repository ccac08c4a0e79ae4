//! `upshelf queue`: the queues, while the site runs or not.

mod table;

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use upshelf_catalog::{Catalog, parse_job_id};
use upshelf_queue::{Broker as _, Entry, State, Stats};
use upshelf_web::{JobView, QueueName, QueueView};

use crate::config::{Config, duration};
use crate::site::Site;
use table::table;

/// What to do about the queues.
#[derive(Debug, Subcommand)]
pub(crate) enum Queue {
    /// List the queues with their numbers
    #[command(after_help = "Example: upshelf queue list --json")]
    List {
        #[command(flatten)]
        print: Print,
    },
    /// Print all numbers of a queue
    #[command(after_help = "Example: upshelf queue stats email")]
    Stats {
        #[command(flatten)]
        queue: Name,
        #[command(flatten)]
        print: Print,
    },
    /// List the jobs of a queue, newest first
    #[command(after_help = "Example: upshelf queue jobs email --state failed")]
    Jobs {
        #[command(flatten)]
        queue: Name,
        /// Where they are in their life
        #[arg(long, value_enum, default_value = "failed")]
        state: StateWord,
        /// How many at most
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        limit: u32,
        /// What an earlier list said to go on with
        #[arg(long)]
        cursor: Option<String>,
        #[command(flatten)]
        print: Print,
    },
    /// Stop handing out jobs, in every process; what runs is finished
    #[command(after_help = "Example: upshelf queue pause email")]
    Pause {
        #[command(flatten)]
        queue: Name,
        #[command(flatten)]
        print: Print,
    },
    /// Hand out jobs again
    #[command(after_help = "Example: upshelf queue resume email")]
    Resume {
        #[command(flatten)]
        queue: Name,
        #[command(flatten)]
        print: Print,
    },
    /// Make the failed jobs of a queue wait again
    #[command(after_help = "Example: upshelf queue retry email")]
    Retry {
        #[command(flatten)]
        queue: Name,
        #[command(flatten)]
        print: Print,
    },
    /// Clear finished jobs of a queue away
    #[command(after_help = "Example: upshelf queue clean email --state failed --older-than 7d")]
    Clean {
        #[command(flatten)]
        queue: Name,
        /// Which of them
        #[arg(long, value_enum, default_value = "completed")]
        state: Finished,
        /// Only those that finished longer ago
        #[arg(long, value_name = "TIME", value_parser = duration, default_value = "0s")]
        older_than: Duration,
        #[command(flatten)]
        print: Print,
    },
    /// Make delayed jobs of a queue due now
    #[command(after_help = "Example: upshelf queue promote email --job 4711")]
    Promote {
        #[command(flatten)]
        queue: Name,
        /// Only this one
        #[arg(long, value_name = "ID")]
        job: Option<String>,
        #[command(flatten)]
        print: Print,
    },
}

/// Which queue.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Name {
    /// The queue: auto-approval, notifications, analytics, email or cleanup
    #[arg(value_parser = queue_name, value_name = "QUEUE")]
    name: QueueName,
}

/// How to print.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Print {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Where a job is in its life.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum StateWord {
    /// Due, or about to be
    Waiting,
    /// Not due yet, or between two attempts
    Delayed,
    /// Running
    Active,
    /// Done
    Completed,
    /// Out of attempts, or failed for good
    Failed,
}

/// How a job ended.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Finished {
    /// Done
    Completed,
    /// Failed
    Failed,
}

fn queue_name(text: &str) -> Result<QueueName, String> {
    let names = QueueName::ALL.map(QueueName::as_str);
    let found = QueueName::ALL.into_iter().find(|name| name.as_str() == text);
    found.ok_or_else(|| format!("it must be one of {}", names.join(", ")))
}

pub(super) async fn run(queue: Queue, config: &Config) -> Result<()> {
    if config.database_file().is_some_and(|file| !file.exists()) {
        bail!("there is no library in {}", config.data_dir.display());
    }
    let site = Site::open(config).await?;
    let done = act(&site.catalog, queue).await;
    site.close().await;
    super::print(&done?);
    Ok(())
}

/// Does it, and gives what to print.
async fn act(catalog: &Catalog, what: Queue) -> Result<String> {
    let queues = catalog.queue();
    Ok(match what {
        Queue::List { print } => {
            let mut all = Vec::new();
            for name in QueueName::ALL {
                all.push((name, queues.stats(name.as_str()).await?));
            }
            let views = all.iter().map(|(name, stats)| QueueView::new(*name, stats.clone()));
            match print.json {
                true => lines(&json!({ "items": views.collect::<Vec<_>>() })),
                false => overview(&all),
            }
        }
        Queue::Stats { queue: Name { name }, print } => numbers(catalog, name, print).await?,
        Queue::Jobs { queue: Name { name }, state, limit, cursor, print } => {
            let page = queues.jobs(name.as_str(), state.into(), cursor.as_deref(), limit).await?;
            match print.json {
                true => {
                    let jobs: Vec<_> = page.jobs.into_iter().map(JobView::from).collect();
                    lines(&json!({ "items": jobs, "next_cursor": page.next }))
                }
                false => {
                    let more = page.next.map(|next| format!("more with --cursor {next}\n"));
                    job_table(&page.jobs) + &more.unwrap_or_default()
                }
            }
        }
        Queue::Pause { queue: Name { name }, print } => {
            queues.pause(name.as_str()).await?;
            numbers(catalog, name, print).await?
        }
        Queue::Resume { queue: Name { name }, print } => {
            queues.resume(name.as_str()).await?;
            numbers(catalog, name, print).await?
        }
        Queue::Retry { queue: Name { name }, print } => {
            count(queues.retry_failed(name.as_str()).await?, "wait again", print)
        }
        Queue::Clean { queue: Name { name }, state, older_than, print } => {
            let state = match state {
                Finished::Completed => State::Completed,
                Finished::Failed => State::Failed,
            };
            count(queues.clean(name.as_str(), state, older_than).await?, "cleared away", print)
        }
        Queue::Promote { queue: Name { name }, job: None, print } => {
            count(catalog.promote_delayed(name.as_str()).await?, "due now", print)
        }
        Queue::Promote { queue: Name { name }, job: Some(job), print } => {
            let missing = || format!("the queue {} has no job {job}", name.as_str());
            let id = parse_job_id(&job).with_context(missing)?;
            queues.find_job(id).await?.filter(|job| job.queue == name.as_str()).with_context(missing)?;
            if !queues.promote(id).await? {
                bail!("job {job} is not delayed");
            }
            count(1, "due now", print)
        }
    })
}

impl From<StateWord> for State {
    fn from(word: StateWord) -> State {
        match word {
            StateWord::Waiting => State::Waiting,
            StateWord::Delayed => State::Delayed,
            StateWord::Active => State::Active,
            StateWord::Completed => State::Completed,
            StateWord::Failed => State::Failed,
        }
    }
}

fn lines(value: &Value) -> String {
    format!("{value}\n")
}

fn count(jobs: u64, what: &str, print: Print) -> String {
    match print.json {
        true => lines(&json!({ "jobs": jobs })),
        false => format!("{jobs} {} {what}\n", if jobs == 1 { "job" } else { "jobs" }),
    }
}

fn overview(all: &[(QueueName, Stats)]) -> String {
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

async fn numbers(catalog: &Catalog, name: QueueName, print: Print) -> Result<String> {
    let stats = catalog.queue().stats(name.as_str()).await?;
    if print.json {
        return Ok(lines(&json!(QueueView::new(name, stats))));
    }
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
    Ok(table(&[name.as_str(), ""], rows))
}

fn job_table(jobs: &[Entry]) -> String {
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
