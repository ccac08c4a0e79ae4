//! What a resource's channel makes up for, and what it does not.

use std::net::SocketAddr;

use serde_json::{Value, json};
use sqlx::types::Uuid;
use upshelf_testkit::RedisServer;

use super::crowd::{Socket, ask, open, until};
use super::{keeper, member, suggest};
use crate::site::{Engine, Site, on};

/// Comes back to a channel with a position; gives the socket and what it is told.
async fn come_back(at: SocketAddr, channel: &str, epoch: &Value, offset: u64) -> (Socket, Value) {
    let mut socket = open(at, None).await;
    ask(&mut socket, json!({ "id": 1, "connect": {} })).await;
    let wish = match epoch {
        Value::Null => json!({ "channel": channel }),
        epoch => json!({ "channel": channel, "recover": true, "epoch": epoch, "offset": offset }),
    };
    let told = ask(&mut socket, json!({ "id": 2, "subscribe": wish })).await["subscribe"].take();
    (socket, told)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_position_is_good_at_the_process_that_gave_it_and_is_refused_at_any_other() {
    let redis = RedisServer::start().await;
    let url = redis.url();
    // These clients answer no questions.
    let settings = [("UPSHELF_REDIS_URL", url.as_str()), ("UPSHELF_LIVE_PONG", "10min")];
    let mut site = Site::start(Engine::Postgres, &settings).await;
    let other = site.beside(&[("UPSHELF_ROLE", "web")]).await;
    let (mut keeper, resource) = keeper(&site).await;
    let (mut ada, _) = member(&site, "ada").await;
    let channel = format!("resource:updates:{}", resource["id"].as_str().expect("an id"));
    let (mut here, begun) = come_back(site.at(), &channel, &Value::Null, 0).await;
    // Both have told as much, so the numbers alone would fit.
    let (mut there, elsewhere) = come_back(other.at(), &channel, &Value::Null, 0).await;
    let suggestion = suggest(&mut ada, &resource, "Nought").await;
    keeper.post(&format!("/api/v1/suggestions/{suggestion}/approve"), json!({})).await;
    for socket in [&mut here, &mut there] {
        let told = until(socket, |line| line["push"]["channel"] == channel.as_str()).await;
        assert_eq!(
            (&told["push"]["pub"]["offset"], &told["push"]["pub"]["data"]["version"]),
            (&json!(1), &json!(2))
        );
    }
    let epoch = &begun["epoch"];
    assert_ne!(epoch, &elsewhere["epoch"], "each process numbers for itself");
    drop((here, there));

    let (_, told) = come_back(site.at(), &channel, epoch, 0).await;
    assert_eq!(
        (&told["recovered"], told["publications"].as_array().map(Vec::len)),
        (&json!(true), Some(1)),
        "{told}"
    );
    for offset in [0, 1] {
        let (_, told) = come_back(other.at(), &channel, epoch, offset).await;
        assert_eq!((&told["recovered"], &told["publications"]), (&json!(false), &json!([])), "{told}");
        assert_eq!((&told["was_recovering"], &told["epoch"]), (&json!(true), &elsewhere["epoch"]));
    }
    site.close().await;
    site.restart().await;
    for offset in [0, 1] {
        let (_, told) = come_back(site.at(), &channel, epoch, offset).await;
        assert_eq!((&told["recovered"], &told["publications"]), (&json!(false), &json!([])), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_to_a_resource_that_is_watched_asks_the_database_nothing() {
    let site = Site::start(Engine::Postgres, &[("UPSHELF_LIVE_PONG", "10min")]).await;
    let (_, resource) = keeper(&site).await;
    let channel = format!("resource:updates:{}", resource["id"].as_str().expect("an id"));
    let (_first, told) = come_back(site.at(), &channel, &Value::Null, 0).await;
    assert_eq!(told["recoverable"], json!(true), "{told}");
    const AWAY: &str = "ALTER TABLE resources RENAME TO resources_elsewhere";
    on!(&site.tables().await, db => async { sqlx::query(AWAY).execute(db).await.map(drop) });
    let (_, told) = come_back(site.at(), &channel, &Value::Null, 0).await;
    assert_eq!(told["recoverable"], json!(true), "{told}");
    let (_, told) =
        come_back(site.at(), &format!("resource:updates:{}", Uuid::from_u128(1)), &Value::Null, 0).await;
    assert_eq!(told, Value::Null, "one that nobody watches is looked up");
}
