//! Who may what: the route table and every kind of caller.

use axum::http::Method;
use serde_json::json;
use upshelf_store::Role;

use crate::app::{App, operations};

const MISSING: &str = "00000000-0000-7000-8000-000000000000";

/// A path with its variable parts filled in.
fn filled(template: &str) -> String {
    let named =
        template.replace("{name}", "email").replace("{kind}", "resource").replace("{file}", "none.atom");
    named.replace("{username}", "nobody").replace("{id}", MISSING).replace("{resource_id}", MISSING)
}

fn rank(role: &str) -> u8 {
    match role {
        "anyone" => 0,
        "member" => 1,
        "curator" => 2,
        "admin" => 3,
        other => panic!("no such role: {other}"),
    }
}

#[tokio::test]
async fn every_route_lets_in_exactly_the_roles_that_the_document_names() {
    let app = App::open().await;
    let accounts = [
        None,
        Some(app.account("mia", Role::Member).await),
        Some(app.account("cleo", Role::Curator).await),
        Some(app.account("ada", Role::Admin).await),
    ];
    let mut walked = 0;
    for (method, template, operation) in operations() {
        let role = operation.extensions.as_ref().expect("every operation has a role")["x-role"].as_str();
        let needed = rank(role.expect("a role is text"));
        for (held, account) in accounts.iter().enumerate() {
            // Some requests end the session that makes them.
            let actor = match account {
                Some(member) => app.signed_in(member).await,
                None => app.anon(),
            };
            let body =
                if method == Method::GET || method == Method::DELETE { json!(null) } else { json!({}) };
            let (status, code) = actor.json(method.clone(), &filled(template), body).await.said();
            let asked = format!("{method} {template} by role {held}: {status} {code}");
            walked += 1;
            match (held as u8, needed) {
                (0, 1..) => assert_eq!((status, code.as_str()), (401, "not_signed_in"), "{asked}"),
                (held, needed) if held < needed => {
                    assert_eq!((status, code.as_str()), (403, "not_allowed"), "{asked}");
                }
                _ => assert!(!matches!(status, 401 | 403 | 500..), "{asked}"),
            }
        }
    }
    assert!(walked > 200, "only {walked} requests were made");
}

#[tokio::test]
async fn things_of_others_are_not_there() {
    let app = App::open().await;
    app.shelve().await;
    let (mia, tom) = (app.member("mia").await, app.member("tom").await);
    let collection = mia.post("/api/v1/collections", json!({"title": "Mine"})).await.done(201);
    let path = format!("/api/v1/collections/{}", collection["id"].as_str().expect("an id"));
    mia.get(&path).await.done(200);
    tom.get(&path).await.refused(404, "not_found");
    app.anon().get(&path).await.refused(404, "not_found");
    tom.patch(&path, json!({"title": "Yours"})).await.refused(404, "not_found");
    tom.delete(&path).await.refused(404, "not_found");
    let sessions = mia.get("/api/v1/auth/sessions").await.done(200);
    let session = sessions["items"][0]["id"].as_str().expect("an id").to_owned();
    tom.delete(&format!("/api/v1/auth/sessions/{session}")).await.refused(404, "not_found");
    mia.patch(&path, json!({"public": true})).await.done(200);
    tom.get(&path).await.done(200);
    tom.delete(&path).await;
    mia.get(&path).await.done(200);
}

#[tokio::test]
async fn an_api_key_reaches_as_far_as_its_scopes() {
    let app = App::open().await;
    let admin = app.officer("ada", Role::Admin).await;
    let key = async |scope: &str| {
        let made = admin.post("/api/v1/admin/api-keys", json!({"name": scope, "scopes": [scope]})).await;
        assert_eq!(made.header("cache-control"), "no-store");
        let made = made.done(201);
        (
            made["token"].as_str().expect("a token").to_owned(),
            made["key"]["id"].as_str().expect("an id").to_owned(),
        )
    };
    let (read, id) = key("read").await;
    let (write, _) = key("write").await;
    let (all, _) = key("admin").await;
    let by = |token: &str| app.anon().bearer(token);
    by(&read).get("/api/v1/auth/me").await.done(200);
    by(&read).post("/api/v1/collections", json!({"title": "a"})).await.refused(403, "scope_missing");
    by(&write).post("/api/v1/collections", json!({"title": "a"})).await.done(201);
    by(&write).get("/api/v1/admin/queues").await.refused(403, "scope_missing");
    by(&all).get("/api/v1/admin/queues").await.done(200);
    by(&all)
        .post("/api/v1/admin/api-keys", json!({"name": "b", "scopes": ["read"]}))
        .await
        .refused(403, "session_needed");
    by(&all).get("/api/v1/auth/sessions").await.refused(403, "session_needed");
    admin.delete(&format!("/api/v1/admin/api-keys/{id}")).await.done(204);
    by(&read).get("/api/v1/auth/me").await.refused(401, "token_invalid");
    by("ups_invented").get("/api/v1/resources").await.refused(401, "token_invalid");
}

#[tokio::test]
async fn sensitive_acts_take_a_sign_in_of_the_last_quarter_of_an_hour() {
    let app = App::open().await;
    let admin = app.officer("ada", Role::Admin).await;
    let mia = app.account("mia", Role::Member).await;
    let role = format!("/api/v1/admin/members/{}/role", mia.id);
    admin.put(&role, json!({"role": "curator"})).await.done(200);
    app.hand.advance(std::time::Duration::from_secs(15 * 60 + 1));
    admin.put(&role, json!({"role": "member"})).await.refused(403, "sign_in_again");
    let key = json!({"name": "a", "scopes": ["read"]});
    admin.post("/api/v1/admin/api-keys", key).await.refused(403, "sign_in_again");
    admin.get("/api/v1/admin/members").await.done(200);
}

#[tokio::test]
async fn who_is_shut_out_is_out_at_once() {
    let app = App::open().await;
    let admin = app.officer("ada", Role::Admin).await;
    let account = app.account("mia", Role::Member).await;
    let mia = app.signed_in(&account).await;
    mia.get("/api/v1/auth/me").await.done(200);
    let path = format!("/api/v1/admin/members/{}", account.id);
    admin.post(&format!("{path}/ban"), json!({"reason": "Spam."})).await.done(200);
    assert_eq!(mia.get("/api/v1/auth/me").await.status.as_u16(), 401);
    let login = json!({"login": "mia", "password": crate::app::PASSWORD});
    app.anon().post("/api/v1/auth/login", login.clone()).await.refused(403, "banned");
    admin.post(&format!("{path}/unban"), json!(null)).await.done(200);
    app.anon().post("/api/v1/auth/login", login).await.done(200);
}
