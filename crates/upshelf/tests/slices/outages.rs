//! Votes through two processes on one PostgreSQL and one Redis, whatever befalls Redis.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::types::Uuid;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use upshelf_testkit::{Keep, Patience, RedisServer, wait_until};

use crate::client::Client;
use crate::site::{Beside, Engine, PASSWORD, SETUP_CODE, Site, on};

const PATIENCE: Duration = Duration::from_secs(60);
const MEMBERS: usize = 6;
const SUGGESTIONS: usize = 12;
/// How soon all agree after an outage.
const SOON: Duration = Duration::from_secs(2);
/// No vote waits longer for a Redis that does not answer.
const LONGEST: Duration = Duration::from_secs(3);

/// A standing: up, down, score, version.
type Standing = (i64, i64, i64, i64);

struct Story {
    site: Site,
    other: Beside,
    redis: RedisServer,
    tokens: Vec<String>,
    suggestions: Vec<Uuid>,
}

impl Story {
    async fn begin() -> Self {
        let redis = RedisServer::start().await;
        let url = redis.url();
        let settings = [
            ("UPSHELF_REDIS_URL", url.as_str()),
            // Nothing is approved meanwhile.
            ("UPSHELF_APPROVAL_SCORE", "1000"),
        ];
        let site = Site::start(Engine::Postgres, &settings).await;
        let other = site.beside(&[("UPSHELF_ROLE", "web")]).await;
        let account = |name: &str| json!({ "username": name, "email": format!("{name}@example.org"), "password": PASSWORD });
        let mut first = account("keeper");
        first["code"] = json!(SETUP_CODE);
        let mut anybody = site.anybody();
        let mut author = anybody.register("/api/v1/setup", first).await;
        let list = "# A shelf\n\n## Entries\n\n- [Zero](https://example.org/zero) - What was there before.\n";
        let reply = author.send("POST", "/api/v1/admin/import", "text/markdown", list.as_bytes()).await;
        assert_eq!(reply.expect("the site answers").status, 200);
        let category = author.get("/api/v1/categories").await["items"][0]["id"].clone();
        let mut suggestions = Vec::new();
        for n in 0..SUGGESTIONS {
            let changes = json!({
                "url": format!("https://example.org/{n}"), "title": format!("Entry {n}"),
                "description": "Words.", "category_ids": [category],
            });
            let made = author.post("/api/v1/suggestions", json!({ "kind": "add", "changes": changes })).await;
            suggestions.push(made["id"].as_str().and_then(|id| id.parse().ok()).expect("it has an id"));
        }
        let mut tokens = Vec::new();
        for n in 0..MEMBERS {
            let member = anybody.register("/api/v1/auth/register", account(&format!("voter{n}"))).await;
            tokens.push(member.token().to_owned());
        }
        let story = Self { site, other, redis, tokens, suggestions };
        story.agree("at the beginning").await;
        story
    }

    /// Has all members vote through both processes until the outage is over, and compares then.
    async fn vote_through(&self, what: &str, outage: impl AsyncFnOnce(&RedisServer)) {
        let (is_over, votes) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut voting = JoinSet::new();
        for (member, token) in self.tokens.iter().cloned().enumerate() {
            let doors = [self.site.anybody(), self.other.anybody()];
            let (suggestions, is_over, votes) = (self.suggestions.clone(), is_over.clone(), votes.clone());
            voting.spawn(async move {
                let mut doors = doors;
                for turn in 0.. {
                    if is_over.load(Ordering::Relaxed) {
                        return;
                    }
                    let suggestion = suggestions[(turn * 5 + member) % SUGGESTIONS];
                    let value = if (turn + member) % 3 == 0 { -1 } else { 1 };
                    vote(&mut doors[turn % 2], &token, suggestion, value).await;
                    votes.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        wait_until("votes", PATIENCE, async || votes.load(Ordering::Relaxed) > 100).await;
        outage(&self.redis).await;
        is_over.store(true, Ordering::Relaxed);
        while let Some(ended) = voting.join_next().await {
            ended.expect("every vote was taken");
        }
        self.agree(what).await;
    }

    /// Waits until both processes, Redis and the database say the same.
    async fn agree(&self, after: &str) {
        let begun = Instant::now();
        let mut patience = Patience::of(PATIENCE);
        while let Err(difference) = self.compare().await {
            assert!(patience.more().await, "after {after}: {difference}");
        }
        assert!(begun.elapsed() < SOON, "after {after} it took {:?}", begun.elapsed());
    }

    async fn compare(&self) -> Result<(), String> {
        let tables = self.site.tables().await;
        const SQL: &str = "SELECT id, up, down, score, version FROM suggestions ORDER BY score DESC, id DESC";
        let rows: Vec<(Uuid, i64, i64, i64, i64)> = on!(&tables, db => sqlx::query_as(SQL).fetch_all(db));
        let order: Vec<_> = rows.iter().map(|row| row.0).collect();
        for (id, up, down, score, version) in rows {
            let expected: Standing = (up, down, score, version);
            for mut door in [self.site.anybody(), self.other.anybody()] {
                let told = door.get(&format!("/api/v1/suggestions/{id}/votes")).await;
                same(&format!("the standing of {id}"), &standing(&told), &expected)?;
            }
            let key = format!("vote:suggestion:{id}:votes");
            let held = self.redis.command(&["HMGET", &key, "up", "down", "score", "version"]).await;
            same(&key, &held, &format!("{up}\n{down}\n{score}\n{version}"))?;
        }
        let listed = self.redis.command(&["ZREVRANGE", "suggestions:top:voted", "0", "-1"]).await;
        same("the top list in Redis", &listed.lines().filter_map(|id| id.parse().ok()).collect(), &order)?;
        for mut door in [self.site.anybody(), self.other.anybody()] {
            let top = door.get("/api/v1/suggestions/top?limit=50").await;
            let ids = top["items"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|one| one["id"].as_str()?.parse().ok());
            same("the top list", &ids.collect(), &order)?;
        }
        Ok(())
    }
}

async fn vote(door: &mut Client, token: &str, suggestion: Uuid, value: i64) {
    door.connect().await.expect("the site is there");
    let path = format!("/api/v1/suggestions/{suggestion}/vote");
    let body = json!({ "value": value }).to_string();
    let begun = Instant::now();
    let reply = door.send_as(Some(token), "PUT", &path, "application/json", body.as_bytes()).await;
    let reply = reply.expect("the site answers");
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(begun.elapsed() < LONGEST, "a vote took {:?}", begun.elapsed());
}

fn standing(told: &Value) -> Standing {
    let number = |name: &str| told[name].as_i64().expect("a standing is made of numbers");
    (number("up"), number("down"), number("score"), number("version"))
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?}, not {expected:?}")) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn votes_go_on_whatever_befalls_redis_and_soon_after_all_agree() {
    let mut story = Story::begin().await;
    story
        .vote_through("a freeze of ten seconds", async |redis| {
            redis.pause();
            sleep(Duration::from_secs(10)).await;
            redis.resume();
        })
        .await;
    story
        .vote_through("a kill and an empty start", async |redis| {
            redis.kill9();
            sleep(Duration::from_secs(2)).await;
            redis.restart(Keep::Nothing).await;
        })
        .await;
    story
        .vote_through("a restart from an old dump", async |redis| {
            redis.command(&["SAVE"]).await;
            sleep(Duration::from_secs(1)).await;
            redis.kill9();
            redis.restart(Keep::Data).await;
        })
        .await;
    story
        .vote_through("a flush", async |redis| {
            redis.command(&["FLUSHALL"]).await;
        })
        .await;
    // What the doctor says of it, and of a standing that somebody spoilt.
    story.site.run(&["doctor"], "").ok();
    let key = format!("vote:suggestion:{}:votes", story.suggestions[0]);
    story.redis.command(&["HINCRBY", &key, "up", "1"]).await;
    assert_eq!(story.site.run(&["doctor"], "").code, Some(1));
    story.site.run(&["doctor", "--repair"], "").ok();
    story.site.run(&["doctor"], "").ok();
    story.agree("a repair").await;
    story.site.close().await;
}
