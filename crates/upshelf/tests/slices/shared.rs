//! Several processes on one PostgreSQL and one Redis act as one, and go on while Redis is away.

use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use upshelf_testkit::{Keep, RedisServer, wait_until};

use crate::client::Client;
use crate::site::{Beside, Engine, PASSWORD, SETUP_CODE, Site};

const PATIENCE: Duration = Duration::from_secs(60);
/// A limit that gives nothing back within a test.
const LIMIT: usize = 10;

/// Two processes, and the Redis that they share.
struct Pair {
    site: Site,
    other: Beside,
    redis: RedisServer,
}

impl Pair {
    async fn start() -> Pair {
        let redis = RedisServer::start().await;
        let url = redis.url();
        let settings = [
            ("UPSHELF_REDIS_URL", url.as_str()),
            // A busy machine may take longer than the default, and then a process would rightly decide alone.
            ("UPSHELF_REDIS_FAIL_FAST", "10s"),
            ("UPSHELF_PROCESSES", "2"),
            ("UPSHELF_LIMITS", "on"),
            ("UPSHELF_LIMIT_SEARCH", "10/h"),
        ];
        let site = Site::start(Engine::Postgres, &settings).await;
        let other = site.beside(&[("UPSHELF_ROLE", "web")]).await;
        let pair = Pair { site, other, redis };
        pair.agree_on_redis("up").await;
        pair
    }

    /// Waits until both processes say how Redis is.
    async fn agree_on_redis(&self, health: &str) {
        for mut process in [self.site.anybody(), self.other.anybody()] {
            wait_until(&format!("Redis to be {health}"), PATIENCE, async || {
                // How limits are is known from asking for one.
                process.ask("GET", "/api/v1/tags", None).await;
                let ready = process.ask("GET", "/readyz", None).await;
                assert_eq!(ready.status, 200, "{}", ready.text());
                let parts = &ready.json()["parts"];
                ["redis", "cache", "bus", "tally", "sessions", "limits", "queue"]
                    .iter()
                    .all(|part| parts[part] == health)
            })
            .await;
        }
    }

    /// Searches so often through both processes at once, and counts what passed; nothing but a limit refuses.
    async fn search(&self, times: usize) -> usize {
        let mut searches = JoinSet::new();
        for n in 0..times {
            let mut asker = if n % 2 == 0 { self.site.anybody() } else { self.other.anybody() };
            searches.spawn(async move { asker.ask("GET", "/api/v1/search?q=shelf", None).await.status });
        }
        let answers = searches.join_all().await;
        assert!(answers.iter().all(|status| [200, 429].contains(status)), "{answers:?}");
        answers.iter().filter(|status| **status == 200).count()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_count_together_and_each_allows_its_share_while_redis_is_away() {
    let mut pair = Pair::start().await;
    assert_eq!(pair.search(100).await, LIMIT);

    pair.redis.kill9();
    pair.agree_on_redis("degraded").await;
    // What is known of the refusal is believed for a second.
    let mut passed = 0;
    wait_until("each process to allow its share", PATIENCE, async || {
        passed += pair.search(20).await;
        passed >= LIMIT
    })
    .await;
    assert_eq!((passed, pair.search(20).await), (LIMIT, 0));

    pair.redis.restart(Keep::Nothing).await;
    pair.agree_on_redis("up").await;
    assert_eq!(pair.search(100).await, LIMIT, "an emptied Redis forgives");
    pair.site.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_used_redis_holds_no_key_that_the_documents_do_not_name() {
    let pair = Pair::start().await;
    pair.search(20).await;
    let mut anybody = pair.site.anybody();
    for path in ["/api/v1/categories", "/api/v1/resources/popular?limit=10", "/api/v1/suggestions/top", "/"] {
        assert_eq!(anybody.ask("GET", path, None).await.status, 200, "{path}");
    }
    let wrong = json!({ "login": "nobody", "password": "not a password of anybody" });
    assert_eq!(anybody.ask("POST", "/api/v1/auth/login", Some(wrong)).await.status, 401);

    let names = documented_keys();
    let found = pair.redis.keys("").await;
    assert!(found.len() >= 3, "{found:?}");
    for key in &found {
        assert!(names.iter().any(|name| is_named(&key.name, name)), "{} is not in docs/redis.md", key.name);
        assert!(
            key.ttl.is_some() || key.name == "cache:ns" || key.name.starts_with("queue:"),
            "{} stays for ever",
            key.name
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_through_one_process_shows_through_the_other_even_if_the_first_is_killed_before_it_tells() {
    let redis = RedisServer::start().await;
    let url = redis.url();
    let settings = [("UPSHELF_REDIS_URL", url.as_str()), ("UPSHELF_ROLE", "web")];
    let mut site = Site::start(Engine::Postgres, &settings).await;
    let other = site.beside(&[("UPSHELF_ROLE", "all")]).await;
    let mut first = json!({ "username": "keeper", "email": "keeper@example.org", "password": PASSWORD });
    first["code"] = json!(SETUP_CODE);
    let mut keeper = site.anybody().register("/api/v1/setup", first).await;
    let list = "# A shelf\n\n## Entries\n\n- [Zero](https://example.org/zero) - What was there before.\n";
    let reply = keeper.send("POST", "/api/v1/admin/import", "text/markdown", list.as_bytes()).await;
    assert_eq!(reply.expect("the site answers").status, 200);
    let mut doors = [site.anybody(), other.anybody()];
    let title = async |door: &mut Client| {
        let popular = door.get("/api/v1/resources/popular?limit=10").await;
        popular["items"][0]["title"].as_str().map(str::to_owned)
    };
    let shown = doors[0].get("/api/v1/resources/popular?limit=10").await["items"][0].clone();
    let rename = async |keeper: &mut Client, to: &str, version: &serde_json::Value| {
        let edit = json!({
            "kind": "edit", "resource_id": shown["id"], "base_version": version, "changes": { "title": to },
        });
        let made = keeper.post("/api/v1/suggestions", edit).await;
        let path = format!("/api/v1/suggestions/{}/approve", made["id"].as_str().expect("it has an id"));
        keeper.post(&path, json!({})).await;
    };

    rename(&mut keeper, "One", &shown["version"]).await;
    for door in &mut doors {
        wait_until("the first title", PATIENCE, async || title(door).await.as_deref() == Some("One")).await;
    }
    let version = doors[0].get("/api/v1/resources/popular?limit=10").await["items"][0]["version"].clone();
    redis.pause();
    rename(&mut keeper, "Two", &version).await;
    site.kill9();
    redis.resume();
    let held = redis.command(&["GET", "cache:resources:popular:limit:10"]).await;
    assert!(
        held.contains("\"One\""),
        "Redis still holds what the killed process could not tell it of: {held}"
    );
    let [_, door] = &mut doors;
    wait_until("the job to forget it", PATIENCE, async || title(door).await.as_deref() == Some("Two")).await;
}

/// The names in the first column of the table of keys.
fn documented_keys() -> Vec<String> {
    let document = include_str!("../../../../docs/redis.md");
    let table = document.split("## Keys").nth(1).expect("there is a table of keys");
    let table = table.split("\n## ").next().expect("a part has a beginning");
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next()).map(str::to_owned).collect()
}

/// Whether a key is one of those that a name with `<placeholders>` stands for; a placeholder may hold colons.
fn is_named(key: &str, name: &str) -> bool {
    let mut rest = key;
    for (n, part) in name.split('<').enumerate() {
        let fixed = if n == 0 { part } else { part.split_once('>').map_or("", |(_, fixed)| fixed) };
        match rest.find(fixed) {
            Some(0) => rest = &rest[fixed.len()..],
            Some(at) if n > 0 => rest = &rest[at + fixed.len()..],
            _ => return false,
        }
    }
    rest.is_empty() || name.ends_with('>')
}
