//! When two addresses are the same resource.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// The identity of a resource: its URL without what does not distinguish resources.
///
/// Lower-case scheme and host, default port, dot segments and percent-encoding follow RFC 3986, 6.2. `http` is
/// `https`; a trailing slash and tracking parameters do not count; on GitHub and GitLab neither do `.git`, `#readme`
/// and the case of owner and repository. Otherwise the path's case, the query and the fragment count. `www.` is kept:
/// with and without it are [`Likeness::Maybe`] the same.
///
/// The text form has no scheme (`example.org/path?query#fragment`) and is stable: it may be stored and indexed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UrlKey(String);

/// How far two keys mean the same resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// One resource.
    Same,
    /// Perhaps: with and without `www.`, or a project's site and its source. A person decides.
    Maybe,
    /// Two resources.
    Different,
}

/// Why a text is no address of a resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Relative, broken, or without a host.
    #[error("not an absolute address")]
    Unparsable,
    /// `javascript:`, `data:`, `ftp:` and all else.
    #[error("only http and https are accepted")]
    Scheme,
    /// Longer than [`UrlKey::MAX_LEN`] bytes.
    #[error("longer than {} bytes", UrlKey::MAX_LEN)]
    TooLong,
}

impl UrlKey {
    /// The longest address accepted, in bytes.
    pub const MAX_LEN: usize = 8192;

    /// Derives the key of an address.
    pub fn of(address: &str) -> Result<Self, UrlError> {
        if address.len() > Self::MAX_LEN {
            return Err(UrlError::TooLong);
        }
        let key = derive(address.trim())?;
        if key.len() > Self::MAX_LEN { Err(UrlError::TooLong) } else { Ok(Self(key)) }
    }

    /// The stable text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Compares two keys.
    pub fn likeness(&self, other: &Self) -> Likeness {
        if self == other {
            return Likeness::Same;
        }
        let www = |key: &str| key.strip_prefix("www.").unwrap_or(key).to_owned();
        let related = self.bucket() == other.bucket() && self.source().is_some() != other.source().is_some();
        if www(&self.0) == www(&other.0) || related { Likeness::Maybe } else { Likeness::Different }
    }

    /// A coarser word that keys which are [`Maybe`](Likeness::Maybe) the same share: the index to find candidates by.
    pub fn bucket(&self) -> String {
        let bare = self.0.strip_prefix("www.").unwrap_or(&self.0);
        if let Some((_, repository)) = self.source() {
            return format!("project:{}", squeeze(repository));
        }
        match bare.contains(['/', '?', '#', '@', ':']) {
            true => bare.to_owned(),
            false => format!("project:{}", squeeze(site_name(bare))),
        }
    }

    /// Owner and repository, where this is the front page of a repository on a known forge.
    fn source(&self) -> Option<(&str, &str)> {
        let (host, path) = self.0.split_once('/')?;
        Forge::at(host)?;
        let (owner, repository) = path.split_once('/')?;
        (!owner.is_empty() && !repository.contains(['/', '?', '#'])).then_some((owner, repository))
    }
}

fn derive(address: &str) -> Result<String, UrlError> {
    let url = Url::parse(address).map_err(|_| UrlError::Unparsable)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(UrlError::Scheme);
    }
    let host = url.host_str().unwrap_or_default();
    // The dot at the end of a full name; without it what is left must still be a host.
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.is_empty() || host.ends_with('.') || Host::parse(host).is_err() {
        return Err(UrlError::Unparsable);
    }
    let forge = Forge::at(host);
    let mut key = String::with_capacity(address.len());
    if !url.username().is_empty() || url.password().is_some() {
        key.push_str(url.username());
        if let Some(password) = url.password() {
            key.push(':');
            key.push_str(password);
        }
        key.push('@');
    }
    key.push_str(host);
    if let Some(port) = url.port().filter(|port| !matches!(port, 80 | 443)) {
        key.push_str(&format!(":{port}"));
    }
    key.push_str(&path(&normal(url.path()), forge));
    let mut mark = '?';
    let query = normal(url.query().unwrap_or_default());
    for pair in query.split('&').filter(|pair| !pair.is_empty() && !is_tracking(pair)) {
        key.push(mark);
        key.push_str(pair);
        mark = '&';
    }
    let fragment = normal(url.fragment().unwrap_or_default());
    // A text directive says where to scroll, not what to show.
    let fragment = fragment.split(":~:").next().unwrap_or_default();
    let is_front_page = forge.is_some() && fragment.eq_ignore_ascii_case("readme");
    if !fragment.is_empty() && !is_front_page {
        key.push('#');
        key.push_str(fragment);
    }
    Ok(key)
}

/// The address without a user's name and password, where it holds any: they are nobody else's business.
pub(crate) fn without_credentials(address: &str) -> Option<String> {
    let mut url = Url::parse(address).ok()?;
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    url.set_username("").and_then(|()| url.set_password(None)).ok()?;
    Some(url.into())
}

#[derive(Clone, Copy)]
enum Forge {
    GitHub,
    GitLab,
}

impl Forge {
    fn at(host: &str) -> Option<Self> {
        match host.strip_prefix("www.").unwrap_or(host) {
            "github.com" => Some(Self::GitHub),
            "gitlab.com" => Some(Self::GitLab),
            _ => None,
        }
    }
}

/// The path as it counts; empty where it is only a slash.
fn path(path: &str, forge: Option<Forge>) -> String {
    let path = path.trim_end_matches('/');
    // On a forge the names of owner and repository ignore case; names of files do not.
    let names = match forge {
        None => return path.to_owned(),
        Some(Forge::GitHub) => path.match_indices('/').nth(2).map_or(path.len(), |(at, _)| at),
        Some(Forge::GitLab) => path.find("/-/").unwrap_or(path.len()),
    };
    let (mut names, files) = (normal(&path[..names].to_ascii_lowercase()), &path[names..]);
    while files.is_empty() && names.matches('/').count() >= 2 && names.ends_with(".git") {
        names.truncate(names.trim_end_matches(".git").trim_end_matches('/').len());
    }
    names + files
}

/// Parameters that say where a visitor came from, never what is shown.
fn is_tracking(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
    name.starts_with("utm_")
        || matches!(
            name.as_str(),
            "fbclid"
                | "gclid"
                | "dclid"
                | "gbraid"
                | "wbraid"
                | "msclkid"
                | "yclid"
                | "igshid"
                | "igsh"
                | "mc_cid"
                | "mc_eid"
                | "_hsenc"
                | "_hsmi"
                | "ref_src"
                | "ref_url"
                | "mkt_tok"
                | "vero_id"
                | "twclid"
                | "ttclid"
        )
}

/// Undoes needless percent-encoding and writes the needed one in upper case (RFC 3986, 6.2.2).
///
/// Needless is what RFC 2396 calls unreserved: writers of links escape brackets and quotes or not, as their format
/// asks. Characters that no RFC allows, a percent sign alone among them, are escaped, whether a browser would send them so or not.
fn normal(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let escaped = rest.strip_prefix('%').and_then(|rest| rest.get(..2));
        let escaped = escaped.filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                match byte.is_ascii_alphanumeric() || b"-._~!*'()".contains(&byte) {
                    true => clean.push(char::from(byte)),
                    false => clean.push_str(&format!("%{byte:02X}")),
                }
                rest = &rest[3..];
            }
            None => {
                match c {
                    '%' | '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}' => {
                        clean.push_str(&format!("%{:02X}", u32::from(c)));
                    }
                    c => clean.push(c),
                }
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    clean
}

/// The part of a host that names the project: `metabase` in `metabase.com`, `docs.metabase.co.uk`.
fn site_name(host: &str) -> &str {
    let labels: Vec<&str> = host.split('.').collect();
    match labels.as_slice() {
        [.., name, second, top] if top.len() == 2 && second.len() <= 3 => name,
        [.., name, _] => name,
        _ => host,
    }
}

fn squeeze(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

impl fmt::Display for UrlKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<UrlKey> for String {
    fn from(key: UrlKey) -> Self {
        key.0
    }
}

impl TryFrom<String> for UrlKey {
    type Error = UrlError;

    /// Accepts the text form of a key, as it was stored.
    fn try_from(key: String) -> Result<Self, UrlError> {
        derive(&format!("https://{key}")).map(Self)
    }
}
