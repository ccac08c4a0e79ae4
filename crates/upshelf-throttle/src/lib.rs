#![doc = include_str!("../README.md")]

mod debts;
mod fields;
mod gcra;
mod local;
mod outage;
mod policy;
mod shared;
mod subject;
mod throttle;
mod verdict;

pub use fields::Fields;
pub use local::Local;
pub use policy::{Error, Policy, Rate};
pub use shared::Shared;
pub use subject::Subject;
pub use throttle::{Adjustment, Limiter, Mode, Throttle, UnknownMode};
pub use verdict::{Usage, Verdict};
