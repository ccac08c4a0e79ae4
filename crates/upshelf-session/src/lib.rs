#![doc = include_str!("../README.md")]

mod access;
#[cfg(feature = "contract")]
pub mod contract;
mod ends;
mod error;
mod keys;
mod local;
mod memory;
mod refresh;
mod ring;
mod rows;
mod sessions;
mod settings;
mod shared;
mod tokens;
mod vault;

pub use access::Identity;
pub use ends::{Ends, Suspects};
pub use error::Error;
pub use memory::MemoryVault;
pub use rows::{
    Device, Ending, KeyDocument, Previous, Reason, Rotation, RotationAttempt, Session, Target, UnknownReason,
};
pub use sessions::Sessions;
pub use settings::Settings;
pub use tokens::{OpenSession, Tokens};
pub use vault::Vault;
