//! From an address to what is seen of it: the way along its redirects.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use hyper::StatusCode;
use hyper::header::{HeaderMap, LOCATION, RETRY_AFTER};
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use crate::exchange::{self, Failure};
use crate::manners::{Manners, Turn};
use crate::names::Found;
use crate::{Error, Gone, Guard, Names, Sight, Unclear};

/// The most redirects that are followed.
const REDIRECTS: usize = 5;

/// The longest address that is worth remembering.
const LONGEST: usize = 2_048;

/// For how long a host is left alone that was asked too often and does not say more (429).
const TOO_OFTEN: Duration = Duration::from_secs(600);

/// How a probe asks.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which addresses may be asked.
    pub guard: Guard,
    /// Where names are looked up.
    pub names: Names,
    /// Which authorities are trusted; Mozilla's list by default.
    pub roots: RootCertStore,
    /// The time by which certificates are judged.
    pub time: Arc<dyn TimeProvider>,
    /// As whom it asks, in `User-Agent`.
    pub agent: String,
    /// How long it may take, redirects included, but not what it waits for its turn; 10 s by default.
    pub timeout: Duration,
    /// How long a host is left in peace between two requests; 5 s by default.
    pub pace: Duration,
}

impl Settings {
    /// Asks the public web as `agent`.
    ///
    /// # Errors
    /// When the machine's settings for looking names up cannot be read.
    pub fn public(agent: impl Into<String>) -> Result<Settings, Error> {
        Ok(Settings {
            guard: Guard::public(),
            names: Names::system()?,
            roots: RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
            time: Arc::new(DefaultTimeProvider),
            agent: agent.into(),
            timeout: Duration::from_secs(10),
            pace: Duration::from_secs(5),
        })
    }
}

/// Asks addresses for a sign of life. Cheap to clone; all clones take turns.
#[derive(Clone)]
pub struct Probe {
    settings: Arc<Settings>,
    manners: Arc<Manners>,
    tls: TlsConnector,
}

/// Where one step of the way leads.
enum Step {
    To(Url, StatusCode),
    End(Sight),
}

impl Probe {
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(settings: Settings) -> Result<Probe, Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut tls = ClientConfig::builder_with_details(provider, settings.time.clone())
            .with_safe_default_protocol_versions()
            .map_err(Error::Tls)?
            .with_root_certificates(settings.roots.clone())
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let manners = Arc::new(Manners::new(settings.pace));
        Ok(Probe { settings: Arc::new(settings), manners, tls: TlsConnector::from(Arc::new(tls)) })
    }

    /// Says whether a page's server wants to be left alone, as it said when it was asked last (`Retry-After`).
    pub fn is_to_be_left_alone(&self, url: &str) -> bool {
        Url::parse(url).is_ok_and(|url| self.manners.is_to_be_left_alone(host(&url)))
    }

    /// Asks for a page once, with `GET`. Each server on the way is asked when it is its turn.
    pub async fn look(&self, url: &str) -> Sight {
        let Ok(url) = Url::parse(url) else { return Sight::Unclear(Unclear::NotAllowed) };
        let (mut here, mut moved_to, mut for_good) = (url, None, true);
        let mut left = self.settings.timeout;
        for _ in 0..=REDIRECTS {
            let Some(mut turn) = self.manners.turn(host(&here)).await else {
                return Sight::Unclear(Unclear::LeftAlone);
            };
            let begun = Instant::now();
            let Ok(step) = timeout(left, self.step(&here, &mut turn)).await else {
                return Sight::Unclear(Unclear::TimedOut);
            };
            left = left.saturating_sub(begun.elapsed());
            match step {
                Step::End(Sight::Alive { .. }) => return Sight::Alive { moved_to },
                Step::End(sight) => return sight,
                Step::To(there, status) => {
                    // What comes behind a passing redirect is only where it leads today.
                    for_good &= matches!(status.as_u16(), 301 | 308) && there.as_str().len() <= LONGEST;
                    if for_good {
                        moved_to = Some(there.clone());
                    }
                    here = there;
                }
            }
        }
        Sight::Unclear(Unclear::TooManyRedirects)
    }

    async fn step(&self, url: &Url, turn: &mut Turn) -> Step {
        let unclear = |why| Step::End(Sight::Unclear(why));
        let addresses = match self.addresses(url).await {
            Ok(addresses) => addresses,
            Err(sight) => return Step::End(sight),
        };
        let reply = match exchange::get(&self.tls, &addresses, url, &self.settings.agent).await {
            Ok(reply) => reply,
            Err(Failure::CertificateExpired) => return Step::End(Sight::Gone(Gone::CertificateExpired)),
            Err(Failure::Tls(why)) => return unclear(Unclear::tls(why)),
            Err(Failure::Unreachable(why)) => return unclear(Unclear::unreachable(why)),
        };
        let status = reply.status();
        match status.as_u16() {
            200..=299 => Step::End(Sight::Alive { moved_to: None }),
            301 | 302 | 303 | 307 | 308 => {
                // It should be ASCII (RFC 9110, 10.2.2), and often is UTF-8.
                let location = reply.headers().get(LOCATION).map(|to| std::str::from_utf8(to.as_bytes()));
                let location = location.and_then(Result::ok);
                match location.and_then(|to| url.join(to).ok()) {
                    Some(mut there) => {
                        // A place in the page goes along, unless the redirect names one itself (RFC 9110, 10.2.2).
                        if there.fragment().is_none() {
                            there.set_fragment(url.fragment());
                        }
                        Step::To(there, status)
                    }
                    None => unclear(Unclear::BadRedirect),
                }
            }
            404 => Step::End(Sight::Gone(Gone::NotFound)),
            410 => Step::End(Sight::Gone(Gone::Removed)),
            status => {
                let asked_for = self.retry_after(reply.headers());
                match status {
                    429 => turn.leave_alone(asked_for.unwrap_or(TOO_OFTEN)),
                    503 => turn.leave_alone(asked_for.unwrap_or_default()),
                    _ => {}
                }
                unclear(Unclear::Status(status))
            }
        }
    }

    /// When a server wants to be asked again, in seconds or as a date (RFC 9110, 10.2.3).
    fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let date = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
        let now = Duration::from_secs(self.settings.time.current_time()?.as_secs());
        Some(date.saturating_sub(now))
    }

    /// The vetted addresses of a page's server.
    async fn addresses(&self, url: &Url) -> Result<Vec<SocketAddr>, Sight> {
        const NOT_ALLOWED: Sight = Sight::Unclear(Unclear::NotAllowed);
        if !matches!(url.scheme(), "http" | "https") {
            return Err(NOT_ALLOWED);
        }
        let found: Vec<IpAddr> = match url.host() {
            Some(Host::Ipv4(address)) => vec![address.into()],
            Some(Host::Ipv6(address)) => vec![address.into()],
            Some(Host::Domain(name)) => match self.settings.names.look_up(name).await {
                Found::Addresses(addresses) => addresses,
                Found::NoSuchName => return Err(Sight::Gone(Gone::NoSuchName)),
                Found::Unknown(why) => return Err(Sight::Unclear(Unclear::unreachable(why))),
            },
            None => return Err(NOT_ALLOWED),
        };
        let port = url.port_or_known_default().ok_or(NOT_ALLOWED)?;
        let allowed = found.into_iter().filter(|address| self.settings.guard.allows(*address));
        let allowed: Vec<SocketAddr> = allowed.map(|address| SocketAddr::new(address, port)).collect();
        if allowed.is_empty() { Err(NOT_ALLOWED) } else { Ok(allowed) }
    }
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Probe").field("settings", &self.settings).finish_non_exhaustive()
    }
}
