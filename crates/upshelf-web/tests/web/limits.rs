//! How often is too often.

use serde_json::json;
use upshelf_throttle::{Mode, Rate};
use upshelf_web::Settings;

use crate::app::{App, Setup};

fn held(policy: &str, rate: Rate) -> Setup {
    let mut settings =
        Settings { trusted_proxies: vec!["192.0.2.0/24".parse().expect("a network")], ..Settings::default() };
    assert_eq!(settings.limits.set(policy, rate), Ok(true));
    Setup { limits: Mode::On, settings, ..Setup::default() }
}

#[tokio::test]
async fn a_member_is_counted_wherever_they_are_and_others_by_their_address() {
    let app = App::with(held("read", Rate::per_hour(2))).await;
    let (mia, tom) = (app.member("mia").await, app.member("tom").await);
    let from = |address: &str| app.anon().header("x-forwarded-for", address);
    for address in ["198.51.100.1", "198.51.100.2"] {
        mia.clone().header("x-forwarded-for", address).get("/api/v1/tags").await.done(200);
    }
    mia.clone()
        .header("x-forwarded-for", "198.51.100.3")
        .get("/api/v1/tags")
        .await
        .refused(429, "too_many_requests");
    tom.get("/api/v1/tags").await.done(200);
    for _ in 0..2 {
        from("198.51.100.1").get("/api/v1/tags").await.done(200);
    }
    let refused = from("198.51.100.1").get("/api/v1/tags").await;
    refused.refused(429, "too_many_requests");
    assert_eq!(refused.header("ratelimit-policy"), r#""read";q=2;w=3600"#);
    from("198.51.100.9").get("/api/v1/tags").await.done(200);
    // A stranger's claim in front of what the proxy wrote changes nothing.
    from("203.0.113.5, 198.51.100.1").get("/api/v1/tags").await.refused(429, "too_many_requests");
}

#[tokio::test]
async fn votes_are_limited_on_their_own() {
    let app = App::with(held("vote", Rate::per_hour(1))).await;
    let mia = app.member("mia").await;
    let path = "/api/v1/suggestions/00000000-0000-7000-8000-000000000000/vote";
    mia.put(path, json!({"value": 1})).await.refused(404, "not_found");
    mia.put(path, json!({"value": 1})).await.refused(429, "too_many_requests");
    mia.get("/api/v1/tags").await.done(200);
}

#[tokio::test]
async fn in_shadow_everything_passes_and_off_says_nothing() {
    for mode in [Mode::Shadow, Mode::Off] {
        let app = App::with(Setup { limits: mode, ..held("read", Rate::per_hour(1)) }).await;
        for _ in 0..3 {
            let reply = app.anon().get("/api/v1/tags").await;
            reply.done(200);
            assert_eq!(reply.header("ratelimit").is_empty(), mode == Mode::Off);
        }
    }
}
