//! What a queue promises, on every engine.

mod fixture;
mod inserting;
mod operating;
mod periodic;
mod surviving;
mod working;
