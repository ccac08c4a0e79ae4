//! The settings of Redis.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};

use super::values::{at_least_one, duration, redis_prefix, redis_url};

/// How Redis is reached; without an address, everything is in this process.
#[derive(Args, Clone, Debug)]
pub(crate) struct RedisConfig {
    /// Redis, which all processes share: redis://, rediss://, unix:PATH, redis+sentinel://HOST,HOST/NAME or
    /// redis+cluster://HOST,HOST; without it, this process is alone
    #[arg(long, env = setting!("REDIS_URL"), value_name = "URL", value_parser = redis_url, hide_env_values = true,
        global = true, help_heading = "Redis")]
    redis_url: Option<SecretString>,
    /// What stands before every key and channel
    #[arg(long, env = setting!("REDIS_PREFIX"), value_name = "TEXT", default_value = "", value_parser = redis_prefix,
        hide_default_value = true, global = true, help_heading = "Redis")]
    redis_prefix: String,
    /// A file with the certificates of the authorities that rediss:// trusts; without it, the system's
    #[arg(long, env = setting!("REDIS_CA_FILE"), value_name = "FILE", global = true, help_heading = "Redis")]
    redis_ca_file: Option<PathBuf>,
    /// How long connecting may take
    #[arg(long, env = setting!("REDIS_CONNECT_TIMEOUT"), value_name = "TIME", default_value = "10s",
        value_parser = duration, global = true, help_heading = "Redis")]
    redis_connect_timeout: Duration,
    /// How long a command may take
    #[arg(long, env = setting!("REDIS_COMMAND_TIMEOUT"), value_name = "TIME", default_value = "5s",
        value_parser = duration, global = true, help_heading = "Redis")]
    redis_command_timeout: Duration,
    /// After how much silence TCP asks whether the other side is still there
    #[arg(long, env = setting!("REDIS_KEEP_ALIVE"), value_name = "TIME", default_value = "30s",
        value_parser = duration, global = true, help_heading = "Redis")]
    redis_keep_alive: Duration,
    /// How long a new connection waits for a server that still loads its data
    #[arg(long, env = setting!("REDIS_LOADING_TIMEOUT"), value_name = "TIME", default_value = "5s",
        value_parser = duration, global = true, help_heading = "Redis")]
    redis_loading_timeout: Duration,
    /// Connections that commands are spread over, so that a big value does not hold up a small one
    #[arg(long, env = setting!("REDIS_LANES"), value_name = "NUMBER", default_value = "3",
        value_parser = at_least_one::<NonZeroUsize>, global = true, help_heading = "Redis")]
    redis_lanes: NonZeroUsize,
    /// How long a read of the cache or a rate limit waits for Redis before the process goes on without
    #[arg(long, env = setting!("REDIS_FAIL_FAST"), value_name = "TIME", default_value = "50ms",
        value_parser = duration, global = true, help_heading = "Redis")]
    redis_fail_fast: Duration,
    /// How long a write waits for Redis to come back
    #[arg(long, env = setting!("REDIS_QUEUE_DEADLINE"), value_name = "TIME", default_value = "5s",
        value_parser = duration, global = true, help_heading = "Redis")]
    redis_queue_deadline: Duration,
    /// How many commands may wait for Redis to come back
    #[arg(long, env = setting!("REDIS_QUEUE_MAX"), value_name = "NUMBER", default_value = "10000", global = true,
        help_heading = "Redis")]
    redis_queue_max: usize,
    /// How long a cached value is served from memory before Redis is asked whether it is still there
    #[arg(long, env = setting!("CACHE_RECHECK"), value_name = "TIME", default_value = "60s", value_parser = duration,
        global = true, help_heading = "Redis")]
    pub(crate) cache_recheck: Duration,
    /// How long a cached value is served from memory while other processes cannot be heard
    #[arg(long, env = setting!("CACHE_MAX_STALE"), value_name = "TIME", default_value = "5s", value_parser = duration,
        global = true, help_heading = "Redis")]
    pub(crate) cache_max_stale: Duration,
}

impl RedisConfig {
    /// How Redis is reached, if it is to be used.
    pub(crate) fn settings(&self) -> Option<upshelf_redis::Settings> {
        let address =
            self.redis_url.as_ref()?.expose_secret().parse().expect("it was checked when it was read");
        Some(upshelf_redis::Settings {
            prefix: self.redis_prefix.clone(),
            ca_file: self.redis_ca_file.clone(),
            connect_timeout: self.redis_connect_timeout,
            command_timeout: self.redis_command_timeout,
            keep_alive: self.redis_keep_alive,
            loading_timeout: self.redis_loading_timeout,
            lanes: self.redis_lanes.get(),
            fail_fast: self.redis_fail_fast,
            queue_deadline: self.redis_queue_deadline,
            queue_max: self.redis_queue_max,
            ..upshelf_redis::Settings::new(address)
        })
    }
}
