//! `upshelf queue`: the queues, while the site runs or not.

mod list;
mod table;
mod words;

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use upshelf_catalog::{Catalog, parse_job_id};
use upshelf_queue::{Broker as _, State};
use upshelf_web::{JobView, QueueName, QueueView};

use crate::config::{Config, duration};
use crate::site::Site;
use list::Printed;

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
    let printed = done?;
    super::print(&printed.text);
    printed.missing.map_or(Ok(()), |missing| bail!(missing))
}

/// Does it, and gives what to print.
async fn act(catalog: &Catalog, what: Queue) -> Result<Printed> {
    let queues = catalog.queue();
    Ok(Printed::whole(match what {
        Queue::List { print } => return list::run(catalog, print).await,
        Queue::Stats { queue: Name { name }, print } => numbers(catalog, name, print).await?,
        Queue::Jobs { queue: Name { name }, state, limit, cursor, print } => {
            let page = queues.jobs(name.as_str(), state.into(), cursor.as_deref(), limit).await?;
            match print.json {
                true => {
                    let jobs: Vec<_> = page.jobs.into_iter().map(JobView::from).collect();
                    line(&json!({ "items": jobs, "next_cursor": page.next }))
                }
                false => {
                    let more = page.next.map(|next| format!("more with --cursor {next}\n"));
                    words::jobs(&page.jobs) + &more.unwrap_or_default()
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
            let found = queues.find_job(id).await?.filter(|job| job.queue == name.as_str());
            if !queues.promote(found.with_context(missing)?.id).await? {
                bail!("job {job} is not delayed");
            }
            count(1, "due now", print)
        }
    }))
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

async fn numbers(catalog: &Catalog, name: QueueName, print: Print) -> Result<String> {
    let stats = catalog.queue().stats(name.as_str()).await?;
    Ok(match print.json {
        true => line(&json!(QueueView::new(name, stats))),
        false => words::numbers(name, &stats),
    })
}

fn count(jobs: u64, what: &str, print: Print) -> String {
    match print.json {
        true => line(&json!({ "jobs": jobs })),
        false => words::count(jobs, what),
    }
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}
