//! Two processes, and a crowd.

use serde_json::{Value, json};
use upshelf_testkit::{RedisServer, wait_until};

use super::{PATIENCE, Watchers, keeper, member, suggest};
use crate::site::{Engine, Site};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_in_one_process_is_seen_in_the_other_with_redis_and_while_it_is_away() {
    let redis = RedisServer::start().await;
    let url = redis.url();
    let site = Site::start(
        Engine::Postgres,
        &[("UPSHELF_REDIS_URL", url.as_str()), ("UPSHELF_QUEUE_RATE", "1000/s")],
    )
    .await;
    let (mut keeper, resource) = keeper(&site).await;
    let (mut ada, id) = member(&site, "ada").await;
    let suggestion = suggest(&mut ada, &resource, "Nought").await;
    let other = site.beside(&[("UPSHELF_ROLE", "web")]).await;
    let mut watchers = Watchers::of(&other.url()).await;
    watchers.tell(&["connect", "ada", ada.token()]);
    watchers.told(&format!("ada server-subscribed notifications:{id}")).await;
    let changes = format!("resource:updates:{}", resource["id"].as_str().expect("an id"));
    watchers.tell(&["subscribe", "ada", &changes]);
    watchers.told(&format!("ada subscribed {changes}")).await;
    watchers.tell(&["watch", "crowd", "50"]);
    wait_until("all watch", PATIENCE, async || watchers.lines("crowd watches").len() == 50).await;

    let path = format!("/api/v1/suggestions/{suggestion}/vote");
    let mut vote = Value::Null;
    let begun = tokio::time::Instant::now();
    for n in 0..200 {
        vote = keeper.put(&path, json!({ "value": if n % 2 == 0 { 1 } else { -1 } })).await;
    }
    let took = begun.elapsed();
    let tally = async |watchers: &mut Watchers| {
        watchers.tell(&["tally", "crowd"]);
        let line = watchers.program.answer("crowd tally", PATIENCE).await;
        serde_json::from_str::<Value>(line.trim_start_matches("crowd tally ")).expect("JSON")
    };
    let ended = tokio::time::Instant::now();
    let mut last = Value::Null;
    wait_until("everybody has the last standing", PATIENCE, async || {
        last = tally(&mut watchers).await;
        last["least"] == vote["version"]
    })
    .await;
    println!("200 votes in {took:?}; everybody had the last standing {:?} later: {last}", ended.elapsed());
    assert_eq!(last["back"], 0, "versions never go back");
    assert!(last["busiest"].as_u64().expect("a number") <= 12, "{last}");

    // While Redis is away the database is read, and a session that ends is noticed in seconds.
    redis.kill9();
    wait_until("it says so", PATIENCE, async || {
        other.anybody().get("/readyz").await["parts"]["live"] == "degraded"
    })
    .await;
    let vote = keeper.put(&path, json!({ "value": 1 })).await;
    wait_until("everybody has seen it", PATIENCE, async || {
        tally(&mut watchers).await["least"] == vote["version"]
    })
    .await;
    keeper.post(&format!("/api/v1/suggestions/{suggestion}/approve"), json!({})).await;
    let change = watchers.told(&format!("ada publication {changes}")).await;
    assert!(change.contains("\"change\":\"edited\",\"version\":2"), "{change}");
    assert_eq!(ada.ask("POST", "/api/v1/auth/logout", None).await.status, 204);
    assert_eq!(watchers.told("ada disconnected").await, "3500");
}
