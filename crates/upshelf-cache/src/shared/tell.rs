//! Telling Redis and the other processes what is invalid.

use std::sync::LazyLock;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::{join_all, try_join, try_join_all};
use tokio::sync::mpsc;
use upshelf_redis::{Error, Line, Script, client};

use super::names::Value;
use super::news::{Message, News};
use super::token::Token;
use super::{Shared, TOKEN_LIFE, millis};
use crate::local::Local;
use crate::{Inv, Level, Receipt};

static RENEW: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../../lua/renew-n.lua")));
static COLLECT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../../lua/collect-2.lua")));
static NAMESPACE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../../lua/namespace-1.lua")));

/// How long members that wait to be collected are kept, where the collector is killed.
const ASIDE: Duration = Duration::from_secs(3600);
/// Members collected at once.
const PORTION: usize = 200;
/// Things that one message names.
const MESSAGE: usize = 500;

/// Everything told at once, with what came of it.
struct Told<'a> {
    what: &'a [Inv],
    tokens: Vec<(&'a str, Token)>,
    namespace: Option<String>,
}

impl Shared {
    /// Makes everything named invalid for all processes, and tells them; see [`Level::invalidate`].
    ///
    /// `life` names the server's life where everything is to be invalidated.
    pub(super) async fn tell(&self, what: &[Inv], life: Option<&str>) -> Result<u64, Error> {
        let keys = what.iter().filter_map(|inv| match inv {
            Inv::Key(key) => self.names.value(key),
            _ => None,
        });
        let tags = what.iter().filter_map(|inv| match inv {
            Inv::Tag(tag) | Inv::Cascade(tag) => Some(&**tag),
            _ => None,
        });
        let ((), tokens) = try_join(
            async { try_join_all(keys.map(|value| self.unlink(value))).await.map(drop) },
            try_join_all(tags.map(|tag| self.renew(tag))),
        )
        .await?;
        for inv in what {
            if let Inv::Pattern(pattern) = inv {
                self.sweep(pattern).await?;
            }
        }
        let namespace = match life {
            _ if !what.contains(&Inv::All) => None,
            Some(life) => {
                let namespace = self.namespace(&self.sure, life, true).await?;
                self.state.renew(&namespace);
                Some(namespace)
            }
            None => return Err(Error::Away(None)),
        };
        self.publish_stale(Told { what, tokens, namespace }).await
    }

    /// Removes a value and kills its lease.
    async fn unlink(&self, value: Value) -> Result<(), Error> {
        self.sure.query::<u64>(client::cmd("UNLINK").arg(&value.keys)).await.map(drop)
    }

    /// Gives a tag a new token.
    async fn renew<'a>(&self, tag: &'a str) -> Result<(&'a str, Token), Error> {
        let unique = self.identity.unique();
        let mut keys = vec![self.names.token(tag)];
        if self.names.has_members(tag) {
            keys.extend([self.names.members(tag), self.names.collected(tag, &unique)]);
        }
        let args = [unique, millis(TOKEN_LIFE).to_string(), millis(ASIDE).to_string()];
        let token: String = self.sure.eval(&RENEW, &keys, &args).await?;
        let token = Token::read(&token).ok_or(Error::Away(None))?;
        self.mirror.learn(tag, token.clone());
        if let [.., aside] = &keys[1..] {
            let (collector, aside) = (self.collector(), aside.clone());
            let token = token.clone();
            self.redis.spawn(async move { collector.collect(&aside, &token).await });
        }
        Ok((tag, token))
    }

    /// Removes what a pattern covers: the leases first, so that a load that is under way either loses its lease, or has
    /// stored its value before the values are looked at.
    async fn sweep(&self, pattern: &str) -> Result<(), Error> {
        for companions in self.names.patterns(pattern) {
            let (found, mut portions) = mpsc::unbounded_channel::<Vec<String>>();
            let each = async move |portion| {
                // Nobody closes the other end before this one.
                let _ = found.send(portion);
                Ok(())
            };
            self.sure.scan(&companions, each).await?;
            while let Some(portion) = portions.recv().await {
                let values = portion.iter().filter_map(|companion| self.names.value_of(companion));
                let covered: Vec<_> = values.filter(|value| self.names.is_covered(pattern, value)).collect();
                try_join_all(covered.into_iter().map(|value| self.unlink(value))).await?;
            }
        }
        Ok(())
    }

    /// Says the token of everything in a life of the server.
    pub(super) async fn namespace(&self, line: &Line, life: &str, is_new: bool) -> Result<String, Error> {
        let args = [life, &self.identity.unique(), if is_new { "1" } else { "0" }];
        line.eval(&NAMESPACE, &[self.names.namespace()], &args).await
    }

    async fn publish_stale(&self, told: Told<'_>) -> Result<u64, Error> {
        let Told { what, tokens, namespace } = told;
        let mut number = 0;
        let portions = what.chunks(MESSAGE).chain(what.is_empty().then_some(what));
        for portion in portions {
            let news = News::Stale {
                what: portion.to_vec(),
                tokens: portion
                    .iter()
                    .filter_map(|inv| match inv {
                        Inv::Tag(tag) | Inv::Cascade(tag) => tokens.iter().find(|(of, _)| *of == &**tag),
                        _ => None,
                    })
                    .map(|(tag, token)| ((*tag).into(), (&*token.text).into()))
                    .collect(),
                namespace: namespace.as_deref().filter(|_| portion.contains(&Inv::All)).map(Into::into),
            };
            number = self.publish(&self.sure, news).await?;
        }
        Ok(number)
    }

    /// Tells the other processes that what they have of a key is older than what Redis has.
    pub(crate) async fn announce(&self, key: &str) -> Result<(), Error> {
        let what = vec![Inv::key(key)];
        let news = News::Stale { what, tokens: Vec::new(), namespace: None };
        self.publish(&self.sure, news).await.map(drop)
    }

    /// Publishes news, one after the other; returns the number of this process's last invalidation.
    pub(super) async fn publish(&self, line: &Line, news: News) -> Result<u64, Error> {
        let _telling = self.telling.lock().await;
        // If it does not arrive, its number is missing, and that is noticed.
        let more = u64::from(matches!(news, News::Stale { .. }));
        let number = self.told.fetch_add(more, Ordering::AcqRel) + more;
        let message = Message { from: self.identity.process, number, news };
        self.send(line, &message).await.map(|()| number)
    }

    async fn send(&self, line: &Line, message: &Message) -> Result<(), Error> {
        let payload = serde_json::to_vec(message).expect("texts and numbers have a form as JSON");
        let channel = self.names.channel();
        let heard = if self.names.is_sharded() {
            line.publish_sharded(&channel, &payload).await
        } else {
            line.publish(&channel, &payload).await
        };
        heard.map(drop)
    }

    /// Wakes those who wait for a key, in whatever process; those who miss it look by themselves.
    pub(super) async fn announce_landing(&self, key: &str) {
        self.waiting.has_landed(key);
        let message = Message { from: self.identity.process, number: 0, news: News::Landed(key.into()) };
        let _ = self.send(&self.quick, &message).await;
    }

    /// Says good-bye, so that nobody wonders where this process is.
    pub(crate) async fn leave(&self) {
        if self.redis.health().is_up() {
            let _ = self.publish(&self.quick, News::Bye).await;
        }
    }

    /// Remembers what Redis could not be told.
    pub(crate) fn remember(&self, what: &[Inv], local: &Local) {
        if self.state.remember(what.iter().cloned()) {
            tracing::warn!("Redis was not told of an invalidation; the cache goes on without it");
        }
        local.stats.remembered.count();
        local.distrust();
    }

    fn collector(&self) -> Collector {
        Collector { line: self.sure.clone(), names: self.names.clone() }
    }
}

impl Level for Shared {
    type Error = Error;

    async fn invalidate(&self, what: &[Inv]) -> Result<Receipt, Error> {
        if !self.redis.health().is_up() {
            return Err(Error::Away(None));
        }
        let link = self.state.link();
        let life = link.as_deref().and_then(|link| link.namespace.split_once(':')).map(|(life, _)| life);
        let number = self.tell(what, life).await?;
        Ok(Receipt { news: Some((self.identity.process, number)), ..Receipt::of(what) })
    }
}

/// Removes the members of an invalidated tag in the background; they are invalid already.
struct Collector {
    line: Line,
    names: super::Names,
}

impl Collector {
    async fn collect(&self, aside: &str, token: &Token) {
        loop {
            let mut pop = client::cmd("SPOP");
            pop.arg(aside).arg(PORTION);
            let Ok(members) = self.line.query::<Vec<String>>(&pop).await else { return };
            if members.is_empty() {
                return;
            }
            let removals = members.into_iter().map(|member| async {
                let value = self.names.complete(member);
                let _ = self.line.eval::<u64>(&COLLECT, &value.keys[..2], &[&*token.text]).await;
            });
            join_all(removals).await;
        }
    }
}
