//! The program: command line, settings, wiring, shutdown.

mod commands;
mod config;
mod demo;
mod lock;
mod log;
mod progress;
mod site;

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, FromArgMatches as _, Parser};

use crate::commands::Command;
use crate::config::Config;

/// Gives the memory of hashed passwords back to the system, and SQLite's (see decision 16).
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// A library that a community curates by voting
#[derive(Debug, Parser)]
#[command(name = "upshelf", version, about, max_term_width = 100, after_help = commands::EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    config: Config,
}

fn main() -> ExitCode {
    let mut program = Cli::command();
    let matches = match program.try_get_matches_from_mut(std::env::args_os()) {
        Ok(matches) => matches,
        Err(error) => return refuse(&error),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let command = cli.command.unwrap_or(Command::Serve { role: None });
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let slips = config::unknown(&program, names);
    if let Command::Config { markdown } = command {
        let text = if markdown { config::markdown(&program) } else { commands::config(&program, &matches) };
        for name in slips {
            eprintln!("upshelf: {name} is no setting");
        }
        return commands::print(&text);
    }
    log::start(&cli.config);
    for name in slips {
        tracing::warn!("{name} is no setting: it changes nothing; `upshelf config` lists those that do");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error).context("could not start the runtime")),
    };
    match runtime.block_on(commands::run(command, &cli.config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// Prints the whole chain of what failed, in one line.
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("upshelf: {error:#}");
    ExitCode::FAILURE
}

/// Says what is wrong with the command line or a setting; for a value, in one line.
fn refuse(error: &clap::Error) -> ExitCode {
    let wrong_value = matches!(error.kind(), ErrorKind::ValueValidation | ErrorKind::InvalidValue);
    let (Some(ContextValue::String(setting)), Some(ContextValue::String(value)), true) =
        (error.get(ContextKind::InvalidArg), error.get(ContextKind::InvalidValue), wrong_value)
    else {
        let _ = error.print();
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    };
    let allowed = match (std::error::Error::source(error), error.get(ContextKind::ValidValue)) {
        (Some(reason), _) => reason.to_string(),
        (None, Some(ContextValue::Strings(values))) => format!("it must be one of {}", values.join(", ")),
        (None, _) => "it cannot be used".to_owned(),
    };
    let flag = setting.split_whitespace().next().unwrap_or(setting);
    let command = Cli::command();
    let named = command.get_arguments().find(|arg| arg.get_long() == flag.strip_prefix("--"));
    let is_secret = named.is_some_and(|arg| arg.is_hide_env_values_set());
    let shown = if is_secret { without_secret(value) } else { value.clone() };
    let name = named.and_then(|arg| Some(format!("{} ({flag})", arg.get_env()?.to_string_lossy())));
    eprintln!("upshelf: {}: {shown:?} cannot be used: {allowed}", name.as_deref().unwrap_or(flag));
    ExitCode::from(2)
}

/// What may be shown of a secret with a slip in it: of an address all but the sign-in and what follows a `?`.
fn without_secret(value: &str) -> String {
    let Some((scheme, rest)) = value.split_once("://") else { return "********".to_owned() };
    let (sign_in, place) = rest.rsplit_once('@').map_or(("", rest), |(_, place)| ("********@", place));
    let place = place.split_once('?').map_or(place, |(place, _)| place);
    format!("{scheme}://{sign_in}{place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_with_a_slip_in_it_is_not_shown() {
        for (value, shown) in [
            ("mysql://db/shelf", "mysql://db/shelf"),
            ("mysql://ada:se/c@ret@db/shelf?password=secret", "mysql://********@db/shelf"),
            ("redis+sentinel://:secret@h", "redis+sentinel://********@h"),
            ("unix:/run/redis.sock?pass=secret&x=1", "********"),
            ("secret", "********"),
        ] {
            assert_eq!(without_secret(value), shown);
        }
    }

    #[test]
    fn the_command_line_is_in_order() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_page_of_settings_is_up_to_date() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
        let written = std::fs::read_to_string(page).expect("docs/configuration.md is there");
        let now = config::markdown(&Cli::command());
        assert!(written == now, "write it anew: cargo run -- config --markdown > docs/configuration.md");
    }
}
