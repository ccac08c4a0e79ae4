//! A Node program beside two processes of Upshelf, which follows the design note.

use std::time::Duration;

use serde_json::{Value, json};
use upshelf_testkit::{Node, Program, RedisServer, wait_until};

use crate::site::{Engine, PASSWORD, SETUP_CODE, Site, on};

const PATIENCE: Duration = Duration::from_secs(60);

/// The Node program, by its lines.
struct Beside(Program);

impl Beside {
    async fn ask(&mut self, line: &str) -> String {
        self.0.send(line);
        self.0.answer("reply", PATIENCE).await.trim_start_matches("reply ").to_owned()
    }

    async fn json(&mut self, line: &str) -> Value {
        let reply = self.ask(line).await;
        serde_json::from_str(&reply).unwrap_or_else(|e| panic!("{line}: {e}: {reply}"))
    }

    /// Waits for a message, told before or after the call.
    async fn heard(&mut self, channel: &str) -> Value {
        let line = self.0.wait_for(&format!("heard {channel} "), PATIENCE).await;
        let payload = line.splitn(3, ' ').nth(2).expect("it has a payload");
        serde_json::from_str(payload).expect("payloads are JSON")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_program_reads_listens_and_invalidates_as_the_note_says() {
    let redis = RedisServer::start().await;
    let url = redis.url();
    let settings = [("UPSHELF_REDIS_URL", url.as_str()), ("UPSHELF_CACHE_RECHECK", "0s")];
    let mut site = Site::start(Engine::Postgres, &settings).await;
    let other = site.beside(&[("UPSHELF_ROLE", "web")]).await;
    let node = Node::project(&[("ioredis", "5")]).await;
    let mut beside = Beside(node.start("tests/slices/beside.mjs", &[&url], &[]));

    let account = |name: &str| json!({ "username": name, "email": format!("{name}@example.org"), "password": PASSWORD });
    let mut first = account("keeper");
    first["code"] = json!(SETUP_CODE);
    let mut keeper = site.anybody().register("/api/v1/setup", first).await;
    let mut ada = site.anybody().register("/api/v1/auth/register", account("ada")).await;
    let mut ben = other.anybody().register("/api/v1/auth/register", account("ben")).await;
    let list = "# A shelf\n\n## Entries\n\n- [Zero](https://example.org/zero) - What was there before.\n";
    let reply = keeper.send("POST", "/api/v1/admin/import", "text/markdown", list.as_bytes()).await;
    assert_eq!(reply.expect("the site answers").status, 200);

    // What one process has cached, a program reads.
    let categories = ada.get("/api/v1/categories").await;
    assert_eq!(beside.json("get cache:categories").await, categories["items"]);
    let popular = other.anybody().get("/api/v1/resources/popular?limit=10").await;
    assert_eq!(beside.json("get cache:resources:popular:limit:10").await, popular["items"]);

    // Votes: the counts, the list, and the channel, whichever process took them.
    let resource = popular["items"][0]["id"].as_str().expect("it has an id").to_owned();
    let me = ada.get("/api/v1/auth/me").await["id"].as_str().expect("a member has an id").to_owned();
    for channel in
        ["suggestions:votes", &format!("notifications:{me}"), &format!("resource:updates:{resource}")]
    {
        beside.ask(&format!("subscribe {channel}")).await;
    }
    let edit = json!({
        "kind": "edit", "resource_id": resource, "base_version": popular["items"][0]["version"],
        "changes": { "title": "Nought" },
    });
    let suggestion = ada.post("/api/v1/suggestions", edit).await["id"].as_str().expect("an id").to_owned();
    let vote = ben.put(&format!("/api/v1/suggestions/{suggestion}/vote"), json!({ "value": 1 })).await;
    let votes = beside.json(&format!("votes {suggestion}")).await;
    let expected = json!({ "up": "1", "down": "0", "score": "1", "version": vote["version"].to_string() });
    assert_eq!(votes, expected);
    assert_eq!(beside.json("top").await, json!([suggestion, "1"]));
    let told = beside.heard("suggestions:votes").await;
    let expected = json!({
        "suggestion_id": suggestion, "up": 1, "down": 0, "score": 1, "version": vote["version"],
    });
    assert_eq!(told, expected);

    // A decision: the resource's channel, the author's notices, and fresh data in both processes.
    keeper.post(&format!("/api/v1/suggestions/{suggestion}/approve"), json!({})).await;
    let change = beside.heard(&format!("resource:updates:{resource}")).await;
    assert_eq!(change["resource_id"], json!(resource));
    let notice = beside.heard(&format!("notifications:{me}")).await;
    assert_eq!((&notice["unread"], notice["seq"].is_number()), (&json!(1), true), "{notice}");
    for mut door in [site.anybody(), other.anybody()] {
        wait_until("the new title", PATIENCE, async || {
            door.get("/api/v1/resources/popular?limit=10").await["items"][0]["title"] == "Nought"
        })
        .await;
    }
    assert_eq!(beside.json("top").await, json!([]));

    // Behind the program's back: the database changes, and the foreign program invalidates the tag.
    let tables = site.tables().await;
    const SQL: &str = "UPDATE resources SET title = 'Nil'";
    on!(&tables, db => async { sqlx::query(SQL).execute(db).await.map(drop) });
    for mut door in [site.anybody(), other.anybody()] {
        let shown = door.get("/api/v1/resources/popular?limit=10").await;
        assert_eq!(shown["items"][0]["title"], "Nought", "nobody has told");
    }
    assert_ne!(beside.ask("invalidate resources:popular").await, "0");
    for mut door in [site.anybody(), other.anybody()] {
        let shown = door.get("/api/v1/resources/popular?limit=10").await;
        assert_eq!(shown["items"][0]["title"], "Nil");
    }
    beside.0.close_input();
    assert!(beside.0.wait(PATIENCE).await.success());
    site.close().await;
}
