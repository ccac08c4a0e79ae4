//! HTTP/1.1 over one kept connection, so that a test sees exactly what was sent and what was not.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

const JSON: &str = "application/json";

/// Somebody who asks a site, signed in or not.
pub(crate) struct Client {
    at: SocketAddr,
    token: Option<String>,
    connection: Option<BufReader<TcpStream>>,
}

/// What the site answered.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("no JSON ({e}): {}", self.text()))
    }

    /// The word for programs in a problem.
    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl Client {
    pub(crate) fn new(at: SocketAddr, token: Option<&str>) -> Client {
        Client { at, token: token.map(str::to_owned), connection: None }
    }

    /// Makes an account through `path` and gives its owner, signed in.
    pub(crate) async fn register(&mut self, path: &str, account: Value) -> Client {
        let signed_in = self.post(path, account).await;
        Client::new(self.at, signed_in["access_token"].as_str())
    }

    /// The token that proves who this is.
    pub(crate) fn token(&self) -> &str {
        self.token.as_deref().expect("this client is signed in")
    }

    /// Connects, unless it is connected already.
    pub(crate) async fn connect(&mut self) -> Result<()> {
        if self.connection.is_none() {
            let stream = TcpStream::connect(self.at).await?;
            stream.set_nodelay(true)?;
            self.connection = Some(BufReader::new(stream));
        }
        Ok(())
    }

    /// Sends one request and reads its reply. After an error nobody knows whether the site acted on it.
    pub(crate) async fn send(&mut self, method: &str, path: &str, kind: &str, body: &[u8]) -> Result<Reply> {
        self.connect().await?;
        let token = self.token.clone();
        self.send_as(token.as_deref(), method, path, kind, body).await
    }

    /// Sends one request as whoever holds the token.
    pub(crate) async fn send_as(
        &mut self,
        token: Option<&str>,
        method: &str,
        path: &str,
        kind: &str,
        body: &[u8],
    ) -> Result<Reply> {
        // Taken out, so that a connection that failed is not used again.
        let mut connection = self.connection.take().ok_or(ErrorKind::NotConnected)?;
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n", self.at, body.len());
        if !kind.is_empty() {
            request += &format!("content-type: {kind}\r\n");
        }
        if let Some(token) = token {
            request += &format!("authorization: Bearer {token}\r\n");
        }
        let mut request = (request + "\r\n").into_bytes();
        request.extend_from_slice(body);
        connection.write_all(&request).await?;
        let (reply, stays_open) = read(&mut connection).await?;
        self.connection = stays_open.then_some(connection);
        Ok(reply)
    }

    /// Sends a request on a connection of its own: one that was idle for long may have been closed meanwhile.
    pub(crate) async fn ask(&mut self, method: &str, path: &str, body: Option<Value>) -> Reply {
        let (kind, body) = body.map_or(("", Vec::new()), |body| (JSON, body.to_string().into_bytes()));
        self.connection = None;
        self.send(method, path, kind, &body).await.unwrap_or_else(|e| panic!("{method} {path}: {e}"))
    }

    pub(crate) async fn get(&mut self, path: &str) -> Value {
        self.expect("GET", path, None).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: Value) -> Value {
        self.expect("POST", path, Some(body)).await
    }

    pub(crate) async fn put(&mut self, path: &str, body: Value) -> Value {
        self.expect("PUT", path, Some(body)).await
    }

    async fn expect(&mut self, method: &str, path: &str, body: Option<Value>) -> Value {
        let reply = self.ask(method, path, body).await;
        assert!((200..300).contains(&reply.status), "{method} {path}: {} {}", reply.status, reply.text());
        reply.json()
    }

    /// Gives the items of every page.
    pub(crate) async fn all(&mut self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut next = path.to_owned();
        loop {
            let mut page = self.get(&next).await;
            let Value::Array(more) = page["items"].take() else { panic!("{next}: no items") };
            items.extend(more);
            let Some(cursor) = page["next_cursor"].as_str() else { return items };
            next = format!("{path}&cursor={cursor}");
        }
    }
}

/// Reads a reply; also says whether the connection can be used again.
async fn read(connection: &mut BufReader<TcpStream>) -> Result<(Reply, bool)> {
    let status = line(connection).await?;
    let status = status.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or(ErrorKind::InvalidData)?;
    let mut reply = Reply { status, content_type: String::new(), body: Vec::new() };
    let (mut length, mut is_chunked, mut stays_open) = (0, false, true);
    loop {
        let line = line(connection).await?;
        let Some((name, value)) = line.split_once(':') else { break };
        match (name.to_ascii_lowercase().as_str(), value.trim()) {
            ("content-length", value) => length = value.parse().map_err(Error::other)?,
            ("content-type", value) => value.clone_into(&mut reply.content_type),
            ("transfer-encoding", "chunked") => is_chunked = true,
            ("connection", "close") => stays_open = false,
            _ => {}
        }
    }
    if is_chunked {
        loop {
            let size = usize::from_str_radix(&line(connection).await?, 16).map_err(Error::other)?;
            part(connection, size, &mut reply.body).await?;
            line(connection).await?;
            if size == 0 {
                break;
            }
        }
    } else if !matches!(status, 204 | 304) {
        part(connection, length, &mut reply.body).await?;
    }
    Ok((reply, stays_open))
}

async fn part(connection: &mut BufReader<TcpStream>, size: usize, body: &mut Vec<u8>) -> Result<()> {
    let start = body.len();
    body.resize(start + size, 0);
    connection.read_exact(&mut body[start..]).await.map(|_| ())
}

async fn line(connection: &mut BufReader<TcpStream>) -> Result<String> {
    let mut line = String::new();
    if connection.read_line(&mut line).await? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}
