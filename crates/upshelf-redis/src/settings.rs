use std::path::PathBuf;
use std::time::Duration;

use crate::Address;

/// How Redis is reached; the defaults are the design note's.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it is.
    pub address: Address,
    /// What stands before every key and channel; empty by default.
    pub prefix: String,
    /// The certificates (PEM) of the authorities that `rediss://` trusts; the system's without it.
    pub ca_file: Option<PathBuf>,
    /// How long connecting may take, signing in included; 10 s.
    pub connect_timeout: Duration,
    /// How long one command may take once it was sent; 5 s.
    pub command_timeout: Duration,
    /// After how much silence TCP asks whether the other side is still there; 30 s.
    pub keep_alive: Duration,
    /// How long a new connection waits for a server that is still loading its data; 5 s.
    pub loading_timeout: Duration,
    /// Connections that commands are spread over by their [`Lane`](crate::Lane); 3. In a cluster, per node.
    pub lanes: usize,
    /// How long a command of [`Class::FailFast`](crate::Class::FailFast) may take in all; 50 ms.
    pub fail_fast: Duration,
    /// How long a command of [`Class::Queue`](crate::Class::Queue) waits for a connection; 5 s.
    pub queue_deadline: Duration,
    /// How many commands may wait for a connection at once; 10,000.
    pub queue_max: usize,
}

impl Settings {
    /// Takes the defaults for an address.
    pub fn new(address: Address) -> Self {
        Self {
            address,
            prefix: String::new(),
            ca_file: None,
            connect_timeout: Duration::from_secs(10),
            command_timeout: Duration::from_secs(5),
            keep_alive: Duration::from_secs(30),
            loading_timeout: Duration::from_secs(5),
            lanes: 3,
            fail_fast: Duration::from_millis(50),
            queue_deadline: Duration::from_secs(5),
            queue_max: 10_000,
        }
    }
}
