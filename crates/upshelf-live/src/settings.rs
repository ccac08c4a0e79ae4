use std::time::Duration;

/// What can be set; the defaults are those that clients of the protocol expect.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How often a silent connection is asked for a sign of life, 25 s by default; at least a second.
    pub ping: Duration,
    /// How long it may take to give one, 8 s by default; then it is closed with 3012.
    pub pong: Duration,
    /// How long a connection may take to say `connect`, 10 s by default; then it is closed with 3502.
    pub greeting: Duration,
    /// The largest message of a client, in bytes, 64 KiB by default.
    pub inbound: usize,
    /// How many bytes may wait for one connection, 1 MiB by default; one that is slower is closed with 3008.
    pub outbound: usize,
    /// The most channels that one connection may watch, 128 by default.
    pub channels: usize,
    /// The longest name of a channel, in bytes, 255 by default.
    pub channel_name: usize,
    /// The most publications that are made up for after an absence, 300 by default; who missed more gets none.
    pub recovery: usize,
    /// The least time between two batches of a channel whose last value wins, 100 ms by default.
    pub conflation: Duration,
    /// How many publications a channel with a short history remembers, 100 by default.
    pub brief_length: usize,
    /// For how long it does, 5 min by default; also when nobody listens any more.
    pub brief_time: Duration,
    /// How long other channels that nobody watches any more are kept up, 15 s by default: people go from page to page.
    pub linger: Duration,
    /// How long an `EventSource` waits before it comes back, 2 s by default.
    pub retry: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            ping: Duration::from_secs(25),
            pong: Duration::from_secs(8),
            greeting: Duration::from_secs(10),
            inbound: 64 * 1024,
            outbound: 1024 * 1024,
            channels: 128,
            channel_name: 255,
            recovery: 300,
            conflation: Duration::from_millis(100),
            brief_length: 100,
            brief_time: Duration::from_secs(5 * 60),
            linger: Duration::from_secs(15),
            retry: Duration::from_secs(2),
        }
    }
}
