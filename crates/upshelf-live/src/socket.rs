//! WebSocket: one task per connection, which reads, answers and writes; between messages it holds a small buffer and
//! nothing else.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use http::header::SEC_WEBSOCKET_PROTOCOL;
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::upgrade::Upgraded;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::codes::Close;
use crate::counts::{self, Counted};
use crate::dialogue::Dialogue;
use crate::house::{House, Welcome};
use crate::live::Live;
use crate::outbox::{Line, Next};
use crate::pipe::Stream;
use crate::settings::Settings;
use crate::wire;

type Socket = WebSocketStream<Stream>;

/// The subprotocol that some clients ask for by name.
const JSON: &str = "centrifuge-json";

/// What is read at once; clients send little.
const READ: usize = 2 * 1024;

/// The largest part that a message is sent in: a buffer that was large once stays so.
const PART: usize = 8 * 1024;

/// About how much is put together into one message.
const BATCH: usize = 32 * 1024;

/// How long a client that asks for much at once may take to read what it has asked for before.
const READING: Duration = Duration::from_secs(5);

/// How long a client may take to take leave.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long one may take that had left too much unread: why it ends stands behind what the system holds for it already.
const LAST_READING: Duration = Duration::from_secs(30);

impl<H: House> Live<H> {
    /// Takes a WebSocket connection: gives the reply to its request, and serves it from then on. `known` is who came
    /// without a token; `guard` is dropped with the connection.
    ///
    /// A request that is none for a WebSocket gets a reply without a body: 426 or 400.
    pub fn upgrade<B>(
        &self,
        mut request: Request<B>,
        known: Welcome<H::Visitor>,
        guard: impl Send + 'static,
    ) -> Response<()> {
        let mut reply = match create_response_with_body(&request, || ()) {
            Ok(reply) => reply,
            Err(_) => return refuse(&request),
        };
        let asks_for_json = request
            .headers()
            .get_all(SEC_WEBSOCKET_PROTOCOL)
            .iter()
            .any(|list| list.to_str().is_ok_and(|list| list.split(',').any(|name| name.trim() == JSON)));
        if asks_for_json {
            reply.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(JSON));
        }
        let upgrade = hyper::upgrade::on(&mut request);
        let live = self.clone();
        self.inner.tracker.spawn(async move {
            let _guard = guard;
            match upgrade.await {
                Ok(upgraded) => serve(&live, upgraded, known).await,
                Err(error) => {
                    tracing::debug!(
                        error = &error as &dyn std::error::Error,
                        "a connection was not upgraded"
                    );
                }
            }
        });
        reply
    }
}

fn refuse<B>(request: &Request<B>) -> Response<()> {
    let asks = request.headers().contains_key(http::header::UPGRADE);
    let mut reply = Response::new(());
    *reply.status_mut() = if asks { StatusCode::BAD_REQUEST } else { StatusCode::UPGRADE_REQUIRED };
    reply.headers_mut().insert(http::header::UPGRADE, HeaderValue::from_static("websocket"));
    reply
}

fn config(settings: &Settings) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ)
        .write_buffer_size(0)
        .max_write_buffer_size(2 * PART)
        .max_message_size(Some(settings.inbound))
        .max_frame_size(Some(settings.inbound))
}

async fn serve<H: House>(live: &Live<H>, upgraded: Upgraded, known: Welcome<H::Visitor>) {
    let _counted = Counted::new("websocket");
    let config = config(&live.inner.settings);
    let (stream, read) = Stream::new(upgraded);
    let mut dialogue = Dialogue::begin(live, known);
    if let Some(pipe) = stream.pipe() {
        dialogue.outbox.connect(pipe);
    }
    let mut socket =
        WebSocketStream::from_partially_read(stream, read.to_vec(), Role::Server, Some(config)).await;
    let reason = converse(&mut socket, &mut dialogue).await;
    // From here on nothing is published to it any more.
    drop(dialogue);
    if let Some(End { code, reason }) = reason {
        let frame = CloseFrame { code, reason: reason.into() };
        let mut leave = pin!(async {
            socket.close(Some(frame)).await?;
            while socket.next().await.is_some_and(|message| message.is_ok()) {}
            Ok::<_, Error>(())
        });
        let has_left = u16::from(code) == Close::SLOW.code && {
            let left = live.inner.closing.run_until_cancelled(leave.as_mut());
            matches!(timeout(LAST_READING, left).await, Ok(Some(_)))
        };
        if !has_left {
            // Nobody waits longer for who does not listen.
            let _ = timeout(FAREWELL, leave).await;
        }
    }
}

/// The end of a connection that this side ends.
struct End {
    code: CloseCode,
    reason: &'static str,
}

impl From<Close> for End {
    fn from(close: Close) -> End {
        counts::closed(close);
        End { code: CloseCode::from(close.code), reason: close.reason }
    }
}

/// Why there is no more to talk about.
enum Over {
    Gone,
    Failed(Error),
    Close(Close),
}

impl Over {
    /// What the client is told.
    fn said(self) -> Option<End> {
        match self {
            Over::Gone => None,
            Over::Failed(error) => answer_to(error),
            Over::Close(reason) => Some(reason.into()),
        }
    }
}

/// Reads, answers and writes until the end; gives the reason if it is this side's.
async fn converse<H: House>(socket: &mut Socket, dialogue: &mut Dialogue<H>) -> Option<End> {
    let mut parts = Parts::default();
    loop {
        let message = match poll_fn(|cx| poll_turn(socket, dialogue, &mut parts, cx)).await {
            Ok(message) => message,
            Err(over) => return over.said(),
        };
        dialogue.outbox.heard();
        let answered = match message {
            // Apart: what it takes to answer is not held while nothing is asked.
            Message::Text(text) => Box::pin(answer(socket, dialogue, &mut parts, &text)).await,
            Message::Binary(_) => Err(Over::Close(Close::BAD_REQUEST)),
            // The next read or write answers these by itself.
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) | Message::Close(_) => Ok(()),
        };
        if let Err(over) = answered {
            return over.said();
        }
    }
}

/// Answers the commands of a frame. Where much is waiting already, who reads is given the time for it before the next.
async fn answer<H: House>(
    socket: &mut Socket,
    dialogue: &mut Dialogue<H>,
    parts: &mut Parts,
    frame: &str,
) -> Result<(), Over> {
    for command in wire::decode(frame) {
        let command = command.map_err(|_| Over::Close(Close::BAD_REQUEST))?;
        if dialogue.outbox.is_half_full() {
            let written = poll_fn(|cx| poll_written(socket, dialogue, parts, cx));
            timeout(READING, written).await.unwrap_or(Err(Over::Close(Close::SLOW)))?;
        }
        dialogue.answer(command).await.map_err(Over::Close)?;
    }
    Ok(())
}

/// Writes and reads. Others may write once nothing is to be done here.
fn poll_turn<H: House>(
    socket: &mut Socket,
    dialogue: &Dialogue<H>,
    parts: &mut Parts,
    cx: &mut Context<'_>,
) -> Poll<Result<Message, Over>> {
    if let Some(pipe) = socket.get_ref().pipe() {
        pipe.take_pen();
    }
    // What the client does not take yet keeps nobody from reading.
    if let Poll::Ready(Err(over)) = poll_written(socket, dialogue, parts, cx) {
        return Poll::Ready(Err(over));
    }
    if let Poll::Ready(message) = socket.poll_next_unpin(cx) {
        return Poll::Ready(message.ok_or(Over::Gone)?.map_err(Over::Failed));
    }
    // Reading may have answered a ping.
    ready!(socket.poll_flush_unpin(cx)).map_err(Over::Failed)?;
    if let Some(pipe) = socket.get_ref().pipe()
        && parts.is_done()
    {
        pipe.lay_pen_down();
    }
    Poll::Pending
}

/// Writes all that there is.
fn poll_written<H: House>(
    socket: &mut Socket,
    dialogue: &Dialogue<H>,
    parts: &mut Parts,
    cx: &mut Context<'_>,
) -> Poll<Result<(), Over>> {
    dialogue.outbox.register(cx.waker());
    loop {
        if parts.is_written {
            match socket.poll_flush_unpin(cx) {
                Poll::Ready(result) => result.map_err(Over::Failed)?,
                // It may be closed for that.
                Poll::Pending => return closing(dialogue),
            }
            parts.is_written = false;
        }
        if parts.waiting.is_empty() {
            match dialogue.outbox.take(BATCH) {
                Some(Next::Lines(lines)) => parts.add(lines.iter().map(Line::text)),
                Some(Next::Ping) => parts.add(std::iter::once(Bytes::from_static(b"{}"))),
                Some(Next::Close(reason)) => return Poll::Ready(Err(Over::Close(reason))),
                None => return Poll::Ready(Ok(())),
            }
        }
        if let Some(frame) = parts.waiting.pop_front() {
            socket.start_send_unpin(Message::Frame(frame)).map_err(Over::Failed)?;
            parts.is_written = true;
        }
    }
}

fn closing<H: House>(dialogue: &Dialogue<H>) -> Poll<Result<(), Over>> {
    match dialogue.outbox.closing() {
        Some(reason) => Poll::Ready(Err(Over::Close(reason))),
        None => Poll::Pending,
    }
}

/// The message that is being written.
#[derive(Default)]
struct Parts {
    waiting: VecDeque<Frame>,
    is_written: bool,
}

impl Parts {
    fn is_done(&self) -> bool {
        self.waiting.is_empty() && !self.is_written
    }

    /// Makes one message of lines.
    fn add(&mut self, lines: impl ExactSizeIterator<Item = Bytes>) {
        let count = lines.len();
        let mut text = match <[_; 1]>::try_from(lines.collect::<Vec<_>>()) {
            // The bytes themselves, which many connections share.
            Ok([line]) => line,
            Err(lines) => together(&lines),
        };
        counts::sent(1, count, text.len());
        let mut opcode = OpCode::Data(Data::Text);
        loop {
            let part = text.split_to(text.len().min(PART));
            self.waiting.push_back(Frame::message(part, opcode, text.is_empty()));
            opcode = OpCode::Data(Data::Continue);
            if text.is_empty() {
                break;
            }
        }
    }
}

fn together(lines: &[Bytes]) -> Bytes {
    let length = lines.iter().map(|line| line.len() + 1).sum();
    let mut text = BytesMut::with_capacity(length);
    for (at, line) in lines.iter().enumerate() {
        if at > 0 {
            text.extend_from_slice(b"\n");
        }
        text.extend_from_slice(line);
    }
    text.freeze()
}

/// What a client is told that does not keep to WebSocket itself (RFC 6455, 7.4.1).
fn answer_to(error: Error) -> Option<End> {
    let code = match error {
        Error::Capacity(_) => CloseCode::Size,
        Error::Utf8(_) => CloseCode::Invalid,
        // A client that is gone needs no answer.
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => return None,
        Error::Protocol(_) => CloseCode::Protocol,
        _ => return None,
    };
    tracing::debug!(error = &error as &dyn std::error::Error, "a client does not keep to WebSocket");
    metrics::counter!("upshelf_live_closes_total", "code" => u16::from(code).to_string()).increment(1);
    Some(End { code, reason: "" })
}
