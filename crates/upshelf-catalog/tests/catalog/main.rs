//! What the catalog promises, written once and held on both engines.

mod accounts;
mod api_keys;
mod approval;
mod collections;
mod fixture;
mod library;
mod links;
mod lists;
mod moderation;
mod news;
mod notices;
mod upkeep;
