//! What single settings may be; each says in one line what is allowed.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;

/// A length of time as people write it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span(pub(crate) Duration);

impl FromStr for Span {
    type Err = String;
    fn from_str(text: &str) -> Result<Span, String> {
        duration(text).map(Span)
    }
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "it must be an IP address and a port, as in 127.0.0.1:7700 or [::1]:7700".to_owned())
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    // A day is always 24 hours here; jiff's signed durations know none.
    let days = text.trim().strip_suffix('d').and_then(|days| days.trim().parse::<u32>().ok());
    if let Some(days) = days {
        return Ok(Duration::from_secs(u64::from(days) * 86_400));
    }
    jiff::SignedDuration::from_str(text.trim())
        .ok()
        .and_then(|time| Duration::try_from(time).ok())
        .ok_or_else(|| "it must be a length of time, as in 0s, 10min, 1h or 30d".to_owned())
}

pub(super) fn share(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "it must be a share from 0 to 1, as in 0.7".to_owned())
}

pub(super) fn public_url(text: &str) -> Result<Url, String> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some())
        .filter(|url| url.path() == "/" && url.query().is_none() && url.fragment().is_none())
        .ok_or_else(|| "it must be http:// or https:// with a host and no path".to_owned())
}

pub(super) fn database_url(text: &str) -> Result<SecretString, String> {
    let known = ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
    if known { Ok(text.into()) } else { Err("it must begin with sqlite: or postgres://".to_owned()) }
}

pub(super) fn redis_url(text: &str) -> Result<SecretString, String> {
    const ALLOWED: &str = "it must be redis://HOST:PORT/DB, rediss://…, unix:PATH, redis+sentinel://HOST,HOST/NAME or \
                           redis+cluster://HOST,HOST";
    text.parse::<upshelf_redis::Address>().map(|_| text.into()).map_err(|_| ALLOWED.to_owned())
}

pub(super) fn at_least_one<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "it must be a whole number from 1 on".to_owned())
}

pub(super) fn redis_prefix(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    match text.chars().all(is_plain) {
        true => Ok(text.to_owned()),
        false => Err("it may hold letters, digits, and - _ . :".to_owned()),
    }
}

pub(super) fn smtp_url(text: &str) -> Result<SecretString, String> {
    let known =
        Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "smtp" | "smtps") && url.host().is_some());
    if known {
        Ok(text.into())
    } else {
        Err("it must be smtp://HOST or smtps://USER:PASSWORD@HOST".to_owned())
    }
}

pub(super) fn secret(text: &str) -> Result<SecretString, String> {
    if text.len() >= 8 { Ok(text.into()) } else { Err("it must have at least 8 characters".to_owned()) }
}

pub(super) fn votes_per_commit(text: &str) -> Result<usize, String> {
    // PostgreSQL takes 65,535 values in one statement, SQLite 32,766; a vote is six.
    text.parse()
        .ok()
        .filter(|votes| (1..=5_000).contains(votes))
        .ok_or_else(|| "it must be a whole number from 1 to 5000".to_owned())
}

pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from))
        .map_err(|_| "each must be an address or a network, as in 10.0.0.0/8".to_owned())
}

pub(super) fn mailbox(text: &str) -> Result<String, String> {
    let ok = !text.contains(char::is_control) && text.contains('@');
    if ok {
        Ok(text.to_owned())
    } else {
        Err("it must be an address, as in Shelf <shelf@example.org>".to_owned())
    }
}

pub(super) fn log_filter(text: &str) -> Result<String, String> {
    tracing_subscriber::EnvFilter::try_new(text)
        .map(|_| text.to_owned())
        .map_err(|_| "it must be a filter, as in warn or info,upshelf_web=debug".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, seconds) in [("0s", 0), ("90s", 90), ("10min", 600), ("1h", 3_600), ("30d", 2_592_000)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert!(duration("-1h").is_err());
        assert!(duration("soon").is_err());
    }

    #[test]
    fn a_proxy_is_an_address_or_a_network() {
        assert!(network("10.0.0.0/8").is_ok() && network("::1").is_ok());
        assert!(network("proxy").is_err());
    }

    #[test]
    fn a_public_url_has_no_path() {
        assert!(public_url("https://shelf.example.org").is_ok());
        assert!(public_url("https://shelf.example.org/shelf").is_err());
        assert!(public_url("ftp://shelf.example.org").is_err());
    }
}
