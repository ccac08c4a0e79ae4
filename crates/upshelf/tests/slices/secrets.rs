//! What proves who somebody is stands nowhere in clear: not in Redis, not in the database, not in what the program prints.

use std::path::Path;

use serde_json::{Value, json};
use upshelf_testkit::RedisServer;

use crate::client::Client;
use crate::site::{Beside, Engine, PASSWORD, SETUP_CODE, Site, Tables, on};

/// Two processes that say all they can, and what people were given by them.
struct Story {
    site: Site,
    other: Beside,
    secrets: Vec<String>,
}

impl Story {
    async fn begin(redis: &RedisServer) -> Self {
        let url = redis.url();
        let settings = [("UPSHELF_REDIS_URL", url.as_str()), ("UPSHELF_LOG", "trace")];
        let site = Site::start(Engine::Postgres, &settings).await;
        let other = site.beside(&[("UPSHELF_ROLE", "web")]).await;
        Self { site, other, secrets: vec![PASSWORD.to_owned()] }
    }

    async fn post(&mut self, door: &mut Client, path: &str, body: Value) -> Value {
        let reply = door.post(path, body).await;
        let given = ["access_token", "refresh_token", "token"];
        let given = given.iter().filter_map(|name| reply[name].as_str()).map(str::to_owned);
        self.secrets.extend(given);
        reply
    }

    /// Goes through all that gives somebody a secret, or takes it back.
    async fn use_secrets(&mut self) {
        let (mut here, mut there) = (self.site.anybody(), self.other.anybody());
        let account = json!({
            "username": "keeper", "email": "keeper@example.org", "password": PASSWORD, "code": SETUP_CODE,
        });
        let first = self.post(&mut here, "/api/v1/setup", account).await;
        let account = json!({ "username": "reader", "email": "reader@example.org", "password": PASSWORD });
        let reader = self.post(&mut there, "/api/v1/auth/register", account).await;
        let login = json!({ "login": "reader", "password": PASSWORD });
        let second = self.post(&mut here, "/api/v1/auth/login", login).await;
        let old = json!({ "refresh_token": second["refresh_token"] });
        let third = self.post(&mut there, "/api/v1/auth/refresh", old.clone()).await;

        let mut keeper = self.site.holder_of(first["access_token"].as_str().expect("a token"));
        let key = json!({ "name": "a robot", "scopes": ["read"] });
        let key = self.post(&mut keeper, "/api/v1/admin/api-keys", key).await;
        for holder in [&reader["access_token"], &third["access_token"], &key["token"]] {
            let holder = holder.as_str().expect("a token");
            for door in [&mut here, &mut there] {
                door.connect().await.expect("the site is there");
                let reply = door.send_as(Some(holder), "GET", "/api/v1/tags", "", b"").await;
                let reply = reply.expect("the site answers");
                assert_eq!(reply.status, 200, "{}", reply.text());
            }
        }
        // Of two tabs that refresh at once the second gets what the first got, so that is kept somewhere.
        self.post(&mut here, "/api/v1/auth/refresh", old).await;
        let mistyped = format!("{PASSWORD}!");
        let login = json!({ "login": "reader", "password": mistyped });
        assert_eq!(here.ask("POST", "/api/v1/auth/login", Some(login)).await.status, 401);
        self.secrets.push(mistyped);
        let mut reader = self.site.holder_of(reader["access_token"].as_str().expect("a token"));
        assert_eq!(reader.ask("POST", "/api/v1/auth/logout", None).await.status, 204);
    }

    /// Fails when one of the secrets is in there, as it is or in hexadecimal as PostgreSQL shows bytes.
    fn search(&self, place: &str, text: &str) {
        for secret in &self.secrets {
            let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
            for form in [secret, &hex] {
                assert!(!text.contains(form), "{place} has {form} in clear");
            }
        }
    }
}

/// All that the database holds, as a dump would show it.
async fn dump(tables: &Tables) -> String {
    const NAMES: &str =
        "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'";
    let names: Vec<String> = on!(tables, db => sqlx::query_scalar(NAMES).fetch_all(db));
    let mut all = String::new();
    for name in names {
        let sql = sqlx::AssertSqlSafe(format!("SELECT t::text FROM \"{name}\" t"));
        let rows: Vec<String> = on!(tables, db => sqlx::query_scalar(sql).fetch_all(db));
        all += &rows.join("\n");
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_and_no_password_stands_in_redis_the_database_or_a_log() {
    let redis = RedisServer::start().await;
    redis.command(&["CONFIG", "SET", "rdbcompression", "no"]).await;
    let mut story = Story::begin(&redis).await;
    story.use_secrets().await;
    assert!(story.secrets.len() >= 10, "{} secrets were given", story.secrets.len());

    redis.command(&["SAVE"]).await;
    let folder = redis.command(&["CONFIG", "GET", "dir"]).await;
    let folder = Path::new(folder.lines().nth(1).expect("a folder"));
    let held = std::fs::read(folder.join("dump.rdb")).expect("a dump");
    let held = String::from_utf8_lossy(&held);
    let told = [story.site.printed(), story.other.printed()];
    let rows = dump(&story.site.tables().await).await;
    // Each place is where it was looked for, or nothing would be found in it.
    assert!(held.contains("session:"), "the dump of Redis knows no session");
    assert!(rows.contains("reader@example.org"), "the database knows no member");
    for told in &told {
        assert!(told.contains("DEBUG") && told.contains("/api/v1/auth/"), "a log is too quiet");
        story.search("a log", told);
    }
    story.search("Redis", &held);
    story.search("the database", &rows);
    story.site.close().await;
}
