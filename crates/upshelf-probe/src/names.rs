//! Looking names up, so that "there is no such name" is told apart from "nobody answers".

use std::net::{IpAddr, SocketAddr};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;

use crate::Error;

/// Where names are looked up.
#[derive(Clone)]
pub struct Names(TokioResolver);

/// What a look-up says.
pub(crate) enum Found {
    /// These addresses.
    Addresses(Vec<IpAddr>),
    /// There is no such name (NXDOMAIN).
    NoSuchName,
    /// Nothing about the name; says why.
    Unknown(String),
}

impl Names {
    /// As the machine does.
    ///
    /// # Errors
    /// When its settings cannot be read.
    pub fn system() -> Result<Names, Error> {
        let names = |error| Error::Names(Box::new(error));
        let mut builder = TokioResolver::builder_tokio().map_err(names)?;
        builder.options_mut().ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        builder.build().map(Names).map_err(names)
    }

    /// At this name server and nowhere else.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn at(server: SocketAddr) -> Result<Names, Error> {
        let mut udp = ConnectionConfig::udp();
        udp.port = server.port();
        let server = NameServerConfig::new(server.ip(), true, vec![udp]);
        let config = ResolverConfig::from_name_servers(vec![server]);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.use_hosts_file = ResolveHosts::Never;
        builder.build().map(Names).map_err(|error| Error::Names(Box::new(error)))
    }

    pub(crate) async fn look_up(&self, name: &str) -> Found {
        // With the dot at its end a name is whole, and no search domain of this machine is put behind it.
        let whole = format!("{}.", name.trim_end_matches('.'));
        match self.0.lookup_ip(whole).await {
            Ok(found) => Found::Addresses(found.iter().collect()),
            Err(error) if error.is_nx_domain() => Found::NoSuchName,
            Err(error) => Found::Unknown(error.to_string()),
        }
    }
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}
