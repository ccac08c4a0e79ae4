#![doc = include_str!("../README.md")]

mod brief;
mod codes;
mod counts;
mod dialogue;
mod events;
mod house;
mod hub;
mod latest;
mod live;
mod members;
mod outbox;
mod peers;
mod pipe;
mod position;
mod settings;
mod socket;
mod stream;
mod subscribe;
pub mod wire;

pub use codes::{Close, Code, Unsubscribe};
pub use events::{Events, Refused};
pub use house::{House, Item, Kind, Opening, Past, Publication, Turned, Welcome};
pub use live::Live;
pub use settings::Settings;
