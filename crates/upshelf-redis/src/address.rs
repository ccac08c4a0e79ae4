use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo};
use url::Url;

/// Where Redis is, and how to sign in. Neither `Debug` nor `Display` shows a secret.
///
/// | written | meaning |
/// | --- | --- |
/// | `redis://[user:password@]host[:port][/db]` | one server |
/// | `rediss://…` | the same over TLS, checked against the system's authorities |
/// | `unix:/run/redis.sock[?db=1&user=…&pass=…]` | one server through a socket of the file system |
/// | `redis+sentinel://[user:password@]h1[:26379],h2,…/name[/db]` | the primary that the sentinels call `name` |
/// | `redis+cluster://[user:password@]h1[:6379],h2,…` | a cluster, of which these are some nodes |
///
/// `rediss+sentinel://` and `rediss+cluster://` are the same over TLS.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    place: Place,
    user: Option<String>,
    password: Option<String>,
    database: i64,
    is_tls: bool,
}

/// What stands at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// One server: host and port.
    Server(String, u16),
    /// One server, through a socket of the file system.
    Socket(PathBuf),
    /// Sentinels (host and port), and the name by which they know the primary.
    Sentinel(Vec<(String, u16)>, String),
    /// Some nodes of a cluster: host and port.
    Cluster(Vec<(String, u16)>),
}

/// Why a text is no address. The text itself is not shown: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not one of redis://HOST:PORT/DB, rediss://…, unix:PATH, redis+sentinel://HOST,HOST/NAME, redis+cluster://HOST,HOST"
)]
pub struct InvalidAddress;

impl Address {
    /// What stands there.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Says whether it is a cluster, where keys used together must share a slot.
    pub fn is_cluster(&self) -> bool {
        matches!(self.place, Place::Cluster(_))
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// The same sign-in at another host: for a primary that sentinels named, or a node.
    pub(crate) fn info_of(&self, host: &str, port: u16) -> ConnectionInfo {
        let address = match self.is_tls {
            true => ConnectionAddr::TcpTls { host: host.to_owned(), port, insecure: false, tls_params: None },
            false => ConnectionAddr::Tcp(host.to_owned(), port),
        };
        self.signed_in(address)
    }

    /// A sentinel has no databases.
    pub(crate) fn info_of_sentinel(&self, host: &str, port: u16, is_signed_in: bool) -> ConnectionInfo {
        let mut address = Self { database: 0, ..self.clone() };
        if !is_signed_in {
            (address.user, address.password) = (None, None);
        }
        address.info_of(host, port)
    }

    pub(crate) fn info_of_socket(&self, path: &std::path::Path) -> ConnectionInfo {
        self.signed_in(ConnectionAddr::Unix(path.to_owned()))
    }

    /// The URL of a server, with the sign-in: for another client of the same servers.
    pub(crate) fn url_of(&self, host: &str, port: u16) -> String {
        let scheme = if self.is_tls { "rediss" } else { "redis" };
        let sign_in = match (&self.user, &self.password) {
            (None, None) => String::new(),
            (user, password) => {
                let part = |part: &Option<String>| encoded(part.as_deref().unwrap_or_default());
                format!("{}:{}@", part(user), part(password))
            }
        };
        let database = if self.database == 0 { String::new() } else { format!("/{}", self.database) };
        format!("{scheme}://{sign_in}{}{database}", joined(host, port))
    }

    /// The same for a socket of the file system.
    pub(crate) fn url_of_socket(&self, path: &std::path::Path) -> String {
        let mut url = format!("unix://{}?db={}", encoded_path(&path.display().to_string()), self.database);
        for (name, value) in [("user", &self.user), ("pass", &self.password)] {
            if let Some(value) = value {
                url = format!("{url}&{name}={}", encoded(value));
            }
        }
        url
    }

    fn signed_in(&self, address: ConnectionAddr) -> ConnectionInfo {
        let mut redis =
            RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP3).set_db(self.database);
        if let Some(user) = &self.user {
            redis = redis.set_username(user);
        }
        if let Some(password) = &self.password {
            redis = redis.set_password(password);
        }
        address.into_connection_info().expect("an address is always one").set_redis_settings(redis)
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        if let Some(rest) = text.strip_prefix("unix:") {
            return socket(rest);
        }
        let (scheme, rest) = text.split_once("://").ok_or(InvalidAddress)?;
        let (is_tls, kind) = match scheme.split_once('+').unwrap_or((scheme, "")) {
            ("redis" | "valkey", kind) => (false, kind),
            ("rediss" | "valkeys", kind) => (true, kind),
            _ => return Err(InvalidAddress),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (sign_in, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = match sign_in.split_once(':') {
            Some((user, password)) => (decoded(user)?, decoded(password)?),
            None => (decoded(sign_in)?, None),
        };
        let default_port = if kind == "sentinel" { 26379 } else { 6379 };
        let hosts =
            hosts.split(',').map(|host| host_of(host, default_port)).collect::<Result<Vec<_>, _>>()?;
        let mut path = path.trim_end_matches('/').split('/');
        let first = path.next().unwrap_or_default();
        let (place, database) = match kind {
            "" => {
                let [(host, port)] = <[_; 1]>::try_from(hosts).map_err(|_| InvalidAddress)?;
                (Place::Server(host, port), first)
            }
            "sentinel" if !first.is_empty() => {
                (Place::Sentinel(hosts, first.to_owned()), path.next().unwrap_or_default())
            }
            // A cluster has the database 0 only.
            "cluster" if first.is_empty() => (Place::Cluster(hosts), ""),
            _ => return Err(InvalidAddress),
        };
        if path.next().is_some() {
            return Err(InvalidAddress);
        }
        Ok(Self { place, user, password, database: database_of(database)?, is_tls })
    }
}

fn socket(rest: &str) -> Result<Address, InvalidAddress> {
    let url = Url::parse(&format!("unix:{rest}")).map_err(|_| InvalidAddress)?;
    let path = decoded(url.path())?.ok_or(InvalidAddress)?;
    let mut address =
        Address { place: Place::Socket(path.into()), user: None, password: None, database: 0, is_tls: false };
    for (name, value) in url.query_pairs() {
        match &*name {
            "db" => address.database = database_of(&value)?,
            "user" => address.user = Some(value.into_owned()),
            "pass" => address.password = Some(value.into_owned()),
            _ => return Err(InvalidAddress),
        }
    }
    Ok(address)
}

fn database_of(text: &str) -> Result<i64, InvalidAddress> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().ok().filter(|database| *database >= 0).ok_or(InvalidAddress)
}

/// Splits `host`, `host:port` and `[v6]:port`.
fn host_of(text: &str, default_port: u16) -> Result<(String, u16), InvalidAddress> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or(InvalidAddress)?;
            (host, port.strip_prefix(':'))
        }
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-_:%".contains(c);
    if host.is_empty() || !host.chars().all(is_plain) {
        return Err(InvalidAddress);
    }
    let port = port.map_or(Ok(default_port), str::parse).map_err(|_| InvalidAddress)?;
    Ok((host.to_owned(), port))
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn encoded_path(path: &str) -> String {
    path.split('/').map(encoded).collect::<Vec<_>>().join("/")
}

fn decoded(text: &str) -> Result<Option<String>, InvalidAddress> {
    if text.is_empty() {
        return Ok(None);
    }
    let text = percent_encoding::percent_decode_str(text).decode_utf8().map_err(|_| InvalidAddress)?;
    Ok(Some(text.into_owned()))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "rediss" } else { "redis" };
        let hosts = |hosts: &[(String, u16)]| {
            hosts.iter().map(|(host, port)| joined(host, *port)).collect::<Vec<_>>().join(",")
        };
        match &self.place {
            Place::Server(host, port) => write!(f, "{scheme}://{}", joined(host, *port))?,
            Place::Socket(path) => return write!(f, "unix:{}", path.display()),
            Place::Sentinel(nodes, name) => write!(f, "{scheme}+sentinel://{}/{name}", hosts(nodes))?,
            Place::Cluster(nodes) => write!(f, "{scheme}+cluster://{}", hosts(nodes))?,
        }
        match self.database {
            0 => Ok(()),
            database => write!(f, "/{database}"),
        }
    }
}

fn joined(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Address {
        text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    #[test]
    fn every_kind_of_address_is_read_and_written_without_its_secrets() {
        for (text, written) in [
            ("redis://localhost", "redis://localhost:6379"),
            ("redis://:secret@h:1/2", "redis://h:1/2"),
            ("rediss://user:sec%20ret@h/", "rediss://h:6379"),
            ("redis://[::1]:7000", "redis://[::1]:7000"),
            ("unix:/run/redis.sock?db=1&pass=secret", "unix:/run/redis.sock"),
            ("redis+sentinel://:secret@a,b:7/main/3", "redis+sentinel://a:26379,b:7/main/3"),
            ("rediss+cluster://u:secret@a,b", "rediss+cluster://a:6379,b:6379"),
        ] {
            let address = parsed(text);
            assert_eq!(address.to_string(), written);
            assert!(!format!("{address:?}").contains("sec"), "{address:?}");
        }
        let address = parsed("redis://user:p%40ss%2Fword@h");
        assert_eq!((address.user.as_deref(), address.password.as_deref()), (Some("user"), Some("p@ss/word")));
        assert!(parsed("redis+cluster://a").is_cluster());
    }

    #[test]
    fn another_client_is_told_the_same() {
        for text in ["redis://h:1/2", "redis://:p%40ss%2Fword@h:7", "rediss://us%3Aer:p@[::1]:6379"] {
            let address = parsed(text);
            let Place::Server(host, port) = address.place() else { panic!("{text} is one server") };
            assert_eq!(parsed(&address.url_of(host, *port)), address, "{text}");
        }
        let address = parsed("unix:/run/my%20redis.sock?db=1&user=u&pass=a%26b");
        let Place::Socket(path) = address.place() else { panic!("it is a socket") };
        let url = address.url_of_socket(path);
        assert_eq!(parsed(&url), address, "{url}");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "redis",
            "redis:",
            "redis://",
            "redis://h:x",
            "redis://h:70000",
            "redis://h/x",
            "redis://h/-1",
            "redis://a,b",
            "http://h",
            "redis+sentinel://a",
            "redis+cluster://a/1",
            "redis+lion://a",
            "unix:",
            "redis://h/1/2",
            "redis://se cret@h o",
            "redis://%ff:x@h",
            "unix:/s?dbx=1",
        ] {
            // The error holds nothing, so it shows nothing.
            assert_eq!(text.parse::<Address>(), Err(InvalidAddress), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(redis|rediss|unix)?(\\+sentinel|\\+cluster)?:(//)?[ -~]{0,30}") {
            let _ = text.parse::<Address>();
        }
    }
}
