//! The load: connections that are kept, each asking again as soon as it is answered.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};

/// How many ask at once.
pub(crate) const CONNECTIONS: usize = 64;

/// One kept connection. Requests are made beforehand and replies barely looked at: what the load takes of the machine is
/// not there for the program.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(at: SocketAddr) -> Result<Connection> {
        let stream = TcpStream::connect(at).await.with_context(|| format!("could not connect to {at}"))?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, buffer: Vec::with_capacity(64 * 1024) })
    }

    /// Sends a request and gives the status and the body of its reply.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<(u16, &[u8])> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let mut head = None;
        loop {
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the server closed the connection");
            if head.is_none() {
                head = Head::of(&self.buffer)?;
            }
            if let Some(Head { status, body, length }) = head
                && self.buffer.len() >= body + length
            {
                return Ok((status, &self.buffer[body..body + length]));
            }
        }
    }

    /// Asks for JSON, and gets it.
    pub(crate) async fn json(&mut self, request: &[u8]) -> Result<Value> {
        let (status, body) = self.exchange(request).await?;
        if !(200..300).contains(&status) {
            bail!("{status}: {}", String::from_utf8_lossy(body));
        }
        Ok(serde_json::from_slice(body)?)
    }
}

/// The head of a reply.
#[derive(Clone, Copy)]
struct Head {
    status: u16,
    /// Where the body begins.
    body: usize,
    length: usize,
}

impl Head {
    fn of(bytes: &[u8]) -> Result<Option<Head>> {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
        let text = std::str::from_utf8(&bytes[..end])?;
        let status = text.get(9..12).context("no status")?.parse()?;
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        // The programs measured here name the length of every body.
        let length = length.context("no length")?.parse()?;
        Ok(Some(Head { status, body: end + 4, length }))
    }
}

/// Writes a request.
pub(crate) fn request(method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Vec<u8> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: bench\r\ncontent-length: {}\r\n", body.len());
    if !body.is_empty() {
        text += "content-type: application/json\r\n";
    }
    if let Some(token) = token {
        text += &format!("authorization: Bearer {token}\r\n");
    }
    (text + "\r\n" + &body).into_bytes()
}

/// What one connection asks, in a circle.
pub(crate) struct Script {
    requests: Vec<Vec<u8>>,
    next: usize,
    /// How many were answered.
    pub(crate) answered: u64,
}

impl Script {
    pub(crate) fn of(requests: Vec<Vec<u8>>) -> Script {
        Script { requests, next: 0, answered: 0 }
    }

    /// What it asks.
    pub(crate) fn requests(&self) -> &[Vec<u8>] {
        &self.requests
    }

    async fn follow(&mut self, connection: &mut Connection, until: Instant) -> Result<Vec<Duration>> {
        let mut times = Vec::with_capacity(16 * 1024);
        loop {
            let begun = Instant::now();
            if begun >= until {
                return Ok(times);
            }
            let (status, body) = connection.exchange(&self.requests[self.next]).await?;
            ensure!(status == 200, "{status}: {}", String::from_utf8_lossy(body));
            times.push(begun.elapsed());
            self.answered += 1;
            self.next = (self.next + 1) % self.requests.len();
        }
    }
}

/// What a round of load came to.
pub(crate) struct Round {
    pub(crate) per_second: f64,
    pub(crate) p99: Duration,
}

/// Puts load on a server for some time: each script on a connection of its own.
pub(crate) async fn round(at: SocketAddr, scripts: &mut Vec<Script>, time: Duration) -> Result<Round> {
    // New ones for each round: the server closes those that were idle while others were measured.
    let mut connections = Vec::with_capacity(scripts.len());
    for _ in 0..scripts.len() {
        connections.push(Connection::open(at).await?);
    }
    let begun = Instant::now();
    let until = begun + time;
    let mut lanes = JoinSet::new();
    let local = LocalSet::new();
    for (mut script, mut connection) in scripts.drain(..).zip(connections) {
        lanes.spawn_local_on(
            async move {
                let times = script.follow(&mut connection, until).await;
                times.map(|times| (script, times))
            },
            &local,
        );
    }
    let mut times = Vec::new();
    local
        .run_until(async {
            while let Some(lane) = lanes.join_next().await {
                let (script, took) = lane??;
                scripts.push(script);
                times.extend(took);
            }
            anyhow::Ok(())
        })
        .await?;
    let per_second = times.len() as f64 / begun.elapsed().as_secs_f64();
    Ok(Round { per_second, p99: crate::table::percentile(&mut times, 0.99) })
}
