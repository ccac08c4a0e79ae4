//! Whole stories, each told to the program itself: started as people start it, asked over HTTP and on the command line,
//! on SQLite and on PostgreSQL.

mod beside;
mod client;
mod command_line;
mod difference;
mod killed;
mod links;
mod lists;
mod live;
mod mails;
mod outages;
mod queues;
mod run;
mod secrets;
mod shared;
mod site;
mod story;
mod upkeep;
