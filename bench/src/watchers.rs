//! Many who watch votes, each over a WebSocket of its own, and what they saw.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

pub(crate) type Socket = WebSocketStream<TcpStream>;

/// How long what must come may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// All of them; they leave with this value.
pub(crate) struct Watchers {
    many: usize,
    seen: Arc<Seen>,
    _tasks: JoinSet<Result<()>>,
}

struct Seen {
    begun: Instant,
    /// When what they wait for was asked for, in microseconds.
    asked: AtomicU64,
    /// How many it has reached.
    reached: AtomicUsize,
    delays: Mutex<Vec<Duration>>,
    /// The newest version that each has.
    newest: Vec<AtomicU64>,
    /// The most messages that one of them was sent within a second.
    busiest: AtomicUsize,
    more: Notify,
}

impl Watchers {
    /// Has them come in, and watch the votes on one suggestion or on all that are open.
    pub(crate) async fn gather(at: SocketAddr, many: usize, suggestion: Option<&str>) -> Result<Watchers> {
        let seen = Arc::new(Seen {
            begun: Instant::now(),
            asked: AtomicU64::new(0),
            reached: AtomicUsize::new(0),
            delays: Mutex::default(),
            newest: (0..many).map(|_| AtomicU64::new(0)).collect(),
            busiest: AtomicUsize::new(0),
            more: Notify::new(),
        });
        let mut tasks = JoinSet::new();
        for number in 0..many {
            let mut socket = connect(TcpStream::connect(at).await?).await?;
            socket.send(Message::text(hello(suggestion))).await?;
            while !text(&mut socket).await?.contains("\"subscribe\"") {}
            let seen = seen.clone();
            tasks.spawn(async move { seen.watch(number, socket).await });
        }
        Ok(Watchers { many, seen, _tasks: tasks })
    }

    /// Runs what makes one publication, and waits until it has reached everybody.
    pub(crate) async fn told<T>(&self, cause: impl Future<Output = Result<T>>) -> Result<T> {
        self.seen.reached.store(0, Ordering::Relaxed);
        self.seen.asked.store(u64::try_from(self.seen.begun.elapsed().as_micros())?, Ordering::Relaxed);
        let done = cause.await?;
        self.until(|seen| seen.reached.load(Ordering::Relaxed) >= self.many).await?;
        Ok(done)
    }

    /// Waits until everybody has this version, and says how long that took.
    pub(crate) async fn have(&self, version: u64) -> Result<Duration> {
        let begun = Instant::now();
        let has = |newest: &AtomicU64| newest.load(Ordering::Relaxed) >= version;
        self.until(|seen| seen.newest.iter().all(has)).await?;
        Ok(begun.elapsed())
    }

    async fn until(&self, holds: impl Fn(&Seen) -> bool) -> Result<()> {
        let wait = async {
            while !holds(&self.seen) {
                self.seen.more.notified().await;
            }
        };
        timeout(PATIENCE, wait).await.context("it did not reach everybody")
    }

    /// How long it took since the last call of this, for each and each time.
    pub(crate) fn delays(&self) -> Vec<Duration> {
        std::mem::take(&mut *self.seen.delays.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn busiest(&self) -> usize {
        self.seen.busiest.load(Ordering::Relaxed)
    }
}

impl Seen {
    async fn watch(&self, number: usize, mut socket: Socket) -> Result<()> {
        let mut times = VecDeque::new();
        loop {
            let text = text(&mut socket).await?;
            if text == "{}" {
                socket.send(Message::text("{}")).await?;
                continue;
            }
            let now = Instant::now();
            times.push_back(now);
            while times.front().is_some_and(|at| now - *at >= Duration::from_secs(1)) {
                times.pop_front();
            }
            self.busiest.fetch_max(times.len(), Ordering::Relaxed);
            let newest = text.lines().filter_map(version).max().unwrap_or(0);
            self.newest[number].fetch_max(newest, Ordering::Relaxed);
            self.reached.fetch_add(1, Ordering::Relaxed);
            let asked = Duration::from_micros(self.asked.load(Ordering::Relaxed));
            let delay = (now - self.begun).saturating_sub(asked);
            self.delays.lock().unwrap_or_else(PoisonError::into_inner).push(delay);
            self.more.notify_one();
        }
    }
}

/// What comes in and begins to watch.
pub(crate) fn hello(suggestion: Option<&str>) -> String {
    let filter = suggestion.map(|id| format!(",\"data\":{{\"filter\":[\"{id}\"]}}")).unwrap_or_default();
    format!(
        "{{\"id\":1,\"connect\":{{}}}}\n{{\"id\":2,\"subscribe\":{{\"channel\":\"suggestions:votes\"{filter}}}}}"
    )
}

pub(crate) async fn connect(stream: TcpStream) -> Result<Socket> {
    stream.set_nodelay(true)?;
    let url = format!("ws://{}/connection/websocket", stream.peer_addr()?);
    Ok(tokio_tungstenite::client_async(url, stream).await?.0)
}

async fn text(socket: &mut Socket) -> Result<String> {
    loop {
        match timeout(2 * PATIENCE, socket.next()).await.context("it fell silent")? {
            Some(Ok(Message::Text(text))) => return Ok(text.to_string()),
            Some(Ok(Message::Close(frame))) => bail!("a good one was closed: {frame:?}"),
            Some(message) => ensure!(message.is_ok(), "a good one broke: {message:?}"),
            None => bail!("the server went away"),
        }
    }
}

/// The version in a line about one suggestion.
fn version(line: &str) -> Option<u64> {
    let behind = line.rsplit_once("\"version\":")?.1;
    behind.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
