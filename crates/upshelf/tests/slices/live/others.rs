//! Each promise, seen through clients for Node and Python.

use serde_json::{Value, json};
use upshelf_testkit::Program;

use super::{PATIENCE, Watchers, keeper, member, python, suggest};
use crate::site::{Engine, Site};

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("no JSON ({e}): {text}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_others_wrote_see_votes_notices_and_changes() {
    let site = Site::start(Engine::Sqlite, &[]).await;
    let (mut keeper, resource) = keeper(&site).await;
    let (mut ada, id) = member(&site, "ada").await;
    let suggestion = suggest(&mut ada, &resource, "Nought").await;
    let (notices, changes) = (
        format!("notifications:{id}"),
        format!("resource:updates:{}", resource["id"].as_str().expect("an id")),
    );

    let mut watchers = Watchers::of(&site.url()).await;
    watchers.tell(&["connect", "ada", ada.token()]);
    watchers.tell(&["connect", "any", ""]);
    watchers.told(&format!("ada server-subscribed {notices}")).await;
    watchers.told("any connected").await;
    watchers.tell(&["subscribe", "any", "suggestions:votes"]);
    watchers.tell(&["subscribe", "any", &changes]);
    watchers.tell(&["subscribe", "any", &notices]);
    watchers.tell(&["subscribe", "any", "no:such:channel"]);
    watchers.tell(&["subscribe", "ada", "suggestions:votes", &json!({ "filter": [suggestion] }).to_string()]);
    assert_eq!(watchers.told(&format!("any unsubscribed {notices}")).await, "103");
    assert_eq!(watchers.told("any unsubscribed no:such:channel").await, "102");
    watchers.told("ada subscribed suggestions:votes").await;
    let query = format!("channels=suggestions:votes,{notices},{changes}");
    watchers.tell(&["events", "stream", &query, ada.token()]);
    assert_eq!(parsed(&watchers.told("stream subscribed").await)["recovered"], false);
    let address = site.url().replace("http", "ws") + "/connection/websocket";
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/slices/live.py");
    let args = [script, &address, ada.token(), "suggestions:votes"];
    let mut snake = Program::start_with_input(python(), args, &[]);
    snake.wait_for("subscribed suggestions:votes", PATIENCE).await;
    watchers.told(&format!("any subscribed {changes}")).await;

    // A vote, a decision.
    let vote = keeper.put(&format!("/api/v1/suggestions/{suggestion}/vote"), json!({ "value": 1 })).await;
    assert_eq!(vote["version"], 1);
    let told =
        format!("{{\"suggestion_id\":\"{suggestion}\",\"up\":1,\"down\":0,\"score\":1,\"version\":1}}");
    for who in ["any", "ada"] {
        watchers.told(&format!("{who} publication suggestions:votes {{\"data\":[{told}]}}")).await;
    }
    watchers.told("stream event {\"channel\":\"suggestions:votes\",\"pub\":{\"data\":[{").await;
    snake.wait_for("\"up\": 1", PATIENCE).await;
    keeper.post(&format!("/api/v1/suggestions/{suggestion}/approve"), json!({})).await;
    let change = parsed(&watchers.told(&format!("any publication {changes}")).await);
    let expected = json!({ "resource_id": resource["id"], "change": "edited", "version": 2 });
    assert_eq!(change, json!({ "offset": 1, "data": expected }));
    let notice = parsed(&watchers.told(&format!("ada server-publication {notices}")).await);
    assert_eq!(
        (&notice["offset"], &notice["data"]["seq"], &notice["data"]["unread"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!(notice["data"]["notice"]["kind"], "approved");
    watchers.told(&format!("stream event {{\"channel\":\"{notices}\"")).await;
    watchers.told(&format!("stream event {{\"channel\":\"{changes}\"")).await;
    snake.wait_for(&format!("server-publication {notices}"), PATIENCE).await;

    // What a client asks for that is not offered.
    watchers.tell(&["publish", "ada", "suggestions:votes"]);
    assert_eq!(watchers.told("ada publish suggestions:votes").await, "103");
    watchers.tell(&["rpc", "ada", "anything"]);
    assert_eq!(watchers.told("ada rpc anything").await, "104");
    watchers.tell(&["history", "ada", &notices]);
    assert_eq!(
        parsed(&watchers.told(&format!("ada history {notices}")).await),
        json!({ "offset": 1, "count": 0 })
    );

    // What is read is told, and moves nobody on.
    let read = ada.post("/api/v1/notifications/read", json!({ "up_to": 1 })).await;
    assert_eq!(read["unread"], 0);
    let told = "{\"data\":{\"seq\":1,\"unread\":0,\"notice\":null}}";
    watchers.told(&format!("ada server-publication {notices} {told}")).await;
    watchers.told(&format!("stream event {{\"channel\":\"{notices}\",\"pub\":{told}}}")).await;

    // A session that ends takes its connections with it.
    assert_eq!(ada.ask("POST", "/api/v1/auth/logout", None).await.status, 204);
    assert_eq!(watchers.told("ada disconnected").await, "3500");
    watchers.told("stream interrupted").await;
    snake.wait_for("disconnected 3500", PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_in_how_is_checked_and_frames_are_answered_as_the_protocol_says() {
    let mut site = Site::start(Engine::Sqlite, &[("UPSHELF_SESSION_ACCESS_TTL", "4s")]).await;
    let (_, _) = keeper(&site).await;
    let signed_in = site.anybody().post("/api/v1/auth/register", super::account("ada")).await;
    let token = signed_in["access_token"].as_str().expect("a token");
    let mut watchers = Watchers::of(&site.url()).await;
    for (name, message, code) in [
        ("malformed", "nonsense", "3501"),
        ("oversized", "size:70000", "1009"),
        ("early", "{\"id\":1,\"subscribe\":{\"channel\":\"suggestions:votes\"}}", "3501"),
        ("forged", "{\"id\":1,\"connect\":{\"token\":\"e30.e30.e30\"}}", "3500"),
    ] {
        watchers.tell(&["raw", name, message]);
        assert_eq!(watchers.told(&format!("{name} closed")).await, code);
    }
    let cookie = format!("upshelf-access={token}");
    for (name, origin) in [("originless", ""), ("foreign", "http://elsewhere.example")] {
        watchers.tell(&["knock", name, &cookie, origin]);
        watchers.told(&format!("{name} failed Unexpected server response: 403")).await;
    }
    watchers.tell(&["knock", "own", &cookie, &site.url()]);
    let reply = parsed(&watchers.told("own message").await);
    assert!(reply["connect"]["subs"].is_object(), "{reply}");
    assert_eq!(reply["connect"]["expires"], Value::Null, "a page has no token to renew");
    assert_eq!(watchers.told("own closed").await, "3005");

    let refresh = json!({ "refresh_token": signed_in["refresh_token"] });
    let renewed = site.anybody().post("/api/v1/auth/refresh", refresh).await;
    let fresh = renewed["access_token"].as_str().expect("a token");
    watchers.tell(&["connect", "ada", fresh, fresh]);
    watchers.told("ada connected").await;
    watchers.told("ada asked-for-token").await;
    watchers.tell(&["connect", "late", token, fresh]);
    watchers.told("late asked-for-token").await;
    site.close().await;
    watchers.told("ada connecting 3001").await;
}
