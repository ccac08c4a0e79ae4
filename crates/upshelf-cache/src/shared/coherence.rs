//! Hears what other processes tell, and says when Redis may be believed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use upshelf_redis::{Error, Push, Subscriber};

use super::Shared;
use super::news::{Message, News};
use super::peers::SILENCE;
use super::state::Link;
use super::token::Token;
use crate::local::Local;

/// How often each process says that it is there.
const BEAT: Duration = Duration::from_secs(1);
/// Messages that may wait to be heard.
const BUFFER: usize = 4096;
/// The pause after an attempt to link that failed, at first and at most.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Invalidations that are told at once after an outage.
const PORTION: usize = 500;

/// One process's part in keeping all of them coherent; runs as long as the cache.
pub(crate) struct Coherence {
    shared: Arc<Shared>,
    local: Arc<Local>,
    /// Since when everything that is said is heard, if it is.
    hearing: watch::Sender<Option<Instant>>,
}

impl Coherence {
    pub(crate) fn new(shared: Arc<Shared>, local: Arc<Local>) -> Self {
        Self { shared, local, hearing: watch::Sender::new(None) }
    }

    /// Keeps them coherent until the end; from then on Redis is not believed.
    pub(crate) async fn run_until(self, end: CancellationToken) {
        end.run_until_cancelled(self.run()).await;
        self.local.distrust();
        self.shared.state.unlink();
    }

    async fn run(&self) {
        let (subscriber, subscriptions) = self.shared.redis.subscriber(BUFFER);
        let channel = self.shared.names.channel();
        // Where it cannot be had yet it stays wanted, and is there at the next `Up`.
        let _ = if self.shared.names.is_sharded() {
            subscriptions.subscribe_sharded(&channel).await
        } else {
            subscriptions.subscribe(&channel).await
        };
        // All but the first go on for ever.
        tokio::select! {
            () = self.listen(subscriber) => {}
            () = self.link() => {}
            () = self.beat() => {}
            () = self.watch_life() => {}
        }
    }

    async fn listen(&self, mut subscriber: Subscriber) {
        while let Some(push) = subscriber.next().await {
            match push {
                Push::Up => {
                    self.shared.begin_to_hear();
                    self.hearing.send_replace(Some(Instant::now()));
                }
                Push::Down => {
                    self.hearing.send_replace(None);
                    self.doubt("what other processes tell is not heard");
                }
                Push::Message { payload, .. } => match serde_json::from_slice(&payload) {
                    Ok(message) => self.hear(message),
                    // Another version's, or a stranger's: it may have been an invalidation.
                    Err(_) => self.doubt("a message could not be read"),
                },
            }
        }
    }

    fn hear(&self, message: Message) {
        let Message { from, number, news } = message;
        let is_own = from == self.shared.identity.process;
        let is_numbered = matches!(news, News::Stale { .. });
        match news {
            News::Landed(key) => {
                if !is_own {
                    self.shared.waiting.has_landed(&key);
                }
                return;
            }
            News::Bye => {
                self.shared.peers().leave(from);
                self.count();
                return;
            }
            News::Beat(namespace) => self.compare(namespace.as_deref()),
            News::Stale { .. } if is_own => {}
            News::Stale { what, tokens, namespace } => {
                // First what entries are checked with, then the entries: none that was checked before stays.
                for (tag, token) in &tokens {
                    if let Some(token) = Token::read(token) {
                        self.shared.mirror.learn(tag, token);
                    }
                }
                if let Some(namespace) = namespace {
                    self.shared.state.renew(&namespace);
                }
                self.local.invalidate_now(&what);
            }
        }
        if !self.shared.peers().hear(from, number, is_numbered, Instant::now()) {
            self.doubt("an invalidation was missed");
        }
        self.count();
    }

    /// Another token of everything means that one of the two has missed something.
    fn compare(&self, theirs: Option<&str>) {
        if let (Some(theirs), Some(link)) = (theirs, self.shared.state.link())
            && super::state::made(theirs) > super::state::made(&link.namespace)
        {
            self.doubt("everything was invalidated unheard");
        }
    }

    /// Stops believing Redis, and forgets.
    fn doubt(&self, reason: &'static str) {
        let was_linked = self.shared.state.unlink();
        self.local.distrust();
        self.shared.mirror.clear();
        self.local.flush();
        if was_linked {
            tracing::info!(reason, "the cache does not believe Redis until they agree again");
        }
    }

    /// Counts the processes. What is known from before an outage counts until all had time to be heard again.
    fn count(&self) {
        let Some(since) = *self.hearing.borrow() else { return };
        let count = self.shared.peers().others(self.shared.identity.process) + 1;
        if since.elapsed() >= SILENCE {
            self.shared.processes.store(count, Ordering::Relaxed);
        } else {
            self.shared.processes.fetch_max(count, Ordering::Relaxed);
        }
    }

    /// Says every second that this process is there, and looks who is not.
    async fn beat(&self) {
        let mut every = interval(BEAT);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            let now = Instant::now();
            if self.hearing.borrow().is_none() {
                continue;
            }
            let silenced = self.shared.peers().silenced(now);
            if silenced.contains(&self.shared.identity.process) {
                self.doubt("what this process tells does not come back");
            } else if !silenced.is_empty() {
                self.doubt("another process fell silent");
            }
            self.count();
            let namespace = self.shared.state.link().map(|link| (&*link.namespace).into());
            let _ = self.shared.publish(&self.shared.quick, News::Beat(namespace)).await;
        }
    }

    async fn watch_life(&self) {
        let mut lives = self.shared.redis.watch_life();
        while lives.changed().await.is_ok() {
            let life = *lives.borrow_and_update();
            if self.shared.state.link().is_some_and(|link| Some(link.life) != life) {
                self.doubt("the server is another, or was restarted");
            }
        }
        std::future::pending().await
    }

    /// Believes Redis again whenever that is possible.
    async fn link(&self) {
        let (mut hearing, mut health) = (self.hearing.subscribe(), self.shared.redis.watch_health());
        let mut pause = PAUSE;
        loop {
            let is_there = hearing.wait_for(Option::is_some).await.is_ok();
            if !is_there || health.wait_for(|health| health.is_up()).await.is_err() {
                return std::future::pending().await;
            }
            if self.shared.state.link().is_some() {
                pause = PAUSE;
                self.shared.state.changed.notified().await;
                continue;
            }
            match self.establish().await {
                Ok(true) => tracing::info!("the cache is shared with the other processes"),
                outcome => {
                    if let Err(error) = outcome.as_ref()
                        && !error.is_away()
                    {
                        let error = error as &dyn std::error::Error;
                        tracing::warn!(error, "Redis refuses what the cache needs");
                    }
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Tells what is untold, then drops what was loaded meanwhile, then believes.
    async fn establish(&self) -> Result<bool, Error> {
        let Shared { state, redis, quick, .. } = &*self.shared;
        let (untold, attempt) = state.attempt();
        if self.hearing.borrow().is_none() {
            return Ok(false);
        }
        let (life, ids) = redis.named_life().ok_or(Error::Away(None))?;
        let name = format!("{:x}", super::meta::hash(ids.as_bytes()));
        for portion in untold.chunks(PORTION) {
            self.shared.tell(portion, Some(&name)).await?;
        }
        state.told(&untold, attempt);
        let namespace = self.shared.namespace(&quick.in_life(life), &name, false).await?;
        self.local.flush();
        let is_linked = state.establish(Link { life, namespace: namespace.into() }, attempt);
        if is_linked {
            self.local.trust();
            if state.link().is_none() {
                // It was broken at once, perhaps before `trust`.
                self.local.distrust();
            }
        }
        Ok(is_linked)
    }
}
