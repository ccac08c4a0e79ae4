//! The settings of the check of links.

use std::time::Duration;

use clap::{Args, ValueEnum};
use url::Url;

use super::values::duration;

/// Whether something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Switch {
    /// It is.
    On,
    /// It is not.
    Off,
}

/// How the links of the shelf are looked at.
#[derive(Args, Clone, Debug)]
pub(crate) struct LinkConfig {
    /// Whether the links of the shelf are looked at, and what is dead or has moved is suggested; it asks the servers of others
    #[arg(long, env = setting!("LINK_CHECK"), value_enum, default_value = "off", global = true,
        help_heading = "Links")]
    link_check: Switch,
    /// How long after a look the next one at the same link is due
    #[arg(long, env = setting!("LINK_CHECK_EVERY"), value_name = "TIME", default_value = "24h",
        value_parser = duration, global = true, help_heading = "Links")]
    link_check_every: Duration,
    /// How long a host is left in peace between two requests
    #[arg(long, env = setting!("LINK_CHECK_PACE"), value_name = "TIME", default_value = "5s",
        value_parser = duration, global = true, help_heading = "Links")]
    link_check_pace: Duration,
}

impl LinkConfig {
    /// How links are looked at, if they are.
    ///
    /// # Errors
    /// When nobody can be asked from here.
    pub(crate) fn settings(
        &self,
        public_url: Option<&Url>,
    ) -> Result<Option<upshelf_worker::LinkCheck>, upshelf_probe::Error> {
        if self.link_check == Switch::Off {
            return Ok(None);
        }
        let site = public_url.map(|url| format!("; +{url}")).unwrap_or_default();
        let agent = format!("Upshelf/{} (link check{site})", env!("CARGO_PKG_VERSION"));
        let settings =
            upshelf_probe::Settings { pace: self.link_check_pace, ..upshelf_probe::Settings::public(agent)? };
        let probe = upshelf_probe::Probe::new(settings)?;
        Ok(Some(upshelf_worker::LinkCheck { every: self.link_check_every, probe }))
    }
}
