#![doc = include_str!("../README.md")]

mod address;
mod backoff;
mod breaker;
mod error;
mod handle;
mod health;
mod keeper;
mod keys;
mod lane;
mod life;
mod line;
mod link;
mod listener;
mod script;
mod sentinel;
mod settings;
mod subscriber;
mod wanted;

pub use address::{Address, InvalidAddress, Place};
pub use error::{Error, Result};
pub use handle::Redis;
pub use health::Health;
pub use keys::Keys;
pub use life::Life;
pub use line::{Class, Lane, Line};
pub use script::Script;
pub use settings::Settings;
pub use subscriber::{Push, Subscriber, Subscriptions};

/// The client underneath: commands, pipelines and replies are its types.
pub use redis as client;
