//! From which network a vote comes, without keeping the address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::{Catalog, Result};

/// The setting that holds the key.
pub(crate) const KEY: &str = "origin_key";

impl Catalog {
    /// Names the network of an address: the same name for the same network, and no way back.
    ///
    /// An IPv4 network is a /24, an IPv6 network a /48, the most that one site is given (RFC 6177): who owns either can
    /// choose among its addresses at will. The name is an HMAC-SHA256 under a key that the site made for itself and
    /// that is kept in its database; of another site's names it tells nothing.
    pub async fn origin(&self, address: IpAddr) -> Result<String> {
        let key = self.inner.origin_key.get(self.store()).await?;
        Ok(name(key, address))
    }
}

fn name(key: &hmac::Key, address: IpAddr) -> String {
    let tag = match address.to_canonical() {
        IpAddr::V4(address) => hmac::sign(key, &network_v4(address)),
        IpAddr::V6(address) => hmac::sign(key, &network_v6(address)),
    };
    // 128 bits are more than enough to tell networks apart.
    URL_SAFE_NO_PAD.encode(&tag.as_ref()[..16])
}

fn network_v4(address: Ipv4Addr) -> [u8; 3] {
    let [a, b, c, _] = address.octets();
    [a, b, c]
}

fn network_v6(address: Ipv6Addr) -> [u8; 6] {
    let [a, b, c, d, e, f, ..] = address.octets();
    [a, b, c, d, e, f]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(address: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"a key for tests");
        name(&key, address.parse().expect("an address"))
    }

    #[test]
    fn addresses_of_one_network_share_a_name_and_others_do_not() {
        assert_eq!(named("192.0.2.1"), named("192.0.2.254"));
        assert_eq!(named("192.0.2.1"), named("::ffff:192.0.2.7"));
        assert_ne!(named("192.0.2.1"), named("192.0.3.1"));
        assert_eq!(named("2001:db8:1:2::3"), named("2001:db8:1:ffff::9"));
        assert_ne!(named("2001:db8:1::1"), named("2001:db8:2::1"));
    }

    #[test]
    fn another_key_gives_other_names() {
        let other = hmac::Key::new(hmac::HMAC_SHA256, b"another key");
        assert_ne!(named("192.0.2.1"), name(&other, "192.0.2.1".parse().expect("an address")));
    }
}
