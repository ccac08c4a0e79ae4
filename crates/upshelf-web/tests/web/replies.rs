//! What all replies have in common: tags, pages, keys of requests that are sent twice.

use serde_json::{Value, json};
use upshelf_store::Role;

use crate::app::App;

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let app = App::open().await;
    app.shelve().await;
    for path in ["/api/v1/resources", "/api/v1/categories", "/api/v1/resources/popular", "/api/v1/log"] {
        let first = app.anon().get(path).await;
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with('"'), "{path}: {tag}");
        let again = app.anon().header("if-none-match", &format!("\"x\", W/{tag}")).get(path).await;
        assert_eq!((again.status.as_u16(), again.body.len()), (304, 0), "{path}");
        assert_eq!(again.header("etag"), tag);
        let other = app.anon().header("if-none-match", "\"x\"").get(path).await;
        assert_eq!(other.status.as_u16(), 200, "{path}");
    }
    let packed = app.anon().header("accept-encoding", "gzip").get("/openapi.json").await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert!(packed.header("etag").starts_with("W/"), "packed bytes are not what a strong tag was made of");
}

#[tokio::test]
async fn a_long_problem_can_be_read_by_who_takes_packed_replies() {
    let app = App::open().await;
    let mia = app.member("mia").await.header("accept-encoding", "gzip, br");
    let mut draft = json!({"title": "Mine"});
    for field in 0..200 {
        draft[format!("unknown{field}")] = json!("x".repeat(50));
    }
    mia.post("/api/v1/collections", draft).await.refused(422, "invalid");
    let mut draft = json!({"title": "Mine"});
    draft["x".repeat(5_000)] = json!(1);
    let reply = mia.post("/api/v1/collections", draft).await;
    reply.refused(422, "invalid");
    assert_eq!(reply.header("content-encoding"), "");
    assert!(reply.body.len() < 2_000, "what was sent is not sent back at length: {} bytes", reply.body.len());
}

#[tokio::test]
async fn pages_of_a_list_hold_every_row_once() {
    let app = App::open().await;
    let ids = app.shelve().await;
    let mut seen = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let after = cursor.as_str().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page = app.anon().get(&format!("/api/v1/resources?sort=name&limit=1{after}")).await.done(200);
        seen.extend(page["items"].as_array().expect("a list").iter().map(|one| one["id"].clone()));
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(json!(seen), json!(ids));
}

#[tokio::test]
async fn a_request_with_a_key_is_done_once_and_answered_as_often_as_it_is_sent() {
    let app = App::open().await;
    let mia = app.member("mia").await.header("idempotency-key", "one");
    let first = mia.post("/api/v1/collections", json!({"title": "Mine"})).await;
    let again = mia.post("/api/v1/collections", json!({"title": "Mine"})).await;
    assert_eq!(first.done(201), again.done(201));
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(
        mia.get("/api/v1/collections?whose=mine").await.done(200)["items"].as_array().map(Vec::len),
        Some(1)
    );
    mia.post("/api/v1/collections", json!({"title": "Other"})).await.refused(422, "idempotency_key_reused");
    mia.post("/api/v1/suggestions", json!({"title": "Mine"})).await.refused(422, "idempotency_key_reused");
    // A refusal is an answer, too.
    let two = mia.clone().header("idempotency-key", "two");
    two.post("/api/v1/collections", json!({})).await.refused(422, "invalid");
    let replayed = two.post("/api/v1/collections", json!({})).await;
    replayed.refused(422, "invalid");
    assert_eq!(replayed.header("idempotency-replayed"), "true");
    // Another member's key is another key.
    let tom = app.member("tom").await.header("idempotency-key", "one");
    tom.post("/api/v1/collections", json!({"title": "Mine"})).await.done(201);
    let long = "a".repeat(256);
    mia.header("idempotency-key", &long)
        .post("/api/v1/collections", json!({"title": "a"}))
        .await
        .refused(400, "malformed");
}

#[tokio::test]
async fn of_many_requests_with_one_key_at_once_one_is_done() {
    let app = App::open().await;
    let mia = app.member("mia").await.header("idempotency-key", "one");
    let draft = || mia.post("/api/v1/collections", json!({"title": "Mine"}));
    let replies = tokio::join!(draft(), draft(), draft(), draft());
    for reply in [replies.0, replies.1, replies.2, replies.3] {
        match reply.said() {
            (201, _) => {}
            (409, code) => assert_eq!(code, "idempotency_key_running"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        mia.get("/api/v1/collections?whose=mine").await.done(200)["items"].as_array().map(Vec::len),
        Some(1)
    );
}

#[tokio::test]
async fn profiles_notices_and_watches_answer_as_documented() {
    let app = App::open().await;
    let ids = app.shelve().await;
    let mia = app.member("mia").await;
    let profile = mia
        .patch("/api/v1/profiles/me", json!({"display_name": "Mia W.", "bio": "I weave."}))
        .await
        .done(200);
    assert_eq!(profile["display_name"], "Mia W.");
    assert_eq!(app.anon().get("/api/v1/profiles/MIA").await.done(200)["bio"], "I weave.");
    app.anon().get("/api/v1/profiles/nobody").await.refused(404, "not_found");
    assert_eq!(mia.get("/api/v1/notifications/unread-count").await.done(200), json!({"unread": 0}));
    assert_eq!(
        mia.post("/api/v1/notifications/read", json!({"up_to": 7})).await.done(200),
        json!({"unread": 0})
    );
    let wishes = mia.get("/api/v1/notifications/preferences").await.done(200);
    assert!(wishes["items"].as_array().is_some_and(|wishes| !wishes.is_empty()), "{wishes}");
    assert_eq!(mia.put("/api/v1/notifications/preferences", wishes.clone()).await.done(200), wishes);
    let watch = format!("/api/v1/watches/resource/{}", ids[0]);
    mia.put(&watch, json!(null)).await.done(204);
    assert_eq!(mia.get("/api/v1/watches").await.done(200)["items"][0]["level"], "watching");
    mia.put(&watch, json!({"level": "muted"})).await.done(204);
    assert_eq!(mia.get("/api/v1/watches").await.done(200)["items"][0]["level"], "muted");
    mia.delete(&watch).await.done(204);
    assert_eq!(mia.get("/api/v1/watches").await.done(200)["items"], json!([]));
}

#[tokio::test]
async fn collections_are_kept_in_order() {
    let app = App::open().await;
    let ids = app.shelve().await;
    let mia = app.member("mia").await;
    let made = mia.post("/api/v1/collections", json!({"title": "Mine", "public": true})).await;
    let place = made.header("location").to_owned();
    made.done(201);
    for id in [&ids[2], &ids[0]] {
        mia.put(&format!("{place}/resources/{id}"), json!(null)).await.done(200);
    }
    let found = app.anon().get(&place).await.done(200);
    let order: Vec<_> =
        found["resources"]["items"].as_array().expect("a list").iter().map(|one| one["id"].clone()).collect();
    assert_eq!(json!(order), json!([ids[2], ids[0]]));
    let page = app.anon().get(&format!("{place}?limit=1")).await.done(200);
    let next = page["resources"]["next_cursor"].as_str().expect("there is more").to_owned();
    let page = app.anon().get(&format!("{place}?limit=1&cursor={next}")).await.done(200);
    assert_eq!(page["resources"]["items"][0]["id"], json!(ids[0]));
    mia.delete(&format!("{place}/resources/{}", ids[2])).await.done(200);
    mia.delete(&place).await.done(204);
    mia.get(&place).await.refused(404, "not_found");
}

#[tokio::test]
async fn the_shelf_is_listed_and_searched() {
    let app = App::open().await;
    let ids = app.shelve().await;
    let admin = app.officer("ada", Role::Admin).await;
    let titles = async |path: &str| -> Vec<String> {
        let page = app.anon().get(path).await.done(200);
        page["items"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| one["title"].as_str().unwrap_or("").to_owned())
            .collect()
    };
    assert_eq!(titles("/api/v1/resources?sort=name").await, ["Jacquard", "Merino", "Spinning Jenny"]);
    assert_eq!(titles("/api/v1/search?q=jacq").await, ["Jacquard"]);
    assert_eq!(titles("/api/v1/resources?q=merno").await, ["Merino"]);
    let tree = app.anon().get("/api/v1/categories").await.done(200).to_string();
    let slug =
        tree.split("\"slug\":\"").find(|part| part.starts_with("yarn")).expect("a category named Yarn");
    let slug = slug.split('"').next().expect("it ends");
    assert_eq!(titles(&format!("/api/v1/resources?category={slug}")).await, ["Merino"]);
    app.anon().get("/api/v1/resources?category=none").await.refused(404, "not_found");
    app.anon().get("/api/v1/resources?q=a&tag=b").await.refused(422, "invalid");
    let history = app.anon().get(&format!("/api/v1/resources/{}/history", ids[0])).await.done(200);
    assert_eq!(history["items"][0]["version"], 1);
    assert_eq!(app.anon().get("/api/v1/log").await.done(200)["items"][0]["action"], "imported");
    assert!(
        admin.get("/api/v1/admin/analytics?days=7").await.done(200)["days"]
            .as_array()
            .is_some_and(|days| days.len() == 7)
    );
}
