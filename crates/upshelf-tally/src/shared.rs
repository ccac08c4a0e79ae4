//! The tally of all processes, through Redis.

mod names;

use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use tokio::sync::mpsc;
use upshelf_redis::client::{self, ErrorKind, RedisError};
use upshelf_redis::{Class, Error, Lane, Life, Line, Redis, Result, Script};

use self::names::Names;
use crate::untold::News;
use crate::{Board, Counts, Epoch, Id};

static SET: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../lua/set-2.lua")));
static LIST: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../lua/list-4.lua")));
static REMOVE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../lua/remove-4.lua")));
static RESTORE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../lua/restore-4.lua")));
static TOP: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../lua/top-4.lua")));
static RANK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../lua/rank-4.lua")));
static BEGIN: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../lua/begin-4.lua")));
static SWEEP: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../lua/sweep-2.lua")));

/// How long keys live that nothing is written to.
const LIFE: Duration = Duration::from_secs(24 * 3600);

/// Things that one script lists: about a millisecond.
const PORTION: usize = 300;

/// How often another process may begin a new epoch within one call.
const TRIES: usize = 4;

/// The part of the tally through Redis.
///
/// Invariants: of an epoch and a version, the greater epoch wins, then the greater version, in every key and in whatever
/// order writes arrive; counts of another epoch than the board's are none. A new life of the server is a new epoch, so that
/// what an old dump brings back is not believed; an emptied server has no epoch, and gets a new one. The counts of one
/// thing and the list lie in different slots: no script touches both.
#[derive(Debug)]
pub struct Shared<K: Id> {
    inner: Arc<Inner>,
    ids: PhantomData<fn() -> K>,
}

#[derive(Debug)]
struct Inner {
    redis: Redis,
    line: Line,
    names: Names,
    terms: Mutex<Option<Terms>>,
}

/// What this process goes by: an epoch of the board, in a life of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Terms {
    life: Life,
    epoch: u64,
}

impl<K: Id> Clone for Shared<K> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), ids: PhantomData }
    }
}

impl<K: Id> Shared<K> {
    /// Makes the part; within a tokio runtime.
    pub fn new(redis: &Redis) -> Self {
        let inner = Inner {
            redis: redis.clone(),
            line: redis.line(Lane::General, Class::FailFast),
            names: Names::new(redis.keys()),
            terms: Mutex::default(),
        };
        Self { inner: Arc::new(inner), ids: PhantomData }
    }

    pub(crate) fn redis(&self) -> &Redis {
        &self.inner.redis
    }

    /// Tells what there is to tell about one thing.
    pub(crate) async fn tell(&self, id: K, news: News) -> Result<()> {
        match news {
            News::Counted(counts) => self.record(id, counts).await,
            News::Restored(counts) => self.restore(id, counts).await,
            // The mark first, so that it is never listed in between.
            News::Removed(counts) => {
                self.remove(id).await?;
                match counts {
                    Some(counts) => self.record(id, counts).await,
                    None => Ok(()),
                }
            }
        }
    }

    /// Lists things on the terms of one epoch; says which epoch the board is in.
    async fn list(&self, terms: Terms, counts: &[(K, Counts)], what: &str) -> Result<Option<u64>> {
        let mut args = vec![terms.epoch.to_string(), millis(), what.to_owned()];
        for (id, Counts { up, down, version }) in counts {
            let score = i64::from(*up) - i64::from(*down);
            args.extend([
                id.to_string(),
                up.to_string(),
                down.to_string(),
                score.to_string(),
                version.to_string(),
            ]);
        }
        self.inner.on(terms).eval(&LIST, &self.inner.names.list, &args).await
    }

    /// Keeps counts on the terms of one epoch.
    async fn set(&self, terms: Terms, id: K, counts: Counts) -> Result<()> {
        let Counts { up, down, version } = counts;
        let args = [
            terms.epoch.to_string(),
            up.to_string(),
            down.to_string(),
            counts.score().to_string(),
            version.to_string(),
            millis(),
        ];
        self.inner.on(terms).eval::<u8>(&SET, &self.inner.names.counts(id), &args).await.map(drop)
    }

    /// Runs a script on the whole list, on the terms that hold.
    async fn change(&self, script: &Script, what: &[String]) -> Result<()> {
        let mut terms = self.inner.terms().await?;
        for _ in 0..TRIES {
            let args = [&[terms.epoch.to_string(), millis()], what].concat();
            let epoch: Option<u64> = self.inner.on(terms).eval(script, &self.inner.names.list, &args).await?;
            if epoch == Some(terms.epoch) {
                return Ok(());
            }
            terms = self.inner.renewed(terms).await?;
        }
        Err(Error::Away(None))
    }

    /// Asks about the whole list, on the terms that hold; `None` while it is not complete.
    async fn ask(&self, script: &Script, what: &str) -> Result<Option<Vec<String>>> {
        let mut terms = self.inner.terms().await?;
        for _ in 0..TRIES {
            let epoch = terms.epoch.to_string();
            let args = [&*epoch, what];
            let mut found: Vec<String> =
                self.inner.on(terms).eval(script, &self.inner.names.list, &args).await?;
            if found.len() < 2 {
                return Err(odd("an answer without an epoch"));
            }
            let is_complete = found[1] == "1";
            if found[0] == epoch {
                return Ok(is_complete.then(|| found.split_off(2)));
            }
            terms = self.inner.renewed(terms).await?;
        }
        Err(Error::Away(None))
    }

    async fn find_one(&self, terms: Terms, id: K) -> Result<Option<Counts>> {
        let [counts, epoch] = self.inner.names.counts(id);
        let mut both = client::pipe();
        both.cmd("HMGET").arg(&counts).arg("up").arg("down").arg("version").get(&epoch);
        type Reply = ((Option<u32>, Option<u32>, Option<u64>), Option<u64>);
        let ((up, down, version), epoch): Reply = self.inner.on(terms).pipeline(&both).await?;
        let counts = up.zip(down).zip(version).map(|((up, down), version)| Counts { up, down, version });
        Ok(counts.filter(|_| epoch == Some(terms.epoch)))
    }
}

impl Inner {
    fn on(&self, terms: Terms) -> Line {
        self.line.in_life(terms.life)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Option<Terms>> {
        self.terms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The terms that hold in the current life of the server, as far as this process knows.
    async fn terms(self: &Arc<Self>) -> Result<Terms> {
        let life = self.redis.life();
        let known = *self.known();
        match known.filter(|terms| Some(terms.life) == life) {
            Some(terms) => Ok(terms),
            None => self.begin(false).await,
        }
    }

    /// Asks for the board's epoch, which begins anew in a new life of the server, or `anew` in any case.
    async fn begin(self: &Arc<Self>, anew: bool) -> Result<Terms> {
        let (life, name) = self.redis.named_life().ok_or(Error::Away(None))?;
        let args = [&*name, &*millis(), if anew { "1" } else { "0" }];
        let (epoch, is_new): (u64, u8) =
            self.line.in_life(life).eval(&BEGIN, &self.names.list, &args).await?;
        let terms = Terms { life, epoch };
        *self.known() = Some(terms);
        if is_new == 1 {
            let inner = Arc::clone(self);
            self.redis.spawn(async move { inner.sweep(terms).await });
        }
        Ok(terms)
    }

    /// The terms that hold now, where those did not any more.
    async fn renewed(self: &Arc<Self>, terms: Terms) -> Result<Terms> {
        {
            let mut known = self.known();
            if *known == Some(terms) {
                *known = None;
            }
        }
        self.terms().await
    }

    /// Forgets counts of earlier epochs: this tally does not believe them, but programs that only know the names would.
    async fn sweep(&self, terms: Terms) {
        let line = self.redis.line(Lane::General, Class::Queue).in_life(terms.life);
        let (found, mut portions) = mpsc::unbounded_channel::<Vec<String>>();
        let each = async move |portion| {
            // The other end is closed after this one.
            let _ = found.send(portion);
            Ok(())
        };
        if let Err(error) = line.scan(&self.names.all_counts(), each).await {
            // They end by themselves.
            tracing::debug!(error = &error as &dyn std::error::Error, "old counts are left in Redis");
        }
        let epoch = [terms.epoch.to_string()];
        while let Some(portion) = portions.recv().await {
            let names = portion.iter().filter_map(|counts| self.names.id_of(counts));
            let names: Vec<_> = names.map(|id| self.names.counts(id)).collect();
            join_all(names.iter().map(|keys| line.eval::<u8>(&SWEEP, keys, &epoch))).await;
        }
    }
}

impl<K: Id> Board<K> for Shared<K> {
    type Error = Error;

    async fn record(&self, id: K, counts: Counts) -> Result<()> {
        let mut terms = self.inner.terms().await?;
        for _ in 0..TRIES {
            let one = [(id, counts)];
            let (set, listed) = tokio::join!(self.set(terms, id, counts), self.list(terms, &one, ""));
            set?;
            if listed? == Some(terms.epoch) {
                return Ok(());
            }
            terms = self.inner.renewed(terms).await?;
        }
        Err(Error::Away(None))
    }

    async fn find(&self, ids: &[K]) -> Result<Vec<Option<Counts>>> {
        let mut epoch = client::cmd("HGET");
        epoch.arg(self.inner.names.state()).arg("epoch");
        let mut terms = self.inner.terms().await?;
        for _ in 0..TRIES {
            let line = self.inner.on(terms);
            let all = try_join_all(ids.iter().map(|id| self.find_one(terms, *id)));
            let (epoch, all) = tokio::join!(line.query::<Option<u64>>(&epoch), all);
            if epoch? == Some(terms.epoch) {
                return all;
            }
            terms = self.inner.renewed(terms).await?;
        }
        Err(Error::Away(None))
    }

    async fn epoch(&self) -> Result<Epoch> {
        self.inner.terms().await.map(|terms| Epoch(terms.epoch))
    }

    async fn fill(&self, loaded: &[(K, Counts)], since: Epoch) -> Result<()> {
        let terms = self.inner.terms().await?;
        if terms.epoch != since.0 {
            return Ok(());
        }
        for portion in loaded.chunks(PORTION) {
            let sets = try_join_all(portion.iter().map(|(id, counts)| self.set(terms, *id, *counts)));
            let (set, listed) = tokio::join!(sets, self.list(terms, portion, "known"));
            set?;
            listed?;
        }
        Ok(())
    }

    async fn fill_top(&self, loaded: &[(K, Counts)], since: Epoch) -> Result<()> {
        let terms = self.inner.terms().await?;
        if terms.epoch != since.0 {
            return Ok(());
        }
        for portion in loaded.chunks(PORTION) {
            // The counts of each thing too, for programs that read them beside this one.
            let sets = try_join_all(portion.iter().map(|(id, counts)| self.set(terms, *id, *counts)));
            let (set, listed) = tokio::join!(sets, self.list(terms, portion, ""));
            set?;
            if listed? != Some(terms.epoch) {
                return Ok(());
            }
        }
        self.list(terms, &[], "complete").await.map(drop)
    }

    async fn top(&self, limit: usize) -> Result<Option<Vec<(K, Counts)>>> {
        // Lua counts in floating point.
        let Some(found) = self.ask(&TOP, &limit.min(1 << 32).to_string()).await? else { return Ok(None) };
        let top = found.chunks_exact(2).map(|pair| Some((pair[0].parse().ok()?, details(&pair[1])?)));
        top.collect::<Option<_>>().map(Some).ok_or_else(|| odd("a list with something else on it"))
    }

    async fn rank(&self, id: K) -> Result<Option<Option<usize>>> {
        let Some(found) = self.ask(&RANK, &id.to_string()).await? else { return Ok(None) };
        let rank = found.first().map(|rank| rank.parse().map_err(|_| odd("a rank that is no number")));
        Ok(Some(rank.transpose()?))
    }

    async fn remove(&self, id: K) -> Result<()> {
        self.change(&REMOVE, &[id.to_string()]).await
    }

    async fn restore(&self, id: K, counts: Counts) -> Result<()> {
        let Counts { up, down, version } = counts;
        let numbers = [up.to_string(), down.to_string(), counts.score().to_string(), version.to_string()];
        self.change(&RESTORE, &[&[id.to_string()], &numbers[..]].concat()).await
    }

    async fn clear(&self) -> Result<()> {
        self.inner.begin(true).await.map(drop)
    }
}

/// Reads `version up down`.
fn details(text: &str) -> Option<Counts> {
    let mut numbers = text.trim_end_matches('-').split(' ');
    let version = numbers.next()?.parse().ok()?;
    Some(Counts { up: numbers.next()?.parse().ok()?, down: numbers.next()?.parse().ok()?, version })
}

fn odd(what: &'static str) -> Error {
    Error::Wrong(RedisError::from((ErrorKind::UnexpectedReturnType, what)))
}

fn millis() -> String {
    LIFE.as_millis().to_string()
}
