//! Who came in by an API key goes when the key does, at whichever process.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use upshelf_testkit::{RedisServer, wait_until};

use super::crowd::{Socket, ask, end, open_as};
use super::{PATIENCE, keeper, member};
use crate::client::Client;
use crate::site::{Engine, Site};

/// Sooner than anybody is asked about who was not heard of.
const AT_ONCE: Duration = Duration::from_secs(3);

/// A key of an admin: its id and its token.
async fn key(admin: &mut Client) -> (String, String) {
    let made = admin.post("/api/v1/admin/api-keys", json!({ "name": "Bot", "scopes": ["read"] })).await;
    let text = |value: &serde_json::Value| value.as_str().expect("it is text").to_owned();
    (text(&made["key"]["id"]), text(&made["token"]))
}

/// A connection that came in by a key, and watches its member's notices.
async fn come_in(at: SocketAddr, token: &str) -> Socket {
    let mut socket = open_as(Some(token), at, None).await;
    let reply = ask(&mut socket, json!({ "id": 1, "connect": {} })).await;
    assert!(reply["connect"]["subs"].is_object(), "{reply}");
    socket
}

async fn take_back(admin: &mut Client, id: &str) {
    let path = format!("/api/v1/admin/api-keys/{id}");
    assert_eq!(admin.ask("DELETE", &path, None).await.status, 204);
}

async fn is_sent_away(mut socket: Socket, within: Duration, why: &str) {
    let code = timeout(within, end(&mut socket)).await.expect("it ends in time");
    assert_eq!(code, Some(3500), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_ends_with_the_key_that_it_came_by_and_when_its_member_is_less_than_before() {
    let redis = RedisServer::start().await;
    let url = redis.url();
    // These clients answer no questions.
    let settings = [("UPSHELF_REDIS_URL", url.as_str()), ("UPSHELF_LIVE_PONG", "10min")];
    let site = Site::start(Engine::Postgres, &settings).await;
    let other = site.beside(&[("UPSHELF_ROLE", "web")]).await;
    let (mut keeper, _) = keeper(&site).await;
    let (mut grace, id) = member(&site, "grace").await;
    let grace_is = format!("/api/v1/admin/members/{id}");
    keeper.put(&format!("{grace_is}/role"), json!({ "role": "admin" })).await;

    let (first, token) = key(&mut keeper).await;
    let (here, there) = (come_in(site.at(), &token).await, come_in(other.at(), &token).await);
    let mut events = TcpStream::connect(other.at()).await.expect("it listens");
    let request = format!(
        "GET /api/v1/events?channels=suggestions:votes HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    events.write_all(request.as_bytes()).await.expect("it takes requests");
    let mut read = [0; 12];
    events.read_exact(&mut read).await.expect("an answer");
    assert_eq!(&read, b"HTTP/1.1 200");
    let (_, mine) = key(&mut keeper).await;
    let mut stays = come_in(other.at(), &mine).await;
    take_back(&mut keeper, &first).await;
    is_sent_away(here, AT_ONCE, "the key was taken back").await;
    is_sent_away(there, AT_ONCE, "the key was taken back through another process").await;
    let rest = timeout(PATIENCE, events.read_to_end(&mut Vec::new())).await.expect("it ends");
    rest.expect("it ends in order");
    assert_eq!(
        ask(&mut stays, json!({ "id": 2, "ping": {} })).await["id"],
        2,
        "another key is another matter"
    );

    let (_, token) = key(&mut grace).await;
    let there = come_in(other.at(), &token).await;
    keeper.put(&format!("{grace_is}/role"), json!({ "role": "curator" })).await;
    is_sent_away(there, AT_ONCE, "its member is an admin no longer").await;
    let there = come_in(other.at(), &token).await;
    keeper.post(&format!("{grace_is}/ban"), json!({ "reason": "Leaves." })).await;
    is_sent_away(there, AT_ONCE, "its member was shut out").await;

    let (last, token) = key(&mut keeper).await;
    let there = come_in(other.at(), &token).await;
    redis.kill9();
    wait_until("it says so", PATIENCE, async || {
        other.anybody().get("/readyz").await["parts"]["live"] == "degraded"
    })
    .await;
    take_back(&mut keeper, &last).await;
    is_sent_away(there, PATIENCE, "the key was taken back while nobody could be told").await;
}
