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
    if let Command::Config { markdown } = command {
        let text = if markdown { config::markdown(&program) } else { commands::config(&program, &matches) };
        return commands::print(&text);
    }
    log::start(&cli.config);
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
    let name = named.and_then(|arg| Some(format!("{} ({flag})", arg.get_env()?.to_string_lossy())));
    eprintln!("upshelf: {}: {value:?} cannot be used: {allowed}", name.as_deref().unwrap_or(flag));
    ExitCode::from(2)
}

#[cfg(test)]
mod tests {
    use super::*;

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
