//! One public channel that counts, for every client of the protocol: `cargo run --example alone`, then connect to
//! `ws://127.0.0.1:7777/connection/websocket` and subscribe to `counter`.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::get;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upshelf_live::{Code, House, Item, Kind, Live, Opening, Past, Settings, Turned, Welcome};

struct Counter;

impl House for Counter {
    type Visitor = ();

    async fn admit(&self, _: &str) -> Result<Welcome<()>, Turned> {
        Err(Turned::Invalid)
    }

    async fn renew(&self, _: &(), token: &str) -> Result<Welcome<()>, Turned> {
        self.admit(token).await
    }

    async fn may_stay(&self, _: &()) -> bool {
        true
    }

    async fn open(&self, _: &(), channel: &str, _: &Value) -> Result<Opening, Code> {
        let is_known = channel == "counter";
        is_known.then_some(Opening { kind: Kind::Latest, filter: None }).ok_or(Code::UnknownChannel)
    }

    async fn past(&self, _: &str, _: Option<u64>, _: usize) -> Result<Past, Code> {
        Err(Code::NotAvailable)
    }

    async fn latest(&self, _: &str) -> Result<Vec<Item>, Code> {
        Ok(Vec::new())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let (tracker, closing) = (TaskTracker::new(), CancellationToken::new());
    let live = Live::open(Counter, Settings::default(), "alone", tracker.clone(), closing);
    let counted = live.clone();
    tracker.spawn(async move {
        let mut every = tokio::time::interval(Duration::from_millis(10));
        for count in 1_u64.. {
            every.tick().await;
            counted.put(
                "counter",
                [Item { key: "count".into(), version: count, json: count.to_string().into() }],
            );
        }
    });
    let upgrade = move |request: Request| async move {
        live.upgrade(
            request,
            Welcome { visitor: (), expires_in: None, may_renew: false, channels: vec![] },
            (),
        )
        .map(|()| Body::empty())
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:7777").await?;
    axum::serve(listener, Router::new().route("/connection/websocket", get(upgrade))).await
}
