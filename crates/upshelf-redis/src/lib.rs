//! One handle over Redis: single server, Sentinel and Cluster.

mod address;
mod error;
mod handle;
mod health;
mod keys;
mod line;
mod link;
mod script;
mod settings;
mod subscriber;

pub use address::{Address, InvalidAddress, Place};
pub use error::{Error, Result};
pub use handle::Redis;
pub use health::Health;
pub use keys::Keys;
pub use line::{Class, Lane, Line};
pub use script::Script;
pub use settings::Settings;
pub use subscriber::{Push, Subscriber, Subscriptions};

/// The client underneath: commands, pipelines and replies are its types.
pub use redis as client;
