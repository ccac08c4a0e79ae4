//! The handle against real servers: what it promises, and each trap of the client underneath.

mod commands;
mod fixture;
mod listening;
mod outages;
mod places;
