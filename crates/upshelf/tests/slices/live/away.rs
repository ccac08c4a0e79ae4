//! Absences: nothing is lost, or it is said that something is.

use serde_json::{Value, json};
use upshelf_testkit::{Keep, Proxy, RedisServer, free_port, wait_until};

use super::{PATIENCE, Watchers, keeper, member, suggest};
use crate::client::Client;
use crate::site::{Engine, Site};

/// Writes comments on a suggestion until its author has so many notices.
async fn comment(by: &mut Client, author: &mut Client, suggestion: &str, until: i64) {
    let have = author.get("/api/v1/notifications/unread-count").await["unread"].as_i64().expect("a number");
    for n in have..until {
        by.post(
            &format!("/api/v1/suggestions/{suggestion}/comments"),
            json!({ "body": format!("Comment {n}.") }),
        )
        .await;
    }
    wait_until("all notices are there", PATIENCE, async || {
        author.get("/api/v1/notifications/unread-count").await["unread"] == until
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notices_missed_during_a_cut_a_kill_and_an_emptied_redis_come_all_in_order_and_once() {
    let redis = RedisServer::start().await;
    let (url, port) = (redis.url(), free_port());
    let address = format!("127.0.0.1:{port}");
    let settings = [
        ("UPSHELF_REDIS_URL", url.as_str()),
        ("UPSHELF_ADDR", address.as_str()),
        ("UPSHELF_QUEUE_RATE", "1000/s"),
        ("UPSHELF_LIVE_RECOVERY", "60"),
    ];
    let mut site = Site::start(Engine::Postgres, &settings).await;
    let (mut keeper, resource) = keeper(&site).await;
    let (mut ada, id) = member(&site, "ada").await;
    let suggestion = suggest(&mut ada, &resource, "Nought").await;
    let proxy = Proxy::to(&address).await;
    let mut watchers = Watchers::of(&format!("http://{}", proxy.address())).await;
    watchers.tell(&["connect", "ada", ada.token()]);
    let channel = format!("notifications:{id}");
    watchers.told(&format!("ada server-subscribed {channel}")).await;

    proxy.cut();
    watchers.told("ada connecting 1").await;
    comment(&mut keeper, &mut ada, &suggestion, 50).await;
    site.kill9();
    redis.restart(Keep::Nothing).await;
    site.restart().await;
    proxy.restore();
    let subscribed = format!("ada server-subscribed {channel} ");
    wait_until("it is back", PATIENCE, async || watchers.lines(&subscribed).len() == 2).await;
    let told: Value = serde_json::from_str(&watchers.lines(&subscribed)[1]).expect("JSON");
    assert_eq!((&told["recovered"], &told["was"]), (&json!(true), &json!(true)), "{told}");
    let publications = format!("ada server-publication {channel} ");
    wait_until("all are there", PATIENCE, async || watchers.lines(&publications).len() >= 50).await;
    let heard: Vec<Value> =
        watchers.lines(&publications).iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let offsets: Vec<u64> = heard.iter().map(|one| one["offset"].as_u64().expect("a number")).collect();
    assert_eq!(offsets, (1..=50).collect::<Vec<_>>());
    for one in &heard {
        assert_eq!((&one["data"]["seq"], &one["data"]["unread"]), (&one["offset"], &json!(50)));
    }

    // More than is made up for: none, and said so.
    proxy.cut();
    comment(&mut keeper, &mut ada, &suggestion, 111).await;
    proxy.restore();
    wait_until("it is back again", PATIENCE, async || watchers.lines(&subscribed).len() == 3).await;
    let told: Value = serde_json::from_str(&watchers.lines(&subscribed)[2]).expect("JSON");
    assert_eq!((&told["recovered"], &told["was"]), (&json!(false), &json!(true)), "{told}");
    comment(&mut keeper, &mut ada, &suggestion, 112).await;
    wait_until("the next one is there", PATIENCE, async || watchers.lines(&publications).len() == 51).await;
    let next: Value = serde_json::from_str(&watchers.lines(&publications)[50]).expect("JSON");
    assert_eq!((&next["offset"], &next["data"]["unread"]), (&json!(112), &json!(112)));
}
