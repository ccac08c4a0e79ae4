//! Many who watch the votes of one suggestion, each over a socket of its own.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use upshelf_testkit::wait_until;

use super::PATIENCE;

pub(super) type Socket = WebSocketStream<TcpStream>;

/// Opens a socket at a site; `receives` is how much the system may hold for it, where that is to be little.
pub(super) async fn open(at: SocketAddr, receives: Option<u32>) -> Socket {
    open_as(None, at, receives).await
}

/// Opens one for whoever holds a token.
pub(super) async fn open_as(token: Option<&str>, at: SocketAddr, receives: Option<u32>) -> Socket {
    let socket = TcpSocket::new_v4().expect("a socket can be had");
    if let Some(receives) = receives {
        socket.set_recv_buffer_size(receives).expect("it can be small");
    }
    let stream = socket.connect(at).await.expect("the site listens");
    stream.set_nodelay(true).expect("it is TCP");
    // Thousands of them share this process.
    let config = WebSocketConfig::default().read_buffer_size(2 * 1024);
    let url = format!("ws://{at}/connection/websocket");
    let mut request = url.into_client_request().expect("it is an address");
    if let Some(token) = token {
        let bearer = format!("Bearer {token}").parse().expect("tokens are plain");
        request.headers_mut().insert("authorization", bearer);
    }
    let upgraded = tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await;
    upgraded.expect("it upgrades").0
}

/// Says something, and gives the lines that come until one is the reply to it.
pub(super) async fn ask(socket: &mut Socket, command: Value) -> Value {
    socket.send(Message::text(command.to_string())).await.expect("it is open");
    until(socket, |line| line["id"] == command["id"]).await
}

/// Waits for a line.
pub(super) async fn until(socket: &mut Socket, is_meant: impl Fn(&Value) -> bool) -> Value {
    loop {
        let message = timeout(PATIENCE, socket.next()).await.expect("it does not fall silent");
        let message = message.expect("it stays open").expect("it stays open");
        let text = message.into_text().expect("it is text");
        let line =
            |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("no JSON ({e}): {line}"));
        if let Some(line) = text.lines().map(line).find(&is_meant) {
            return line;
        }
    }
}

/// What comes in with one message, and begins to watch.
pub(super) fn hello(suggestion: Option<&str>) -> String {
    let filter = suggestion.map(|id| format!(",\"data\":{{\"filter\":[\"{id}\"]}}")).unwrap_or_default();
    format!(
        "{{\"id\":1,\"connect\":{{}}}}\n{{\"id\":2,\"subscribe\":{{\"channel\":\"suggestions:votes\"{filter}}}}}"
    )
}

/// Reads to the end, and gives the code that it ended with.
pub(super) async fn end(socket: &mut Socket) -> Option<u16> {
    while let Some(message) = socket.next().await {
        match message {
            Ok(Message::Close(frame)) => return frame.map(|frame| frame.code.into()),
            Ok(_) => {}
            Err(_) => return None,
        }
    }
    None
}

/// All of them; they end with this value.
pub(super) struct Crowd {
    seen: Arc<Seen>,
    _watchers: JoinSet<()>,
}

#[derive(Default)]
struct Seen {
    /// The newest version that each has.
    newest: Vec<AtomicU64>,
    watching: AtomicUsize,
    /// The most messages that one of them was sent within a second.
    busiest: AtomicUsize,
    /// How often an older version came after a newer one.
    back: AtomicUsize,
    /// The codes of those who were closed.
    ended: Mutex<Vec<Option<u16>>>,
    /// Which version is to come, and when it was asked for.
    asked: Mutex<Option<(u64, Instant)>>,
    delays: Mutex<Vec<Duration>>,
}

impl Crowd {
    pub(super) async fn gather(at: SocketAddr, suggestion: &str, many: usize) -> Crowd {
        let newest = (0..many).map(|_| AtomicU64::new(0)).collect();
        let seen = Arc::new(Seen { newest, ..Seen::default() });
        let mut watchers = JoinSet::new();
        for number in 0..many {
            let mut socket = open(at, None).await;
            socket.send(Message::text(hello(Some(suggestion)))).await.expect("it is open");
            let seen = seen.clone();
            watchers.spawn(async move { seen.watch(number, socket).await });
        }
        wait_until("all watch", PATIENCE, async || seen.watching.load(Ordering::Relaxed) == many).await;
        Crowd { seen, _watchers: watchers }
    }

    /// Says that this version is asked for now.
    pub(super) fn ask(&self, version: u64) {
        *self.seen.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some((version, Instant::now()));
    }

    /// Waits until everybody has this version, and says how long it took.
    pub(super) async fn has(&self, version: u64) -> Duration {
        let begun = Instant::now();
        let has = |newest: &AtomicU64| newest.load(Ordering::Relaxed) >= version;
        let everybody = async || {
            self.is_well();
            self.seen.newest.iter().all(has)
        };
        wait_until("everybody has the last standing", PATIENCE, everybody).await;
        begun.elapsed()
    }

    /// After how long 99 of 100 saw what was asked for since the last time.
    pub(super) fn p99(&self) -> Duration {
        self.within(99)
    }

    /// After how long every other one did.
    pub(super) fn middle(&self) -> Duration {
        self.within(50)
    }

    fn within(&self, percent: usize) -> Duration {
        let mut delays =
            std::mem::take(&mut *self.seen.delays.lock().unwrap_or_else(PoisonError::into_inner));
        delays.sort();
        *delays.get(delays.len() * percent / 100).expect("something was asked for")
    }

    pub(super) fn busiest(&self) -> usize {
        self.seen.busiest.load(Ordering::Relaxed)
    }

    /// Nobody was closed, and nobody was told an older version after a newer one.
    #[track_caller]
    pub(super) fn is_well(&self) {
        let ended = self.seen.ended.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(*ended, [], "nobody was closed");
        assert_eq!(self.seen.back.load(Ordering::Relaxed), 0, "versions never go back");
    }
}

impl Seen {
    async fn watch(&self, number: usize, mut socket: Socket) {
        let mut times = VecDeque::new();
        let code = loop {
            let text = match socket.next().await {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Close(frame))) => break frame.map(|frame| frame.code.into()),
                _ => break None,
            };
            if text == "{}" {
                socket.send(Message::text("{}")).await.expect("it is open");
                continue;
            }
            if text.contains("\"subscribe\"") {
                self.watching.fetch_add(1, Ordering::Relaxed);
            } else {
                let now = Instant::now();
                times.push_back(now);
                while times.front().is_some_and(|at| now - *at >= Duration::from_secs(1)) {
                    times.pop_front();
                }
                self.busiest.fetch_max(times.len(), Ordering::Relaxed);
            }
            for version in text.lines().filter_map(version) {
                self.hear(number, version);
            }
        };
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).push(code);
    }

    fn hear(&self, number: usize, version: u64) {
        if self.newest[number].fetch_max(version, Ordering::Relaxed) > version {
            self.back.fetch_add(1, Ordering::Relaxed);
        }
        let asked = *self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, at)) = asked.filter(|(asked, _)| *asked == version) {
            self.delays.lock().unwrap_or_else(PoisonError::into_inner).push(at.elapsed());
        }
    }
}

/// The version in a line about one suggestion.
fn version(line: &str) -> Option<u64> {
    let behind = line.rsplit_once("\"version\":")?.1;
    behind.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
