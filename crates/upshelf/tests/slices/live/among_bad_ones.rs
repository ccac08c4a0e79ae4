//! Those who do not read and those who talk nonsense, beside thousands who do neither.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::SinkExt as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use upshelf_testkit::free_port;

use super::crowd::{Crowd, Socket, end, hello, open};
use super::{PATIENCE, keeper, member};
use crate::client::Client;
use crate::site::{Engine, Site};

const GOOD: usize = 2_000;
/// So many do not read, and so many talk nonsense.
const BAD: usize = 200;
/// So many are watched until they read on.
const SOME: usize = 20;
/// How many suggestions are open: all of them are in the reply to `subscribe`.
const OPEN: usize = 200;
/// How often one who does not read asks for that reply: more than the system and the site hold for one connection.
const ASKED: usize = 250;
/// What may wait for one who does not read, and what it costs beside that.
const HELD: u64 = (1024 + 256) * 1024;

/// Asks and asks, and reads nothing.
async fn ask_on(mut socket: Socket) -> Socket {
    socket.feed(Message::text(hello(None))).await.expect("it is open");
    for n in 1..=ASKED {
        let leave = json!({ "id": 2 * n + 1, "unsubscribe": { "channel": "suggestions:votes" } });
        let come = json!({ "id": 2 * n + 2, "subscribe": { "channel": "suggestions:votes" } });
        socket.feed(Message::text(format!("{leave}\n{come}"))).await.expect("it is open");
    }
    socket.flush().await.expect("it takes what it is asked");
    socket
}

/// Talks nonsense of the `n`-th kind; gives how that ended, and how it should have.
async fn nonsense(at: SocketAddr, n: usize) -> (Option<u16>, u16) {
    let (message, code) = match n % 8 {
        0 => (Message::text("{"), 3501),
        1 => (Message::text("[]\n\u{0}"), 3501),
        2 => (Message::text("{\"id\":1e9}"), 3501),
        3 => (Message::text("{\"id\":1,\"subscribe\":{\"channel\":\"suggestions:votes\"}}"), 3501),
        4 => (Message::binary(vec![7; 1_000]), 3501),
        5 => (Message::text("x".repeat(64 * 1024 + 1)), 1009),
        6 => (Message::text("{\"id\":1,\"connect\":{\"token\":\"e30.e30.e30\"}}"), 3500),
        // What is no frame at all.
        _ => return (bytes(at, &[0xff; 64]).await, 1002),
    };
    let mut socket = open(at, None).await;
    socket.send(message).await.expect("it is open");
    (end(&mut socket).await, code)
}

/// Sends bytes behind the handshake; gives the code of the frame that ends it.
async fn bytes(at: SocketAddr, bytes: &[u8]) -> Option<u16> {
    let mut stream = TcpStream::connect(at).await.expect("the site listens");
    let request = format!(
        "GET /connection/websocket HTTP/1.1\r\nhost: {at}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("it is open");
    stream.write_all(bytes).await.expect("it is open");
    let mut answer = Vec::new();
    // A reset is an end, too.
    let ended = stream.read_to_end(&mut answer).await;
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let head = head.unwrap_or_else(|| panic!("no reply but {answer:?}, and {ended:?}"));
    match answer[head + 4..] {
        [0x88, _, first, second, ..] => Some(u16::from_be_bytes([first, second])),
        _ => panic!("no end in {answer:?}"),
    }
}

/// How many connections the site has closed with this code.
async fn closed(metrics: &mut Client, code: u16) -> usize {
    let text = metrics.ask("GET", "/metrics", None).await.text();
    let name = format!("upshelf_live_closes_total{{code=\"{code}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).unwrap_or(0)
}

/// A member who votes, each time when everybody has seen the vote before.
struct Voter<'a> {
    member: Client,
    path: String,
    crowd: &'a Crowd,
    version: u64,
}

impl Voter<'_> {
    async fn vote(&mut self) {
        self.version += 1;
        self.crowd.ask(self.version);
        let value = if self.version.is_multiple_of(2) { -1 } else { 1 };
        let vote = self.member.put(&self.path, json!({ "value": value })).await;
        assert_eq!(vote["version"], self.version);
        self.crowd.has(self.version).await;
    }

    /// Votes on for as long as something holds.
    async fn vote_while(&mut self, mut holds: impl AsyncFnMut() -> bool) {
        let all = async {
            while holds().await {
                self.vote().await;
            }
        };
        timeout(2 * PATIENCE, all).await.expect("all that do not read are given up");
    }

    /// Votes on until something else has ended.
    async fn vote_until<T: Send + 'static>(&mut self, end: impl Future<Output = T> + Send + 'static) -> T {
        let mut other = JoinSet::new();
        other.spawn(end);
        loop {
            self.vote().await;
            if let Some(ended) = other.try_join_next() {
                return ended.expect("it comes to its end");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_and_who_talks_nonsense_is_told_so_while_thousands_watch_on_in_bounded_memory() {
    let metrics_at = format!("127.0.0.1:{}", free_port());
    let settings = [
        ("UPSHELF_CONNECTIONS_PER_IP", "10000"),
        ("UPSHELF_METRICS_ADDR", metrics_at.as_str()),
        ("UPSHELF_LOG", "error"),
        // Without optimisations all of it takes long, for both sides.
        ("UPSHELF_LIVE_PONG", "60s"),
        ("UPSHELF_LIVE_GREETING", "60s"),
    ];
    let site = Site::start(Engine::Sqlite, &settings).await;
    let (mut keeper, _) = keeper(&site).await;
    let (member, _) = member(&site, "ada").await;
    let category = keeper.get("/api/v1/categories").await["items"][0]["id"].take();
    let mut suggestion = String::new();
    for n in 0..OPEN {
        let changes = json!({
            "url": format!("https://example.org/{n}"), "title": format!("Entry {n}"), "description": "Words.",
            "category_ids": [category],
        });
        let made = keeper.post("/api/v1/suggestions", json!({ "kind": "add", "changes": changes })).await;
        made["id"].as_str().expect("an id").clone_into(&mut suggestion);
    }
    let crowd = Crowd::gather(site.at(), &suggestion, GOOD).await;
    let mut metrics = Client::new(metrics_at.parse().expect("an address"), None);
    let path = format!("/api/v1/suggestions/{suggestion}/vote");
    let mut voter = Voter { member, path, crowd: &crowd, version: 0 };
    let (mut peaks, mut p99s, mut given_up) = (vec![site.peak_memory()], Vec::new(), 0);
    for _ in 0..2 {
        // For a while they are among themselves.
        for _ in 0..20 {
            voter.vote().await;
        }
        let alone = crowd.p99();
        let at = site.at();
        let come = async move {
            // They come one after the other, as far as they are heard, and stay together.
            let mut deaf_ones = JoinSet::new();
            for n in 0..BAD {
                deaf_ones.spawn(ask_on(open(at, Some(4 * 1024)).await));
                let (ended, expected) = timeout(PATIENCE, nonsense(at, n)).await.expect("it ends");
                assert_eq!(ended, Some(expected), "nonsense {}", n % 8);
            }
            deaf_ones.join_all().await
        };
        let mut deaf_ones = voter.vote_until(come).await;
        given_up += BAD;
        voter.vote_while(async || closed(&mut metrics, 3008).await < given_up).await;
        p99s.push((alone, crowd.p99()));
        peaks.push(site.peak_memory());
        // Some of those have not read for longer than they are waited for. These have just been given up.
        let fresh = deaf_ones.len();
        for _ in 0..SOME {
            deaf_ones.push(ask_on(open(at, Some(4 * 1024)).await).await);
        }
        given_up += SOME;
        voter.vote_while(async || closed(&mut metrics, 3008).await < given_up).await;
        for (n, socket) in deaf_ones.iter_mut().enumerate().rev() {
            let code = timeout(PATIENCE, end(socket)).await.expect("it ends");
            assert!(
                code == Some(3008) || (n < fresh && code.is_none()),
                "{code:?}: they find out why, once they read"
            );
        }
        crowd.is_well();
    }
    println!(
        "p99 of {GOOD} good ones, alone and beside {BAD} + {BAD} bad ones: {p99s:?}; peaks of memory: {peaks:?}"
    );
    let [before, first, second] = peaks[..] else { panic!("two rounds") };
    assert!(first - before < BAD as u64 * HELD, "{peaks:?}");
    assert!(second - first < BAD as u64 * HELD / 4, "what they cost once is not paid twice: {peaks:?}");
    assert!(p99s.iter().all(|(_, beside)| *beside < Duration::from_secs(15)), "{p99s:?}");
}
