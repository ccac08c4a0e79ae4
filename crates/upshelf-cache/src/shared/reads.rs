//! Reads of many tasks, which share their calls of the script.

use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::{Instant, timeout_at};
use upshelf_redis::client::{self, ErrorKind, RedisError, RedisWrite, ToRedisArgs};
use upshelf_redis::{Error, Line, Redis, Result, Script};

use super::news::Identity;
use super::{LEASE, Question, RELEASE, Raw, Turn, millis};

static READ: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../../lua/read-n.lua")));

/// No call holds the server up for longer than so many reads take …
const MOST: usize = 64;
/// … or brings home much more than this, in bytes.
const ENOUGH: usize = 1 << 20;

/// A question and its terms.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) question: Question,
    /// The share of the ttl that must be left.
    pub(super) spare: f64,
    /// The meta of a value that was found invalid.
    pub(super) wanting: Vec<u8>,
    /// When it is no use any more.
    pub(super) deadline: Instant,
}

/// What Redis has, and who is to load.
pub(super) type Answer = (Turn, Option<Raw>);

type Waiting = (Read, oneshot::Sender<Result<Answer>>);

/// Has values read; reads that come while others are under way share the next call, if they are of one link.
///
/// Nobody waits for company, and nobody beyond its deadline: a read that comes alone goes at once. In a cluster, where keys lie in different slots,
/// each goes by itself.
///
/// Invariant: a lease that was given to one who does not take it is given back.
#[derive(Debug)]
pub(super) struct Reads {
    caller: Arc<Caller>,
    together: Option<mpsc::UnboundedSender<Waiting>>,
}

#[derive(Debug)]
struct Caller {
    redis: Redis,
    line: Line,
    /// Makes the tokens of leases.
    identity: Identity,
}

/// An answer that is on its way.
struct Coming<'a> {
    answer: oneshot::Receiver<Result<Answer>>,
    caller: &'a Caller,
}

impl Reads {
    pub(super) fn new(redis: &Redis, line: Line) -> Self {
        let caller = Arc::new(Caller { redis: redis.clone(), line, identity: Identity::new() });
        let together = (!redis.keys().is_tagged()).then(|| {
            let (reads, waiting) = mpsc::unbounded_channel();
            redis.spawn(Arc::clone(&caller).run(waiting));
            reads
        });
        Self { caller, together }
    }

    /// Waits for the answer, for as long as the line's class allows.
    pub(super) async fn ask(&self, read: Read) -> Result<Answer> {
        let Some(reads) = &self.together else {
            let mut answers = Box::pin(self.caller.call(std::slice::from_ref(&read))).await?;
            return answers.next().ok_or_else(odd)?.answer(read);
        };
        let (to, answer) = oneshot::channel();
        let mut coming = Coming { answer, caller: &self.caller };
        reads.send((read, to)).map_err(|_| Error::Away(None))?;
        (&mut coming.answer).await.map_err(|_| Error::Away(None))?
    }
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        self.answer.close();
        if let Ok(answer) = self.answer.try_recv() {
            self.caller.take_back(answer);
        }
    }
}

impl Caller {
    async fn run(self: Arc<Self>, mut waiting: mpsc::UnboundedReceiver<Waiting>) {
        let mut all: Vec<Waiting> = Vec::with_capacity(MOST);
        let (mut round, mut askers) = (Vec::with_capacity(MOST), Vec::with_capacity(MOST));
        while !all.is_empty() || waiting.recv_many(&mut all, MOST).await > 0 {
            // Whoever is about to ask as well does so first.
            yield_now().await;
            while all.len() < MOST
                && let Ok(next) = waiting.try_recv()
            {
                all.push(next);
            }
            // Who does not wait any more gets no lease.
            all.retain(|(_, to)| !to.is_closed());
            let Some((first, _)) = all.first() else { continue };
            let link = Arc::clone(&first.question.link);
            for (read, to) in all.extract_if(.., |(read, _)| Arc::ptr_eq(&read.question.link, &link)) {
                round.push(read);
                askers.push(to);
            }
            let answers = {
                let mut call = pin!(self.call(&round));
                // The first has waited longest: where Redis is slow the call before took a part of its time.
                match timeout_at(round[0].deadline, &mut call).await {
                    Ok(answers) => answers,
                    Err(_) => {
                        for to in askers.drain(..) {
                            let _ = to.send(Err(Error::Away(None)));
                        }
                        call.await
                    }
                }
            };
            match answers {
                Ok(answers) if askers.is_empty() => {
                    for (found, read) in answers.zip(round.drain(..)) {
                        self.take_back(found.answer(read));
                    }
                }
                Ok(answers) => {
                    let mut asked = round.drain(..).zip(askers.drain(..));
                    for (found, (read, to)) in answers.zip(&mut asked) {
                        if let Err(untaken) = to.send(found.answer(read)) {
                            self.take_back(untaken);
                        }
                    }
                    // What was too much for this call comes first in the next.
                    all.splice(..0, asked);
                }
                Err(error) => {
                    round.clear();
                    for to in askers.drain(..) {
                        let _ = to.send(Err(same(&error)));
                    }
                }
            }
        }
    }

    /// Sends one call, of reads of one link; there may be fewer answers than reads, but there is one.
    async fn call(&self, round: &[Read]) -> Result<impl Iterator<Item = Found> + use<>> {
        let [Read { question: Question { link, .. }, .. }, ..] = round else { return Err(odd()) };
        let unique: Arc<str> = self.identity.unique().into();
        let terms = Terms { unique: &unique, round };
        let keys: Vec<&String> = round.iter().flat_map(|read| &read.question.value.keys).collect();
        let reply = self.line.in_life(link.life).eval::<Vec<client::Value>>(&READ, &keys, terms).await;
        let reply = match reply {
            Ok(reply) if (2..=2 * round.len()).contains(&reply.len()) && reply.len() % 2 == 0 => reply,
            wrong => {
                // Some may have been given all the same.
                let leases =
                    round.iter().zip(1..).map(|(read, place)| (lease_of(read), token(&unique, place)));
                self.give_back(leases.collect());
                return Err(wrong.err().unwrap_or_else(odd));
            }
        };
        let mut reply = reply.into_iter();
        Ok((1..).map_while(move |place| {
            let (head, value) = (reply.next()?, reply.next()?);
            Some(Found { head, value, unique: Arc::clone(&unique), place })
        }))
    }

    /// Gives back what nobody took.
    fn take_back(&self, answer: Result<Answer>) {
        if let Ok((Turn::Mine(lease), _)) = answer {
            let [.., name] = lease.value.keys;
            self.give_back(vec![(name, lease.token)]);
        }
    }

    /// Gives leases back that are perhaps not there, without waiting for it.
    fn give_back(&self, leases: Vec<(String, String)>) {
        let line = self.line.clone();
        self.redis.spawn(async move {
            // They end by themselves.
            join_all(
                leases.iter().map(async |(name, token)| line.eval::<u8>(&RELEASE, &[name], &[token]).await),
            )
            .await;
        });
    }
}

/// What the script said of one value.
struct Found {
    head: client::Value,
    value: client::Value,
    unique: Arc<str>,
    place: usize,
}

impl Found {
    fn answer(self, read: Read) -> Result<Answer> {
        let (client::Value::BulkString(head), client::Value::BulkString(value)) = (self.head, self.value)
        else {
            return Err(odd());
        };
        let mut words = head.splitn(4, |byte| *byte == b' ');
        let mut number = || std::str::from_utf8(words.next()?).ok()?.parse::<i64>().ok();
        let (Some(who), Some(given), Some(left)) = (number(), number(), number()) else { return Err(odd()) };
        let meta_at = head.len() - words.next().map_or(0, <[u8]>::len);
        let turn = match who {
            0 => Turn::Nobody,
            1 => {
                let given = u64::try_from(given).unwrap_or_default();
                Turn::Mine(read.question.lease(token(&self.unique, self.place), given))
            }
            2 => Turn::Theirs,
            _ => {
                let why = String::from_utf8_lossy(&head[meta_at..]).into_owned();
                let error: RedisError = (ErrorKind::Extension, "the server takes no leases", why).into();
                return Err(Error::Wrong(error));
            }
        };
        let left = u64::try_from(left).ok().filter(|left| *left > 0).map(Duration::from_millis);
        let raw = left.filter(|_| meta_at < head.len()).map(|left| Raw { value, head, meta_at, left });
        Ok((turn, raw))
    }
}

/// What the script is told beside the keys.
struct Terms<'a> {
    unique: &'a str,
    round: &'a [Read],
}

impl ToRedisArgs for Terms<'_> {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        out.write_arg(self.unique.as_bytes());
        out.write_arg_fmt(millis(LEASE));
        out.write_arg_fmt(ENOUGH);
        for (before, read) in self.round.iter().enumerate() {
            if read.spare != 0.0 || !read.wanting.is_empty() {
                out.write_arg_fmt(before + 1);
                out.write_arg_fmt(read.spare);
                out.write_arg(&read.wanting);
            }
        }
    }
}

fn token(unique: &str, place: usize) -> String {
    format!("{unique}.{place}")
}

fn lease_of(read: &Read) -> String {
    let [.., lease] = &read.question.value.keys;
    lease.clone()
}

fn odd() -> Error {
    let error: RedisError = (ErrorKind::UnexpectedReturnType, "not two texts for each value").into();
    Error::Wrong(error)
}

fn same(error: &Error) -> Error {
    match error {
        Error::Wrong(source) => Error::Wrong(source.clone()),
        Error::Away(source) => Error::Away(source.clone()),
        _ => Error::Away(None),
    }
}
