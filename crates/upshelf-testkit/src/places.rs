use std::net::{Ipv4Addr, TcpListener};

use tempfile::TempDir;

/// Finds a TCP port of the loopback address that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback address has a free port");
    listener.local_addr().expect("a bound listener has an address").port()
}

/// Finds a free port of the loopback address below those that the system hands out by itself, so that it is still free
/// when a server comes back to it.
pub(crate) fn quiet_port() -> u16 {
    use std::hash::{BuildHasher, Hasher};
    loop {
        // Any beginning will do, but test processes that start together should not all try the same.
        let random = std::hash::RandomState::new().build_hasher().finish();
        let port = 15_000 + u16::try_from(random % 15_000).expect("below 15,000");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// Makes an empty folder that disappears with its guard.
pub fn temp_dir() -> TempDir {
    tempfile::Builder::new()
        .prefix("upshelf-test-")
        .tempdir()
        .expect("the system's temporary folder is writable")
}
