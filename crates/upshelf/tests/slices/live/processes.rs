//! Two processes, and a crowd.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval};
use upshelf_testkit::{RedisServer, wait_until};

use super::crowd::Crowd;
use super::{PATIENCE, Watchers, keeper, member, suggest};
use crate::site::{Engine, Site};

/// How many members vote on one suggestion, and how many watch it.
const MEMBERS: u32 = 8;
const WATCHERS: usize = 2_000;
/// So many votes are cast in a second, for so many seconds.
const RATE: u32 = 200;
const SECONDS: u32 = 3;
/// How soon everybody has the last standing, and in the middle sees a single vote: this program is built without
/// optimisations, and the machine does other things; `upshelf-bench live-latency` holds the program to less.
const SOON: Duration = Duration::from_secs(3);

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_at_another_process_have_the_last_of_many_votes_soon_and_are_sent_few_messages() {
    let redis = RedisServer::start().await;
    let url = redis.url();
    let settings = [("UPSHELF_REDIS_URL", url.as_str()), ("UPSHELF_CONNECTIONS_PER_IP", "10000")];
    let site = Site::start(Engine::Postgres, &settings).await;
    let other = site.beside(&[("UPSHELF_ROLE", "web")]).await;
    let (_, resource) = keeper(&site).await;
    let (mut ada, _) = member(&site, "ada").await;
    let suggestion = suggest(&mut ada, &resource, "Nought").await;
    let path = format!("/api/v1/suggestions/{suggestion}/vote");
    let mut voters = Vec::new();
    for n in 0..MEMBERS {
        voters.push(member(&site, &format!("voter{n}")).await.0);
    }
    let one = Crowd::gather(other.at(), &suggestion, 1).await;
    let mut version = 0;
    for _ in 0..4 {
        for voter in &mut voters {
            version += 1;
            one.ask(version);
            let value = if (version - 1) / u64::from(MEMBERS) % 2 == 0 { 1 } else { -1 };
            assert_eq!(voter.put(&path, json!({ "value": value })).await["version"], version);
            one.has(version).await;
        }
    }
    let single = one.middle();
    drop(one);

    let crowd = Crowd::gather(other.at(), &suggestion, WATCHERS).await;
    let begun = Instant::now();
    let mut voting = JoinSet::new();
    for mut voter in voters {
        let path = path.clone();
        voting.spawn(async move {
            let mut every = interval(Duration::from_secs(1) * MEMBERS / RATE);
            let mut last = 0;
            for n in 0..RATE * SECONDS / MEMBERS {
                every.tick().await;
                let body = json!({ "value": if n % 2 == 0 { 1 } else { -1 } }).to_string();
                let vote = voter.send("PUT", &path, "application/json", body.as_bytes()).await;
                last = vote.expect("the site answers").json()["version"].as_u64().expect("a number");
            }
            last
        });
    }
    let last = voting.join_all().await.into_iter().max().expect("somebody voted");
    let took = begun.elapsed();
    assert_eq!(last, version + u64::from(RATE * SECONDS), "each vote counted");
    let late = crowd.has(last).await;
    crowd.is_well();
    println!(
        "a vote is seen after {single:?}; {} votes in {took:?}, all {WATCHERS} had the last {late:?} later, {} messages a second",
        RATE * SECONDS,
        crowd.busiest()
    );
    assert!(crowd.busiest() <= 12, "{} messages within a second", crowd.busiest());
    assert!(single < SOON && late < SOON, "{single:?}, {late:?}");
}
