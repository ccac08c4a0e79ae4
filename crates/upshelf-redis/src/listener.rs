//! Listens on one connection after the other, and tells of what is missed between them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::{PushInfo, PushKind, RedisResult};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep, timeout};

use crate::backoff::Backoff;
use crate::link::{Link, OnPush};
use crate::wanted::{Kind, Wanted};
use crate::{Error, Health, Push, Result, Settings};

/// How often the own connection is asked whether it is there, and how long it may take to say so.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// The longest pause between two tries to connect; a lane that finds Redis first ends it.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What is to be listened to, or no longer.
#[derive(Debug)]
pub(crate) struct Wish {
    pub(crate) kind: Kind,
    pub(crate) name: Arc<str>,
    pub(crate) is_on: bool,
    pub(crate) answer: oneshot::Sender<Result<()>>,
}

/// The supervisor behind a [`Subscriber`](crate::Subscriber).
pub(crate) struct Listener {
    settings: Arc<Settings>,
    buffer: usize,
    health: watch::Receiver<Health>,
    wished: mpsc::Receiver<Wish>,
    wanted: Wanted,
    out: mpsc::Sender<Push>,
    /// On their way to the reader, who may be slow.
    leaving: VecDeque<Push>,
}

/// What a connection hears, and the signs of its end.
struct Ear {
    heard: mpsc::Receiver<PushInfo>,
    signs: Arc<Signs>,
}

#[derive(Default)]
struct Signs {
    /// Something was dropped, because it was not read in time.
    has_gap: AtomicBool,
    is_gone: AtomicBool,
    changed: Notify,
}

impl Listener {
    pub(crate) fn new(
        settings: Arc<Settings>,
        buffer: usize,
        health: watch::Receiver<Health>,
        wished: mpsc::Receiver<Wish>,
        out: mpsc::Sender<Push>,
    ) -> Self {
        let (wanted, leaving) = (Wanted::default(), VecDeque::new());
        Self { settings, buffer, health, wished, wanted, out, leaving }
    }

    /// Listens for ever, or until nobody reads any more.
    pub(crate) async fn run(mut self) {
        let mut backoff = Backoff::up_to(LONGEST_PAUSE);
        loop {
            match self.connect().await {
                Ok((link, ear)) => {
                    backoff.reset();
                    self.leaving.push_back(Push::Up);
                    self.listen(link, ear).await;
                    self.leaving.push_back(Push::Down);
                }
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "could not listen on Redis");
                }
            }
            if self.out.is_closed() {
                return;
            }
            self.rest(backoff.next()).await;
        }
    }

    /// Waits before the next try, or until a lane says that Redis is there; takes wishes meanwhile.
    async fn rest(&mut self, pause: Duration) {
        let mut pausing = std::pin::pin!(sleep(pause));
        let out = self.out.clone();
        self.health.mark_unchanged();
        loop {
            let was_down = !self.health.borrow().is_up();
            tokio::select! {
                () = &mut pausing => return,
                changed = self.health.changed() => {
                    let is_up = self.health.borrow_and_update().is_up();
                    if changed.is_err() || (was_down && is_up) {
                        return;
                    }
                }
                Some(wish) = self.wished.recv() => self.note(wish),
                permit = out.reserve(), if !self.leaving.is_empty() => {
                    deliver(permit, &mut self.leaving);
                }
            }
        }
    }

    /// Notes a wish that there is no connection for.
    fn note(&mut self, wish: Wish) {
        self.wanted.set(wish.kind, &wish.name, wish.is_on);
        let answer = if wish.is_on { Err(Error::Away(None)) } else { Ok(()) };
        let _ = wish.answer.send(answer);
    }

    /// Connects and subscribes to everything wanted.
    async fn connect(&mut self) -> Result<(Link, Ear)> {
        let out = self.out.clone();
        let (hear, heard) = mpsc::channel(self.buffer);
        let signs = Arc::<Signs>::default();
        let on_push: OnPush = {
            let signs = Arc::clone(&signs);
            Arc::new(move |push| signs.sort(push, &hear))
        };
        let settings = Arc::clone(&self.settings);
        let mut connecting =
            std::pin::pin!(
                async move { timeout(settings.connect_timeout, Link::open(&settings, on_push)).await }
            );
        let mut link = loop {
            tokio::select! {
                connected = &mut connecting => break connected.map_err(|_| Error::Away(None))??,
                Some(wish) = self.wished.recv() => self.note(wish),
                permit = out.reserve(), if !self.leaving.is_empty() => deliver(permit, &mut self.leaving),
            }
        };
        // Wishes that come while it subscribes wait in their channel: they are done right after.
        for (kind, names) in self.wanted.portions() {
            let subscribing = timeout(self.settings.command_timeout, link.listen_to(kind, &names, true));
            subscribing.await.map_err(|_| Error::Away(None))??;
        }
        Ok((link, Ear { heard, signs }))
    }

    /// Hands on what is heard until the connection is gone.
    async fn listen(&mut self, mut link: Link, mut ear: Ear) {
        let mut heartbeat = every(HEARTBEAT);
        let out = self.out.clone();
        loop {
            if ear.signs.is_gone.load(Ordering::Acquire) {
                return;
            }
            if ear.signs.has_gap.load(Ordering::Acquire) && ear.heard.is_empty() && self.leaving.is_empty() {
                self.leaving.extend([Push::Down, Push::Up]);
                // From here on it hears again; what was published before `Up` is read may be among it, which does no harm.
                ear.signs.has_gap.store(false, Ordering::Release);
            }
            tokio::select! {
                biased;
                permit = out.reserve(), if !self.leaving.is_empty() => match permit {
                    Ok(permit) => deliver(Ok(permit), &mut self.leaving),
                    Err(_) => return,
                },
                () = ear.signs.changed.notified() => {}
                Some(wish) = self.wished.recv() => {
                    if !self.grant(&mut link, wish).await {
                        return;
                    }
                }
                Some(push) = ear.heard.recv(), if self.leaving.is_empty() => {
                    if self.has_lost_its_slot(&push) {
                        return;
                    }
                    self.leaving.extend(message(push));
                }
                _ = heartbeat.tick() => {
                    let asked = timeout(HEARTBEAT, async {
                        link.ping().await?;
                        link.must_still_be_primary(&self.settings).await
                    });
                    if !matches!(asked.await, Ok(Ok(()))) {
                        return;
                    }
                }
                else => return,
            }
        }
    }

    /// A slot that moves takes its subscriptions away unasked; a new connection finds their way.
    fn has_lost_its_slot(&self, push: &PushInfo) -> bool {
        push.kind == PushKind::SUnsubscribe
            && push
                .data
                .first()
                .cloned()
                .and_then(name)
                .is_some_and(|name| self.wanted.has(Kind::Sharded, &name))
    }

    /// Does what is wished; `false` when that showed that the connection is gone.
    async fn grant(&mut self, link: &mut Link, wish: Wish) -> bool {
        let is_news = self.wanted.set(wish.kind, &wish.name, wish.is_on);
        if !is_news {
            let _ = wish.answer.send(Ok(()));
            return true;
        }
        let names = [Arc::clone(&wish.name)];
        let doing = timeout(self.settings.command_timeout, link.listen_to(wish.kind, &names, wish.is_on));
        let done = doing.await.map_or(Err(Error::Away(None)), |done| done.map_err(Error::from));
        let goes_on = !done.as_ref().is_err_and(Error::is_away);
        if goes_on && done.is_err() {
            // Redis refuses this one channel, and would refuse it again.
            self.wanted.set(wish.kind, &wish.name, false);
        }
        let _ = wish.answer.send(done);
        goes_on
    }
}

impl Signs {
    /// Takes in what the connection pushes; must not wait.
    fn sort(&self, push: PushInfo, hear: &mpsc::Sender<PushInfo>) {
        match push.kind {
            PushKind::Message | PushKind::PMessage | PushKind::SMessage | PushKind::SUnsubscribe => {
                // Once something is missing, what comes after it waits for the reader to know.
                if self.has_gap.load(Ordering::Acquire) {
                    return;
                }
                if hear.try_send(push).is_err() {
                    metrics::counter!("redis_pushes_dropped_total").increment(1);
                    self.has_gap.store(true, Ordering::Release);
                    self.changed.notify_one();
                }
            }
            PushKind::Disconnection => {
                self.is_gone.store(true, Ordering::Release);
                self.changed.notify_one();
            }
            _ => {}
        }
    }
}

fn deliver(permit: Result<mpsc::Permit<'_, Push>, mpsc::error::SendError<()>>, leaving: &mut VecDeque<Push>) {
    if let Some(push) = leaving.pop_front()
        && let Ok(permit) = permit
    {
        permit.send(push);
    }
}

fn message(push: PushInfo) -> Option<Push> {
    let has_pattern = push.kind == PushKind::PMessage;
    let mut data = push.data.into_iter();
    let pattern = if has_pattern { Some(name(data.next()?)?) } else { None };
    let channel = name(data.next()?)?;
    let redis::Value::BulkString(payload) = data.next()? else { return None };
    Some(Push::Message { channel, pattern, payload: payload.into() })
}

fn name(value: redis::Value) -> Option<Arc<str>> {
    redis::from_redis_value::<String>(value).ok().map(Arc::from)
}

fn every(period: Duration) -> Interval {
    let mut every = interval(period);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    every.reset();
    every
}

impl Link {
    async fn listen_to(&mut self, kind: Kind, names: &[Arc<str>], is_on: bool) -> RedisResult<()> {
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        match (self, kind, is_on) {
            (Self::Server(link), Kind::Channel, true) => link.subscribe(names).await,
            (Self::Server(link), Kind::Channel, false) => link.unsubscribe(names).await,
            (Self::Server(link), Kind::Pattern, true) => link.psubscribe(names).await,
            (Self::Server(link), Kind::Pattern, false) => link.punsubscribe(names).await,
            (Self::Cluster(link), Kind::Channel, is_on) => {
                // A command goes to the node of its first name, and the end of a subscription must go where it was made.
                for name in names {
                    if is_on {
                        link.subscribe(name).await?;
                    } else {
                        link.unsubscribe(name).await?;
                    }
                }
                Ok(())
            }
            (Self::Cluster(link), Kind::Pattern, true) => link.psubscribe(names).await,
            (Self::Cluster(link), Kind::Pattern, false) => link.punsubscribe(names).await,
            (Self::Cluster(link), Kind::Sharded, true) => {
                // Each channel has its own slot.
                for name in names {
                    link.ssubscribe(name).await?;
                }
                Ok(())
            }
            (Self::Cluster(link), Kind::Sharded, false) => {
                for name in names {
                    link.sunsubscribe(name).await?;
                }
                Ok(())
            }
            (Self::Server(link), Kind::Sharded, is_on) => {
                let word = if is_on { "SSUBSCRIBE" } else { "SUNSUBSCRIBE" };
                link.send_packed_command(redis::cmd(word).arg(names)).await?.extract_error().map(drop)
            }
        }
    }
}
