//! What a connection is written on. Its task writes; while nothing of the task's is under way, whoever publishes does,
//! which saves waking the task: most of what it costs to tell thousands of one change.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

/// A TCP connection on which more than one may write whole messages.
pub(crate) struct Pipe {
    stream: TcpStream,
    pen: Mutex<Pen>,
}

#[derive(Default)]
struct Pen {
    /// Whether it lies there for whoever publishes.
    is_free: bool,
    /// What the kernel did not take of a message; it goes before everything else.
    rest: Bytes,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    Taken,
    /// The task is to write what is left of it.
    Begun,
    /// The task is to write it.
    Refused,
}

impl Pipe {
    fn new(stream: TcpStream) -> Pipe {
        Pipe { stream, pen: Mutex::default() }
    }

    fn pen(&self) -> MutexGuard<'_, Pen> {
        self.pen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a [`message`], if nothing else is being written and the kernel has room.
    pub(crate) fn offer(&self, message: &Bytes) -> Offer {
        let mut pen = self.pen();
        if !pen.is_free {
            return Offer::Refused;
        }
        // An error is the task's to find.
        match self.stream.try_write(message) {
            Err(_) => Offer::Refused,
            Ok(taken) if taken == message.len() => Offer::Taken,
            Ok(taken) => {
                *pen = Pen { is_free: false, rest: message.slice(taken..) };
                Offer::Begun
            }
        }
    }

    /// Keeps others from writing.
    pub(crate) fn take_pen(&self) {
        self.pen().is_free = false;
    }

    /// Lets others write: nothing of the task's is under way.
    pub(crate) fn lay_pen_down(&self) {
        let mut pen = self.pen();
        pen.is_free = pen.rest.is_empty();
    }

    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(cx))?;
            match self.stream.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn poll_rest(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pen = self.pen();
        while !pen.rest.is_empty() {
            let taken = ready!(self.poll_write(cx, &pen.rest))?;
            pen.rest.advance(taken);
        }
        Poll::Ready(Ok(()))
    }
}

/// Puts the head of a text message before it.
pub(crate) fn message(text: &[u8]) -> Bytes {
    let head = FrameHeader { opcode: OpCode::Data(Data::Text), ..FrameHeader::default() };
    let length = text.len() as u64;
    let mut message = Vec::with_capacity(head.len(length) + text.len());
    head.format(length, &mut message).expect("memory takes it");
    message.extend_from_slice(text);
    message.into()
}

/// The task's end of a connection.
pub(crate) enum Stream {
    Tcp(Arc<Pipe>),
    /// What else HTTP runs over; only the task writes there.
    Other(TokioIo<Upgraded>),
}

impl Stream {
    /// Takes what HTTP leaves, with what it has read already.
    pub(crate) fn new(upgraded: Upgraded) -> (Stream, Bytes) {
        let upgraded = match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(parts) => return Stream::tcp(parts.io, parts.read_buf),
            Err(upgraded) => upgraded,
        };
        // A server that finds out which version of HTTP is spoken, such as axum's, wraps it once more.
        match auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded) {
            Ok(parts) => Stream::tcp(parts.io, parts.read_buf),
            Err(upgraded) => (Stream::Other(TokioIo::new(upgraded)), Bytes::new()),
        }
    }

    fn tcp(io: TokioIo<TcpStream>, read: Bytes) -> (Stream, Bytes) {
        (Stream::Tcp(Arc::new(Pipe::new(io.into_inner()))), read)
    }

    /// The same, for those who publish.
    pub(crate) fn pipe(&self) -> Option<&Arc<Pipe>> {
        match self {
            Stream::Tcp(pipe) => Some(pipe),
            Stream::Other(_) => None,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let pipe = match self.get_mut() {
            Stream::Tcp(pipe) => pipe,
            Stream::Other(io) => return Pin::new(io).poll_read(cx, into),
        };
        loop {
            ready!(pipe.stream.poll_read_ready(cx))?;
            match pipe.stream.try_read(into.initialize_unfilled()) {
                Ok(read) => {
                    into.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Tcp(pipe) => {
                ready!(pipe.poll_rest(cx))?;
                pipe.poll_write(cx, bytes)
            }
            Stream::Other(io) => Pin::new(io).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(pipe) => pipe.poll_rest(cx),
            Stream::Other(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            // It is shut down when the last of those who hold it lets go.
            Stream::Tcp(pipe) => pipe.poll_rest(cx),
            Stream::Other(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_util::StreamExt as _;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;

    /// A pipe, and the client at its other end.
    async fn pipe() -> (Arc<Pipe>, WebSocketStream<TcpStream>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let at = listener.local_addr().expect("it is bound");
        let (client, server) = tokio::join!(TcpStream::connect(at), listener.accept());
        let client = WebSocketStream::from_raw_socket(client.expect("it listens"), Role::Client, None).await;
        (Arc::new(Pipe::new(server.expect("one came").0)), client)
    }

    #[tokio::test]
    async fn whoever_publishes_writes_only_while_the_pen_lies_there() {
        let (pipe, mut client) = pipe().await;
        assert_eq!(pipe.offer(&message(b"early")), Offer::Refused);
        pipe.lay_pen_down();
        poll_fn(|cx| pipe.stream.poll_write_ready(cx)).await.expect("it is connected");
        let long = "x".repeat(70_000);
        for text in ["short", &long[..126], &long[..65_535], &long] {
            assert_eq!(pipe.offer(&message(text.as_bytes())), Offer::Taken);
            let heard = client.next().await.expect("it goes on").expect("it is whole");
            assert_eq!(heard.into_text().expect("it is text"), text);
        }
        pipe.take_pen();
        assert_eq!(pipe.offer(&message(b"late")), Offer::Refused);
    }

    #[tokio::test]
    async fn a_message_that_the_kernel_took_in_part_is_finished_before_anything_else_is_written() {
        let (pipe, client) = pipe().await;
        pipe.lay_pen_down();
        poll_fn(|cx| pipe.stream.poll_write_ready(cx)).await.expect("it is connected");
        let text = message("x".repeat(1_000_000).as_bytes());
        let mut offered = 0;
        let last = loop {
            offered += 1;
            match pipe.offer(&text) {
                Offer::Taken => {}
                other => break other,
            }
        };
        assert_eq!(last, Offer::Begun);
        pipe.lay_pen_down();
        assert_eq!(pipe.offer(&text), Offer::Refused, "there is something left");

        let reader = async {
            client
                .take(offered + 1)
                .map(|message| message.expect("whole").into_data().len())
                .collect::<Vec<_>>()
                .await
        };
        let writer = async {
            let mut task = Stream::Tcp(pipe.clone());
            task.write_all(b"\x81\x05after").await.expect("it is connected");
        };
        let (lengths, ()) = tokio::join!(reader, writer);
        assert_eq!(lengths.split_last(), Some((&5, &vec![1_000_000; offered][..])));
    }
}
