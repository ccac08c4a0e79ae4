//! Looking after the queues on the command line, beside a site that runs.

use std::time::Duration;

use serde_json::{Value, json};
use upshelf_testkit::wait_until;

use crate::client::Client;
use crate::run::{Run, SMALL};
use crate::site::{Engine, PASSWORD, SETUP_CODE, Site};

/// One vote is enough after an hour, and nobody works the queues.
const SETTINGS: [(&str, &str); 3] =
    [("UPSHELF_ROLE", "web"), ("UPSHELF_APPROVAL_SCORE", "1"), ("UPSHELF_APPROVAL_CONFIDENCE", "0")];

const LIMIT: Duration = Duration::from_secs(30);

fn queue(site: &Site, args: &[&str]) -> Run {
    site.run(&[&["queue"], args].concat(), "")
}

fn queue_json(site: &Site, args: &[&str]) -> Value {
    queue(site, &[args, &["--json"]].concat()).ok().json()
}

/// A library with an admin, and a member who suggests.
async fn begin(site: &Site) -> (Client, Client) {
    let account = json!({ "code": SETUP_CODE, "username": "keeper", "email": "keeper@example.org", "password": PASSWORD });
    let mut admin = site.anybody().register("/api/v1/setup", account).await;
    let import = "/api/v1/admin/import?format=markdown";
    admin.send("POST", import, "text/markdown", SMALL.as_bytes()).await.expect("the site answers");
    let account = json!({ "username": "mia", "email": "mia@example.org", "password": PASSWORD });
    let mia = site.anybody().register("/api/v1/auth/register", account).await;
    (admin, mia)
}

async fn story(engine: Engine) {
    let mut site = Site::start(engine, &[]).await;
    let (admin, mia) = begin(&site).await;

    let names = ["auto-approval", "notifications", "analytics", "email", "cleanup"];
    let all = queue_json(&site, &["list"]);
    let listed: Vec<_> =
        all["items"].as_array().expect("a list").iter().map(|one| one["name"].clone()).collect();
    assert_eq!(listed, names);
    let table = queue(&site, &["list"]).ok().text();
    assert!(table.starts_with("queue ") && names.iter().all(|name| table.contains(name)), "{table}");

    // A queue that is paused here hands out nothing there, also after a restart.
    assert_eq!(queue_json(&site, &["pause", "notifications"])["is_paused"], true);
    assert!(queue(&site, &["list"]).ok().text().contains("paused"));
    site.close().await;
    site.restart().await;
    let (mut admin, mut mia) = (site.holder_of(admin.token()), site.holder_of(mia.token()));
    assert_eq!(admin.get("/api/v1/admin/queues/notifications").await["is_paused"], true);
    let resource = mia.get("/api/v1/resources").await["items"][0]["id"].clone();
    let edit =
        json!({ "kind": "edit", "resource_id": resource, "changes": { "description": "Other words." } });
    mia.post("/api/v1/suggestions", edit).await;
    let held = queue_json(&site, &["stats", "notifications"]);
    assert_eq!(held["paused"], 1, "{held}");
    assert!(queue(&site, &["stats", "notifications"]).ok().text().contains("held back"));
    let waiting = queue_json(&site, &["jobs", "notifications", "--state", "waiting"]);
    assert_eq!(waiting["items"][0]["name"], "notify", "{waiting}");
    let id = waiting["items"][0]["id"].as_str().expect("an id is text").to_owned();
    let shown = queue(&site, &["jobs", "notifications", "--state", "waiting"]).ok().text();
    assert!(
        shown.lines().nth(1).is_some_and(|line| line.starts_with(&id) && line.contains("notify")),
        "{shown}"
    );

    // What is due cannot be made due, and what is in another queue is not in this one.
    let refused = queue(&site, &["promote", "notifications", "--job", &id]);
    assert_eq!(refused.code, Some(1), "{}", refused.err);
    assert!(refused.err.contains("not delayed"), "{}", refused.err);
    assert!(queue(&site, &["promote", "email", "--job", &id]).err.contains("has no job"));
    assert_eq!(queue_json(&site, &["promote", "notifications"])["jobs"], 0);

    assert_eq!(queue_json(&site, &["resume", "notifications"])["is_paused"], false);
    wait_until("the job that was held back is done", LIMIT, async || {
        queue_json(&site, &["stats", "notifications"])["completed"].as_i64() > Some(0)
    })
    .await;
    assert_eq!(queue_json(&site, &["retry", "notifications"])["jobs"], 0);
    assert_eq!(queue_json(&site, &["clean", "notifications", "--older-than", "1d"])["jobs"], 0);
    let cleaned = queue(&site, &["clean", "notifications"]).ok().text();
    assert!(cleaned.contains("cleared away") && !cleaned.starts_with('0'), "{cleaned}");
    assert_eq!(queue(&site, &["stats", "mails"]).code, Some(2), "there is no such queue");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queues_are_looked_after_beside_a_site_on_sqlite() {
    story(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queues_are_looked_after_beside_a_site_on_postgresql() {
    story(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delayed_job_is_made_due_by_its_name_and_all_of_them_at_once() {
    let site = Site::start(Engine::Sqlite, &SETTINGS).await;
    let (mut admin, mut mia) = begin(&site).await;
    let resources = mia.get("/api/v1/resources").await;
    for number in 0..3 {
        let resource = &resources["items"][number]["id"];
        let edit =
            json!({ "kind": "edit", "resource_id": resource, "changes": { "description": "Other words." } });
        let suggestion = mia.post("/api/v1/suggestions", edit).await;
        let vote = format!("/api/v1/suggestions/{}/vote", suggestion["id"].as_str().expect("an id"));
        assert_eq!(admin.ask("PUT", &vote, Some(json!({ "value": 1 }))).await.status, 200);
    }
    let delayed = queue_json(&site, &["jobs", "auto-approval", "--state", "delayed"]);
    let jobs = delayed["items"].as_array().expect("a list");
    assert_eq!(jobs.len(), 3, "three wait for their hour: {delayed}");
    let id = jobs[0]["id"].as_str().expect("an id");
    assert_eq!(queue_json(&site, &["promote", "auto-approval", "--job", id])["jobs"], 1);
    let path = |job: usize| {
        format!(
            "/api/v1/admin/queues/auto-approval/jobs/{}/promote",
            jobs[job]["id"].as_str().expect("an id")
        )
    };
    let promoted = admin.ask("POST", &path(1), None).await;
    assert_eq!((promoted.status, promoted.json()["state"].clone()), (200, json!("waiting")));
    assert_eq!(admin.ask("POST", &path(1), None).await.code(), "job_not_delayed");
    let rest = admin.ask("POST", "/api/v1/admin/queues/auto-approval/promote", None).await;
    assert_eq!(rest.json()["jobs"], 1);
    assert_eq!(queue_json(&site, &["stats", "auto-approval"])["waiting"], 3);
}
