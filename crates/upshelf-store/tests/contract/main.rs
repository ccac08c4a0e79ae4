//! What the store promises, written once and held on both engines.

mod analytics;
mod api_keys;
mod away;
mod backup;
mod collections;
mod comments;
mod doctor;
mod fixture;
mod idempotency;
mod links;
mod mails;
mod members;
mod notices;
mod resources;
mod search;
mod sessions;
mod suggestions;
mod votes;
mod watches;
