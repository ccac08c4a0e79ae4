//! A whole site in one process, and those who ask it.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use upshelf_bus::Bus;
use upshelf_cache::Cache;
use upshelf_catalog::{Catalog, ImportRequest, NewAccount, PasswordSettings, Services, cascade};
use upshelf_queue::{Pools, Queue};
use upshelf_session::{Device, Sessions};
use upshelf_store::{Clock, Member, Role, Store};
use upshelf_tally::Tally;
use upshelf_testkit::{HandClock, temp_dir};
use upshelf_throttle::{Mode, Throttle};
use upshelf_web::{Parts, Settings, Web, router_with};
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::Operation;

/// A good password for everybody.
pub(crate) const PASSWORD: &str = "fjord-anvil-93";
/// The code that makes the first admin.
pub(crate) const SET_UP_CODE: &str = "open-sesame";

const LIST: &str = "# Weaving

## Looms

- [Jacquard](https://jacquard.example.org) - Patterns from punched cards.
- [Spinning Jenny](https://jenny.example.org) - Eight spindles at once.

## Yarn

### Wool

- [Merino](https://merino.example.org) - Soft.
";

static DOCUMENT: LazyLock<OpenApi> = LazyLock::new(upshelf_web::openapi);

/// A site, and the folder that goes away with it.
pub(crate) struct App {
    pub(crate) web: Web,
    pub(crate) hand: HandClock,
    pub(crate) router: Router,
    pub(crate) folder: tempfile::TempDir,
}

/// How a site differs from the usual one.
pub(crate) struct Setup {
    pub(crate) limits: Mode,
    pub(crate) settings: Settings,
    pub(crate) more: Router<Web>,
}

impl Default for Setup {
    /// Without limits, which would get in the way of most tests.
    fn default() -> Setup {
        Setup { limits: Mode::Off, settings: Settings::default(), more: Router::new() }
    }
}

impl App {
    pub(crate) async fn open() -> App {
        App::with(Setup::default()).await
    }

    pub(crate) async fn with(setup: Setup) -> App {
        let folder = temp_dir();
        let store =
            Store::open(&Store::sqlite_url(&folder.path().join("upshelf.db"))).await.expect("it opens");
        let pools = match store.pools() {
            upshelf_store::Pools::Sqlite { write, read } => {
                Pools::Sqlite { write: write.clone(), read: read.clone() }
            }
            upshelf_store::Pools::Postgres(pool) => Pools::Postgres(pool.clone()),
        };
        let queue =
            Queue::local(pools, upshelf_queue::Settings::default()).expect("the defaults are in range");
        queue.migrate().await.expect("the queue's tables can be made");
        let hand = HandClock::default();
        let clock = Clock::from_fn({
            let hand = hand.clone();
            move || hand.now()
        });
        let tracker = TaskTracker::new();
        let services = Services {
            store: store.clone(),
            clock,
            tally: Tally::local(),
            bus: Bus::local(),
            cache: Cache::builder().cascade(cascade()).build(),
            queue,
            tracker: tracker.clone(),
        };
        let settings = upshelf_catalog::Settings {
            set_up_code: Some(SET_UP_CODE.to_owned()),
            passwords: PasswordSettings { memory: 64, passes: 1, ..PasswordSettings::default() },
            public_url: setup.settings.public_url.as_ref().map(ToString::to_string),
            ..upshelf_catalog::Settings::default()
        };
        let catalog = Catalog::open(services, settings);
        let sessions = Sessions::open(store, upshelf_session::Settings::default(), hand.now()).await;
        let parts = Parts {
            catalog,
            sessions: Arc::new(sessions.expect("the sessions open")),
            throttle: Arc::new(Throttle::local(setup.limits)),
            tracker,
            closing: CancellationToken::new(),
            shared: None,
        };
        let web = Web::new(parts, setup.settings);
        let router = router_with(web.clone(), setup.more);
        App { web, hand, router, folder }
    }

    /// Somebody who is not signed in.
    pub(crate) fn anon(&self) -> Actor<'_> {
        Actor { app: self, headers: HeaderMap::new() }
    }

    /// A new member who is signed in.
    pub(crate) async fn member(&self, name: &str) -> Actor<'_> {
        self.officer(name, Role::Member).await
    }

    /// A new member with a role who is signed in.
    pub(crate) async fn officer(&self, name: &str, role: Role) -> Actor<'_> {
        let member = self.account(name, role).await;
        self.signed_in(&member).await
    }

    /// A new account.
    pub(crate) async fn account(&self, name: &str, role: Role) -> Member {
        let account = NewAccount {
            username: name.to_owned(),
            email: format!("{name}@example.org"),
            password: PASSWORD.to_owned(),
        };
        self.web.catalog().create_member(account, role).await.expect("the name is free")
    }

    /// A new session of a member.
    pub(crate) async fn signed_in(&self, member: &Member) -> Actor<'_> {
        let tokens = self.web.sessions().start(member.id.0, &Device::default(), self.hand.now()).await;
        self.anon().bearer(tokens.expect("a session starts").access_token.expose_secret())
    }

    /// Puts three resources onto the shelf and gives their ids by name: Jacquard, Merino, Spinning Jenny.
    pub(crate) async fn shelve(&self) -> Vec<String> {
        let request = ImportRequest { list: Some("weaving".to_owned()), ..ImportRequest::default() };
        self.web.catalog().import(LIST.as_bytes().to_vec(), &request).await.expect("the list is good");
        let found = self.anon().get("/api/v1/resources?sort=name").await.json();
        let ids = found["items"].as_array().expect("a list").iter().map(|one| one["id"].as_str());
        ids.map(|id| id.expect("an id").to_owned()).collect()
    }
}

/// Somebody who asks.
#[derive(Clone)]
pub(crate) struct Actor<'a> {
    app: &'a App,
    headers: HeaderMap,
}

impl Actor<'_> {
    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header's value");
        self.headers.insert(HeaderName::from_static(name), value);
        self
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, None, Vec::new()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, None, Vec::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.json(Method::POST, path, body).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Reply {
        self.json(Method::PUT, path, body).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Reply {
        self.json(Method::PATCH, path, body).await
    }

    pub(crate) async fn json(&self, method: Method, path: &str, body: Value) -> Reply {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let kind = (!body.is_empty()).then_some("application/json");
        self.send(method, path, kind, body).await
    }

    /// Sends a request and holds the reply to what every reply has to be.
    pub(crate) async fn send(&self, method: Method, path: &str, kind: Option<&str>, body: Vec<u8>) -> Reply {
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = method.clone();
        *request.uri_mut() = path.parse().expect("a path");
        *request.headers_mut() = self.headers.clone();
        if let Some(kind) = kind {
            request
                .headers_mut()
                .insert(header::CONTENT_TYPE, HeaderValue::from_str(kind).expect("a media type"));
        }
        let peer: SocketAddr = "192.0.2.1:4711".parse().expect("an address");
        request.extensions_mut().insert(ConnectInfo(peer));
        let reply = self.app.router.clone().oneshot(request).await.expect("a router never fails");
        let (parts, body) = reply.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("the reply comes to its end").to_vec();
        let reply = Reply { status: parts.status, headers: parts.headers, body };
        reply.check(&method, path);
        reply
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self}"))
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's text; empty without it.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("the header is text"))
    }

    /// The status and, of a problem, its code.
    pub(crate) fn said(&self) -> (u16, String) {
        let code = match self.status.as_u16() {
            400.. => self.json()["code"].as_str().expect("a problem has a code").to_owned(),
            _ => String::new(),
        };
        (self.status.as_u16(), code)
    }

    /// Expects a problem of this status and code.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) {
        assert_eq!(self.said(), (status, code.to_owned()), "{self}");
    }

    /// Expects this status, and gives the body.
    #[track_caller]
    pub(crate) fn done(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{self}");
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    fn check(&self, method: &Method, path: &str) {
        assert!(self.headers.contains_key("x-request-id"), "{method} {path}: {self}");
        // What is answered again names the request that was answered first; readiness is no problem but a report.
        let is_report = self.headers.contains_key("idempotency-replayed") || path == "/readyz";
        if self.status.as_u16() >= 400 && !is_report {
            assert_eq!(self.header("content-type"), "application/problem+json", "{method} {path}: {self}");
            let problem = self.json();
            assert_eq!(problem["status"], self.status.as_u16(), "{method} {path}");
            assert_eq!(problem["request_id"], self.header("x-request-id"), "{method} {path}");
            assert!(problem["title"].is_string() && problem["detail"].is_string(), "{method} {path}: {self}");
        }
        if let Some((_, operation)) = operation(method, path) {
            let status = self.status.as_str();
            let told = operation.responses.responses.contains_key(status);
            assert!(told, "{method} {path} answers {status}, which the document does not say: {self}");
        }
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, self.text())
    }
}

/// Every operation of the document, with its method and path.
pub(crate) fn operations() -> impl Iterator<Item = (Method, &'static str, &'static Operation)> {
    DOCUMENT.paths.paths.iter().flat_map(|(path, item)| {
        let operations = [
            (Method::GET, &item.get),
            (Method::POST, &item.post),
            (Method::PUT, &item.put),
            (Method::PATCH, &item.patch),
            (Method::DELETE, &item.delete),
        ];
        let present =
            operations.into_iter().filter_map(|(method, one)| one.as_ref().map(|one| (method, one)));
        present.map(move |(method, operation)| (method, path.as_str(), operation))
    })
}

/// The operation that a request is for: a plain path goes before one with variable parts.
fn operation(method: &Method, path: &str) -> Option<(&'static str, &'static Operation)> {
    let path = path.split('?').next().unwrap_or_default();
    let fits = |template: &str| {
        let (asked, known) = (path.split('/'), template.split('/'));
        asked.clone().count() == known.clone().count()
            && asked.zip(known).all(|(asked, known)| known.starts_with('{') || asked == known)
    };
    let mut found: Vec<_> =
        operations().filter(|(one, template, _)| one == method && fits(template)).collect();
    found.sort_by_key(|(_, template, _)| template.matches('{').count());
    found.first().map(|(_, template, operation)| (*template, *operation))
}
