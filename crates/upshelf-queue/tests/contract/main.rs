//! What a queue promises, on every engine.

mod degraded;
mod emptied;
mod fixture;
mod inserting;
mod ledger;
mod measures;
mod node;
mod operating;
mod outages;
mod periodic;
mod places;
mod surviving;
mod traps;
mod working;
