//! Which addresses may be asked.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use ipnet::IpNet;

/// What is not the public internet, after IANA's registries of special-purpose addresses. Of IPv6, only 2000::/3 is given out
/// at all; within it, what carries an IPv4 address (6to4, Teredo) could lead back inside.
static NOT_PUBLIC: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    const NETWORKS: [&str; 19] = [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
    ];
    NETWORKS.map(|network| network.parse().expect("the table holds networks")).into()
});

static UNICAST_V6: LazyLock<IpNet> = LazyLock::new(|| "2000::/3".parse().expect("it is a network"));

/// Decides which addresses may be asked. Cheap to clone.
#[derive(Clone)]
pub struct Guard(Arc<dyn Fn(IpAddr) -> bool + Send + Sync>);

impl Guard {
    /// Allows the public internet.
    pub fn public() -> Guard {
        Guard::from_fn(is_public)
    }

    /// Allows what `allows` does: for tests, whose servers are on this machine.
    pub fn from_fn(allows: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Guard {
        Guard(Arc::new(allows))
    }

    /// Whether this address may be asked. An IPv4 address within an IPv6 one (`::ffff:127.0.0.1`) is what it stands for.
    pub fn allows(&self, address: IpAddr) -> bool {
        (self.0)(address.to_canonical())
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

fn is_public(address: IpAddr) -> bool {
    let given_out = address.is_ipv4() || UNICAST_V6.contains(&address);
    given_out && !NOT_PUBLIC.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(address: &str) -> bool {
        Guard::public().allows(address.parse().expect("an address"))
    }

    #[test]
    fn the_public_internet_may_be_asked() {
        for address in
            ["1.1.1.1", "93.184.215.14", "100.63.255.255", "172.32.0.1", "2606:4700::1111", "2a00:1450::1"]
        {
            assert!(allows(address), "{address}");
        }
    }

    #[test]
    fn what_is_inside_may_not_however_it_is_written() {
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!allows(address), "{address}");
        }
    }
}
