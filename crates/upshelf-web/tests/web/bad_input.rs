//! Whatever comes in, the answer is a clear 4xx that the document knows; never a failure on our side.

use axum::http::Method;
use serde_json::json;
use upshelf_store::Role;

use crate::app::{App, operations};

const MISSING: &str = "00000000-0000-7000-8000-000000000000";

fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("nothing", Vec::new()),
        ("half", b"{\"a\":".to_vec()),
        ("array", b"[]".to_vec()),
        ("null", b"null".to_vec()),
        ("number", b"1e999".to_vec()),
        ("unknown field", br#"{"surprise": 1}"#.to_vec()),
        ("NUL", br#"{"title": "a\u0000", "body": "\u0000", "username": "\u0000", "reason": "\u0000"}"#.to_vec()),
        ("surrogate", br#"{"title": "\ud800", "body": "\ud800"}"#.to_vec()),
        ("deep", [b"{\"a\":".repeat(5_000), b"1".to_vec(), b"}".repeat(5_000)].concat()),
        ("broken UTF-8", b"{\"title\": \"\xff\xfe\"}".to_vec()),
        (
            "huge numbers",
            br#"{"value": 99999999999999999999, "up_to": -9223372036854775808, "to_version": 9223372036854775807,
                "reason": "x", "older_than_seconds": -1, "base_version": 1e400}"#
                .to_vec(),
        ),
        ("wrong types", br#"{"kind": [], "changes": "x", "items": {}, "scopes": "read", "level": 3, "role": null}"#.to_vec()),
    ]
}

#[tokio::test]
async fn no_body_makes_any_operation_fail_on_our_side() {
    let app = App::open().await;
    let admin = app.account("ada", Role::Admin).await;
    for (method, template, operation) in operations() {
        if operation.request_body.is_none() {
            continue;
        }
        let path = template
            .replace("{name}", "email")
            .replace("{kind}", "resource")
            .replace("{id}", MISSING)
            .replace("{resource_id}", MISSING);
        let path = if path.ends_with("/import") { format!("{path}?dry_run=true") } else { path };
        for (what, body) in bodies() {
            for kind in
                [Some("application/json"), Some("text/plain"), Some("application/json; charset=utf-16"), None]
            {
                let actor = app.signed_in(&admin).await;
                let reply = actor.send(method.clone(), &path, kind, body.clone()).await;
                let status = reply.status.as_u16();
                assert!(status < 500, "{method} {path} with {what} as {kind:?}: {reply}");
                let takes_anything = path.contains("/import");
                let may_be_left_out = what == "nothing" && kind.is_none();
                assert!(
                    status >= 400 || takes_anything || may_be_left_out,
                    "{method} {path} took {what}: {reply}"
                );
            }
        }
    }
}

#[tokio::test]
async fn no_query_and_no_path_makes_any_operation_fail_on_our_side() {
    let app = App::open().await;
    app.shelve().await;
    let admin = app.officer("ada", Role::Admin).await;
    let long = "x".repeat(3_000);
    let parts =
        ["0", "x", "%00", "%ff", "..", "%2e%2e%2f", MISSING, "99999999999999999999", "%27%20OR%201=1", &long];
    let queries = [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=1.5",
        "limit=abc",
        "limit=99999999999999999999",
        "limit=",
        "cursor=",
        "cursor=abc",
        "cursor=%00",
        "cursor=%ff",
        "cursor=W10",
        "cursor=WzFd",
        "cursor=bnVsbA",
        "cursor=eyJhIjoxfQ",
        "cursor=WzkyMjMzNzIwMzY4NTQ3NzU4MDcsIngiXQ",
        "sort=worst",
        "sort=",
        "status=maybe",
        "kind=9",
        "q=%00",
        "q=",
        "q=%",
        "q=%22%27*:()%5E-",
        "q=NEAR(a%20b",
        "category=%00",
        "category=none",
        "tag=%ff",
        "days=0",
        "days=99999",
        "unread=maybe",
        "format=exe",
        "dry_run=2",
        "whose=mine&member=x",
        "limit=1&limit=2",
        "surprise=1",
        "&&&=&",
        "state=lost",
    ];
    for (_, template, _) in operations().filter(|(method, _, _)| *method == Method::GET) {
        let paths: Vec<String> = match template.contains('{') {
            true => parts
                .iter()
                .map(|part| {
                    let mut path = template.to_owned();
                    while let (Some(start), Some(end)) = (path.find('{'), path.find('}')) {
                        path.replace_range(start..=end, part);
                    }
                    path
                })
                .collect(),
            false => vec![template.to_owned()],
        };
        for path in &paths {
            let reply = admin.get(path).await;
            assert!(reply.status.as_u16() < 500, "{path}: {reply}");
        }
        for query in queries {
            let reply = admin.get(&format!("{}?{query}", paths[0])).await;
            assert!(reply.status.as_u16() < 500, "{template}?{query}: {reply}");
        }
    }
}

#[tokio::test]
async fn every_kind_of_mistake_has_its_status() {
    let app = App::open().await;
    let mia = app.member("mia").await;
    let post = async |kind: &'static str, body: &str| {
        mia.send(Method::POST, "/api/v1/collections", Some(kind), body.as_bytes().to_vec()).await
    };
    post("application/json", "{").await.refused(400, "malformed");
    post("text/plain", "{}").await.refused(415, "not_json");
    post("application/json", "{}").await.refused(422, "invalid");
    post("application/merge-patch+json", r#"{"title": "fine"}"#).await.done(201);
    let unknown = post("application/json", r#"{"title": "a", "colour": "red"}"#).await;
    unknown.refused(422, "invalid");
    assert_eq!(unknown.json()["errors"][0]["field"], "colour");
    let nul = post("application/json", r#"{"title": "a\u0000b"}"#).await;
    nul.refused(422, "invalid");
    assert_eq!(nul.json()["errors"][0]["field"], "title");
    let long = format!(r#"{{"title": "{}"}}"#, "a".repeat(1024 * 1024));
    post("application/json", &long).await.refused(413, "body_too_large");
    mia.get("/api/v1/resources/not-an-id").await.refused(404, "not_found");
    mia.get("/api/v1/nothing").await.refused(404, "not_found");
    let wrong = mia.delete("/api/v1/categories").await;
    wrong.refused(405, "method_not_allowed");
    assert_eq!(wrong.header("allow"), "GET,HEAD");
    mia.get(&format!("/api/v1/search?q={}", "a".repeat(9_000))).await.refused(414, "uri_too_long");
    let cursor = mia.get("/api/v1/resources?cursor=bad").await;
    cursor.refused(422, "invalid");
    assert_eq!(cursor.json()["errors"][0]["field"], "cursor");
}

#[tokio::test]
async fn headers_that_are_no_text_harm_nobody() {
    let app = App::open().await;
    let bytes = "\u{fc}\u{2603}";
    for name in [
        "user-agent",
        "cookie",
        "x-forwarded-for",
        "if-none-match",
        "accept",
        "accept-encoding",
        "x-request-id",
    ] {
        let reply = app.anon().header(name, bytes).get("/api/v1/resources").await;
        assert_eq!(reply.status.as_u16(), 200, "{name}: {reply}");
    }
    let odd = app.anon().header("idempotency-key", bytes).post("/api/v1/auth/login", json!({})).await;
    odd.refused(400, "malformed");
    let registration =
        json!({"username": "mia", "email": "mia@example.org", "password": crate::app::PASSWORD});
    app.anon().header("user-agent", bytes).post("/api/v1/auth/register", registration).await.done(201);
    let long = "a".repeat(4_000);
    app.anon()
        .header("user-agent", &long)
        .post("/api/v1/auth/login", json!({"login": "mia", "password": crate::app::PASSWORD}))
        .await
        .done(200);
}

#[tokio::test]
async fn files_to_import_may_be_anything() {
    let app = App::open().await;
    let admin = app.officer("ada", Role::Admin).await;
    let files: [&[u8]; 8] = [
        b"",
        b"\0\0\0",
        b"\xff\xfe\xfd",
        b"- [a](https://a.example)\0",
        b"{",
        b"[[[[",
        b"url\n\"",
        b"<DT><A HREF=",
    ];
    for format in ["", "&format=markdown", "&format=netscape", "&format=json", "&format=csv"] {
        for file in files {
            for dry in ["true", "false"] {
                let path = format!("/api/v1/admin/import?list=odd&dry_run={dry}{format}");
                let reply = admin.send(Method::POST, &path, None, file.to_vec()).await;
                assert!(reply.status.as_u16() < 500, "{path} with {file:?}: {reply}");
            }
        }
    }
    let big = vec![b'a'; 10 * 1024 * 1024 + 1];
    admin.send(Method::POST, "/api/v1/admin/import", None, big).await.refused(413, "body_too_large");
}
