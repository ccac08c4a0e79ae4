//! What waits for one connection: bounded, filled by whoever publishes, emptied by the connection itself.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;

use bytes::Bytes;
use futures_util::task::AtomicWaker;

use crate::codes::Close;
use crate::latest::{Filter, Latest};
use crate::pipe::{self, Offer, Pipe};

/// A line of a message, encoded once for all who get it.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// The line as a whole message.
    message: Bytes,
    /// Where the line begins in it.
    begins: usize,
    /// Which position a client has that has read it; none for what moves nobody on.
    pub(crate) mark: Option<Mark>,
}

/// A position in a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) channel: Arc<str>,
    pub(crate) offset: u64,
}

impl Line {
    pub(crate) fn new(text: &[u8], mark: Option<Mark>) -> Line {
        let message = pipe::message(text);
        Line { begins: message.len() - text.len(), message, mark }
    }

    /// The line itself.
    pub(crate) fn text(&self) -> Bytes {
        self.message.slice(self.begins..)
    }

    pub(crate) fn len(&self) -> usize {
        self.message.len() - self.begins
    }
}

impl From<Bytes> for Line {
    fn from(text: Bytes) -> Line {
        Line::new(&text, None)
    }
}

/// What is to be written next.
#[derive(Debug)]
pub(crate) enum Next {
    Lines(Vec<Line>),
    /// A question for a sign of life.
    Ping,
    Close(Close),
}

/// The queue of one connection. Publishers never wait for it.
pub(crate) struct Outbox {
    pub(crate) id: u64,
    /// How many bytes may wait.
    limit: usize,
    /// Whether the client talks; who has only an `EventSource` does not.
    answers: bool,
    state: Mutex<State>,
    reader: AtomicWaker,
    /// Where it can be written to without its task.
    pipe: OnceLock<Arc<Pipe>>,
    /// Whether somebody has been let in.
    is_open: AtomicBool,
    /// Seconds, as the keeper counts them; 0 for never.
    pinged_at: AtomicU64,
    next_ping: AtomicU64,
    expires_at: AtomicU64,
    born_at: u64,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Line>,
    bytes: usize,
    watches: Vec<Watch>,
    ping: bool,
    close: Option<Close>,
}

/// Where a line is from.
#[derive(Clone, Copy)]
enum Place {
    Line,
    /// The channel of this number.
    Watch(usize),
}

/// What a connection knows of a channel whose last value wins: a number, however much is published.
struct Watch {
    board: Arc<Latest>,
    filter: Option<Arc<Filter>>,
    /// The stamp up to which it was sent everything.
    sent: u64,
    /// The stamp of the line that is to be written.
    shown: u64,
}

impl Watch {
    /// What is to be written, if anything is.
    fn line(&mut self) -> Option<Line> {
        if !self.board.is_due(self.sent) {
            return None;
        }
        let line;
        (line, self.shown) = self.board.since(self.sent, self.filter.as_deref());
        if line.is_none() {
            self.sent = self.shown;
        }
        line
    }
}

/// What was written at once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Written {
    pub(crate) lines: usize,
    pub(crate) bytes: usize,
}

impl Outbox {
    pub(crate) fn new(id: u64, limit: usize, answers: bool, second: u64) -> Outbox {
        Outbox {
            id,
            limit,
            answers,
            state: Mutex::default(),
            reader: AtomicWaker::new(),
            pipe: OnceLock::new(),
            is_open: AtomicBool::new(false),
            pinged_at: AtomicU64::new(0),
            next_ping: AtomicU64::new(0),
            expires_at: AtomicU64::new(0),
            born_at: second,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line; closes a connection that leaves too much unread. A single larger line is let through.
    ///
    /// It is written after [`Outbox::wake`] or [`Outbox::go`]; the connection's own task goes on to write by itself.
    pub(crate) fn queue(&self, line: Line) {
        let mut state = self.state();
        if state.close.is_some() {
            return;
        }
        if state.bytes > 0 && state.bytes + line.len() > self.limit {
            close(&mut state, Close::SLOW);
        } else {
            state.bytes += line.len();
            state.lines.push_back(line);
        }
    }

    /// Has the task write what waits.
    pub(crate) fn wake(&self) {
        self.reader.wake();
    }

    /// Writes what waits as far as that can be done at once, and has the task write the rest. Gives what was written.
    pub(crate) fn go(&self) -> Written {
        let mut written = Written::default();
        let mut state = self.state();
        if let Some(pipe) = self.pipe.get() {
            while let Some((place, line)) = state.first() {
                let offer = pipe.offer(&line.message);
                if offer == Offer::Refused {
                    break;
                }
                written.lines += 1;
                written.bytes += line.len();
                state.pass(place);
                if offer == Offer::Begun {
                    drop(state);
                    self.wake();
                    return written;
                }
            }
        }
        let is_done = state.is_done();
        drop(state);
        if !is_done {
            self.wake();
        }
        written
    }

    /// Ends a subscription by that line; where the client cannot be told so, the connection.
    pub(crate) fn send_away(&self, line: &Line) {
        if self.answers {
            self.queue(line.clone());
            self.wake();
        } else {
            self.close(Close::INSUFFICIENT_STATE);
        }
    }

    /// Asks the connection to end; the first reason counts.
    pub(crate) fn close(&self, reason: Close) {
        let mut state = self.state();
        if state.close.is_none() {
            close(&mut state, reason);
        }
        drop(state);
        self.reader.wake();
    }

    /// Says whether half of the bytes wait that may.
    pub(crate) fn is_half_full(&self) -> bool {
        self.state().bytes > self.limit / 2
    }

    /// Says why the connection is to end, if it is.
    pub(crate) fn closing(&self) -> Option<Close> {
        self.state().close
    }

    /// Begins to watch a channel whose last value wins, from a stamp on, for the connection's own task.
    pub(crate) fn watch(&self, board: Arc<Latest>, filter: Option<Arc<Filter>>, sent: u64) {
        self.state().watches.push(Watch { board, filter, sent, shown: sent });
    }

    /// Ends that.
    pub(crate) fn unwatch(&self, board: &Arc<Latest>) {
        self.state().watches.retain(|watch| !Arc::ptr_eq(&watch.board, board));
    }

    /// Lets whoever publishes write there, whenever the task has nothing to write.
    pub(crate) fn connect(&self, pipe: &Arc<Pipe>) {
        self.pipe.get_or_init(|| pipe.clone());
    }

    /// Takes what is to be written next: lines of about `most` bytes, at least one.
    ///
    /// Boards are locked under this lock, and never the other way round.
    pub(crate) fn take(&self, most: usize) -> Option<Next> {
        let mut state = self.state();
        if let Some(reason) = state.close {
            return Some(Next::Close(reason));
        }
        if !state.lines.is_empty() {
            return Some(Next::Lines(state.portion(most)));
        }
        if let Some((place, line)) = state.first() {
            state.pass(place);
            return Some(Next::Lines(vec![line]));
        }
        std::mem::take(&mut state.ping).then_some(Next::Ping)
    }

    /// Wakes this task when there is something to take.
    pub(crate) fn register(&self, waker: &Waker) {
        self.reader.register(waker);
    }

    /// Lets somebody in, whose sign-in is good until that second.
    pub(crate) fn open(&self, next_ping: u64, expires_at: Option<u64>) {
        self.next_ping.store(next_ping, Ordering::Relaxed);
        self.expires_at.store(expires_at.unwrap_or(0), Ordering::Relaxed);
        self.is_open.store(true, Ordering::Release);
    }

    /// Notes a sign of life.
    pub(crate) fn heard(&self) {
        self.pinged_at.store(0, Ordering::Relaxed);
    }

    /// Looks after the connection, once a second.
    pub(crate) fn tend(&self, second: u64, times: &Times) {
        if !self.is_open.load(Ordering::Acquire) {
            if second >= self.born_at + times.greeting {
                self.close(Close::STALE);
            }
            return;
        }
        let expires_at = self.expires_at.load(Ordering::Relaxed);
        if expires_at != 0 && second >= expires_at {
            return self.close(Close::EXPIRED);
        }
        let pinged_at = self.pinged_at.load(Ordering::Relaxed);
        if self.answers && pinged_at != 0 && second >= pinged_at + times.pong {
            return self.close(Close::NO_PONG);
        }
        if second >= self.next_ping.load(Ordering::Relaxed) {
            self.next_ping.store(second + times.ping, Ordering::Relaxed);
            if pinged_at == 0 {
                self.pinged_at.store(second.max(1), Ordering::Relaxed);
            }
            self.state().ping = true;
            self.reader.wake();
        }
    }
}

impl State {
    /// The line that is to be written next, and where it is from.
    fn first(&mut self) -> Option<(Place, Line)> {
        if self.close.is_some() {
            return None;
        }
        if let Some(line) = self.lines.front() {
            return Some((Place::Line, line.clone()));
        }
        let mut watches = self.watches.iter_mut().enumerate();
        watches.find_map(|(number, watch)| Some((Place::Watch(number), watch.line()?)))
    }

    /// Notes that what was first is done.
    fn pass(&mut self, place: Place) {
        match place {
            Place::Line => {
                if let Some(line) = self.lines.pop_front() {
                    self.bytes -= line.len();
                }
            }
            // Another board may have become due meanwhile.
            Place::Watch(number) => self.watches[number].sent = self.watches[number].shown,
        }
    }

    fn is_done(&self) -> bool {
        let is_due = self.watches.iter().any(|watch| watch.board.is_due(watch.sent));
        self.lines.is_empty() && !is_due && !self.ping && self.close.is_none()
    }

    fn portion(&mut self, most: usize) -> Vec<Line> {
        let mut taken = Vec::new();
        let mut bytes = 0;
        while let Some(line) = self.lines.front() {
            if bytes > 0 && bytes + line.len() > most {
                break;
            }
            bytes += line.len();
            taken.extend(self.lines.pop_front());
        }
        self.bytes -= bytes;
        if self.lines.is_empty() {
            // One burst must not be paid for as long as the connection lasts.
            self.lines = VecDeque::new();
        }
        taken
    }
}

fn close(state: &mut State, reason: Close) {
    *state = State { close: Some(reason), ..State::default() };
}

/// How long things take, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) ping: u64,
    pub(crate) pong: u64,
    pub(crate) greeting: u64,
}
