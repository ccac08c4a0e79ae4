//! The way to a server, broken and mended.

use std::time::{Duration, Instant};

use redis::{Client, Connection, RedisError};
use upshelf_testkit::{Proxy, RedisServer, wait_until};

use crate::LIMIT;

/// A connection that gives up after a tenth of a second.
fn connect(proxy: &Proxy) -> Result<Connection, RedisError> {
    let limit = Duration::from_millis(100);
    let connection = Client::open(proxy.url())?.get_connection_with_timeout(limit)?;
    connection.set_read_timeout(Some(limit))?;
    Ok(connection)
}

fn ping(connection: &mut Connection) -> Result<(), RedisError> {
    redis::cmd("PING").exec(connection)
}

#[tokio::test]
async fn a_cut_drops_every_connection_and_refuses_new_ones_until_it_is_restored() -> Result<(), RedisError> {
    let proxy = Proxy::to(RedisServer::shared().await.address()).await;
    let mut one = connect(&proxy)?;
    ping(&mut one)?;
    assert_eq!((proxy.connections(), proxy.open_connections()), (1, 1));

    proxy.cut();
    assert_eq!(proxy.open_connections(), 0);
    let dropped = ping(&mut one).expect_err("the connection is gone");
    assert!(dropped.is_connection_dropped(), "{dropped}");
    let refused = connect(&proxy).err().expect("nobody listens");
    assert!(refused.is_connection_refusal(), "{refused}");

    proxy.restore();
    ping(&mut connect(&proxy)?)?;
    assert_eq!(proxy.connections(), 2);
    Ok(())
}

#[tokio::test]
async fn a_freeze_accepts_and_forwards_nothing_until_it_is_restored() -> Result<(), RedisError> {
    let redis = RedisServer::start().await;
    let proxy = redis.proxy().await;
    let mut one = connect(&proxy)?;
    proxy.freeze();
    let silent = redis::cmd("SET").arg("shelf").arg("oak").exec(&mut one).expect_err("nothing arrives");
    assert!(silent.is_timeout(), "{silent}");
    // The kernel accepts; signing in is what gets no answer.
    std::net::TcpStream::connect(proxy.address())?;
    assert!(connect(&proxy).err().expect("nobody answers").is_timeout());
    assert_eq!(redis.command(&["GET", "shelf"]).await, "(nil)");

    proxy.restore();
    wait_until("what was held back", LIMIT, async || redis.command(&["GET", "shelf"]).await == "oak").await;
    ping(&mut connect(&proxy)?)
}

#[tokio::test(start_paused = true)]
async fn a_delay_works_both_ways_on_real_time() -> Result<(), RedisError> {
    let proxy = Proxy::to(RedisServer::shared().await.address()).await;
    let mut one = connect(&proxy)?;
    proxy.delay(Duration::from_millis(40));
    #[expect(clippy::disallowed_methods, reason = "the proxy's thread lives on real time")]
    let start = Instant::now();
    ping(&mut one)?;
    assert!(start.elapsed() >= Duration::from_millis(80));
    Ok(())
}

#[tokio::test]
async fn what_is_larger_than_any_buffer_passes_whole() -> Result<(), RedisError> {
    let redis = RedisServer::start().await;
    let proxy = redis.proxy().await;
    let mut through = Client::open(proxy.url())?.get_connection()?;
    let shelf: Vec<u8> = (0..8_000_000_u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
    redis::cmd("SET").arg("shelf").arg(&shelf).exec(&mut through)?;
    let found: Vec<u8> = redis::cmd("GET").arg("shelf").query(&mut through)?;
    assert!(found == shelf);
    Ok(())
}
