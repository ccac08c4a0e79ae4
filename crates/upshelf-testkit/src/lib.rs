//! What the tests of Upshelf need: the [`contract!`] macro, real servers, a breakable proxy, programs, and a hand-set
//! clock.
//!
//! A service has several parts (in this process, shared, degraded …) and one promise. [`contract!`] writes each
//! test once and runs it on every part, so that no part drifts:
//!
//! ```
//! # use upshelf_testkit::contract;
//! contract! {
//!     parts {
//!         empty => Vec::<u8>::new(),
//!         roomy => Vec::<u8>::with_capacity(64),
//!     }
//!
//!     async fn what_is_pushed_comes_back(shelf: Vec<u8>) {
//!         let mut shelf = shelf;
//!         shelf.push(7);
//!         assert_eq!(shelf.pop(), Some(7));
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! [`Postgres::shared`] is one real server per test process, and each test has a database of its own in it. It goes
//! away with the process, however that ends. With `UPSHELF_TEST_POSTGRES_URL` set, that server is used instead.
//! A missing server is a failure that says how to install it, never a skip.
//!
//! [`RedisServer::shared`] is one real Redis per test process, where each test keeps to its [`unique_prefix`]; with
//! `UPSHELF_TEST_REDIS_URL` set, it is the server there. For an outage a test starts a server, a [`RedisCluster`], a
//! [`RedisSentinel`] or a [`PostgresServer`] of its own, or puts a [`Proxy`] before the shared one. [`Node`] runs what people use beside Upshelf.
//!
//! ```no_run
//! # use upshelf_testkit::{Proxy, RedisServer, unique_prefix};
//! # async fn example() {
//! let redis = RedisServer::shared().await;
//! let proxy = redis.proxy().await;
//! let key = format!("{}shelf", unique_prefix());
//! // … something connects to proxy.url() …
//! proxy.cut();
//! // … and does without, until
//! proxy.restore();
//! assert_eq!(redis.command(&["GET", &key]).await, "oak");
//! # }
//! ```
//!
//! [`HttpServer`] stands for the web sites of others, byte for byte, [`PostOffice`] for a mail server.
//!
//! Nothing here sleeps: a test waits for an event with a deadline ([`wait_until`], [`Program::wait_for`]), sets the
//! [`HandClock`], or lets `tokio` own the time (`paused` contracts).

mod certificate;
mod clock;
mod contract;
mod http;
mod node;
mod patience;
mod places;
mod post_office;
mod postgres;
mod program;
mod proxy;
mod redis;

pub use certificate::certify;
pub use clock::HandClock;
pub use http::{Answer, HttpServer};
pub use node::Node;
use patience::aside;
pub use patience::{Patience, wait_until};
pub use places::{free_port, temp_dir};
pub use post_office::PostOffice;
pub use postgres::{Database, Postgres, PostgresServer};
pub use program::Program;
pub use proxy::Proxy;
pub use redis::{Keep, KeyFound, Monitor, RedisCluster, RedisSentinel, RedisServer, unique_prefix};
