use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// Who is limited.
///
/// Members and addresses never collide, whatever their text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject(Box<str>);

impl Subject {
    /// A member, by id.
    pub fn member(id: impl fmt::Display) -> Self {
        Self(format!("member:{id}").into())
    }

    /// An address. IPv6 counts by /64, because that is what one household or one server is given; IPv4 that comes
    /// mapped into IPv6 counts as IPv4.
    pub fn ip(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(v4) => format!("ip:{v4}").into(),
            IpAddr::V6(v6) => {
                format!("ip:{}/64", Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))).into()
            }
        })
    }

    /// Anything else that can be told apart: an account name that somebody tries to sign in to, a host.
    ///
    /// The name may be anything that people type, however long, a password by mistake included: only its SHA-256 is
    /// kept. Kinds are constants without a colon.
    pub fn other(kind: &'static str, name: impl fmt::Display) -> Self {
        debug_assert!(!kind.contains(':'), "two kinds could be confused: {kind}");
        let name = digest(&SHA256, name.to_string().as_bytes());
        Self(format!("other:{kind}:{}", BASE64_URL_SAFE_NO_PAD.encode(name)).into())
    }

    /// Writes it as it stands in keys.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Subject {
        Subject::ip(text.parse().expect("it is an address"))
    }

    #[test]
    fn one_network_of_ipv6_is_one_subject() {
        assert_eq!(ip("2001:db8:1:2::1"), ip("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(ip("2001:db8:1:2::1"), ip("2001:db8:1:3::1"));
        assert_eq!(ip("2001:db8:1:2::1").as_str(), "ip:2001:db8:1:2::/64");
    }

    #[test]
    fn what_people_type_does_not_stand_in_keys() {
        let typed = Subject::other("account", "correct horse}:battery");
        assert_eq!(typed.as_str().len(), "other:account:".len() + 43);
        assert_ne!(typed, Subject::other("account", "correct horse}:batterx"));
        assert_ne!(typed, Subject::other("host", "correct horse}:battery"));
    }

    #[test]
    fn mapped_ipv4_is_ipv4() {
        assert_eq!(ip("::ffff:192.0.2.1"), ip("192.0.2.1"));
        assert_ne!(ip("192.0.2.1"), ip("192.0.2.2"));
    }
}
