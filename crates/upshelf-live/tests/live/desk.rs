//! A server with one house, and clients that say what they like.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::routing::get;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upshelf_live::{Code, House, Item, Kind, Live, Opening, Past, Publication, Settings, Turned, Welcome};

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A house that keeps its streams in memory.
#[derive(Default)]
pub(crate) struct Desk {
    /// What was published in `stream:…`.
    pub(crate) kept: Mutex<Vec<Publication>>,
    pub(crate) epoch: Mutex<String>,
    /// Who may stay no more.
    pub(crate) banned: Mutex<Vec<String>>,
    /// While it is held, no history is read.
    pub(crate) gate: tokio::sync::RwLock<()>,
}

impl Desk {
    /// Publishes in the stream's history only.
    pub(crate) fn keep(&self, data: &str) -> u64 {
        let mut kept = self.kept.lock().expect("nobody panics");
        let offset = kept.len() as u64 + 1;
        kept.push(Publication { offset, data: Bytes::copy_from_slice(data.as_bytes()) });
        offset
    }
}

impl House for Desk {
    type Visitor = String;

    async fn admit(&self, token: &str) -> Result<Welcome<String>, Turned> {
        match token {
            "expired" => Err(Turned::Expired),
            "away" => Err(Turned::Failed),
            name if name.starts_with("ada") => Ok(Welcome {
                visitor: name.to_owned(),
                expires_in: name
                    .strip_prefix("ada-")
                    .and_then(|left| left.parse().ok())
                    .map(Duration::from_secs),
                may_renew: true,
                channels: vec!["stream:ada".to_owned()],
            }),
            _ => Err(Turned::Invalid),
        }
    }

    async fn renew(&self, _: &String, token: &str) -> Result<Welcome<String>, Turned> {
        self.admit(token).await
    }

    async fn may_stay(&self, visitor: &String) -> bool {
        !self.banned.lock().expect("nobody panics").contains(visitor)
    }

    async fn open(&self, visitor: &String, channel: &str, data: &Value) -> Result<Opening, Code> {
        let filter = data["filter"]
            .as_array()
            .map(|keys| keys.iter().map(|key| key.as_str().unwrap_or_default().to_owned()).collect());
        match channel.split_once(':').map_or(channel, |(kind, _)| kind) {
            "votes" => Ok(Opening { kind: Kind::Latest, filter }),
            "stream" if visitor.is_empty() => Err(Code::PermissionDenied),
            "stream" => Ok(Opening { kind: Kind::Stream, filter: None }),
            "brief" => Ok(Opening { kind: Kind::Brief, filter: None }),
            _ => Err(Code::UnknownChannel),
        }
    }

    async fn past(&self, _: &str, since: Option<u64>, limit: usize) -> Result<Past, Code> {
        let _open = self.gate.read().await;
        let kept = self.kept.lock().expect("nobody panics");
        let behind = since.map_or(Vec::new(), |since| {
            kept.iter().filter(|one| one.offset > since).take(limit).cloned().collect()
        });
        let epoch = self.epoch.lock().expect("nobody panics").clone();
        Ok(Past { epoch, top: kept.len() as u64, publications: behind })
    }

    async fn latest(&self, _: &str) -> Result<Vec<Item>, Code> {
        Ok(vec![item("a", 1)])
    }
}

pub(crate) fn item(key: &str, version: u64) -> Item {
    Item { key: key.into(), version, json: json!({ "key": key, "version": version }).to_string().into() }
}

/// A server.
pub(crate) struct Place {
    pub(crate) live: Live<Desk>,
    pub(crate) at: SocketAddr,
    pub(crate) tracker: TaskTracker,
    pub(crate) closing: CancellationToken,
}

impl Place {
    pub(crate) async fn open(settings: Settings) -> Place {
        let (tracker, closing) = (TaskTracker::new(), CancellationToken::new());
        let desk = Desk { epoch: Mutex::new("e".to_owned()), ..Desk::default() };
        let live = Live::open(desk, settings, "node", tracker.clone(), closing.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let at = listener.local_addr().expect("it is bound");
        let served =
            axum::serve(listener, router(&live)).with_graceful_shutdown(closing.clone().cancelled_owned());
        tracker.spawn(async move { served.await.expect("it serves") });
        Place { live, at, tracker, closing }
    }

    pub(crate) async fn client(&self) -> Client {
        let stream = TcpStream::connect(self.at).await.expect("it listens");
        let url = format!("ws://{}/ws", self.at);
        let (socket, _) = tokio_tungstenite::client_async(url, stream).await.expect("it upgrades");
        Client { socket, heard: Vec::new() }
    }

    /// A client that has come in.
    pub(crate) async fn come_in(&self, token: &str) -> Client {
        let mut client = self.client().await;
        client.say(json!({ "id": 1, "connect": { "token": token } })).await;
        let reply = client.hear().await;
        assert!(reply["connect"].is_object(), "{reply}");
        client
    }
}

pub(crate) fn router(live: &Live<Desk>) -> Router {
    Router::new().route("/ws", get(upgrade)).route("/events", get(events)).with_state(Arc::new(live.clone()))
}

async fn upgrade(State(live): State<Arc<Live<Desk>>>, request: Request) -> axum::response::Response {
    live.upgrade(request, anybody(), ()).map(|()| Body::empty())
}

fn anybody() -> Welcome<String> {
    Welcome { visitor: String::new(), expires_in: None, may_renew: false, channels: vec![] }
}

#[derive(serde::Deserialize)]
struct Wanted {
    channels: String,
    token: Option<String>,
    last: Option<String>,
}

async fn events(
    State(live): State<Arc<Live<Desk>>>,
    Query(wanted): Query<Wanted>,
) -> axum::response::Response {
    let welcome = match &wanted.token {
        Some(token) => live.house().admit(token).await.expect("a good token"),
        None => anybody(),
    };
    let channels: Vec<(String, Value)> =
        wanted.channels.split(',').map(|name| (name.to_owned(), Value::Null)).collect();
    match live.events(welcome, &channels, wanted.last.as_deref()).await {
        Ok(events) => axum::response::Response::new(Body::new(events)),
        Err(refused) => axum::response::Response::builder()
            .status(400)
            .body(Body::from(refused.code.number().to_string()))
            .expect("a plain reply"),
    }
}

/// Somebody with a WebSocket.
pub(crate) struct Client {
    socket: WebSocketStream<TcpStream>,
    heard: Vec<Value>,
}

/// What ends a connection.
pub(crate) type Ended = Option<u16>;

impl Client {
    pub(crate) async fn say(&mut self, command: Value) {
        self.send(&command.to_string()).await;
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.expect("it is connected");
    }

    pub(crate) async fn send_message(&mut self, message: Message) {
        self.socket.send(message).await.expect("it is connected");
    }

    /// The next line that is no ping, which is answered.
    pub(crate) async fn hear(&mut self) -> Value {
        match self.next().await {
            Ok(line) => line,
            Err(code) => panic!("closed with {code:?}"),
        }
    }

    pub(crate) async fn next(&mut self) -> Result<Value, Ended> {
        loop {
            while let Some(line) = (!self.heard.is_empty()).then(|| self.heard.remove(0)) {
                if line != json!({}) {
                    return Ok(line);
                }
                self.send("{}").await;
            }
            self.heard = self.frame().await?;
        }
    }

    /// The lines of the next frame.
    pub(crate) async fn frame(&mut self) -> Result<Vec<Value>, Ended> {
        loop {
            let message = timeout(PATIENCE, self.socket.next()).await.expect("it does not fall silent");
            match message {
                Some(Ok(Message::Text(text))) => {
                    return Ok(text
                        .lines()
                        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
                        .collect());
                }
                Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// Waits for the end, whatever comes before it.
    pub(crate) async fn end(&mut self) -> Ended {
        loop {
            if let Err(code) = self.frame().await {
                return code;
            }
        }
    }

    /// Waits for a publication's data.
    pub(crate) async fn publication(&mut self) -> Value {
        loop {
            let mut line = self.hear().await;
            if line["push"]["pub"].is_object() {
                return line["push"]["pub"].take();
            }
        }
    }
}
