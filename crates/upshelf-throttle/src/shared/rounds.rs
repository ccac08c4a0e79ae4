use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::timeout;
use upshelf_redis::client::{ErrorKind, RedisError};
use upshelf_redis::{Error, Line, Redis, Result, Script};

static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../../lua/take-n.lua")));

/// No round holds the server up for longer than so many requests take: about a millisecond.
const MOST: usize = 128;

/// A request, as the script takes it: a key per policy; how many there are, and three numbers for each.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) keys: Vec<String>,
    pub(super) numbers: Vec<u64>,
}

impl Request {
    pub(super) fn with_capacity(policies: usize) -> Self {
        let mut numbers = Vec::with_capacity(1 + 3 * policies);
        numbers.push(policies as u64);
        Self { keys: Vec::with_capacity(policies), numbers }
    }
}

/// What became of it: its part of the reply to all.
#[derive(Debug)]
pub(super) struct Answer {
    reply: Arc<Vec<u64>>,
    at: usize,
    policies: usize,
}

impl Answer {
    pub(super) fn now(&self) -> u64 {
        self.reply[0]
    }

    pub(super) fn is_allowed(&self) -> bool {
        self.reply[self.at] == 1
    }

    /// One per policy, from before the request.
    pub(super) fn tats(&self) -> &[u64] {
        &self.reply[self.at + 1..][..self.policies]
    }
}

type Waiting = (Request, oneshot::Sender<Result<Answer>>);

/// Has requests decided; those that come while others are being decided share the next call.
///
/// Nobody waits for company: a request that comes alone goes at once. In a cluster, where keys of different subjects
/// lie in different slots, each goes by itself.
#[derive(Debug)]
pub(super) enum Rounds {
    Apart(Line),
    Together { requests: mpsc::UnboundedSender<Waiting>, deadline: Duration },
}

impl Rounds {
    pub(super) fn new(redis: &Redis, line: Line) -> Self {
        if redis.keys().is_tagged() {
            return Self::Apart(line);
        }
        let (requests, waiting) = mpsc::unbounded_channel();
        redis.spawn(run(line, waiting));
        Self::Together { requests, deadline: redis.settings().fail_fast }
    }

    /// Waits for the decision, for as long as the line's class allows.
    pub(super) async fn decide(&self, request: Request) -> Result<Answer> {
        match self {
            Self::Apart(line) => {
                let reply = call(line, std::iter::once(&request)).await?;
                Ok(Answer { reply: Arc::new(reply), at: 1, policies: request.keys.len() })
            }
            Self::Together { requests, deadline } => {
                let (to, answer) = oneshot::channel();
                requests.send((request, to)).map_err(|_| Error::Away(None))?;
                // Where Redis is slow the round before takes a part of the time.
                let answer = timeout(*deadline, answer).await.map_err(|_| Error::Away(None))?;
                answer.map_err(|_| Error::Away(None))?
            }
        }
    }
}

async fn run(line: Line, mut waiting: mpsc::UnboundedReceiver<Waiting>) {
    let mut round = Vec::with_capacity(MOST);
    while waiting.recv_many(&mut round, MOST).await > 0 {
        // Whoever is about to ask as well does so first.
        yield_now().await;
        while round.len() < MOST
            && let Ok(next) = waiting.try_recv()
        {
            round.push(next);
        }
        // Who does not wait any more is not charged.
        round.retain(|(_, to)| !to.is_closed());
        if round.is_empty() {
            continue;
        }
        match call(&line, round.iter().map(|(request, _)| request)).await {
            Ok(reply) => {
                let reply = Arc::new(reply);
                let mut at = 1;
                for (request, to) in round.drain(..) {
                    let policies = request.keys.len();
                    let _ = to.send(Ok(Answer { reply: Arc::clone(&reply), at, policies }));
                    at += 1 + policies;
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

/// Sends one round; the reply has the server's time, and then what it should for each request.
async fn call<'a>(line: &Line, round: impl Iterator<Item = &'a Request>) -> Result<Vec<u64>> {
    let (mut keys, mut numbers, mut expected) = (Vec::new(), Vec::new(), 1);
    for request in round {
        keys.extend(request.keys.iter().map(String::as_str));
        numbers.extend_from_slice(&request.numbers);
        expected += 1 + request.keys.len();
    }
    let reply: Vec<u64> = line.eval(&TAKE, &keys, numbers).await?;
    if reply.len() == expected {
        return Ok(reply);
    }
    let odd: RedisError = (ErrorKind::UnexpectedReturnType, "not one number for each policy").into();
    Err(Error::Wrong(odd))
}

fn same(error: &Error) -> Error {
    match error {
        Error::Wrong(source) => Error::Wrong(source.clone()),
        Error::Away(source) => Error::Away(source.clone()),
        _ => Error::Away(None),
    }
}
