//! The site as a browser without scripts uses it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{Method, Request, StatusCode, header};
use axum::routing::get;
use serde_json::json;
use tower::ServiceExt;
use upshelf_store::Role;
use upshelf_throttle::Mode;
use url::form_urlencoded;

use crate::app::{App, PASSWORD, SET_UP_CODE, Setup};

/// A browser with scripts turned off: it keeps cookies and says where a form was sent from.
struct Browser<'a> {
    app: &'a App,
    cookies: BTreeMap<String, String>,
    referer: String,
}

/// A page, or where to go instead.
struct Seen {
    status: StatusCode,
    to: String,
    html: String,
    headers: axum::http::HeaderMap,
}

impl<'a> Browser<'a> {
    fn new(app: &'a App) -> Browser<'a> {
        Browser { app, cookies: BTreeMap::new(), referer: String::new() }
    }

    /// Signs a member in by the form.
    async fn of(app: &'a App, name: &str) -> Browser<'a> {
        let mut browser = Browser::new(app);
        browser.submit("/sign-in", &[("login", name), ("password", PASSWORD)]).await.goes("/?done=signed-in");
        browser
    }

    async fn get(&mut self, path: &str) -> Seen {
        self.referer = format!("http://shelf.example{path}");
        self.send(Method::GET, path, None, Vec::new()).await
    }

    async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Seen {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send(Method::POST, path, Some("application/x-www-form-urlencoded"), body.into_bytes()).await
    }

    async fn upload(&mut self, path: &str, fields: &[(&str, &str)], file: Option<(&str, &[u8])>) -> Seen {
        let mut body = Vec::new();
        for (name, value) in fields {
            body.extend(
                format!("--edge\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
                    .bytes(),
            );
        }
        if let Some((name, bytes)) = file {
            let head = format!(
                "--edge\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n"
            );
            body.extend(head.bytes().chain(bytes.iter().copied()).chain(*b"\r\n"));
        }
        body.extend(b"--edge--\r\n");
        self.send(Method::POST, path, Some("multipart/form-data; boundary=edge"), body).await
    }

    async fn send(&mut self, method: Method, path: &str, kind: Option<&str>, body: Vec<u8>) -> Seen {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "shelf.example")
            .header(header::ACCEPT, "text/html,application/xhtml+xml")
            .header(header::COOKIE, cookies.join("; "))
            .header(header::REFERER, &self.referer)
            .header("sec-fetch-site", "same-origin");
        if let Some(kind) = kind {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let mut request = request.body(Body::from(body)).expect("a request");
        let peer: SocketAddr = "192.0.2.1:4711".parse().expect("an address");
        request.extensions_mut().insert(ConnectInfo(peer));
        let reply = self.app.router.clone().oneshot(request).await.expect("a router never fails");
        let (parts, body) = reply.into_parts();
        for line in parts.headers.get_all(header::SET_COOKIE) {
            let line = line.to_str().expect("a cookie is text");
            let (name, rest) = line.split_once('=').expect("a cookie has a name");
            match rest.split(';').next().unwrap_or_default() {
                "" => self.cookies.remove(name),
                value => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        let body = to_bytes(body, usize::MAX).await.expect("the reply comes to its end");
        let to = parts.headers.get(header::LOCATION).map_or("", |to| to.to_str().expect("a path")).to_owned();
        let html = String::from_utf8_lossy(&body).into_owned();
        Seen { status: parts.status, to, html, headers: parts.headers }
    }
}

impl Seen {
    /// Expects a page of this status.
    #[track_caller]
    fn page(self, status: u16) -> String {
        assert_eq!(self.status.as_u16(), status, "to {:?}: {}", self.to, self.html);
        let kind = self.headers.get(header::CONTENT_TYPE).map(|kind| kind.to_str().expect("text"));
        assert_eq!(kind, Some("text/html; charset=utf-8"));
        self.html
    }

    /// Expects to be sent to another page after a form.
    #[track_caller]
    fn goes(self, to: &str) {
        assert_eq!((self.status.as_u16(), self.to.as_str()), (303, to), "{}", self.html);
    }
}

#[track_caller]
fn holds(html: &str, parts: &[&str]) {
    for part in parts {
        assert!(html.contains(part), "{part:?} is missing in {html}");
    }
}

/// The piece of `text` between two others.
#[track_caller]
fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("{before:?} is missing in {text}")).1;
    rest.split_once(after).unwrap_or_else(|| panic!("{after:?} is missing after {before:?}")).0
}

/// A new open suggestion by the API; gives its id.
async fn suggested(app: &App, author: &str, title: &str) -> String {
    let category = app.anon().get("/api/v1/categories").await.json()["items"][0]["id"].clone();
    let body = json!({
        "kind": "add",
        "changes": {"url": format!("https://{}.example.org", title.to_lowercase()), "title": title, "category_ids": [category]},
    });
    let made = app.member(author).await.post("/api/v1/suggestions", body).await.done(201);
    made["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_new_site_asks_for_its_code_then_for_a_list_and_then_it_is_a_library() {
    let app = App::open().await;
    let mut ada = Browser::new(&app);
    holds(&ada.get("/").await.page(200), &["action=\"/set-up\"", "Set-up code"]);
    let account = [("username", "ada"), ("email", "ada@example.org"), ("password", PASSWORD)];
    let with_code = |code| [&[("code", code)][..], &account].concat();
    let again = ada.submit("/set-up", &with_code("guess")).await.page(403);
    holds(&again, &["id=\"fault-code\"", "value=\"ada@example.org\"", "aria-invalid=\"true\""]);
    assert!(!again.contains(PASSWORD), "a password never comes back");
    ada.submit("/set-up", &with_code(SET_UP_CODE)).await.goes("/import");
    holds(&ada.get("/").await.page(200), &["The shelf is empty", "href=\"/import\""]);
    holds(&ada.get("/import").await.page(200), &["type=\"file\"", "<textarea"]);

    // Line ends as a text area would not keep them.
    let list = b"# Weaving\r\n\r\n## Looms\r\n\r\n- [Jacquard](https://jacquard.example.org) - Cards & patterns.\r\n- no link\r\n";
    let preview =
        ada.upload("/import/preview", &[("format", ""), ("text", "")], Some(("README.md", list))).await;
    let preview = preview.page(200);
    holds(&preview, &["<b>1</b> added", "<b>1</b> skipped", "no link", "Jacquard"]);
    holds(&ada.get("/").await.page(200), &["The shelf is empty"]);
    let encoded = between(&preview, "name=\"encoded\" value=\"", "\"");
    ada.upload("/import", &[("encoded", encoded), ("file_name", "README.md")], None)
        .await
        .goes("/?done=imported");
    let home = ada.get("/?done=imported").await.page(200);
    holds(
        &home,
        &["Jacquard", "Cards &amp; patterns.", "The list is on the shelf.", "href=\"/categories/looms\""],
    );
    let export = ada.get("/export?format=markdown").await;
    assert_eq!(export.html.as_bytes(), list, "the list comes out as it went in");
    holds(&ada.get("/categories/looms").await.page(200), &["aria-current=\"page\">Looms", "Jacquard"]);
    holds(&ada.get("/search?q=jaquard").await.page(200), &["Jacquard"]);
    let empty = ada.upload("/import/preview", &[("text", " ")], None).await;
    holds(&empty.page(422), &["id=\"fault-file\""]);
}

#[tokio::test]
async fn somebody_joins_signs_out_and_in_and_ends_where_they_wanted_to_go() {
    let app = App::open().await;
    app.account("ada", Role::Admin).await;
    let mut mia = Browser::new(&app);
    mia.get("/settings").await.goes("/sign-in?next=%2Fsettings");
    let bad =
        mia.submit("/register", &[("username", "a"), ("email", "nowhere"), ("password", "short")]).await;
    holds(&bad.page(422), &["id=\"fault-username\"", "id=\"fault-email\"", "id=\"fault-password\""]);
    let account =
        [("username", "mia"), ("email", "mia@example.org"), ("password", PASSWORD), ("next", "/settings")];
    mia.submit("/register", &account).await.goes("/settings?done=registered");
    holds(&mia.get("/settings").await.page(200), &["this one"]);
    let same_name = [("username", "MIA"), ("email", "other@example.org"), ("password", PASSWORD)];
    let taken = Browser::new(&app).submit("/register", &same_name).await.page(409);
    holds(&taken, &["id=\"fault-username\""]);
    mia.submit("/sign-out", &[]).await.goes("/?done=signed-out");
    assert!(mia.cookies.is_empty(), "{:?}", mia.cookies);
    mia.get("/settings").await.goes("/sign-in?next=%2Fsettings");
    let wrong = mia.submit("/sign-in", &[("login", "mia"), ("password", "not-the-password")]).await.page(401);
    holds(&wrong, &["role=\"alert\"", "value=\"mia\""]);
    let login = [("login", "mia"), ("password", PASSWORD)];
    for (wanted, to) in [
        ("/log", "/log"),
        ("//evil.example", "/?done=signed-in"),
        ("https://evil.example", "/?done=signed-in"),
    ] {
        mia.submit("/sign-in", &[&login[..], &[("next", wanted)]].concat()).await.goes(to);
    }
}

#[tokio::test]
async fn a_vote_needs_no_script_and_comes_back_to_where_it_was_cast() {
    let app = App::open().await;
    app.account("ada", Role::Admin).await;
    app.shelve().await;
    let id = suggested(&app, "mia", "Drawloom").await;
    app.account("tom", Role::Member).await;
    let vote = format!("/suggestions/{id}/vote");
    let back = format!("/suggestions?sort=new#s-{id}");
    let form = |value| [("value", value), ("back", back.as_str())];

    let mut stranger = Browser::new(&app);
    stranger.get("/suggestions?sort=new").await.page(200);
    stranger.submit(&vote, &form("1")).await.goes("/sign-in?next=%2Fsuggestions%3Fsort%3Dnew");

    let mut tom = Browser::of(&app, "tom").await;
    tom.submit(&vote, &form("1")).await.goes(&format!("/suggestions?sort=new&done=voted#s-{id}"));
    let page = tom.get(&format!("/suggestions/{id}?done=voted")).await.page(200);
    holds(&page, &["Your vote counts", "value=\"0\" aria-pressed=\"true\"", "1 for, 0 against"]);
    tom.submit(&vote, &form("-1")).await.goes(&format!("/suggestions?sort=new&done=voted#s-{id}"));
    holds(&tom.get(&format!("/suggestions/{id}")).await.page(200), &["0 for, 1 against"]);
    tom.submit(&vote, &form("0")).await.goes(&format!("/suggestions?sort=new&done=retracted#s-{id}"));
    tom.submit(&vote, &form("2")).await.page(422);
    tom.submit(&vote, &[("value", "1"), ("back", "//evil.example")]).await.goes("/?done=voted");

    let mut mia = Browser::of(&app, "mia").await;
    holds(
        &mia.get(&format!("/suggestions/{id}")).await.page(200),
        &["disabled title=\"Nobody votes on their own"],
    );
    mia.submit(&vote, &form("1")).await.goes(&format!("/suggestions?sort=new&done=own#s-{id}"));
    mia.submit(&format!("/suggestions/{id}/withdraw"), &[])
        .await
        .goes(&format!("/suggestions/{id}?done=withdrawn"));
    tom.submit(&vote, &form("1")).await.goes(&format!("/suggestions/{id}?done=closed"));
    holds(&tom.get(&format!("/suggestions/{id}?done=closed")).await.page(200), &["came too late"]);
}

#[tokio::test]
async fn a_member_suggests_and_a_curator_decides() {
    let app = App::open().await;
    app.account("ada", Role::Admin).await;
    app.account("cleo", Role::Curator).await;
    app.account("mia", Role::Member).await;
    let jacquard = app.shelve().await.remove(0);
    let mut mia = Browser::of(&app, "mia").await;
    let blank = mia.get("/suggest?url=https%3A%2F%2Fdrawloom.example.org").await.page(200);
    holds(&blank, &["value=\"https://drawloom.example.org\"", ">Looms</option>"]);
    let looms = between(&blank, "Choose …</option><option value=\"", "\"").to_owned();
    let bad = mia
        .submit("/suggest", &[("url", "javascript:alert(1)"), ("title", ""), ("category_ids", &looms)])
        .await;
    holds(
        &bad.page(422),
        &["id=\"fault-url\"", "id=\"fault-title\"", "value=\"javascript:alert(1)\"", " selected>"],
    );
    let twice = [("url", "https://jacquard.example.org/"), ("title", "Again"), ("category_ids", &looms)];
    holds(&mia.submit("/suggest", &twice).await.page(409), &["id=\"fault-url\"", "on the shelf already"]);

    let before = mia.get(&format!("/resources/{jacquard}/edit")).await.page(200);
    let version = between(&before, "name=\"base_version\" value=\"", "\"").to_owned();
    let edit = [
        ("base_version", version.as_str()),
        ("title", "Jacquard"),
        ("url", "https://jacquard.example.org"),
        ("description", "Patterns from paper cards."),
        ("tags", ""),
        ("reason", "It is *paper*."),
    ];
    let seen = mia.submit(&format!("/resources/{jacquard}/edit"), &edit).await;
    let place = seen.to.split('?').next().unwrap_or_default().to_owned();
    seen.goes(&format!("{place}?done=suggested"));
    let page = mia.get(&place).await.page(200);
    holds(&page, &["<del>punched </del>", "<ins>paper </ins>", "It is <em>paper</em>.", "Take it back"]);
    assert!(!page.contains("Curators decide"));
    mia.submit(&format!("{place}/approve"), &[]).await.page(403);
    mia.submit(&format!("{place}/comments"), &[("body", " ")]).await.page(422);

    let mut cleo = Browser::of(&app, "cleo").await;
    let said = cleo.submit(&format!("{place}/comments"), &[("body", "**Good** find")]).await;
    assert!(said.to.starts_with(&format!("{place}?done=commented#c-")), "{}", said.to);
    let page = cleo.get(&place).await.page(200);
    holds(&page, &["<strong>Good</strong> find", "Curators decide"]);
    holds(
        &cleo.submit(&format!("{place}/reject"), &[("reason", "")]).await.page(422),
        &["id=\"fault-reason\""],
    );
    cleo.submit(&format!("{place}/approve"), &[]).await.goes(&format!("{place}?done=approved"));
    let resource = format!("/resources/{jacquard}");
    holds(&mia.get(&resource).await.page(200), &["Patterns from paper cards.", "version 2"]);
    mia.submit(&format!("{resource}/revert"), &[("to_version", "1"), ("reason", "No.")]).await.page(403);
    cleo.submit(&format!("{resource}/revert"), &[("to_version", "1"), ("reason", "No.")])
        .await
        .goes(&format!("{resource}?done=reverted"));
    holds(&mia.get(&resource).await.page(200), &["Patterns from punched cards.", "version 3"]);
    holds(
        &mia.get("/log").await.page(200),
        &["approved an edit", "went back to an earlier version", "“No.”"],
    );
}

#[tokio::test]
async fn a_collection_is_made_filled_and_seen_by_whom_it_is_for() {
    let app = App::open().await;
    app.account("ada", Role::Admin).await;
    app.account("mia", Role::Member).await;
    app.account("tom", Role::Member).await;
    let jacquard = app.shelve().await.remove(0);
    let (mut mia, mut tom) = (Browser::of(&app, "mia").await, Browser::of(&app, "tom").await);
    holds(&mia.submit("/collections", &[("title", "")]).await.page(422), &["id=\"fault-title\""]);
    let made = mia.submit("/collections", &[("title", "Old looms"), ("description", "For *me*.")]).await;
    let place = made.to.split('?').next().unwrap_or_default().to_owned();
    made.goes(&format!("{place}?done=saved"));
    let id = place.rsplit('/').next().unwrap_or_default();
    mia.submit(&format!("/resources/{jacquard}/collect"), &[("collection", id)])
        .await
        .goes(&format!("{place}?done=saved"));
    holds(&mia.get(&place).await.page(200), &["Jacquard", "For <em>me</em>.", "private"]);
    holds(&tom.get(&place).await.page(404), &["Not on this shelf"]);
    mia.submit(&place, &[("title", "Old looms"), ("description", ""), ("public", "yes")])
        .await
        .goes(&format!("{place}?done=saved"));
    let seen = tom.get(&place).await.page(200);
    assert!(seen.contains("Jacquard") && !seen.contains("Take out"), "{seen}");
    tom.submit(&format!("{place}/delete"), &[]).await.page(404);
    mia.submit(&format!("{place}/take"), &[("resource", &jacquard)])
        .await
        .goes(&format!("{place}?done=removed"));
    mia.submit(&format!("{place}/delete"), &[]).await.goes("/collections?done=removed");
}

#[tokio::test]
async fn settings_are_kept_and_a_new_password_signs_other_devices_out() {
    let app = App::open().await;
    app.account("ada", Role::Admin).await;
    app.account("mia", Role::Member).await;
    let (mut phone, mut laptop) = (Browser::of(&app, "mia").await, Browser::of(&app, "mia").await);
    let profile = [("display_name", "Mia M."), ("bio", "I *weave*.")];
    laptop.submit("/settings/profile", &profile).await.goes("/settings?done=saved");
    holds(&phone.get("/members/mia").await.page(200), &["Mia M.", "I <em>weave</em>."]);
    let wishes = [("inbox", "commented"), ("email-commented", "digest"), ("email-approved", "off")];
    laptop.submit("/settings/notices", &wishes).await.goes("/settings?done=saved");
    let page = laptop.get("/settings").await.page(200);
    holds(&page, &["value=\"commented\" aria-label=\"Inbox: Somebody commented\" checked"]);
    assert!(
        !page.contains("value=\"approved\" aria-label=\"Inbox: A suggestion was approved\" checked"),
        "{page}"
    );
    let change = |current| [("current_password", current), ("new_password", "quartz-lantern-7")];
    let wrong = laptop.submit("/settings/password", &change("not-the-password")).await.page(403);
    holds(&wrong, &["id=\"fault-current_password\""]);
    laptop.submit("/settings/password", &change(PASSWORD)).await.goes("/settings?done=password");
    phone.get("/settings").await.goes("/sign-in?next=%2Fsettings");
    laptop.get("/settings").await.page(200);
}

#[tokio::test]
async fn problems_are_pages_to_browsers_and_problems_to_programs() {
    let more = axum::Router::new().route("/broken", get(async || StatusCode::INTERNAL_SERVER_ERROR));
    let app = App::with(Setup { more, limits: Mode::On, ..Setup::default() }).await;
    app.account("ada", Role::Admin).await;
    app.account("mia", Role::Member).await;
    let mut mia = Browser::of(&app, "mia").await;
    holds(&mia.get("/nowhere").await.page(404), &["Not on this shelf", "mia"]);
    holds(&mia.get("/resources/no-id").await.page(404), &["Not on this shelf"]);
    holds(&mia.get("/admin").await.page(403), &["Not for you"]);
    holds(&mia.get("/broken").await.page(500), &["on our side"]);
    holds(&mia.get("/suggestions?cursor=x").await.page(422), &["That did not work"]);
    mia.submit("/suggest", &[("title", "a\0b")]).await.page(422);
    let evil = [("sec-fetch-site", "cross-site"), ("accept", "text/html")];
    let evil = evil.iter().fold(app.anon(), |actor, (name, value)| actor.header(name, value));
    evil.post("/sign-out", json!(null)).await.refused(403, "cross_site");
    app.anon().get("/nowhere").await.refused(404, "not_found");
    assert_eq!(mia.get("/api/v1/nowhere").await.headers["content-type"], "application/problem+json");
    let mut guesser = Browser::new(&app);
    for _ in 0..5 {
        guesser.submit("/sign-in", &[("login", "mia"), ("password", "not-the-password")]).await.page(401);
    }
    let slower = guesser.submit("/sign-in", &[("login", "mia"), ("password", "not-the-password")]).await;
    assert!(slower.headers.contains_key("retry-after"));
    holds(&slower.page(429), &["A little slower"]);
}

/// Every page there is, for somebody who may see them all.
async fn every_page(browser: &mut Browser<'_>, resource: &str, suggestion: &str) -> Vec<(String, String)> {
    let collection = browser
        .submit("/collections", &[("title", TORTURE), ("description", TORTURE), ("public", "yes")])
        .await;
    let collection = collection.to.split('?').next().unwrap_or_default().to_owned();
    let id = collection.rsplit('/').next().unwrap_or_default();
    browser.submit(&format!("/resources/{resource}/collect"), &[("collection", id)]).await;
    let profile = [("display_name", &TORTURE[..40]), ("bio", TORTURE)];
    browser.submit("/settings/profile", &profile).await.goes("/settings?done=saved");
    let paths = [
        "/",
        "/?sort=popular",
        "/rules",
        "/tags",
        "/tags/loom",
        "/categories/looms",
        "/log",
        "/notices",
        "/collections",
        "/suggestions",
        "/suggestions?status=rejected&kind=add&sort=new",
        "/suggest",
        "/import",
        "/settings",
        "/admin",
        "/admin/queues",
        "/admin/outbox",
        "/members/ada",
        "/sign-in",
        "/register",
        "/search?q=%3Cscript%3Ealert(1)",
        "/suggest?url=%22%3E%3Cscript%3E&title=%22%20onload=%22alert(1)",
        "/sign-in?next=%22%3E%3Cscript%3E",
        &collection,
    ]
    .map(str::to_owned);
    let named =
        ["", "/history", "/edit", "/move", "/remove"].map(|part| format!("/resources/{resource}{part}"));
    let mut pages = Vec::new();
    for path in paths.into_iter().chain(named).chain([format!("/suggestions/{suggestion}")]) {
        let html = browser.get(&path).await.page(200);
        pages.push((path, html));
    }
    pages
}

const TORTURE: &str = "<script>alert(1)</script><img src=x onerror=alert(1)> [a](javascript:alert(1)) [b](data:text/html,x) \" onload=\"alert(1) ' onfocus='x' {{7*7}}";

#[tokio::test]
async fn what_people_type_is_inert_on_every_page() {
    let app = App::open().await;
    app.account("ada", Role::Admin).await;
    app.shelve().await;
    let mut ada = Browser::of(&app, "ada").await;
    let blank = ada.get("/suggest").await.page(200);
    let looms = between(&blank, "Choose …</option><option value=\"", "\"").to_owned();
    let add = [
        ("url", "https://torture.example.org/?a=\"><script>alert(1)</script>"),
        ("title", TORTURE),
        ("description", TORTURE),
        ("category_ids", &looms),
        ("tags", "loom, <script>"),
        ("reason", TORTURE),
    ];
    let made = ada.submit("/suggest", &add).await;
    let add = made.to.split('?').next().unwrap_or_default().to_owned();
    ada.submit(&format!("{add}/comments"), &[("body", TORTURE)]).await;
    ada.submit(&format!("{add}/approve"), &[("reason", TORTURE)]).await.goes(&format!("{add}?done=approved"));
    let page = ada.get(&add).await.page(200);
    let resource = between(&page, "href=\"/resources/", "\"").to_owned();
    let version = between(
        &ada.get(&format!("/resources/{resource}/remove")).await.page(200),
        "base_version\" value=\"",
        "\"",
    )
    .to_owned();
    let remove = [("base_version", version.as_str()), ("reason", TORTURE)];
    let removal = ada.submit(&format!("/resources/{resource}/remove"), &remove).await;
    let removal =
        removal.to.split('?').next().unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned();
    ada.submit(&format!("/suggestions/{removal}/stop"), &[("reason", TORTURE)]).await;
    let mut pages = every_page(&mut ada, &resource, &removal).await;
    pages.push((add, page));
    let preview = ada
        .upload(
            "/import/preview",
            &[("text", &format!("# {TORTURE}\n\n## {TORTURE}\n\n- [x](https://a.example) - {TORTURE}\n"))],
            None,
        )
        .await;
    pages.push(("/import/preview".to_owned(), preview.page(200)));
    let mut seen = 0;
    for (path, html) in pages {
        seen += html.matches("&#60;script").count();
        for tag in tags(&html) {
            let name = tag.split([' ', '\n', '/']).find(|part| !part.is_empty()).unwrap_or_default();
            // The only script is a file of the site.
            let is_ours =
                tag == "/script" || tag.starts_with("script type=\"module\" src=\"/assets/scripts/");
            let is_foreign = !is_ours && name == "script";
            let runs = is_foreign || ["img", "iframe", "object", "style"].contains(&name);
            assert!(!runs, "{path} holds <{tag}>");
            for (attribute, value) in attributes(tag) {
                assert!(
                    !attribute.starts_with("on") && attribute != "style",
                    "{path}: {attribute} in <{tag}>"
                );
                if matches!(attribute.as_str(), "href" | "src" | "action" | "formaction") {
                    let is_safe = ["/", "http://", "https://", "mailto:", "#"]
                        .iter()
                        .any(|start| value.starts_with(start));
                    assert!(is_safe, "{path} leads to {value:?}");
                    let is_ours = value.starts_with(['/', '#']);
                    assert!(is_ours || tag.contains("rel=\"nofollow ugc noopener\""), "{path}: <{tag}>");
                }
            }
        }
    }
    assert!(seen > 30, "the texts stand on the pages, as text: {seen}");
}

/// What stands between `<` and `>`, quoted `>` aside.
fn tags(html: &str) -> Vec<&str> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let mut quote = false;
        let end = rest.find(|each: char| {
            quote ^= each == '"';
            each == '>' && !quote
        });
        let Some(end) = end else { break };
        tags.push(&rest[..end]);
        rest = &rest[end..];
    }
    tags
}

/// The attributes of a tag; all are written with double quotes, or without a value.
fn attributes(tag: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = tag.split_once([' ', '\n']).map_or("", |(_, rest)| rest);
    while let Some((before, after)) = rest.split_once("=\"") {
        let name = before.split_whitespace().last().unwrap_or_default().to_lowercase();
        found
            .extend(before.split_whitespace().rev().skip(1).map(|bare| (bare.to_lowercase(), String::new())));
        let (value, after) = after.split_once('"').unwrap_or((after, ""));
        found.push((name, value.to_owned()));
        rest = after;
    }
    found.extend(rest.split_whitespace().map(|bare| (bare.to_lowercase(), String::new())));
    found
}

#[tokio::test]
async fn every_page_is_built_the_way_that_readers_of_screens_need() {
    let app = App::open().await;
    app.account("ada", Role::Admin).await;
    let resource = app.shelve().await.remove(0);
    let suggestion = suggested(&app, "mia", "Drawloom").await;
    let mut ada = Browser::of(&app, "ada").await;
    for (path, html) in every_page(&mut ada, &resource, &suggestion).await {
        assert_eq!(html.matches("<h1").count(), 1, "{path} has one heading of its own");
        holds(&html, &["<html lang=\"en\">", "<main id=\"main\"", "class=\"skip\"", "name=\"viewport\""]);
        let mut ids = BTreeSet::new();
        let all: Vec<_> = tags(&html).into_iter().map(|tag| (tag, attributes(tag))).collect();
        let labels = all.iter().filter(|(tag, _)| tag.starts_with("label")).flat_map(|(_, list)| list);
        let labelled: Vec<&str> =
            labels.filter(|(name, _)| name == "for").map(|(_, value)| value.as_str()).collect();
        for (tag, list) in &all {
            let value =
                |wanted: &str| list.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
            if let Some(id) = value("id") {
                assert!(ids.insert(id.to_owned()), "{path}: two have the id {id}");
            }
            let is_field = ["input", "select", "textarea"].iter().any(|name| tag.starts_with(name));
            if is_field && !matches!(value("type"), Some("hidden" | "checkbox")) {
                let has_label =
                    value("aria-label").is_some() || value("id").is_some_and(|id| labelled.contains(&id));
                assert!(has_label, "{path}: nobody says what <{tag}> is");
            }
        }
    }
}

#[tokio::test]
async fn the_sites_own_files_are_kept_for_ever_under_a_name_of_their_content() {
    let app = App::open().await;
    let mut browser = Browser::new(&app);
    let home = browser.get("/").await.page(200);
    let css = between(&home, "<link rel=\"stylesheet\" href=\"", "\"").to_owned();
    let file = browser.get(&css).await;
    assert_eq!(file.status, StatusCode::OK);
    assert_eq!(file.headers["content-type"], "text/css; charset=utf-8");
    assert_eq!(file.headers["cache-control"], "public, max-age=31536000, immutable");
    let tag = file.headers["etag"].to_str().expect("text").to_owned();
    let again = app.anon().header("if-none-match", &tag).get(&css).await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    app.anon().get("/assets/site.css").await.refused(404, "not_found");
    assert_eq!(browser.get("/favicon.ico").await.headers["content-type"], "image/svg+xml");
}

#[tokio::test]
async fn scripts_find_each_other_under_a_name_of_the_content_of_all() {
    let app = App::open().await;
    let mut browser = Browser::new(&app);
    let home = browser.get("/").await.page(200);
    let script = between(&home, "<script type=\"module\" src=\"", "\"").to_owned();
    let folder = script.strip_suffix("live.js").expect("it is the pages' script");
    for path in ["live.js", "client/index.js", "client/live/socket.js"] {
        let file = browser.get(&format!("{folder}{path}")).await;
        assert_eq!(file.status, StatusCode::OK, "{path}");
        assert_eq!(file.headers["content-type"], "text/javascript; charset=utf-8");
        assert_eq!(file.headers["cache-control"], "public, max-age=31536000, immutable");
    }
    let needed: Vec<&str> = home.split("<link rel=\"modulepreload\" href=\"").skip(1).collect();
    let needed = needed.iter().map(|rest| rest.split('"').next().expect("it has an end"));
    let mut needed: Vec<String> = needed.map(str::to_owned).collect();
    for url in &needed {
        assert_eq!(browser.get(url).await.status, StatusCode::OK, "{url}");
    }
    needed.retain(|url| url.ends_with("/client/index.js") || url.ends_with("/client/live/socket.js"));
    assert_eq!(needed.len(), 2, "what is imported is named, and what that imports");
    let elsewhere = script.replacen("/assets/scripts/", "/assets/scripts/x", 1);
    app.anon().get(&elsewhere).await.refused(404, "not_found");
    app.anon().get(&format!("{folder}client/../live.js")).await.refused(404, "not_found");
}

/// Headings, landmarks and forms of a page, in their order.
fn outline(html: &str) -> String {
    let parts = tags(html).into_iter().filter_map(|tag| {
        let name = tag.split([' ', '\n']).next().unwrap_or_default();
        let shown =
            ["h1", "h2", "nav", "main", "aside", "article", "section", "form", "footer"].contains(&name);
        let told = attributes(tag).into_iter().find(|(name, _)| name == "action" || name == "aria-label");
        shown.then(|| told.map_or(name.to_owned(), |(_, value)| format!("{name} {value}")))
    });
    parts.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn the_front_page_has_its_parts_in_order() {
    let app = App::open().await;
    app.account("ada", Role::Admin).await;
    app.shelve().await;
    let id = suggested(&app, "mia", "Drawloom").await;
    let html = Browser::new(&app).get("/").await.page(200);
    insta::assert_snapshot!(outline(&html.replace(&id, "…")), @r"
    nav Site
    form /search
    main
    h1
    section
    h2
    aside
    h2
    article
    form /suggestions/…/vote
    form /suggest
    nav Categories
    h2
    footer
    ");
}

#[tokio::test]
async fn who_is_shut_out_on_the_page_has_no_session_left() {
    let app = App::open().await;
    app.account("ada", Role::Admin).await;
    let account = app.account("mia", Role::Member).await;
    let mia = app.signed_in(&account).await;
    mia.get("/api/v1/auth/me").await.done(200);
    let mut admin = Browser::of(&app, "ada").await;
    let path = format!("/admin/members/{}", account.id);
    for act in [&[("act", "ban"), ("reason", "Spam.")][..], &[("act", "unban")]] {
        admin.get("/admin").await.page(200);
        admin.submit(&path, act).await.goes("/admin?done=saved");
    }
    let after = mia.get("/api/v1/auth/me").await;
    assert_eq!(after.status.as_u16(), 401, "let in again, but signed out");
}
