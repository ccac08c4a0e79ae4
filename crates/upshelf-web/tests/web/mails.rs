//! Mails: switching them off without signing in, and looking at them without harm.

use axum::http::Method;
use serde_json::{Value, json};
use upshelf_store::{Mail, PageRequest, Role};
use upshelf_web::Settings;

use crate::app::{Actor, App, Setup};

const FORM: &str = "application/x-www-form-urlencoded";

async fn site() -> App {
    let public_url = Some("https://shelf.example.org".parse().expect("a URL"));
    App::with(Setup { settings: Settings { public_url, ..Settings::default() }, ..Setup::default() }).await
}

/// Lets mia have a mail that tells of a comment by tom, with `<b>` in it.
async fn mailed(app: &App, mia: &Actor<'_>) -> Mail {
    let shelf = app.shelve().await;
    let wish = json!({"items": [{"kind": "commented", "inbox": true, "email": "instant"}]});
    mia.put("/api/v1/notifications/preferences", wish).await.done(200);
    let edit = json!({"kind": "edit", "resource_id": shelf[0], "changes": {"title": "<b>Loom</b>"}});
    let suggestion = mia.post("/api/v1/suggestions", edit).await.done(201);
    let path = format!("/api/v1/suggestions/{}/comments", suggestion["id"].as_str().expect("an id"));
    let tom = app.member("tom").await;
    let comment = tom.post(&path, json!({"body": "Why?"})).await.done(201);
    let comment = comment["id"].as_str().expect("an id").parse().expect("an id");
    let job = upshelf_catalog::NotifyComment { comment, after: None };
    app.web.catalog().deliver_comment(&job).await.expect("it is told");
    let mut tx = app.web.catalog().store().read().await.expect("a transaction");
    tx.list_mails(&PageRequest::first(1)).await.expect("a list").items.remove(0)
}

/// What mia wishes for comments.
async fn wish(mia: &Actor<'_>) -> Value {
    let all = mia.get("/api/v1/notifications/preferences").await.done(200);
    let all = all["items"].as_array().expect("a list").clone();
    all.into_iter().find(|wish| wish["kind"] == "commented").expect("every kind is there")
}

#[tokio::test]
async fn a_mail_is_switched_off_with_one_post_and_by_nothing_less() {
    let app = site().await;
    let mia = app.member("mia").await;
    let mail = mailed(&app, &mia).await;
    let url = mail.unsubscribe_url.expect("it can be switched off");
    let path = url.strip_prefix("https://shelf.example.org").expect("a link of the site");
    assert!(path.len() > 40, "nobody guesses {path}");

    // Programs that look at the links of a mail fetch them all.
    for method in [Method::GET, Method::HEAD, Method::GET] {
        let seen = app.anon().send(method, path, None, Vec::new()).await;
        assert_eq!(seen.status.as_u16(), 200, "{seen}");
    }
    let page = app.anon().get(path).await.text();
    assert_eq!(page.matches("<button").count() - page.matches("class=\"find\"").count(), 1, "{page}");
    assert_eq!(wish(&mia).await["email"], "instant");

    // A provider's program: no cookies, nobody signed in, a body that says what it is for. As a form, or as parts.
    let parts =
        "--x\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--x--\r\n";
    for (kind, body) in [(FORM, "List-Unsubscribe=One-Click"), ("multipart/form-data; boundary=x", parts)] {
        let done = app.anon().send(Method::POST, path, Some(kind), body.into()).await;
        assert_eq!(done.status.as_u16(), 200, "no redirect, no refusal: {done}");
        assert!(done.text().contains("no more mails of this kind"), "{done}");
        assert_eq!(wish(&mia).await, json!({"kind": "commented", "inbox": true, "email": "off"}));
    }
    // Also from a browser that a mail's page on another site sends.
    let elsewhere =
        app.anon().header("sec-fetch-site", "cross-site").header("origin", "https://mail.example");
    let done = elsewhere.send(Method::POST, path, Some(FORM), "List-Unsubscribe=One-Click".into()).await;
    assert_eq!(done.status.as_u16(), 200, "{done}");
}

#[tokio::test]
async fn a_link_that_the_site_did_not_make_does_nothing() {
    let app = site().await;
    let mia = app.member("mia").await;
    let url = mailed(&app, &mia).await.unsubscribe_url.expect("it can be switched off");
    let path = url.strip_prefix("https://shelf.example.org").expect("a link of the site");
    let mut swapped = path.to_owned().into_bytes();
    let last = swapped.len() - 30;
    swapped[last] = if swapped[last] == b'A' { b'B' } else { b'A' };
    let swapped = String::from_utf8(swapped).expect("ASCII");
    for path in [&swapped, &path[..path.len() - 4], "/unsubscribe/x", "/unsubscribe/%00"] {
        app.anon().get(path).await.refused(404, "not_found");
        app.anon().send(Method::POST, path, Some(FORM), Vec::new()).await.refused(404, "not_found");
    }
    assert_eq!(wish(&mia).await["email"], "instant");
}

#[tokio::test]
async fn a_mails_html_is_shown_in_a_frame_that_can_do_nothing_to_admins_only() {
    let app = site().await;
    let (mia, ada) = (app.member("mia").await, app.officer("ada", Role::Admin).await);
    let mail = mailed(&app, &mia).await;
    let page = format!("/admin/outbox/{}", mail.id);
    let html = format!("{page}/html");
    for path in ["/admin/outbox", &page, &html] {
        mia.get(path).await.refused(403, "not_allowed");
        app.anon().get(path).await.refused(401, "not_signed_in");
    }
    assert!(ada.get("/admin/outbox").await.text().contains(&page));
    let shown = ada.get(&page).await;
    assert!(
        shown.text().contains(&format!(
            "<iframe sandbox width=\"100%\" height=\"400\" title=\"The mail as HTML\" src=\"{html}\">"
        )),
        "{shown}"
    );
    let policy = shown.header("content-security-policy");
    assert!(policy.contains("frame-src 'self'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!shown.text().contains("<b>Loom"), "{shown}");
    let framed = ada.get(&html).await;
    assert_eq!(framed.text(), mail.html);
    let policy = framed.header("content-security-policy");
    assert!(
        policy.starts_with("sandbox; default-src 'none'") && policy.contains("frame-ancestors 'self'"),
        "{policy}"
    );
    assert_eq!(framed.header("x-frame-options"), "SAMEORIGIN");
    ada.get("/admin/outbox/00000000-0000-7000-8000-000000000000").await.refused(404, "not_found");
}
