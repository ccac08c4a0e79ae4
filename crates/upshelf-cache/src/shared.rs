mod coherence;
mod meta;
mod names;
mod news;
mod peers;
mod reads;
mod state;
mod tell;
mod token;
mod waiting;

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use tokio::time::{Instant, sleep};
use upshelf_redis::{Class, Error, Lane, Line, Redis, Script, client};

pub(crate) use self::coherence::Coherence;
pub(crate) use self::meta::{Meta, hash};
use self::names::{Names, Value};
use self::news::Identity;
use self::peers::Peers;
use self::reads::{Read, Reads};
pub(crate) use self::state::Link;
use self::state::State;
use self::token::{Mirror, Token};
pub(crate) use self::waiting::Waiter;
use self::waiting::Waiting;

static SEIZE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../lua/seize-1.lua")));
static HOLD: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../lua/hold-1.lua")));
static RELEASE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../lua/release-1.lua")));
static FILL: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../lua/fill-3.lua")));
static TOUCH: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../lua/touch-n.lua")));

/// A lease that is not prolonged ends after this: how long a loader that was killed is waited for.
const LEASE: Duration = Duration::from_secs(2);
/// How often a loader prolongs its lease.
const HOLD_EVERY: Duration = Duration::from_millis(400);
/// How long a token is kept that nobody asks for; a lost one costs misses.
const TOKEN_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
/// How far the clocks of two nodes of a cluster may be apart, in µs.
const SKEW: u64 = 5_000_000;

/// The level of all processes, through Redis.
///
/// Invariants: an entry is stored only by who has its lease, and every invalidation of its key kills the lease; it is
/// valid only while its tags and everything have the tokens that they had when its load began. Redis is believed
/// only while there is a [`Link`]: `state.rs` says when, `coherence.rs` makes and breaks it.
pub(crate) struct Shared {
    redis: Redis,
    /// For what the loader can do as well.
    quick: Line,
    /// For what should arrive.
    sure: Line,
    names: Names,
    identity: Identity,
    mirror: Mirror,
    reads: Reads,
    state: State,
    waiting: Waiting,
    /// The number of the last invalidation that this process told of, and the lock that keeps them in order.
    told: AtomicU64,
    telling: tokio::sync::Mutex<()>,
    peers: Mutex<Peers>,
    processes: AtomicUsize,
}

/// The right to load a value and to store it.
#[derive(Debug)]
pub(crate) struct Lease {
    value: Value,
    token: String,
    /// The server's time when it was given, in µs.
    given: u64,
    /// The last lesson before it was asked for.
    lessons: u64,
    link: Arc<Link>,
}

/// A value as Redis has it.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) value: Vec<u8>,
    /// Its meta from `meta_at` on.
    head: Vec<u8>,
    meta_at: usize,
    /// How long Redis keeps it.
    pub(crate) left: Duration,
}

impl Raw {
    pub(crate) fn meta(&self) -> &[u8] {
        &self.head[self.meta_at..]
    }
}

/// Who is to load a value.
#[derive(Debug)]
pub(crate) enum Turn {
    /// Nobody: it is fresh.
    Nobody,
    /// The caller.
    Mine(Lease),
    /// Somebody else, here or elsewhere.
    Theirs,
}

/// A question for a value: its names, on the terms of one link.
#[derive(Debug)]
pub(crate) struct Question {
    value: Value,
    link: Arc<Link>,
    lessons: u64,
}

impl Question {
    pub(crate) fn link(&self) -> Arc<Link> {
        Arc::clone(&self.link)
    }

    fn lease(self, token: String, given: u64) -> Lease {
        let Self { value, link, lessons } = self;
        Lease { value, token, given, lessons, link }
    }
}

/// A value to be stored.
pub(crate) struct Goods<'a> {
    pub(crate) json: &'a [u8],
    pub(crate) hash: u64,
    pub(crate) tags: &'a [Box<str>],
    pub(crate) ttl: Duration,
    pub(crate) grace: Duration,
}

/// What became of a value that was to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filled {
    Stored,
    /// Something that it depends on was invalidated since its load began.
    Refused,
    /// Redis did not answer.
    Unknown,
}

impl Shared {
    pub(crate) fn new(redis: &Redis) -> Self {
        let quick = redis.line(Lane::Cache, Class::FailFast);
        Self {
            redis: redis.clone(),
            reads: Reads::new(redis, quick.clone()),
            quick,
            sure: redis.line(Lane::General, Class::Queue),
            names: Names::of(redis.keys()),
            identity: Identity::new(),
            mirror: Mirror::default(),
            state: State::default(),
            waiting: Waiting::default(),
            told: AtomicU64::new(0),
            telling: tokio::sync::Mutex::default(),
            peers: Mutex::default(),
            processes: AtomicUsize::new(1),
        }
    }

    /// Says whether Redis is not believed, or does not answer.
    pub(crate) fn is_degraded(&self) -> bool {
        self.state.link().is_none() || !self.redis.health().is_up()
    }

    pub(crate) fn processes(&self) -> usize {
        self.processes.load(Ordering::Relaxed)
    }

    /// Says whether all that another process had told when it told this has been heard.
    pub(crate) fn has_heard(&self, (process, number): (u64, u64)) -> bool {
        process == self.identity.process || self.peers().number(process).is_some_and(|heard| heard >= number)
    }

    /// Begins to listen anew: this process expects to hear itself.
    fn begin_to_hear(&self) {
        let mut peers = Peers::default();
        peers.hear(self.identity.process, self.told.load(Ordering::Acquire), false, Instant::now());
        *self.peers() = peers;
    }

    fn peers(&self) -> MutexGuard<'_, Peers> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prepares to ask for a value; `None` when it is not shared or Redis is not believed.
    pub(crate) fn question(&self, key: &str) -> Option<Question> {
        let (link, value) = (self.state.link()?, self.names.value(key)?);
        Some(Question { value, link, lessons: self.mirror.lessons() })
    }

    fn quick(&self, link: &Link) -> Line {
        self.quick.in_life(link.life)
    }

    /// Reads a value, of whose ttl the share `spare` must be left, and learns who is to load it. `wanting` is the meta of
    /// one that was found invalid.
    pub(crate) async fn read(
        &self,
        question: Question,
        spare: f64,
        wanting: Vec<u8>,
    ) -> Result<(Turn, Option<Raw>), Error> {
        let deadline = Instant::now() + self.redis.settings().fail_fast;
        self.reads.ask(Read { question, spare, wanting, deadline }).await
    }

    /// Takes the lease of a value that is at hand from whoever has it.
    pub(crate) async fn seize(&self, question: Question) -> Result<Lease, Error> {
        let token = self.identity.unique();
        let args = [token.clone(), millis(LEASE).to_string()];
        let given = self.quick(&question.link).eval(&SEIZE, &question.value.keys[2..], &args).await?;
        Ok(question.lease(token, given))
    }

    /// Says whether nothing that a value depends on was invalidated since its load began.
    pub(crate) async fn is_valid(&self, link: &Link, meta: &Meta<'_>) -> bool {
        if meta.namespace != *link.namespace {
            return false;
        }
        let is_known = |(tag, token): &(Cow<'_, str>, Cow<'_, str>)| self.mirror.is(tag, token) == Some(true);
        // Most are known; looking takes room that a read would carry for nothing.
        meta.tags.iter().all(is_known) || Box::pin(self.look(link, meta)).await
    }

    /// Says whether a value's tags have in Redis the tokens that it was stored with.
    async fn look(&self, link: &Link, meta: &Meta<'_>) -> bool {
        let doubted = meta.tags.iter().filter(|(tag, token)| self.mirror.is(tag, token) != Some(true));
        // A token that is unknown here, or another: this process may be the one that lags behind.
        let line = self.quick(link);
        let looks = doubted.map(|(tag, token)| {
            let line = &line;
            async move {
                let found = line.query::<Option<String>>(client::cmd("GET").arg(self.names.token(tag))).await;
                if let Some(found) = found.ok().flatten().as_deref().and_then(Token::read) {
                    self.mirror.learn(tag, found);
                    // What was heard meanwhile counts more than what was read.
                    return self.mirror.is(tag, token) == Some(true);
                }
                false
            }
        });
        join_all(looks).await.into_iter().all(|is_valid| is_valid)
    }

    /// Prolongs a lease until it is dead; never returns.
    pub(crate) async fn hold(&self, lease: &Lease) -> std::convert::Infallible {
        loop {
            sleep(HOLD_EVERY).await;
            let args = [lease.token.clone(), millis(LEASE).to_string()];
            let held = self.quick(&lease.link).eval::<u8>(&HOLD, &lease.value.keys[2..], &args).await;
            if held.is_ok_and(|held| held == 0) {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Stores a value, if nothing that it depends on was invalidated since its lease was given.
    pub(crate) async fn fill(self: &Arc<Self>, key: &str, lease: Lease, goods: Goods<'_>) -> Filled {
        // Redis counts milliseconds from one on.
        let life = goods.ttl + goods.grace;
        if life < Duration::from_millis(1) {
            self.release(key, lease);
            return Filled::Unknown;
        }
        let tokens = try_join_all(goods.tags.iter().map(|tag| self.touch(tag, &lease, life))).await;
        let Ok(tokens) = tokens else {
            self.release(key, lease);
            return Filled::Unknown;
        };
        let tags = goods.tags.iter().zip(&tokens);
        if !tags.clone().all(|(tag, token)| self.is_older(tag, token, &lease)) {
            self.release(key, lease);
            return Filled::Refused;
        }
        let meta = Meta {
            ttl: goods.ttl,
            grace: goods.grace,
            hash: goods.hash,
            namespace: (&*lease.link.namespace).into(),
            tags: tags.map(|(tag, token)| ((&**tag).into(), (&*token.text).into())).collect(),
        };
        let (meta, life) = (meta.write(), millis(life).to_string());
        let args: [&[u8]; 4] = [lease.token.as_bytes(), goods.json, meta.as_bytes(), life.as_bytes()];
        match self.quick(&lease.link).eval(&FILL, &lease.value.keys, &args).await {
            Ok(0_u8) => Filled::Refused,
            Ok(1) => Filled::Stored,
            Ok(_) => {
                self.announce_landing(key).await;
                Filled::Stored
            }
            Err(error) => {
                if !error.is_away() {
                    tracing::warn!(key, error = &error as &dyn std::error::Error, "could not store a value");
                }
                self.release(key, lease);
                Filled::Unknown
            }
        }
    }

    /// Learns a tag's token, and notes the value as its member.
    async fn touch(&self, tag: &str, lease: &Lease, life: Duration) -> Result<Token, Error> {
        let mut keys = vec![self.names.token(tag)];
        if self.names.has_members(tag) {
            keys.push(self.names.members(tag));
        }
        let [value, ..] = &lease.value.keys;
        let (token_life, life) = (millis(TOKEN_LIFE.max(life * 2)).to_string(), millis(life).to_string());
        let args = [&*self.identity.unique(), &token_life, value, &life];
        let token: String = self.quick(&lease.link).eval(&TOUCH, &keys, &args).await?;
        let token = Token::read(&token).ok_or(Error::Away(None))?;
        self.mirror.learn(tag, token.clone());
        Ok(token)
    }

    /// Says whether a tag was last invalidated before a load began.
    ///
    /// What this process knew before then needs no clock. Else the server's clock decides, that of the lease and that of
    /// the token; in a cluster they may be two, which costs a load its place if the invalidation is seconds old.
    fn is_older(&self, tag: &str, token: &Token, lease: &Lease) -> bool {
        let skew = if self.names.is_sharded() { SKEW } else { 0 };
        !token.is_of_invalidation()
            || self.mirror.was(tag, token, lease.lessons)
            || token.made.saturating_add(skew) < lease.given
    }

    /// Gives a lease back that comes to nothing, without waiting for it.
    pub(crate) fn release(self: &Arc<Self>, key: &str, lease: Lease) {
        let (shared, key) = (Arc::clone(self), Box::<str>::from(key));
        self.redis.spawn(async move {
            let args = [lease.token];
            let waited = shared.quick.eval::<u8>(&RELEASE, &lease.value.keys[2..], &args).await;
            if waited.is_ok_and(|waited| waited == 1) {
                shared.announce_landing(&key).await;
            }
        });
    }

    /// Waits until somebody says that a key has landed.
    pub(crate) fn wait_for(&self, key: &str) -> Waiter<'_> {
        self.waiting.wait_for(key)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
