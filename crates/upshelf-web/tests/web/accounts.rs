//! Accounts, sign-in, sessions, as `security.md` asks for them.

use serde_json::{Value, json};
use upshelf_store::Role;
use upshelf_throttle::{Mode, Rate};
use upshelf_web::Settings;

use crate::app::{App, PASSWORD, SET_UP_CODE, Setup};

fn registration(name: &str) -> Value {
    json!({"username": name, "email": format!("{name}@example.org"), "password": PASSWORD})
}

fn token(signed_in: &Value) -> String {
    signed_in["access_token"].as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn somebody_registers_signs_in_refreshes_and_signs_out() {
    let app = App::open().await;
    let made = app.anon().post("/api/v1/auth/register", registration("mia")).await;
    assert_eq!(made.header("cache-control"), "no-store");
    let made = made.done(201);
    assert_eq!(made["member"]["username"], "mia");
    assert_eq!(made["member"]["role"], "member");
    assert!(made["member"].get("password_hash").is_none());
    let login = json!({"login": "mia@example.org", "password": PASSWORD});
    let signed_in = app.anon().post("/api/v1/auth/login", login).await.done(200);
    let mia = app.anon().bearer(&token(&signed_in));
    assert_eq!(mia.get("/api/v1/auth/me").await.done(200)["username"], "mia");
    let refresh = json!({"refresh_token": signed_in["refresh_token"]});
    let refreshed = app.anon().post("/api/v1/auth/refresh", refresh.clone()).await.done(200);
    assert_ne!(refreshed["refresh_token"], signed_in["refresh_token"]);
    app.hand.advance(std::time::Duration::from_secs(31));
    app.anon().post("/api/v1/auth/refresh", refresh).await.refused(401, "token_reused");
    mia.get("/api/v1/auth/me").await.refused(401, "session_ended");
    let told = app.anon().bearer(&token(&made)).get("/api/v1/notifications").await.done(200);
    assert_eq!(told["items"][0]["kind"], "security", "a member is told of a copied token: {told}");
    let again = app.anon().bearer(&token(&made));
    again.post("/api/v1/auth/logout", json!(null)).await.done(204);
    again.get("/api/v1/auth/me").await.refused(401, "session_ended");
}

#[tokio::test]
async fn what_is_wrong_with_an_account_is_told_for_every_field_at_once() {
    let app = App::open().await;
    let bad = json!({"username": "a", "email": "nowhere", "password": "short"});
    let refused = app.anon().post("/api/v1/auth/register", bad).await;
    refused.refused(422, "invalid");
    let errors = refused.json()["errors"].clone();
    let mut fields: Vec<&str> =
        errors.as_array().expect("a list").iter().filter_map(|error| error["field"].as_str()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["email", "password", "username"]);
    app.anon().post("/api/v1/auth/register", registration("mia")).await.done(201);
    let mut again = registration("MIA");
    app.anon().post("/api/v1/auth/register", again.clone()).await.refused(409, "email_taken");
    again["email"] = json!("other@example.org");
    app.anon().post("/api/v1/auth/register", again).await.refused(409, "username_taken");
}

#[tokio::test]
async fn an_unknown_member_and_a_wrong_password_are_answered_alike() {
    let app = App::open().await;
    app.account("mia", Role::Member).await;
    let attempt = async |login: &str| {
        let reply = app
            .anon()
            .post("/api/v1/auth/login", json!({"login": login, "password": "wrong-password-1"}))
            .await;
        let mut body = reply.json();
        body.as_object_mut().expect("a problem").remove("request_id");
        (reply.status, body)
    };
    assert_eq!(attempt("mia").await, attempt("nobody").await);
    assert_eq!(attempt("mia").await.1["code"], "login_failed");
}

#[tokio::test]
async fn six_sign_ins_a_minute_come_through_from_one_address() {
    let app = App::with(Setup { limits: Mode::On, ..Setup::default() }).await;
    let login = json!({"login": "mia", "password": "wrong-password-1"});
    for _ in 0..6 {
        let reply = app.anon().post("/api/v1/auth/login", login.clone()).await;
        reply.refused(401, "login_failed");
        assert!(
            reply.header("ratelimit-policy").starts_with(r#""login";q=6;w=60, "login-hour";q=30;w=3600"#)
        );
    }
    let refused = app.anon().post("/api/v1/auth/login", login).await;
    refused.refused(429, "too_many_requests");
    assert!(refused.header("retry-after").parse::<u32>().is_ok_and(|seconds| (1..=60).contains(&seconds)));
    assert!(refused.header("ratelimit").starts_with(r#""login";r=0"#), "{}", refused.header("ratelimit"));
}

#[tokio::test]
async fn many_failures_slow_an_account_down_and_lock_nobody_out() {
    let mut settings = Settings { slow_down: std::time::Duration::from_millis(80), ..Settings::default() };
    settings.limits.set("login-account", Rate::per_hour(1)).expect("a rate");
    settings.limits.set("login", Rate::per_second(1_000)).expect("a rate");
    settings.limits.set("login-hour", Rate::per_hour(1_000_000)).expect("a rate");
    let app = App::with(Setup { limits: Mode::On, settings, ..Setup::default() }).await;
    app.account("mia", Role::Member).await;
    let attempt = async |password: &str| {
        let started = tokio::time::Instant::now();
        let reply =
            app.anon().post("/api/v1/auth/login", json!({"login": "mia", "password": password})).await;
        (reply.status.as_u16(), started.elapsed().as_millis() >= 80)
    };
    assert_eq!(attempt("wrong-password-1").await.0, 401);
    assert_eq!(attempt("wrong-password-2").await, (401, true));
    assert_eq!(attempt(PASSWORD).await, (200, true));
    assert_eq!(attempt(PASSWORD).await.0, 200);
}

#[tokio::test]
async fn the_set_up_code_works_once_and_only_until_there_is_an_admin() {
    let app = App::open().await;
    let set_up = |code: &str, name: &str| {
        let mut body = registration(name);
        body["code"] = json!(code);
        body
    };
    app.anon().post("/api/v1/setup", set_up("guess", "eve")).await.refused(403, "set_up");
    let (one, other) = (app.anon(), app.anon());
    let (one, other) = tokio::join!(
        one.post("/api/v1/setup", set_up(SET_UP_CODE, "ada")),
        other.post("/api/v1/setup", set_up(SET_UP_CODE, "bob"))
    );
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 403]);
    app.anon().post("/api/v1/setup", set_up(SET_UP_CODE, "eve")).await.refused(403, "set_up");
    let admins = app.web.catalog().members(&upshelf_store::PageRequest::first(10)).await.expect("members");
    assert_eq!(admins.items.iter().filter(|member| member.role == Role::Admin).count(), 1);
}

#[tokio::test]
async fn a_member_sees_and_ends_their_own_devices() {
    let app = App::open().await;
    let account = app.account("mia", Role::Member).await;
    let (phone, laptop) = (app.signed_in(&account).await, app.signed_in(&account).await);
    let open = laptop.get("/api/v1/auth/sessions").await.done(200);
    let other = open["items"].as_array().expect("a list").iter().find(|session| session["current"] == false);
    let id = other.expect("the phone")["id"].as_str().expect("an id");
    laptop.delete(&format!("/api/v1/auth/sessions/{id}")).await.done(204);
    phone.get("/api/v1/auth/me").await.refused(401, "session_ended");
    laptop.get("/api/v1/auth/me").await.done(200);
    laptop.post("/api/v1/auth/logout-all", json!(null)).await.done(204);
    laptop.get("/api/v1/auth/me").await.refused(401, "session_ended");
}

#[tokio::test]
async fn a_new_password_ends_every_other_session() {
    let app = App::open().await;
    let account = app.account("mia", Role::Member).await;
    let (phone, laptop) = (app.signed_in(&account).await, app.signed_in(&account).await);
    let change = |current: &str| json!({"current_password": current, "new_password": "quartz-lantern-7"});
    laptop.post("/api/v1/auth/password", change("not-the-password")).await.refused(403, "wrong_password");
    laptop.post("/api/v1/auth/password", change(PASSWORD)).await.done(204);
    laptop.get("/api/v1/auth/me").await.done(200);
    phone.get("/api/v1/auth/me").await.refused(401, "session_ended");
    let login = |password: &str| json!({"login": "mia", "password": password});
    app.anon().post("/api/v1/auth/login", login(PASSWORD)).await.refused(401, "login_failed");
    app.anon().post("/api/v1/auth/login", login("quartz-lantern-7")).await.done(200);
}

#[tokio::test]
async fn no_token_and_no_password_stands_in_the_database() {
    let app = App::open().await;
    let once = |name: &str| app.anon().header("idempotency-key", name);
    let made = once("one").post("/api/v1/auth/register", registration("mia")).await.done(201);
    let login = json!({"login": "mia", "password": PASSWORD});
    let signed_in = once("two").post("/api/v1/auth/login", login).await.done(200);
    let admin = app.officer("ada", Role::Admin).await.header("idempotency-key", "three");
    let key = admin.post("/api/v1/admin/api-keys", json!({"name": "a", "scopes": ["read"]})).await.done(201);
    let secrets = [
        &made["access_token"],
        &made["refresh_token"],
        &signed_in["access_token"],
        &signed_in["refresh_token"],
        &key["token"],
        &json!(PASSWORD),
    ];
    let files = std::fs::read_dir(app.folder.path()).expect("the folder is there");
    let bytes: Vec<u8> =
        files.flat_map(|file| std::fs::read(file.expect("a file").path()).expect("its bytes")).collect();
    assert!(
        bytes.windows(15).any(|window| window == b"mia@example.org"),
        "the database is not where it was looked for"
    );
    for secret in secrets {
        let secret = secret.as_str().expect("a secret").as_bytes();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret), "a secret is kept in clear");
    }
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    let app = App::open().await;
    let account = app.account("mia", Role::Member).await;
    app.signed_in(&account).await.get("/api/v1/auth/me").await.done(200);
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.eyJzdWIiOiIwIn0.";
    for token in [none, "x", "a.b.c", "rt1.x.y", &"a".repeat(5_000)] {
        app.anon().bearer(token).get("/api/v1/auth/me").await.refused(401, "token_invalid");
        app.anon().bearer(token).get("/api/v1/resources").await.refused(401, "token_invalid");
    }
    for header in ["Basic bWlhOnB3", "Bearer", "", "Bearer \u{fc}"] {
        app.anon().header("authorization", header).get("/api/v1/auth/me").await.refused(401, "token_invalid");
    }
    let keys = app.anon().get("/.well-known/jwks.json").await.done(200);
    assert_eq!(keys["keys"][0]["kty"], "OKP");
    assert!(keys["keys"].as_array().expect("keys").iter().all(|key| key.get("d").is_none()));
}
