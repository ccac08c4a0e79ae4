use std::net::{Ipv4Addr, TcpListener};

use tempfile::TempDir;

/// Finds a TCP port of the loopback address that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback address has a free port");
    listener.local_addr().expect("a bound listener has an address").port()
}

/// Makes an empty folder that disappears with its guard.
pub fn temp_dir() -> TempDir {
    tempfile::Builder::new()
        .prefix("upshelf-test-")
        .tempdir()
        .expect("the system's temporary folder is writable")
}
