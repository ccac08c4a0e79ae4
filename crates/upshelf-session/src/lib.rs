#![doc = include_str!("../README.md")]

mod access;
mod error;
mod keys;
mod local;
mod memory;
mod refresh;
mod rows;
mod sessions;
mod settings;
mod vault;

pub use access::Identity;
pub use error::Error;
pub use memory::MemoryVault;
pub use rows::{
    Device, Ending, KeyDocument, Previous, Reason, Rotation, RotationAttempt, Session, Target, UnknownReason,
};
pub use sessions::{OpenSession, Sessions, Tokens};
pub use settings::Settings;
pub use vault::Vault;
