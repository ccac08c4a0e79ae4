//! The settings: environment or flag, and what they become.

macro_rules! setting {
    ($name:literal) => {
        concat!("UPSHELF_", $name)
    };
}

mod links;
mod list;
mod live;
mod per_queue;
mod redis;
mod unknown;
mod values;

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use ipnet::IpNet;
use secrecy::{ExposeSecret as _, SecretString};
use upshelf_catalog::Rules;
use upshelf_throttle::Rate;
use url::Url;

pub(crate) use list::{list, markdown};
use per_queue::PerQueue;
pub(crate) use unknown::unknown;
pub(crate) use values::duration;
use values::{address, database_url, log_filter, public_url, secret, share, smtp_url};

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Answers requests and works the queues.
    All,
    /// Answers requests only.
    Web,
    /// Works the queues only.
    Worker,
}

/// Whether limits refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LimitMode {
    /// They do.
    On,
    /// They count and refuse nothing.
    Shadow,
    /// They do nothing.
    Off,
}

/// How long sign-ins last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SessionProfile {
    /// Access tokens of 7 days.
    Standard,
    /// Access tokens of 15 minutes.
    Hardened,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object per line.
    Json,
}

/// Every setting. Each can be given as a flag or in the environment.
#[derive(Args, Clone, Debug)]
pub(crate) struct Config {
    /// Where to listen; port 0 picks a free one
    #[arg(long, env = setting!("ADDR"), value_name = "HOST:PORT", default_value = "127.0.0.1:7700",
        value_parser = address, global = true, help_heading = "Site")]
    pub(crate) addr: SocketAddr,
    /// Where people reach the site, as in https://shelf.example.org; cookies and links depend on it
    #[arg(long, env = setting!("PUBLIC_URL"), value_name = "URL", value_parser = public_url, global = true,
        help_heading = "Site")]
    pub(crate) public_url: Option<Url>,
    /// The folder for the SQLite database
    #[arg(long, env = setting!("DATA_DIR"), value_name = "FOLDER", default_value = "./upshelf-data", global = true,
        help_heading = "Site")]
    pub(crate) data_dir: PathBuf,
    /// The database: sqlite:FILE or postgres://…; without it, a SQLite file in the data folder
    #[arg(long, env = setting!("DATABASE_URL"), value_name = "URL", value_parser = database_url,
        hide_env_values = true, global = true, help_heading = "Site")]
    pub(crate) database_url: Option<SecretString>,
    /// What this process does
    // Not global: a member has a role, too. `serve` has a flag of its own for it.
    #[arg(long, env = setting!("ROLE"), value_enum, default_value = "all", help_heading = "Site")]
    pub(crate) role: Role,
    /// Proxies whose X-Forwarded-For is believed: addresses or networks, with commas
    #[arg(long, env = setting!("TRUSTED_PROXIES"), value_name = "NETWORKS", value_delimiter = ',',
        value_parser = values::network, global = true, help_heading = "Site")]
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// A listener of its own for GET /metrics; without it, there are none
    #[arg(long, env = setting!("METRICS_ADDR"), value_name = "HOST:PORT", value_parser = address, global = true,
        help_heading = "Site")]
    pub(crate) metrics_addr: Option<SocketAddr>,
    /// The set-up code that makes the first admin; without it, one is made at random and printed
    #[arg(long, env = setting!("SETUP_CODE"), value_name = "CODE", value_parser = secret, hide_env_values = true,
        global = true, help_heading = "Site")]
    pub(crate) setup_code: Option<SecretString>,
    /// What is logged, as in warn or info,upshelf_web=debug
    #[arg(long, env = setting!("LOG"), value_name = "FILTER", default_value = "info,sqlx=warn", value_parser = log_filter,
        global = true, help_heading = "Site")]
    pub(crate) log: String,
    /// How the log is written
    #[arg(long, env = setting!("LOG_FORMAT"), value_enum, default_value = "text", global = true,
        help_heading = "Site")]
    pub(crate) log_format: LogFormat,

    /// The most connections that one address may hold, live ones too; trusted proxies may hold any number
    #[arg(long, env = setting!("CONNECTIONS_PER_IP"), value_name = "NUMBER", default_value = "512",
        value_parser = values::at_least_one::<NonZeroUsize>, global = true, help_heading = "Site")]
    pub(crate) connections_per_ip: NonZeroUsize,

    /// The most votes that one commit may share
    #[arg(long, env = setting!("VOTES_PER_COMMIT"), value_name = "NUMBER", default_value = "1000",
        value_parser = values::votes_per_commit, global = true, help_heading = "Site")]
    pub(crate) votes_per_commit: usize,

    #[command(flatten)]
    pub(crate) redis: redis::RedisConfig,
    /// How many processes answer requests: while Redis is away, each allows its share of the rate limits
    #[arg(long, env = setting!("PROCESSES"), value_name = "NUMBER", default_value = "1",
        value_parser = values::at_least_one::<NonZeroU32>, global = true, help_heading = "Redis")]
    pub(crate) processes: NonZeroU32,

    /// Where mails are handed over: smtp://, smtps://user:password@host; without it and UPSHELF_MAIL_DIR, they wait in the
    /// outbox
    #[arg(long, env = setting!("SMTP_URL"), value_name = "URL", value_parser = smtp_url, hide_env_values = true,
        global = true, help_heading = "Mail")]
    pub(crate) smtp_url: Option<SecretString>,
    /// A folder that mails are written into, a file each, in place of a server
    #[arg(long, env = setting!("MAIL_DIR"), value_name = "FOLDER", conflicts_with = "smtp_url", global = true,
        help_heading = "Mail")]
    pub(crate) mail_dir: Option<PathBuf>,
    /// The sender of mails
    #[arg(long, env = setting!("MAIL_FROM"), value_name = "ADDRESS", default_value = "Upshelf <upshelf@localhost>",
        value_parser = values::mailbox, global = true, help_heading = "Mail")]
    pub(crate) mail_from: String,

    #[command(flatten)]
    pub(crate) live: live::LiveConfig,

    #[command(flatten)]
    pub(crate) links: links::LinkConfig,

    /// The score that an addition, edit or move needs
    #[arg(long, env = setting!("APPROVAL_SCORE"), value_name = "VOTES", default_value_t = 5,
        value_parser = clap::value_parser!(i64).range(1..), global = true, help_heading = "Rules of approval")]
    pub(crate) approval_score: i64,
    /// The share of votes in favour that it needs, 0 to 1
    #[arg(long, env = setting!("APPROVAL_SHARE"), value_name = "SHARE", default_value = "0.7", value_parser = share,
        global = true, help_heading = "Rules of approval")]
    pub(crate) approval_share: f64,
    /// What the Wilson lower bound (80 %) of that share must reach, 0 to 1
    #[arg(long, env = setting!("APPROVAL_CONFIDENCE"), value_name = "SHARE", default_value = "0.5",
        value_parser = share, global = true, help_heading = "Rules of approval")]
    pub(crate) approval_confidence: f64,
    /// How long it must have been open
    #[arg(long, env = setting!("APPROVAL_MIN_OPEN"), value_name = "TIME", default_value = "1h",
        value_parser = duration, global = true, help_heading = "Rules of approval")]
    pub(crate) approval_min_open: Duration,
    /// How long a curator can stop it once its rule is met
    #[arg(long, env = setting!("APPROVAL_DELAY"), value_name = "TIME", default_value = "10min",
        value_parser = duration, global = true, help_heading = "Rules of approval")]
    pub(crate) approval_delay: Duration,
    /// The score that a removal needs
    #[arg(long, env = setting!("APPROVAL_REMOVAL_SCORE"), value_name = "VOTES", default_value_t = 3,
        value_parser = clap::value_parser!(i64).range(1..), global = true, help_heading = "Rules of approval")]
    pub(crate) approval_removal_score: i64,
    /// How long a removal must have been open
    #[arg(long, env = setting!("APPROVAL_REMOVAL_MIN_OPEN"), value_name = "TIME", default_value = "24h",
        value_parser = duration, global = true, help_heading = "Rules of approval")]
    pub(crate) approval_removal_min_open: Duration,
    /// The score that the removal of a dead link needs
    #[arg(long, env = setting!("APPROVAL_DEAD_LINK_SCORE"), value_name = "VOTES", default_value_t = 1,
        value_parser = clap::value_parser!(i64).range(1..), global = true, help_heading = "Rules of approval")]
    pub(crate) approval_dead_link_score: i64,
    /// The number of members from which one network alone cannot carry a suggestion
    #[arg(long, env = setting!("APPROVAL_CROWD"), value_name = "MEMBERS", default_value_t = 20,
        value_parser = clap::value_parser!(i64).range(1..), global = true, help_heading = "Rules of approval")]
    pub(crate) approval_crowd: i64,
    /// How long after joining a member's votes begin to count
    #[arg(long, env = setting!("VOTING_AGE"), value_name = "TIME", default_value = "0s", value_parser = duration,
        global = true, help_heading = "Rules of approval")]
    pub(crate) voting_age: Duration,

    /// How long sign-ins last: access tokens of 7 days, or of 15 minutes
    #[arg(long, env = setting!("SESSION_PROFILE"), value_enum, default_value = "standard", global = true,
        help_heading = "Sessions")]
    pub(crate) session_profile: SessionProfile,
    /// How long an access token is valid; without it, as the profile says
    #[arg(long, env = setting!("SESSION_ACCESS_TTL"), value_name = "TIME", value_parser = duration, global = true,
        help_heading = "Sessions")]
    pub(crate) session_access_ttl: Option<Duration>,
    /// How long a session lasts from the sign-in on
    #[arg(long, env = setting!("SESSION_REFRESH_TTL"), value_name = "TIME", default_value = "30d",
        value_parser = duration, global = true, help_heading = "Sessions")]
    pub(crate) session_refresh_ttl: Duration,
    /// How long a session may be unused
    #[arg(long, env = setting!("SESSION_IDLE_TTL"), value_name = "TIME", default_value = "14d",
        value_parser = duration, global = true, help_heading = "Sessions")]
    pub(crate) session_idle_ttl: Duration,

    /// Whether rate limits refuse
    #[arg(long, env = setting!("LIMITS"), value_enum, default_value = "on", global = true,
        help_heading = "Rate limits")]
    pub(crate) limits: LimitMode,
    #[command(flatten)]
    pub(crate) limit: LimitRates,

    /// Attempts of a job: a number, or one per queue as in 3,email=5
    #[arg(long, env = setting!("QUEUE_ATTEMPTS"), value_name = "NUMBER", default_value = "3", global = true,
        help_heading = "Queues")]
    pub(crate) queue_attempts: PerQueue<u16>,
    /// Jobs running side by side in this process, by queue
    #[arg(long, env = setting!("QUEUE_CONCURRENCY"), value_name = "NUMBER", default_value = "5", global = true,
        help_heading = "Queues")]
    pub(crate) queue_concurrency: PerQueue<u16>,
    /// Jobs begun per time, by queue, as in 10/s,analytics=100/s; with Redis in all processes together, else in this one
    #[arg(long, env = setting!("QUEUE_RATE"), value_name = "RATE", default_value = "10/s", global = true,
        help_heading = "Queues")]
    pub(crate) queue_rate: PerQueue<Rate>,
    /// The wait before the second attempt of a job, by queue; it doubles from there
    #[arg(long, env = setting!("QUEUE_BACKOFF"), value_name = "TIME", default_value = "1s", global = true,
        help_heading = "Queues")]
    pub(crate) queue_backoff: PerQueue<values::Span>,
    /// Completed jobs that are kept for a day, by queue
    #[arg(long, env = setting!("QUEUE_KEEP_COMPLETED"), value_name = "NUMBER", default_value = "1000", global = true,
        help_heading = "Queues")]
    pub(crate) queue_keep_completed: PerQueue<u32>,
    /// Failed jobs that are kept for 7 days, by queue
    #[arg(long, env = setting!("QUEUE_KEEP_FAILED"), value_name = "NUMBER", default_value = "5000", global = true,
        help_heading = "Queues")]
    pub(crate) queue_keep_failed: PerQueue<u32>,
}

macro_rules! rates {
    ($($(#[$doc:meta])* $field:ident = $env:literal, $policy:literal;)+) => {
        /// Rates that differ from the defaults.
        #[derive(Args, Clone, Debug)]
        pub(crate) struct LimitRates {
            $(
                $(#[$doc])*
                #[arg(long, env = setting!($env), value_name = "RATE", global = true, help_heading = "Rate limits")]
                $field: Option<Rate>,
            )+
        }

        impl LimitRates {
            fn given(&self) -> impl Iterator<Item = (&'static str, Rate)> {
                [$(($policy, self.$field)),+].into_iter().filter_map(|(name, rate)| Some((name, rate?)))
            }
        }
    };
}

rates! {
    /// Reads per member or address [default: 600/min]
    limit_read = "LIMIT_READ", "read";
    /// Searches [default: 120/min]
    limit_search = "LIMIT_SEARCH", "search";
    /// Votes [default: 60/min]
    limit_vote = "LIMIT_VOTE", "vote";
    /// Suggestions [default: 10/h]
    limit_suggest = "LIMIT_SUGGEST", "suggest";
    /// Comments [default: 60/h]
    limit_comment = "LIMIT_COMMENT", "comment";
    /// Other changes [default: 120/min]
    limit_write = "LIMIT_WRITE", "write";
    /// Sign-ins per address [default: 6/min]
    limit_login = "LIMIT_LOGIN", "login";
    /// Sign-ins per address, over a longer time [default: 30/h]
    limit_login_hour = "LIMIT_LOGIN_HOUR", "login-hour";
    /// New accounts per address [default: 6/min]
    limit_register = "LIMIT_REGISTER", "register";
    /// New accounts per address, over a longer time [default: 30/h]
    limit_register_hour = "LIMIT_REGISTER_HOUR", "register-hour";
    /// Exchanges of refresh tokens per address [default: 60/min]
    limit_refresh = "LIMIT_REFRESH", "refresh";
    /// New live connections [default: 120/min]
    limit_connect = "LIMIT_CONNECT", "connect";
    /// Imports and exports [default: 60/h]
    limit_import = "LIMIT_IMPORT", "import";
}

impl Config {
    /// The address of the database.
    pub(crate) fn database(&self) -> String {
        match &self.database_url {
            Some(url) => url.expose_secret().to_owned(),
            None => upshelf_store::Store::sqlite_url(&self.data_dir.join("upshelf.db")),
        }
    }

    /// The SQLite file, unless the database is elsewhere.
    pub(crate) fn database_file(&self) -> Option<PathBuf> {
        self.database().strip_prefix("sqlite:").map(|path| PathBuf::from(path.trim_start_matches("//")))
    }

    pub(crate) fn rules(&self) -> Rules {
        Rules {
            score: self.approval_score,
            share: self.approval_share,
            confidence: self.approval_confidence,
            min_open: self.approval_min_open,
            delay: self.approval_delay,
            removal_score: self.approval_removal_score,
            removal_min_open: self.approval_removal_min_open,
            dead_link_score: self.approval_dead_link_score,
            voting_age: self.voting_age,
            crowd: self.approval_crowd,
        }
    }

    pub(crate) fn sessions(&self) -> upshelf_session::Settings {
        let signed =
            |time: Duration| jiff::SignedDuration::try_from(time).unwrap_or(jiff::SignedDuration::MAX);
        let profile = match self.session_profile {
            SessionProfile::Standard => upshelf_session::Settings::default(),
            SessionProfile::Hardened => upshelf_session::Settings::hardened(),
        };
        upshelf_session::Settings {
            access_ttl: self.session_access_ttl.map_or(profile.access_ttl, signed),
            refresh_ttl: signed(self.session_refresh_ttl),
            idle_ttl: signed(self.session_idle_ttl),
            ..profile
        }
    }

    pub(crate) fn throttle(&self) -> upshelf_throttle::Mode {
        match self.limits {
            LimitMode::On => upshelf_throttle::Mode::On,
            LimitMode::Shadow => upshelf_throttle::Mode::Shadow,
            LimitMode::Off => upshelf_throttle::Mode::Off,
        }
    }

    pub(crate) fn web(&self) -> upshelf_web::Settings {
        let mut limits = upshelf_web::Limits::default();
        for (name, rate) in self.limit.given() {
            let known = limits.set(name, rate).expect("the names are plain");
            debug_assert!(known, "{name} is a policy of the web");
        }
        upshelf_web::Settings {
            public_url: self.public_url.clone(),
            trusted_proxies: self.trusted_proxies.clone(),
            limits,
            connections_per_ip: self.connections_per_ip.get(),
            live: self.live.settings(),
            ..upshelf_web::Settings::default()
        }
    }

    /// The queues' settings; `alone` when no other process works them.
    pub(crate) fn queues(&self, alone: bool) -> upshelf_queue::Settings {
        const DAY: Duration = Duration::from_secs(86_400);
        let of = |queue: &str| upshelf_queue::QueueSettings {
            attempts: self.queue_attempts.of(queue),
            backoff: upshelf_queue::Backoff {
                first: self.queue_backoff.of(queue).0,
                ..upshelf_queue::Backoff::default()
            },
            concurrency: self.queue_concurrency.of(queue),
            rate: Some({
                let rate = self.queue_rate.of(queue);
                upshelf_queue::Rate { jobs: rate.limit(), per: rate.period() }
            }),
            keep_completed: upshelf_queue::Keep { count: self.queue_keep_completed.of(queue), age: DAY },
            keep_failed: upshelf_queue::Keep { count: self.queue_keep_failed.of(queue), age: 7 * DAY },
        };
        upshelf_queue::Settings {
            queues: upshelf_catalog::QUEUES.iter().map(|queue| ((*queue).to_owned(), of(queue))).collect(),
            alone,
            ..upshelf_queue::Settings::default()
        }
    }
}
