use std::sync::Arc;

use redis::{Cmd, Pipeline, Value};
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::link::Link;
use crate::{Class, Error, Health, Keys, Lane, Line, Result, Settings, Subscriber, Subscriptions};

/// The handle: cheap to clone, all clones share their connections.
#[derive(Clone)]
pub struct Redis {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) settings: Settings,
    keys: Keys,
    links: Vec<Mutex<Option<Link>>>,
    health: watch::Sender<Health>,
    tracker: TaskTracker,
    closing: CancellationToken,
}

impl Redis {
    /// Makes the handle and returns at once: connecting goes on behind it, for as long as it takes.
    ///
    /// Tasks run under `tracker`, and end when `closing` is cancelled.
    pub fn open(settings: Settings, tracker: &TaskTracker, closing: CancellationToken) -> Self {
        let keys = Keys::new(&settings.prefix, settings.address.is_cluster());
        let links = (0..settings.lanes.max(1)).map(|_| Mutex::new(None)).collect();
        let health = watch::Sender::new(Health::Degraded { since: Instant::now() });
        Self { inner: Arc::new(Inner { settings, keys, links, health, tracker: tracker.clone(), closing }) }
    }

    /// Chooses how commands are sent.
    pub fn line(&self, lane: Lane, class: Class) -> Line {
        Line { inner: Arc::clone(&self.inner), lane, class }
    }

    /// Names keys and channels.
    pub fn keys(&self) -> &Keys {
        &self.inner.keys
    }

    /// Says how Redis is.
    pub fn health(&self) -> Health {
        *self.inner.health.borrow()
    }

    /// Watches how Redis is.
    pub fn watch_health(&self) -> watch::Receiver<Health> {
        self.inner.health.subscribe()
    }

    /// Opens a connection of its own that listens to channels, for ever; `buffer` pushes may wait to be read.
    pub fn subscriber(&self, buffer: usize) -> (Subscriber, Subscriptions) {
        Subscriber::open(
            self.inner.settings.clone(),
            buffer,
            &self.inner.tracker,
            self.inner.closing.child_token(),
        )
    }

    /// How it is reached.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }
}

impl Inner {
    fn of(&self, lane: Lane) -> &Mutex<Option<Link>> {
        &self.links[lane as usize % self.links.len()]
    }

    async fn link(&self, lane: Lane) -> Result<Link> {
        let mut held = self.of(lane).lock().await;
        if let Some(link) = &*held {
            return Ok(link.clone());
        }
        let link = Link::open(&self.settings).await?;
        *held = Some(link.clone());
        self.health.send_replace(Health::Up);
        Ok(link)
    }

    async fn with<T>(
        &self,
        lane: Lane,
        class: Class,
        run: impl AsyncFnOnce(&mut Link) -> redis::RedisResult<T>,
    ) -> Result<T> {
        let limit = match class {
            Class::FailFast => self.settings.fail_fast,
            Class::Queue => self.settings.queue_deadline,
        };
        let work = async {
            let mut link = self.link(lane).await?;
            let done = run(&mut link).await.map_err(Error::from);
            if done.as_ref().is_err_and(Error::is_away) {
                *self.of(lane).lock().await = None;
                self.health.send_replace(Health::Degraded { since: Instant::now() });
            }
            done
        };
        timeout(limit, work).await.map_err(|_| Error::Away(None))?
    }

    pub(crate) async fn command(&self, lane: Lane, class: Class, cmd: &Cmd) -> Result<Value> {
        let value = self.with(lane, class, async |link| link.command(cmd).await).await?;
        value.extract_error().map_err(Error::from)
    }

    pub(crate) async fn pipeline(&self, lane: Lane, class: Class, pipeline: &Pipeline) -> Result<Vec<Value>> {
        self.with(lane, class, async |link| link.pipeline(pipeline).await).await
    }

    pub(crate) async fn scan(
        &self,
        lane: Lane,
        class: Class,
        pattern: &str,
        mut each: impl AsyncFnMut(Vec<String>) -> Result<()>,
    ) -> Result<()> {
        let mut cursor = 0_u64;
        loop {
            let mut cmd = redis::cmd("SCAN");
            cmd.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(500);
            let reply = self.command(lane, class, &cmd).await?;
            let (next, keys): (u64, Vec<String>) =
                redis::FromRedisValue::from_redis_value(reply).map_err(|e| Error::Wrong(e.into()))?;
            each(keys).await?;
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }
}
