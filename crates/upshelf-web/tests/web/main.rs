//! The site behind its door: whole requests, real database, a clock that stands still until a test moves it.

mod access;
mod accounts;
mod app;
mod bad_input;
mod browser;
mod connections;
mod document;
mod feeds;
mod limits;
mod live;
mod mails;
mod operations;
mod pages;
mod replies;
mod suggestions;
