//! Listing the settings with their values and where these come from.

use std::fmt::Write as _;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

/// A setting as it stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its name in the environment.
    pub(crate) name: String,
    /// Its value; stars for a secret.
    pub(crate) value: Option<String>,
    /// `flag`, `environment` or `default`.
    pub(crate) source: &'static str,
}

/// Lists every setting that `command` has, as `matches` gives it.
pub(crate) fn list(command: &Command, matches: &ArgMatches) -> Vec<Listed> {
    command
        .get_arguments()
        .filter_map(|arg| {
            let name = arg.get_env()?.to_string_lossy().into_owned();
            let id = arg.get_id().as_str();
            let values: Vec<_> = matches
                .get_raw(id)
                .into_iter()
                .flatten()
                .map(|value| value.to_string_lossy().into_owned())
                .collect();
            let hidden = arg.is_hide_env_values_set();
            let value = if hidden { "********".to_owned() } else { values.join(",") };
            Some(Listed {
                name,
                value: (!values.is_empty()).then_some(value),
                source: match matches.value_source(id) {
                    Some(ValueSource::CommandLine) => "flag",
                    Some(ValueSource::EnvVariable) => "environment",
                    _ => "default",
                },
            })
        })
        .collect()
}

/// Writes the settings as `docs/configuration.md` has them.
pub(crate) fn markdown(command: &Command) -> String {
    let mut text = String::from(
        "# Configuration\n\nEvery setting is a flag or stands in the environment; the flag wins. There is no \
         configuration file. `upshelf config` prints what is in force and where it comes from. A value that cannot be \
         used stops the start with one line. This page is made by `upshelf config --markdown`.\n",
    );
    let mut heading = None;
    for arg in command.get_arguments() {
        let Some(name) = arg.get_env() else { continue };
        if arg.get_help_heading() != heading {
            heading = arg.get_help_heading();
            let _ = write!(
                text,
                "\n## {}\n\n| setting | flag | default | what |\n| --- | --- | --- | --- |\n",
                heading.unwrap_or("Other")
            );
        }
        let defaults = arg.get_default_values().iter().map(|value| value.to_string_lossy());
        let defaults: Vec<_> = defaults.filter(|value| !value.is_empty()).collect();
        let choices: Vec<_> =
            arg.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let (help, stated) = match help.rsplit_once(" [default: ") {
            Some((help, stated)) => (help.to_owned(), Some(stated.trim_end_matches(']').to_owned())),
            None => (help, None),
        };
        let default = stated.or_else(|| (!defaults.is_empty()).then(|| defaults.join(",")));
        let _ = writeln!(
            text,
            "| `{}` | `--{}` | {} | {help}{} |",
            name.to_string_lossy(),
            arg.get_long().unwrap_or_default(),
            default.map(|default| format!("`{default}`")).unwrap_or_default(),
            if choices.is_empty() { String::new() } else { format!(": {}", choices.join(", ")) },
        );
    }
    text
}
