use std::sync::LazyLock;

use tokio::sync::{mpsc, oneshot};
use upshelf_redis::client::{ErrorKind, RedisError};
use upshelf_redis::{Error, Line, Redis, Result, Script};

static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../../lua/take-n.lua")));

/// No round holds the server up for longer than so many requests take: about a millisecond.
const MOST: usize = 128;

/// A request, as the script takes it: a key and three numbers per policy.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) keys: Vec<String>,
    pub(super) numbers: Vec<u64>,
}

/// What became of it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) now: u64,
    pub(super) is_allowed: bool,
    /// One per policy, from before the request.
    pub(super) tats: Vec<u64>,
}

type Waiting = (Request, oneshot::Sender<Result<Answer>>);

/// Has requests decided; those that come while others are being decided share the next call.
///
/// Nobody waits for company: a request that comes alone goes at once. In a cluster, where keys of different subjects
/// lie in different slots, each goes by itself.
#[derive(Debug)]
pub(super) enum Rounds {
    Apart(Line),
    Together(mpsc::UnboundedSender<Waiting>),
}

impl Rounds {
    pub(super) fn new(redis: &Redis, line: Line) -> Self {
        if redis.keys().is_tagged() {
            return Self::Apart(line);
        }
        let (requests, waiting) = mpsc::unbounded_channel();
        redis.spawn(run(line, waiting));
        Self::Together(requests)
    }

    /// Waits for the decision, for as long as the line allows.
    pub(super) async fn decide(&self, request: Request) -> Result<Answer> {
        match self {
            Self::Apart(line) => {
                let (now, reply) = call(line, std::iter::once(&request)).await?;
                answer(&mut reply.iter().copied(), now, request.keys.len())
            }
            Self::Together(requests) => {
                let (to, answer) = oneshot::channel();
                requests.send((request, to)).map_err(|_| Error::Away(None))?;
                answer.await.map_err(|_| Error::Away(None))?
            }
        }
    }
}

async fn run(line: Line, mut waiting: mpsc::UnboundedReceiver<Waiting>) {
    let mut round = Vec::with_capacity(MOST);
    while waiting.recv_many(&mut round, MOST).await > 0 {
        // Who does not wait any more is not charged.
        round.retain(|(_, to)| !to.is_closed());
        if round.is_empty() {
            continue;
        }
        match call(&line, round.iter().map(|(request, _)| request)).await {
            Ok((now, reply)) => {
                let mut reply = reply.into_iter();
                for (request, to) in round.drain(..) {
                    let _ = to.send(answer(&mut reply, now, request.keys.len()));
                }
            }
            Err(error) => {
                // Who waited meanwhile has waited long enough.
                while let Ok(late) = waiting.try_recv() {
                    round.push(late);
                }
                for (_, to) in round.drain(..) {
                    let _ = to.send(Err(same(&error)));
                }
            }
        }
    }
}

/// Sends one round, and returns the server's time and what follows it.
async fn call<'a>(line: &Line, round: impl Iterator<Item = &'a Request>) -> Result<(u64, Vec<u64>)> {
    let (mut keys, mut numbers) = (Vec::new(), Vec::new());
    for request in round {
        keys.extend(request.keys.iter().map(String::as_str));
        numbers.push(request.keys.len() as u64);
        numbers.extend(&request.numbers);
    }
    let mut reply: Vec<u64> = line.eval(&TAKE, &keys, numbers).await?;
    if reply.is_empty() {
        return Err(odd_reply());
    }
    let rest = reply.split_off(1);
    Ok((reply[0], rest))
}

fn answer(reply: &mut impl Iterator<Item = u64>, now: u64, policies: usize) -> Result<Answer> {
    let is_allowed = reply.next() == Some(1);
    let tats: Vec<_> = reply.take(policies).collect();
    if tats.len() == policies { Ok(Answer { now, is_allowed, tats }) } else { Err(odd_reply()) }
}

fn odd_reply() -> Error {
    let error: RedisError = (ErrorKind::UnexpectedReturnType, "not one number for each policy").into();
    Error::Wrong(error)
}

fn same(error: &Error) -> Error {
    match error {
        Error::Wrong(source) => Error::Wrong(source.clone()),
        Error::Away(source) => Error::Away(source.clone()),
        _ => Error::Away(None),
    }
}
