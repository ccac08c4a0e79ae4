//! Server-Sent Events (HTML, 9.2): the same channels for everything that has only an `EventSource`.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use serde_json::Value;

use crate::codes::{Close, Code};
use crate::counts::{self, Counted};
use crate::house::{House, Kind, Welcome};
use crate::hub::Channel;
use crate::live::Live;
use crate::outbox::{Line, Next, Outbox};
use crate::position::{self, Positions};
use crate::wire;

/// About how much is written at once.
const BATCH: usize = 32 * 1024;

/// A channel that was refused, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("may not watch {channel}: {}", code.message())]
pub struct Refused {
    /// Which one.
    pub channel: String,
    /// Why.
    pub code: Code,
}

/// The body of a reply of the type `text/event-stream`. It ends when its reader is too slow, when the sign-in runs out
/// and when the program closes; the reader comes back by itself.
pub struct Events<H: House> {
    live: Live<H>,
    outbox: Arc<Outbox>,
    channels: Vec<Channel>,
    positions: Positions,
    ready: VecDeque<Bytes>,
    has_ended: bool,
    _counted: Counted,
}

impl<H: House> Live<H> {
    /// Begins to watch channels, each with what it is to know of the subscription. `last_event_id` is the position that
    /// the reader was at.
    ///
    /// # Errors
    /// Says which channel is refused, and why; nothing is watched then.
    pub async fn events(
        &self,
        welcome: Welcome<H::Visitor>,
        channels: &[(String, Value)],
        last_event_id: Option<&str>,
    ) -> Result<Events<H>, Refused> {
        let refused = |channel: &str, code| Refused { channel: channel.to_owned(), code };
        if channels.len() > self.inner.settings.channels {
            return Err(refused(&channels[self.inner.settings.channels].0, Code::LimitExceeded));
        }
        let visitor = Arc::new(welcome.visitor);
        let outbox = self.connection(false);
        self.inner.peers.name(outbox.id, &visitor);
        let mut events = Events {
            live: self.clone(),
            outbox: outbox.clone(),
            channels: Vec::new(),
            positions: Positions::default(),
            ready: VecDeque::new(),
            has_ended: false,
            _counted: Counted::new("sse"),
        };
        if !self.inner.house.may_stay(&visitor).await {
            outbox.close(Close::INVALID_TOKEN);
        }
        let mut before = last_event_id.map(position::read).unwrap_or_default();
        let (mut told, mut all) = (String::new(), !before.is_empty());
        let mut joined = Vec::new();
        for (name, data) in channels {
            if events.channels.iter().any(|channel| **channel.name() == **name) {
                return Err(refused(name, Code::AlreadySubscribed));
            }
            let recovery = before.remove(name).unwrap_or_default();
            let join = self.join(&outbox, &visitor, name, data, &recovery).await;
            let join = join.map_err(|code| refused(name, code))?;
            events.channels.push(join.channel.clone());
            let began = &join.subscribed;
            if join.channel.kind() != Kind::Latest {
                let at = if began.is_recovered { recovery.offset } else { began.offset };
                events.positions.add(join.channel.name(), &began.epoch, at);
            }
            let is_recovered = match join.channel.kind() {
                Kind::Latest => last_event_id.is_some(),
                Kind::Stream | Kind::Brief => began.is_recovered,
            };
            all &= is_recovered;
            let comma = if told.is_empty() { "" } else { "," };
            let _ = write!(told, "{comma}{}:{{\"recovered\":{is_recovered}}}", wire::quoted(name));
            joined.push((name, join));
        }
        events.begin(all, &told);
        for (name, join) in &joined {
            events.make_up(name, &join.subscribed.publications, join.subscribed.offset);
            join.settle(&outbox);
        }
        let second = self.second();
        let ping = self.inner.settings.ping.as_secs().max(1);
        outbox.open(second + ping, welcome.expires_in.map(|left| second + left.as_secs() + 1));
        Ok(events)
    }
}

impl<H: House> Events<H> {
    fn begin(&mut self, is_recovered: bool, channels: &str) {
        let retry = self.live.inner.settings.retry.as_millis();
        let id = self.positions.field();
        let text = format!(
            "retry: {retry}\nevent: subscribed\n{id}data: {{\"recovered\":{is_recovered},\"channels\":{{{channels}}}}}\n\n"
        );
        self.ready.push_back(text.into());
    }

    /// Tells what was missed, or how things stand. The last of it has the number `top`, if any has one.
    fn make_up(&mut self, channel: &str, publications: &[Vec<u8>], top: u64) {
        let first = (top + 1).saturating_sub(publications.len() as u64);
        for (publication, offset) in publications.iter().zip(first..) {
            self.positions.advance(channel, offset);
            let line = Line::from(wire::push(channel, publication));
            self.message(&line);
        }
    }

    fn message(&mut self, line: &Line) {
        if let Some(mark) = &line.mark {
            self.positions.advance(&mark.channel, mark.offset);
        }
        self.ready.push_back(format!("{}data: ", self.positions.field()).into());
        self.ready.push_back(wire::inside_push(&line.text()));
        self.ready.push_back(Bytes::from_static(b"\n\n"));
    }

    /// Puts what is ready together, so that it goes out in few writes.
    fn batch(&mut self) -> Option<Bytes> {
        if self.ready.len() < 2 {
            return self.ready.pop_front();
        }
        let mut batch = Vec::new();
        while batch.len() < BATCH {
            let Some(part) = self.ready.pop_front() else { break };
            batch.extend_from_slice(&part);
        }
        Some(batch.into())
    }
}

impl<H: House> Body for Events<H> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let events = self.get_mut();
        if events.has_ended {
            return Poll::Ready(None);
        }
        events.outbox.register(cx.waker());
        if events.ready.is_empty() {
            match events.outbox.take(BATCH) {
                Some(Next::Lines(lines)) => {
                    counts::sent(1, lines.len(), lines.iter().map(Line::len).sum());
                    lines.iter().for_each(|line| events.message(line));
                }
                Some(Next::Ping) => events.ready.push_back(Bytes::from_static(b":\n\n")),
                Some(Next::Close(reason)) => {
                    counts::closed(reason);
                    events.has_ended = true;
                    return Poll::Ready(None);
                }
                None => return Poll::Pending,
            }
        }
        Poll::Ready(events.batch().map(|batch| Ok(Frame::data(batch))))
    }
}

impl<H: House> Drop for Events<H> {
    fn drop(&mut self) {
        for channel in &self.channels {
            channel.leave(&self.outbox);
        }
        self.live.inner.peers.remove(self.outbox.id);
    }
}
