use std::fmt::Write as _;

use clap::{ArgMatches, Command};

use crate::config::list;

/// The settings in force, one a line: name, value, source.
pub(crate) fn config(program: &Command, matches: &ArgMatches) -> String {
    let settings = list(program, matches);
    let width = settings.iter().map(|setting| setting.name.len()).max().unwrap_or_default();
    settings.iter().fold(String::new(), |mut text, setting| {
        let value = setting.value.as_deref().unwrap_or("(none)");
        let _ = writeln!(text, "{:width$}  {value}  [{}]", setting.name, setting.source);
        text
    })
}
