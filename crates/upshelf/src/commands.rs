//! The commands, one file each.

mod backup;
mod doctor;
mod export;
mod import;
mod member;
mod queue;
mod restore;
mod serve;
mod settings;
mod worker;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use upshelf_lists::Format;

use crate::config::{Config, Role};

pub(crate) use settings::config;

pub(crate) const EXAMPLES: &str = "Examples:
  upshelf                                 serve the site on http://127.0.0.1:7700
  upshelf import README.md --dry-run      say what an import would do
  upshelf export -o README.md             write the list with approved changes applied";

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the site (the default)
    #[command(after_help = "Example: upshelf serve --addr 127.0.0.1:0")]
    Serve {
        /// What this process does, in place of UPSHELF_ROLE
        #[arg(long, value_enum)]
        role: Option<Role>,
    },
    /// Work the queues, and answer no requests
    #[command(after_help = "Example: upshelf worker --database-url postgres://upshelf@db/upshelf")]
    Worker,
    /// Bring a list into the library
    #[command(after_help = "Example: upshelf import README.md --list awesome-things")]
    Import(import::Import),
    /// Write a list out
    #[command(after_help = "Example: upshelf export --format csv -o shelf.csv")]
    Export(export::Export),
    /// Check the library, and repair what is wrong
    #[command(after_help = "Example: upshelf doctor --repair")]
    Doctor {
        /// Repair what is found
        #[arg(long)]
        repair: bool,
        /// Print the findings as JSON
        #[arg(long)]
        json: bool,
    },
    /// Copy the database into a file while the site runs
    #[command(after_help = "Example: upshelf backup shelf-2026-11-23.db")]
    Backup {
        /// The file to make
        file: PathBuf,
    },
    /// Put a backup in place of the database; the site must not run
    #[command(after_help = "Example: upshelf restore shelf-2026-11-23.db --force")]
    Restore {
        /// The backup
        file: PathBuf,
        /// Replace a database that is there
        #[arg(long)]
        force: bool,
    },
    /// Print the settings in force, and where each comes from
    #[command(after_help = "Example: UPSHELF_LIMITS=shadow upshelf config")]
    Config {
        /// Print docs/configuration.md instead
        #[arg(long, hide = true)]
        markdown: bool,
    },
    /// Look after the queues, also while the site runs
    #[command(subcommand)]
    Queue(queue::Queue),
    /// Look after members
    #[command(subcommand)]
    Member(member::Member),
    /// Fill an empty library with a small sample: resources, members, suggestions, votes
    #[command(after_help = "Example: upshelf demo --data-dir /tmp/shelf && upshelf --data-dir /tmp/shelf")]
    Demo,
}

/// Carries a command out.
pub(crate) async fn run(command: Command, config: &Config) -> Result<()> {
    match command {
        Command::Serve { role: None } => serve::run(config).await,
        Command::Serve { role: Some(role) } => serve::run(&Config { role, ..config.clone() }).await,
        Command::Worker => worker::run(config).await,
        Command::Import(import) => import::run(import, config).await,
        Command::Export(export) => export::run(export, config).await,
        Command::Doctor { repair, json } => doctor::run(repair, json, config).await,
        Command::Backup { file } => backup::run(&file, config).await,
        Command::Restore { file, force } => restore::run(&file, force, config).await,
        Command::Queue(queue) => queue::run(queue, config).await,
        Command::Member(member) => member::run(member, config).await,
        Command::Demo => crate::demo::run(config).await,
        Command::Config { .. } => Ok(()),
    }
}

/// Prints a text; a reader who has seen enough is no error.
pub(crate) fn print(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn format(text: &str) -> Result<Format, String> {
    text.parse().map_err(|_| "it must be one of markdown, netscape, json, csv".to_owned())
}
