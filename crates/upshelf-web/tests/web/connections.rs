//! Real connections: slow ones, too many of them, and closing.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use upshelf_web::{Settings, serve};

use crate::app::{App, Setup};

struct Open {
    address: SocketAddr,
    closing: CancellationToken,
    serving: JoinSet<std::io::Result<()>>,
}

async fn open(router: Router, settings: Settings) -> Open {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    let closing = CancellationToken::new();
    let mut serving = JoinSet::new();
    let until = closing.clone();
    serving.spawn(async move { serve(listener, router, &settings, until).await });
    Open { address, closing, serving }
}

async fn send(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("it connects");
    stream.write_all(text.as_bytes()).await.expect("it takes bytes");
    stream
}

/// Everything that comes until the other side ends; a deadline, because a hang is what is tested against.
async fn rest(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut text)).await;
    // A reset is an end, too.
    let _ = read.expect("the connection ends");
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn a_body_that_stops_coming_is_cut() {
    let settings = Settings { body_pause: Duration::from_millis(50), ..Settings::default() };
    let app = App::with(Setup { settings: settings.clone(), ..Setup::default() }).await;
    let open = open(app.router.clone(), settings).await;
    let head = "POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\
                connection: close\r\n\r\n{\"login\"";
    let reply = rest(send(open.address, head).await).await;
    assert!(reply.starts_with("HTTP/1.1 408"), "{reply}");
    assert!(reply.contains("body_too_slow"), "{reply}");
}

#[tokio::test]
async fn a_head_that_stops_coming_is_cut() {
    let app = App::open().await;
    let settings = Settings { head_time: Duration::from_millis(50), ..Settings::default() };
    let open = open(app.router.clone(), settings).await;
    let reply = rest(send(open.address, "GET /healthz HTTP/1.1\r\nhost:").await).await;
    assert!(!reply.starts_with("HTTP/1.1 200"), "{reply}");
}

#[tokio::test]
async fn a_head_that_never_ends_is_refused() {
    let app = App::open().await;
    let open = open(app.router.clone(), Settings::default()).await;
    let head = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "a".repeat(300_000));
    let reply = rest(send(open.address, &head).await).await;
    assert!(reply.is_empty() || reply.starts_with("HTTP/1.1 431"), "{reply}");
}

#[tokio::test]
async fn an_address_holds_only_so_many_connections() {
    let app = App::open().await;
    let settings = Settings { connections_per_ip: 2, ..Settings::default() };
    let open = open(app.router.clone(), settings).await;
    let ask = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = send(open.address, ask).await;
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.expect("an answer");
        assert_eq!(&first, b"HTTP/1.1 200");
        held.push(stream);
    }
    assert_eq!(rest(send(open.address, ask).await).await, "");
}

#[tokio::test]
async fn closing_lets_what_has_begun_come_to_its_end() {
    static BEGUN: Notify = Notify::const_new();
    static GO_ON: Notify = Notify::const_new();
    let slow = async || {
        BEGUN.notify_one();
        GO_ON.notified().await;
        "done"
    };
    let app = App::with(Setup { more: Router::new().route("/slow", get(slow)), ..Setup::default() }).await;
    let mut open = open(app.router.clone(), Settings::default()).await;
    let stream = send(open.address, "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    BEGUN.notified().await;
    open.closing.cancel();
    GO_ON.notify_one();
    let reply = rest(stream).await;
    assert!(reply.starts_with("HTTP/1.1 200") && reply.ends_with("done"), "{reply}");
    open.serving.join_next().await.expect("it was serving").expect("no panic").expect("no failure");
    assert!(TcpStream::connect(open.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_handler_that_panics_or_hangs_costs_one_request() {
    let panic = async || -> &'static str { panic!("on purpose") };
    let hang = async || std::future::pending::<&'static str>().await;
    let settings = Settings { request_time: Duration::from_millis(50), ..Settings::default() };
    let more = Router::new().route("/panic", get(panic)).route("/hang", get(hang));
    let app = App::with(Setup { more, settings, ..Setup::default() }).await;
    app.anon().get("/panic").await.refused(500, "internal");
    let hung = app.anon().get("/hang").await;
    hung.refused(503, "too_slow");
    assert_eq!(hung.header("retry-after"), "1");
    app.anon().get("/healthz").await.done(200);
}
