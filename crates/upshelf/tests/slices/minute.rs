//! Redis does not answer for a whole minute in which curators decide.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};
use upshelf_testkit::wait_until;

use crate::site::{PASSWORD, SETUP_CODE, Site, on};

const MINUTE: Duration = Duration::from_secs(60);
const DECISIONS: u32 = 12;
/// No decision waits longer for a Redis that does not answer.
const LONGEST: Duration = Duration::from_secs(3);
/// How soon the jobs of all decisions have run after its return.
const SOON: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minute_without_redis_refuses_no_decision_and_its_jobs_run_soon_after() {
    let site = Site::together(&[("UPSHELF_APPROVAL_SCORE", "1000")]).await;
    let account = |name: &str| json!({ "username": name, "email": format!("{name}@example.org"), "password": PASSWORD });
    let mut first = account("keeper");
    first["code"] = json!(SETUP_CODE);
    let mut keeper = site.anybody().register("/api/v1/setup", first).await;
    let list = "# A shelf\n\n## Entries\n\n- [Zero](https://example.org/zero) - What was there before.\n";
    let import = "/api/v1/admin/import?format=markdown";
    keeper.send("POST", import, "text/markdown", list.as_bytes()).await.expect("the site answers");
    let category = keeper.get("/api/v1/categories").await["items"][0]["id"].clone();
    let mut mia = site.anybody().register("/api/v1/auth/register", account("mia")).await;
    let mut suggestions = Vec::new();
    for n in 0..DECISIONS {
        let changes = json!({
            "url": format!("https://example.org/{n}"), "title": format!("Entry {n}"),
            "description": "Words.", "category_ids": [category],
        });
        let made = mia.post("/api/v1/suggestions", json!({ "kind": "add", "changes": changes })).await;
        suggestions.push(made["id"].as_str().expect("it has an id").to_owned());
    }
    let tables = site.tables().await;
    let told = async || -> i64 {
        const SQL: &str = "SELECT count(*) FROM notices WHERE kind = 'approved'";
        on!(&tables, db => sqlx::query_scalar(SQL).fetch_one(db))
    };

    site.freeze_redis();
    let begun = Instant::now();
    for (n, suggestion) in (0..).zip(&suggestions) {
        sleep((MINUTE / DECISIONS * n).saturating_sub(begun.elapsed())).await;
        let asked = Instant::now();
        let path = format!("/api/v1/suggestions/{suggestion}/approve");
        let reply = keeper.ask("POST", &path, Some(json!({}))).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert!(asked.elapsed() < LONGEST, "a decision took {:?}", asked.elapsed());
        if n == 0 {
            what_is_known_is_printed(&site);
        }
    }
    sleep(MINUTE.saturating_sub(begun.elapsed())).await;
    assert_eq!(told().await, 0, "the jobs wait for Redis");

    site.thaw_redis();
    let back = Instant::now();
    wait_until("the author to be told of every decision", MINUTE, async || {
        told().await == i64::from(DECISIONS)
    })
    .await;
    eprintln!(
        "{DECISIONS} decisions in {:?} without Redis; their jobs had run {:?} after its return",
        begun.elapsed(),
        back.elapsed()
    );
    assert!(back.elapsed() <= SOON, "{:?}", back.elapsed());
}

/// What the command line tells of queues and library meanwhile.
fn what_is_known_is_printed(site: &Site) {
    let listed = site.run(&["queue", "list"], "");
    assert_eq!(listed.code, Some(1), "{}", listed.err);
    assert!(listed.err.contains("Redis does not answer"), "{}", listed.err);
    let table = listed.text();
    assert!(table.contains("handed over") && table.lines().count() == 6, "{table}");
    let listed = site.run(&["queue", "list", "--json"], "").json();
    assert_eq!(
        (&listed["is_complete"], &listed["items"][1]["name"]),
        (&json!(false), &json!("notifications"))
    );
    assert!(listed["items"][1]["waiting"].as_u64() > Some(0), "the decision's jobs wait: {listed}");
    assert!(listed["items"][1]["active"].is_null(), "{listed}");

    let checked = site.run(&["doctor"], "");
    assert_eq!(checked.code, Some(1));
    assert!(checked.err.contains("needs no repair") && !checked.err.contains("--repair"), "{}", checked.err);
}
