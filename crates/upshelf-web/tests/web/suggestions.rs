//! From a suggestion to a change, over HTTP.

use serde_json::{Value, json};
use upshelf_store::Role;

use crate::app::{Actor, App};

async fn edit(actor: &Actor<'_>, resource: &str, description: &str) -> String {
    let body = json!({"kind": "edit", "resource_id": resource, "changes": {"description": description}, "reason": "Better."});
    let made = actor.post("/api/v1/suggestions", body).await;
    let place = made.header("location").to_owned();
    assert_eq!(made.done(201)["status"], "open");
    place
}

#[tokio::test]
async fn a_suggestion_is_voted_on_and_each_member_has_one_vote() {
    let app = App::open().await;
    let ids = app.shelve().await;
    let (mia, tom, eve) = (app.member("mia").await, app.member("tom").await, app.member("zoltan").await);
    let place = edit(&mia, &ids[0], "Patterns from cards.").await;
    let vote = format!("{place}/vote");
    mia.put(&vote, json!({"value": 1})).await.refused(403, "own_suggestion");
    let cast = tom.put(&vote, json!({"value": 1})).await.done(200);
    assert_eq!(
        (&cast["up"], &cast["down"], &cast["score"], &cast["version"]),
        (&json!(1), &json!(0), &json!(1), &json!(1))
    );
    assert_eq!(cast["my_vote"], 1);
    assert_eq!(tom.put(&vote, json!({"value": -1})).await.done(200)["score"], -1);
    assert_eq!(eve.put(&vote, json!({"value": 1})).await.done(200)["score"], 0);
    assert_eq!(tom.get(&vote).await.done(200), json!({"value": -1}));
    assert_eq!(mia.get(&vote).await.done(200), json!({"value": null}));
    assert_eq!(tom.delete(&vote).await.done(200)["score"], 1);
    let standing = app.anon().get(&format!("{place}/votes")).await.done(200);
    assert_eq!(standing, json!({"up": 1, "down": 0, "score": 1, "version": 4}));
    tom.put(&vote, json!({"value": 2})).await.refused(422, "invalid");
    let seen = eve.get(&place).await.done(200);
    assert_eq!((&seen["my_vote"], &seen["standing"]), (&json!(1), &standing));
    assert!(
        seen["rule"]["summary"].as_str().is_some_and(|text| text.contains("of 5 votes")),
        "{}",
        seen["rule"]
    );
    assert!(app.anon().get(&place).await.done(200)["my_vote"].is_null());
    assert!(!app.anon().get(&place).await.text().contains("zoltan"), "who voted is nobody's business");
    assert_eq!(
        app.anon().get("/api/v1/suggestions/top?limit=1").await.done(200)["items"][0]["id"],
        seen["id"]
    );
}

#[tokio::test]
async fn many_votes_of_one_member_at_once_are_one_vote() {
    let app = App::open().await;
    let ids = app.shelve().await;
    let (mia, tom) = (app.member("mia").await, app.member("tom").await);
    let vote = format!("{}/vote", edit(&mia, &ids[0], "Other words.").await);
    let cast = |value: i64| tom.put(&vote, json!({"value": value}));
    let replies = tokio::join!(cast(1), cast(-1), cast(1), cast(-1), cast(1), cast(1));
    for reply in [replies.0, replies.1, replies.2, replies.3, replies.4, replies.5] {
        reply.done(200);
    }
    let standing = app.anon().get(&format!("{vote}s")).await.done(200);
    assert_eq!(
        standing["up"].as_i64().unwrap_or(0) + standing["down"].as_i64().unwrap_or(0),
        1,
        "{standing}"
    );
}

#[tokio::test]
async fn a_curator_approves_reverts_rejects_and_stops() {
    let app = App::open().await;
    let ids = app.shelve().await;
    let (mia, cleo) = (app.member("mia").await, app.officer("cleo", Role::Curator).await);
    let resource = format!("/api/v1/resources/{}", ids[0]);
    let place = edit(&mia, &ids[0], "Patterns from cards.").await;
    assert_eq!(
        cleo.post(&format!("{place}/stop"), json!({"reason": "Wait."})).await.done(200)["objection"],
        "Wait."
    );
    assert_eq!(cleo.post(&format!("{place}/approve"), json!(null)).await.done(200)["status"], "approved");
    assert_eq!(app.anon().get(&resource).await.done(200)["description"], "Patterns from cards.");
    cleo.post(&format!("{place}/approve"), json!({})).await.refused(409, "suggestion_closed");
    mia.put(&format!("{place}/vote"), json!({"value": 1})).await.refused(409, "suggestion_closed");
    let revert = json!({"to_version": 1, "reason": "It was better."});
    assert_eq!(cleo.post(&format!("{resource}/revert"), revert).await.done(200)["version"], 3);
    let place = edit(&mia, &ids[1], "Very soft.").await;
    let rejected = cleo.post(&format!("{place}/reject"), json!({"reason": "No."})).await.done(200);
    assert_eq!((&rejected["status"], &rejected["decision_reason"]), (&json!("rejected"), &json!("No.")));
    let log = app.anon().get("/api/v1/log?limit=100").await.done(200);
    let actions: Vec<&Value> =
        log["items"].as_array().expect("a list").iter().map(|entry| &entry["action"]).collect();
    for action in ["rejected", "reverted", "approved", "stopped", "suggested", "imported"] {
        assert!(actions.contains(&&json!(action)), "{actions:?}");
    }
}

#[tokio::test]
async fn a_member_withdraws_their_own_and_nobody_elses() {
    let app = App::open().await;
    let ids = app.shelve().await;
    let (mia, tom) = (app.member("mia").await, app.member("tom").await);
    let place = edit(&mia, &ids[0], "Other words.").await;
    let refused = tom.post(&format!("{place}/withdraw"), json!(null)).await;
    assert!(matches!(refused.status.as_u16(), 403 | 404), "{refused}");
    assert_eq!(mia.post(&format!("{place}/withdraw"), json!(null)).await.done(200)["status"], "withdrawn");
    mia.post(&format!("{place}/withdraw"), json!(null)).await.refused(409, "suggestion_closed");
}

#[tokio::test]
async fn what_is_there_already_is_pointed_to() {
    let app = App::open().await;
    let ids = app.shelve().await;
    let mia = app.member("mia").await;
    let tree = app.anon().get("/api/v1/categories").await.done(200);
    let category = tree["items"][0]["id"].as_str().unwrap_or_default();
    let add =
        |url: &str| json!({"kind": "add", "changes": {"url": url, "title": "A", "category_ids": [category]}});
    let known = mia.post("/api/v1/suggestions", add("http://JACQUARD.example.org/")).await;
    known.refused(409, "duplicate_resource");
    assert_eq!(known.header("location"), format!("/api/v1/resources/{}", ids[0]));
    let made = mia.post("/api/v1/suggestions", add("https://new.example.org")).await;
    let place = made.header("location").to_owned();
    made.done(201);
    let twice = mia.post("/api/v1/suggestions", add("https://new.example.org/")).await;
    twice.refused(409, "duplicate_suggestion");
    assert_eq!(twice.header("location"), place);
    mia.post("/api/v1/suggestions", add("javascript:alert(1)")).await.refused(422, "invalid");
}

#[tokio::test]
async fn comments_stand_under_a_suggestion_in_their_order() {
    let app = App::open().await;
    let ids = app.shelve().await;
    let (mia, tom) = (app.member("mia").await, app.member("tom").await);
    let place = format!("{}/comments", edit(&mia, &ids[0], "Other words.").await);
    tom.post(&place, json!({"body": "Why?"})).await.done(201);
    mia.post(&place, json!({"body": "Because."})).await.done(201);
    mia.post(&place, json!({"body": ""})).await.refused(422, "invalid");
    let found = app.anon().get(&place).await.done(200);
    let bodies: Vec<_> =
        found["items"].as_array().expect("a list").iter().map(|one| one["body"].clone()).collect();
    assert_eq!(bodies, ["Why?", "Because."]);
    assert_eq!(found["items"][0]["author"]["username"], "tom");
}
