//! What it costs to tell many of a vote, beside Socket.IO with its adapter for Redis: one generator watches both, and what
//! is published comes from another process through the same Redis.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::lab::{Engine, Lab};
use crate::redis;
use crate::server::Server;
use crate::table::{head, millis, percentile, row};

/// How often something is published.
const PACE: Duration = Duration::from_millis(500);
/// How often each client is cut off and comes back.
const CUT: Duration = Duration::from_secs(15);
/// How long the last update may take to arrive.
const GRACE: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Ours,
    SocketIo,
}

/// What the clients have seen.
struct Seen {
    begun: Instant,
    /// When each update was published, in microseconds.
    published: Vec<AtomicU64>,
    delays: Mutex<Vec<Duration>>,
    connected: AtomicUsize,
}

pub(crate) async fn measure(lab: &Lab, watchers: usize, time: Duration) -> Result<()> {
    head(
        &format!("An update every {PACE:?} to {watchers} watchers, each cut off every {CUT:?}"),
        &[
            "who",
            "memory per idle connection",
            "arrived",
            "have the last value",
            "p50",
            "p99",
            "processor s per million arrived",
        ],
    );
    for who in [Who::SocketIo, Who::Ours] {
        let redis = redis::Server::start()?;
        let (name, server, mut emitter) = match who {
            Who::Ours => {
                let mut settings = lab.site(Engine::Sqlite, "live")?;
                settings.push(("UPSHELF_REDIS_URL".to_owned(), redis.url()));
                settings.push(("UPSHELF_CONNECTIONS_PER_IP".to_owned(), (2 * watchers).to_string()));
                ("Upshelf", lab.serve(&settings)?, Emitter::Redis(redis.connect()?))
            }
            Who::SocketIo => {
                let script =
                    redis.script("live.mjs", include_str!("../node/live.mjs"))?.display().to_string();
                let path = std::env::var("PATH").context("PATH is not set")?;
                let settings = vec![("PATH".to_owned(), path)];
                let server = Server::start("node".as_ref(), &[&script, "serve", &redis.url()], &settings)?;
                ("Socket.IO 4.8 with its Redis adapter", server, Emitter::node(&script, &redis.url())?)
            }
        };
        let cells = run(who, &server, &mut emitter, watchers, time).await?;
        row(&[vec![name.to_owned()], cells].concat());
    }
    Ok(())
}

async fn run(
    who: Who,
    server: &Server,
    emitter: &mut Emitter,
    watchers: usize,
    time: Duration,
) -> Result<Vec<String>> {
    let updates = usize::try_from(time.as_millis() / PACE.as_millis())?;
    let seen = Arc::new(Seen {
        begun: Instant::now(),
        published: (0..=updates).map(|_| AtomicU64::new(0)).collect(),
        delays: Mutex::default(),
        connected: AtomicUsize::new(0),
    });
    let (go, gone) = watch::channel(Phase::Idle);
    let mut all = JoinSet::new();
    let at = server.at;
    // The first ones pay for what all use; they are not counted.
    let first = watchers / 10;
    let mut before = 0.0;
    for number in 0..watchers {
        if number == first {
            until(|| seen.connected.load(Ordering::Relaxed) == first).await?;
            before = server.memory()?;
        }
        let offset = CUT.mul_f64(number as f64 / watchers as f64);
        all.spawn(client(who, at, seen.clone(), gone.clone(), offset));
        if number % 100 == 99 {
            until(|| seen.connected.load(Ordering::Relaxed) == number + 1).await?;
        }
    }
    until(|| seen.connected.load(Ordering::Relaxed) == watchers).await?;
    tokio::time::sleep(GRACE).await;
    let memory = (server.memory()? - before) * 1_024.0 / (watchers - first) as f64;

    let processor = server.processor_seconds()?;
    go.send(Phase::Going)?;
    let mut every = tokio::time::interval(PACE);
    for update in 1..=updates {
        every.tick().await;
        seen.published[update].store(u64::try_from(seen.begun.elapsed().as_micros())?, Ordering::Relaxed);
        emitter.emit(update)?;
    }
    tokio::time::sleep(GRACE).await;
    let processor = server.processor_seconds()? - processor;
    go.send(Phase::Over)?;
    let last = all.join_all().await.into_iter().collect::<Result<Vec<usize>>>()?;
    let up_to_date = last.iter().filter(|last| **last == updates).count();
    let mut delays = std::mem::take(&mut *seen.delays.lock().unwrap_or_else(PoisonError::into_inner));
    ensure!(!delays.is_empty(), "nothing arrived");
    let arrived = delays.len() as f64;
    let share = |part: f64, whole: usize| format!("{:.2} %", 100.0 * part / whole as f64);
    Ok(vec![
        format!("{memory:.1} KiB"),
        share(arrived, watchers * updates),
        share(up_to_date as f64, watchers),
        millis(percentile(&mut delays, 0.5)),
        millis(percentile(&mut delays, 0.99)),
        format!("{:.1}", processor * 1e6 / arrived),
    ])
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Going,
    Over,
}

/// Watches until it is over, and gives the last update that it knows of.
async fn client(
    who: Who,
    at: SocketAddr,
    seen: Arc<Seen>,
    mut phase: watch::Receiver<Phase>,
    offset: Duration,
) -> Result<usize> {
    let mut last = 0;
    let mut cut = None;
    loop {
        let (mut socket, state) = connect(who, at).await?;
        // A server that tells how things stand has told of what came meanwhile.
        last = state.lines().filter_map(version).max().unwrap_or(0).max(last);
        seen.connected.fetch_add(1, Ordering::Relaxed);
        loop {
            let until_cut = async {
                match cut {
                    Some(cut) => tokio::time::sleep_until(cut).await,
                    None => std::future::pending().await,
                }
            };
            let message = tokio::select! {
                message = socket.next() => message.context("the server went away")??,
                changed = phase.changed() => {
                    changed?;
                    match *phase.borrow_and_update() {
                        Phase::Over => return Ok(last),
                        _ => cut = Some(tokio::time::Instant::now() + offset),
                    }
                    continue;
                }
                () = until_cut => {
                    cut = Some(tokio::time::Instant::now() + CUT);
                    break;
                }
            };
            let Message::Text(text) = message else { continue };
            if text == "2" {
                socket.send(Message::text("3")).await?;
            }
            for line in text.lines() {
                if line == "{}" {
                    socket.send(Message::text("{}")).await?;
                }
                let Some(update) = version(line).filter(|update| *update > last) else { continue };
                last = update;
                let published = seen.published.get(update).map_or(0, |at| at.load(Ordering::Relaxed));
                let delay = seen.begun.elapsed().saturating_sub(Duration::from_micros(published));
                seen.delays.lock().unwrap_or_else(PoisonError::into_inner).push(delay);
            }
        }
    }
}

async fn connect(who: Who, at: SocketAddr) -> Result<(WebSocketStream<TcpStream>, String)> {
    let path = match who {
        Who::Ours => "connection/websocket",
        Who::SocketIo => "socket.io/?EIO=4&transport=websocket",
    };
    let stream = TcpStream::connect(at).await?;
    let (mut socket, _) = tokio_tungstenite::client_async(format!("ws://{at}/{path}"), stream).await?;
    let (hello, ready) = match who {
        Who::Ours => (
            "{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"suggestions:votes\"}}",
            "\"subscribe\"",
        ),
        Who::SocketIo => ("40", "40"),
    };
    socket.send(Message::text(hello)).await?;
    while let Some(message) = socket.next().await {
        let text = message?.into_text()?.to_string();
        if text.contains(ready) {
            return Ok((socket, text));
        }
    }
    anyhow::bail!("the server did not let the client in")
}

/// The number of the update in a message of either server.
fn version(line: &str) -> Option<usize> {
    let behind = line.rsplit_once("\"version\":")?.1;
    behind[..behind.find(|c: char| !c.is_ascii_digit())?].parse().ok()
}

/// The process that publishes.
enum Emitter {
    Redis(std::net::TcpStream),
    Node(Child),
}

impl Emitter {
    fn node(script: &str, redis: &str) -> Result<Emitter> {
        let mut node = Command::new("node");
        node.args([script, "emit", redis]).stdin(Stdio::piped()).stderr(Stdio::null());
        Ok(Emitter::Node(node.spawn()?))
    }

    fn emit(&mut self, update: usize) -> Result<()> {
        let json = format!(
            "{{\"suggestion_id\":\"00000000-0000-7000-8000-000000000001\",\"up\":{update},\"down\":0,\"score\":{update},\"version\":{update}}}"
        );
        match self {
            Emitter::Redis(stream) => {
                let length = json.len();
                write!(stream, "*3\r\n$7\r\nPUBLISH\r\n$17\r\nsuggestions:votes\r\n${length}\r\n{json}\r\n")?;
            }
            Emitter::Node(child) => {
                writeln!(child.stdin.as_mut().context("standard input is piped")?, "{json}")?
            }
        }
        Ok(())
    }
}

impl Drop for Emitter {
    fn drop(&mut self) {
        if let Emitter::Node(child) = self {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

async fn until(holds: impl Fn() -> bool) -> Result<()> {
    let begun = Instant::now();
    while !holds() {
        ensure!(begun.elapsed() < Duration::from_secs(60), "the clients did not come in");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
