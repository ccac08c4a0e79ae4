//! What browsers are told, and what other sites cannot make them do.

use axum::http::Method;
use serde_json::json;
use upshelf_store::Role;
use upshelf_web::Settings;

use crate::app::{Actor, App, PASSWORD, Setup};

fn https() -> Settings {
    Settings { public_url: Some("https://shelf.example.org".parse().expect("a URL")), ..Settings::default() }
}

async fn tokens(app: &App) -> (String, String) {
    let login = json!({"login": "mia", "password": PASSWORD});
    let signed_in = app.anon().post("/api/v1/auth/login", login).await.done(200);
    let token = |name: &str| signed_in[name].as_str().expect("a token").to_owned();
    (token("access_token"), token("refresh_token"))
}

async fn browser<'a>(app: &'a App, name: &str) -> Actor<'a> {
    let (access, _) = tokens(app).await;
    app.anon().header("cookie", &format!("theme=dark; {name}={access}"))
}

#[tokio::test]
async fn every_reply_tells_browsers_what_it_must_not_do() {
    let app = App::with(Setup { settings: https(), ..Setup::default() }).await;
    let replies = [
        app.anon().get("/api/v1/resources").await,
        app.anon().get("/api/v1/nothing").await,
        app.anon().delete("/api/v1/categories").await,
        app.anon().get("/healthz").await,
        app.anon().get("/docs").await,
        app.anon().get("/feeds/resources.atom").await,
        app.anon().post("/api/v1/auth/login", json!([])).await,
        app.anon().header("sec-fetch-site", "cross-site").post("/api/v1/auth/login", json!({})).await,
    ];
    for reply in &replies {
        let policy = reply.header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("referrer-policy"), "strict-origin-when-cross-origin");
        assert!(reply.header("permissions-policy").contains("camera=()"));
        assert!(reply.header("strict-transport-security").starts_with("max-age="));
        assert!(!reply.header("cache-control").is_empty());
    }
    let plain = App::open().await;
    let reply = plain.anon().get("/healthz").await;
    assert_eq!(reply.header("strict-transport-security"), "", "plain HTTP must not promise TLS");
}

#[tokio::test]
async fn a_cookie_signs_in_to_read_and_only_the_site_itself_may_write_with_it() {
    let app = App::with(Setup { settings: https(), ..Setup::default() }).await;
    app.account("mia", Role::Member).await;
    let mia = browser(&app, "__Host-upshelf-access").await;
    assert_eq!(mia.get("/api/v1/auth/me").await.done(200)["username"], "mia");
    let write = async |actor: Actor<'_>| actor.post("/api/v1/collections", json!({"title": "a"})).await;
    write(mia.clone().header("sec-fetch-site", "same-origin")).await.done(201);
    write(mia.clone().header("sec-fetch-site", "none")).await.done(201);
    write(mia.clone().header("origin", "https://shelf.example.org")).await.done(201);
    for site in ["cross-site", "same-site", "anything"] {
        write(mia.clone().header("sec-fetch-site", site)).await.refused(403, "cross_site");
    }
    for origin in
        ["https://evil.example", "null", "http://shelf.example.org", "https://shelf.example.org.evil.example"]
    {
        write(mia.clone().header("origin", origin)).await.refused(403, "cross_site");
    }
    write(mia.clone()).await.refused(403, "cross_site");
    // What a token is sent with was made on purpose.
    let (access, _) = tokens(&app).await;
    write(app.anon().bearer(&access).header("origin", "https://elsewhere.example")).await.done(201);
}

#[tokio::test]
async fn a_cookie_of_the_wrong_kind_or_age_is_nobody() {
    let app = App::with(Setup { settings: https(), ..Setup::default() }).await;
    app.account("mia", Role::Member).await;
    // Without the prefix, another host of the domain could have set it.
    browser(&app, "upshelf-access").await.get("/api/v1/auth/me").await.refused(401, "not_signed_in");
    let stale = app.anon().header("cookie", "__Host-upshelf-access=old");
    stale.get("/api/v1/resources").await.done(200);
    stale.get("/api/v1/auth/me").await.refused(401, "not_signed_in");
    let plain = App::open().await;
    plain.account("mia", Role::Member).await;
    browser(&plain, "upshelf-access").await.get("/api/v1/auth/me").await.done(200);
}

#[tokio::test]
async fn where_no_address_is_set_the_host_that_was_asked_counts() {
    let app = App::open().await;
    app.account("mia", Role::Member).await;
    let mia = browser(&app, "upshelf-access").await.header("host", "127.0.0.1:7700");
    let write = async |origin: &str| {
        mia.clone().header("origin", origin).post("/api/v1/collections", json!({"title": "a"})).await
    };
    write("http://127.0.0.1:7700").await.done(201);
    write("http://127.0.0.1:7701").await.refused(403, "cross_site");
}

#[tokio::test]
async fn a_browser_whose_access_cookie_ran_out_gets_the_next_one_on_the_way() {
    let app = App::with(Setup { settings: https(), ..Setup::default() }).await;
    app.account("mia", Role::Member).await;
    let (_, refresh) = tokens(&app).await;
    let mia = app.anon().header("cookie", &format!("__Host-upshelf-refresh={refresh}"));
    // Two tabs at once: both are let in.
    let (one, other) = tokio::join!(mia.get("/api/v1/auth/me"), mia.get("/api/v1/auth/me"));
    for reply in [one, other] {
        reply.done(200);
        let lines: Vec<_> =
            reply.headers.get_all("set-cookie").iter().map(|line| line.to_str().expect("text")).collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
        for line in lines {
            assert!(
                line.starts_with("__Host-upshelf-") && line.contains("; HttpOnly; SameSite=Lax; Secure"),
                "{line}"
            );
            assert!(line.contains("; Path=/;") && !line.contains("Domain"), "{line}");
        }
    }
    let forged = app.anon().header("cookie", "__Host-upshelf-refresh=rt1.x.y").get("/api/v1/resources").await;
    forged.done(200);
    assert!(
        forged.header("set-cookie").contains("Max-Age=0"),
        "a cookie that is worth nothing is taken away"
    );
}

#[tokio::test]
async fn another_site_cannot_sign_a_browser_in() {
    let app = App::open().await;
    let login = json!({"login": "mia", "password": PASSWORD});
    let evil = app.anon().header("sec-fetch-site", "cross-site").header("origin", "https://evil.example");
    evil.post("/api/v1/auth/login", login).await.refused(403, "cross_site");
    evil.send(Method::GET, "/api/v1/resources", None, Vec::new()).await.done(200);
}

#[tokio::test]
async fn a_sign_in_outlasts_the_cookies_of_one_that_has_ended() {
    let app = App::with(Setup { settings: https(), ..Setup::default() }).await;
    let account = app.account("mia", Role::Member).await;
    let (access, refresh) = tokens(&app).await;
    app.anon().bearer(&access).post("/api/v1/auth/logout", json!(null)).await.done(204);
    let stale = app.anon().header("cookie", &format!("__Host-upshelf-refresh={refresh}"));
    let form = format!("login={}&password={PASSWORD}", account.username).into_bytes();
    let own = stale.header("sec-fetch-site", "same-origin");
    let reply = own.send(Method::POST, "/sign-in", Some("application/x-www-form-urlencoded"), form).await;
    assert_eq!(reply.status.as_u16(), 303, "{reply}");
    let lines: Vec<_> = reply.headers.get_all("set-cookie").iter().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().all(|line| !line.to_str().expect("text").contains("Max-Age=0")), "{lines:?}");
}
