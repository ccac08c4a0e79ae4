//! The settings of live connections.

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::Args;

use super::values::{at_least_one, duration};

/// What holds for connections that stay.
#[derive(Args, Clone, Debug)]
pub(crate) struct LiveConfig {
    /// How often a silent live connection is asked for a sign of life
    #[arg(long, env = setting!("LIVE_PING"), value_name = "TIME", default_value = "25s", value_parser = duration,
        global = true, help_heading = "Live")]
    live_ping: Duration,
    /// How long it may take to give one
    #[arg(long, env = setting!("LIVE_PONG"), value_name = "TIME", default_value = "8s", value_parser = duration,
        global = true, help_heading = "Live")]
    live_pong: Duration,
    /// How long a live connection may take to say who it is
    #[arg(long, env = setting!("LIVE_GREETING"), value_name = "TIME", default_value = "10s", value_parser = duration,
        global = true, help_heading = "Live")]
    live_greeting: Duration,
    /// The largest message of a client, in bytes
    #[arg(long, env = setting!("LIVE_INBOUND"), value_name = "BYTES", default_value = "65536",
        value_parser = at_least_one::<NonZeroUsize>, global = true, help_heading = "Live")]
    live_inbound: NonZeroUsize,
    /// How many bytes may wait for a client before it counts as too slow
    #[arg(long, env = setting!("LIVE_OUTBOUND"), value_name = "BYTES", default_value = "1048576",
        value_parser = at_least_one::<NonZeroUsize>, global = true, help_heading = "Live")]
    live_outbound: NonZeroUsize,
    /// The most channels that one connection may watch
    #[arg(long, env = setting!("LIVE_CHANNELS"), value_name = "NUMBER", default_value = "128",
        value_parser = at_least_one::<NonZeroUsize>, global = true, help_heading = "Live")]
    live_channels: NonZeroUsize,
    /// The most publications that are made up for after an absence; who missed more is told so and gets none
    #[arg(long, env = setting!("LIVE_RECOVERY"), value_name = "NUMBER", default_value = "300",
        value_parser = at_least_one::<NonZeroUsize>, global = true, help_heading = "Live")]
    live_recovery: NonZeroUsize,
    /// The least time between two batches of votes
    #[arg(long, env = setting!("LIVE_CONFLATION"), value_name = "TIME", default_value = "100ms",
        value_parser = duration, global = true, help_heading = "Live")]
    live_conflation: Duration,
    /// How many changes of a resource this process remembers for who was away
    #[arg(long, env = setting!("LIVE_BRIEF_LENGTH"), value_name = "NUMBER", default_value = "100",
        value_parser = at_least_one::<NonZeroUsize>, global = true, help_heading = "Live")]
    live_brief_length: NonZeroUsize,
    /// For how long it does
    #[arg(long, env = setting!("LIVE_BRIEF_TIME"), value_name = "TIME", default_value = "5min",
        value_parser = duration, global = true, help_heading = "Live")]
    live_brief_time: Duration,
}

impl LiveConfig {
    /// What the live channels are opened with.
    pub(crate) fn settings(&self) -> upshelf_web::LiveSettings {
        upshelf_web::LiveSettings {
            ping: self.live_ping,
            pong: self.live_pong,
            greeting: self.live_greeting,
            inbound: self.live_inbound.get(),
            outbound: self.live_outbound.get(),
            channels: self.live_channels.get(),
            recovery: self.live_recovery.get(),
            conflation: self.live_conflation,
            brief_length: self.live_brief_length.get(),
            brief_time: self.live_brief_time,
            ..upshelf_web::LiveSettings::default()
        }
    }
}
