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
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::Options;
use crate::lab::{Engine, Lab};
use crate::library::{json_list, set_up};
use crate::load::{Connection, request};
use crate::redis;
use crate::server::Server;
use crate::table::{head, millis, percentile, row};

/// How often something is published.
const PACE: Duration = Duration::from_millis(500);
/// How long a client waits that could not come in.
const PAUSE: Duration = Duration::from_millis(50);
/// How long the last update may take to arrive.
const GRACE: Duration = Duration::from_secs(2);

/// Who tells of the updates, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Who {
    SocketIo,
    /// A channel whose last value wins.
    Votes,
    /// A channel with a history: the resource's.
    Changes(String),
}

impl Who {
    /// The channel, of the site and in Redis.
    fn channel(&self) -> String {
        match self {
            Who::SocketIo | Who::Votes => "suggestions:votes".to_owned(),
            Who::Changes(resource) => format!("resource:updates:{resource}"),
        }
    }

    fn update(&self, version: usize) -> String {
        match self {
            Who::SocketIo | Who::Votes => json!({
                "suggestion_id": "00000000-0000-7000-8000-000000000001",
                "up": version, "down": 0, "score": version, "version": version,
            }),
            Who::Changes(resource) => {
                json!({ "resource_id": resource, "change": "edited", "version": version })
            }
        }
        .to_string()
    }
}

/// The first update; a resource that was not changed yet has version 1.
const FIRST: usize = 2;

/// What the clients have seen.
struct Seen {
    begun: Instant,
    /// When each update was published, in microseconds.
    published: Vec<AtomicU64>,
    delays: Mutex<Vec<Duration>>,
    connected: AtomicUsize,
}

pub(crate) async fn measure(lab: &Lab, options: &Options) -> Result<()> {
    let Options { watchers, cut, .. } = *options;
    head(
        &format!("An update every {PACE:?} to {watchers} watchers, each cut off every {cut:?}"),
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
    let redis = redis::Server::start()?;
    let script = redis.script("live.mjs", include_str!("../node/live.mjs"))?.display().to_string();
    let settings = vec![("PATH".to_owned(), std::env::var("PATH").context("PATH is not set")?)];
    let server = Server::start("node".as_ref(), &[&script, "serve", &redis.url()], &settings)?;
    let mut emitter = Emitter::node(&script, &redis.url())?;
    let cells = run(&Who::SocketIo, &server, &mut emitter, options).await?;
    row(&[vec!["Socket.IO 4.8 with its Redis adapter".to_owned()], cells].concat());
    drop((emitter, server, redis));

    for has_history in [false, true] {
        let redis = redis::Server::start()?;
        let name = if has_history { "Upshelf, with a history" } else { "Upshelf, the last value wins" };
        let mut settings = lab.site(Engine::Sqlite, name)?;
        settings.push(("UPSHELF_REDIS_URL".to_owned(), redis.url()));
        settings.push(("UPSHELF_CONNECTIONS_PER_IP".to_owned(), (2 * watchers).to_string()));
        lab.import(&settings, "json", &json_list(1))?;
        let server = lab.serve(&settings)?;
        set_up(server.at).await?;
        let who = if has_history { changes(server.at).await? } else { Who::Votes };
        let cells = run(&who, &server, &mut Emitter::Redis(redis.connect()?), options).await?;
        row(&[vec![name.to_owned()], cells].concat());
    }
    Ok(())
}

/// Watches the changes of the library's first resource.
async fn changes(at: SocketAddr) -> Result<Who> {
    let first = request("GET", "/api/v1/resources?limit=1", None, None);
    let resources = Connection::open(at).await?.json(&first).await?;
    Ok(Who::Changes(resources["items"][0]["id"].as_str().context("no resource")?.to_owned()))
}

async fn run(who: &Who, server: &Server, emitter: &mut Emitter, options: &Options) -> Result<Vec<String>> {
    let Options { watchers, time, cut, .. } = *options;
    let updates = usize::try_from(time.as_millis() / PACE.as_millis())?;
    let seen = Arc::new(Seen {
        begun: Instant::now(),
        published: (0..FIRST + updates).map(|_| AtomicU64::new(0)).collect(),
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
        let offset = cut.mul_f64(number as f64 / watchers as f64);
        all.spawn(client(who.clone(), at, seen.clone(), gone.clone(), cut, offset));
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
    for update in FIRST..FIRST + updates {
        every.tick().await;
        seen.published[update].store(u64::try_from(seen.begun.elapsed().as_micros())?, Ordering::Relaxed);
        emitter.emit(who, update)?;
    }
    tokio::time::sleep(GRACE).await;
    let processor = server.processor_seconds()? - processor;
    go.send(Phase::Over)?;
    let last = all.join_all().await.into_iter().collect::<Result<Vec<usize>>>()?;
    let up_to_date = last.iter().filter(|last| **last == FIRST + updates - 1).count();
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

/// What one client knows.
#[derive(Default)]
struct Known {
    /// The last update.
    last: usize,
    /// Where it is in a channel with a history.
    epoch: String,
    offset: u64,
}

impl Known {
    /// Takes a line of either server's; what is new in it has arrived.
    fn hear(&mut self, line: &str, seen: &Seen) {
        let now = seen.begun.elapsed();
        // What was missed comes as a list.
        for part in line.split("\"version\":").skip(1) {
            let Some(update) = number(part).filter(|update| *update > self.last) else { continue };
            self.last = update;
            let Some(published) = seen.published.get(update) else { continue };
            let delay = now.saturating_sub(Duration::from_micros(published.load(Ordering::Relaxed)));
            seen.delays.lock().unwrap_or_else(PoisonError::into_inner).push(delay);
        }
        if let Some((_, behind)) = line.rsplit_once("\"offset\":") {
            self.offset = number(behind).map_or(self.offset, |offset| offset as u64);
        }
        if let Some((_, behind)) = line.split_once("\"epoch\":\"") {
            self.epoch = behind.split('"').next().unwrap_or_default().to_owned();
        }
    }
}

/// Watches until it is over, and gives the last update that it knows of.
async fn client(
    who: Who,
    at: SocketAddr,
    seen: Arc<Seen>,
    mut phase: watch::Receiver<Phase>,
    every: Duration,
    offset: Duration,
) -> Result<usize> {
    let mut known = Known::default();
    let mut cut = None;
    loop {
        let Ok((mut socket, state)) = connect(&who, at, &known).await else {
            // As clients do; whoever cannot come in at all is found by the time that it takes.
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        state.lines().for_each(|line| known.hear(line, &seen));
        seen.connected.fetch_add(1, Ordering::Relaxed);
        loop {
            let until_cut = async {
                match cut {
                    Some(cut) => tokio::time::sleep_until(cut).await,
                    None => std::future::pending().await,
                }
            };
            let message = tokio::select! {
                message = socket.next() => message,
                changed = phase.changed() => {
                    changed?;
                    match *phase.borrow_and_update() {
                        Phase::Over => return Ok(known.last),
                        _ => cut = Some(tokio::time::Instant::now() + offset),
                    }
                    continue;
                }
                () = until_cut => {
                    cut = Some(tokio::time::Instant::now() + every);
                    break;
                }
            };
            let text = match message {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => break,
            };
            if text == "2" {
                socket.send(Message::text("3")).await?;
            }
            for line in text.lines() {
                if line == "{}" {
                    socket.send(Message::text("{}")).await?;
                }
                known.hear(line, &seen);
            }
        }
    }
}

async fn connect(who: &Who, at: SocketAddr, known: &Known) -> Result<(WebSocketStream<TcpStream>, String)> {
    let (path, ready) = match who {
        Who::SocketIo => ("socket.io/?EIO=4&transport=websocket", "40"),
        Who::Votes | Who::Changes(_) => ("connection/websocket", "\"subscribe\""),
    };
    let stream = TcpStream::connect(at).await?;
    let (mut socket, _) = tokio_tungstenite::client_async(format!("ws://{at}/{path}"), stream).await?;
    let hello = match who {
        Who::SocketIo => "40".to_owned(),
        Who::Votes | Who::Changes(_) => {
            let mut subscribe = json!({ "channel": who.channel() });
            if !known.epoch.is_empty() {
                subscribe["recover"] = true.into();
                subscribe["epoch"] = known.epoch.as_str().into();
                subscribe["offset"] = known.offset.into();
            }
            format!("{{\"id\":1,\"connect\":{{}}}}\n{}", json!({ "id": 2, "subscribe": subscribe }))
        }
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

/// The number at the beginning of a text.
fn number(text: &str) -> Option<usize> {
    text[..text.find(|c: char| !c.is_ascii_digit())?].parse().ok()
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

    fn emit(&mut self, who: &Who, update: usize) -> Result<()> {
        let (channel, json) = (who.channel(), who.update(update));
        match self {
            Emitter::Redis(stream) => {
                let command = format!(
                    "*3\r\n$7\r\nPUBLISH\r\n${}\r\n{channel}\r\n${}\r\n{json}\r\n",
                    channel.len(),
                    json.len()
                );
                // In one piece: the second of two would wait 40 ms for the acknowledgement of the first.
                stream.write_all(command.as_bytes())?;
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
