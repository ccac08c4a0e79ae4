use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use crate::limits::Limits;

/// What a site can set about its door.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where people reach the site; without it, the address they typed is believed.
    pub public_url: Option<Url>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// What may be asked how often.
    pub limits: Limits,
    /// How long one request may take, 30 s by default.
    pub request_time: Duration,
    /// How long an import or an export may take, 120 s by default.
    pub import_time: Duration,
    /// How long a client may pause while it sends a body, 10 s by default.
    pub body_pause: Duration,
    /// How long a client may take for the head of a request, 20 s by default; idle connections end with it.
    pub head_time: Duration,
    /// The largest body, 1 MiB by default.
    pub body_limit: usize,
    /// The largest file to import, 10 MiB by default.
    pub import_limit: usize,
    /// The most connections that one address may hold, 512 by default; trusted proxies may hold any number.
    pub connections_per_ip: usize,
    /// What holds for live channels.
    pub live: upshelf_live::Settings,
    /// The longest that a sign-in to an account is held back after many failures, 5 s by default.
    pub slow_down: Duration,
    /// How recent a sign-in must be for a sensitive act, 15 min by default.
    pub recent_sign_in: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            public_url: None,
            trusted_proxies: Vec::new(),
            limits: Limits::default(),
            request_time: Duration::from_secs(30),
            import_time: Duration::from_secs(120),
            body_pause: Duration::from_secs(10),
            head_time: Duration::from_secs(20),
            body_limit: 1024 * 1024,
            import_limit: 10 * 1024 * 1024,
            connections_per_ip: 512,
            live: upshelf_live::Settings::default(),
            slow_down: Duration::from_secs(5),
            recent_sign_in: Duration::from_secs(15 * 60),
        }
    }
}

impl Settings {
    /// Whether people reach the site over TLS.
    pub(crate) fn is_https(&self) -> bool {
        self.public_url.as_ref().is_some_and(|url| url.scheme() == "https")
    }
}
