use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::health::Pulse;
use crate::keeper::Keeper;
use crate::lane::Lane as Connection;
use crate::life::Lives;
use crate::{
    Class, Health, Keys, Lane, Life, Line, Place, Result, Settings, Subscriber, Subscriptions, sentinel,
};

/// The handle: cheap to clone, all clones share their connections.
#[derive(Clone)]
pub struct Redis {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Arc<Settings>,
    keys: Keys,
    lanes: Vec<Arc<Connection>>,
    pulse: Arc<Pulse>,
    lives: Arc<Lives>,
    tracker: TaskTracker,
    closing: CancellationToken,
}

impl Redis {
    /// Makes the handle and returns at once: connecting goes on behind it, for as long as it takes.
    ///
    /// Tasks run under `tracker`, and end when `closing` is cancelled; from then on Redis is away.
    pub fn open(settings: Settings, tracker: &TaskTracker, closing: CancellationToken) -> Self {
        let settings = Arc::new(settings);
        let count = settings.lanes.max(1);
        let lanes: Vec<_> = (0..count).map(|_| Arc::new(Connection::new(Arc::clone(&settings)))).collect();
        let (pulse, lives) = (Arc::new(Pulse::of(count, Instant::now())), Arc::<Lives>::default());
        for (place, lane) in lanes.iter().enumerate() {
            let keeper = Keeper {
                lane: Arc::clone(lane),
                place,
                pulse: Arc::clone(&pulse),
                lives: Arc::clone(&lives),
            };
            tracker.spawn(keeper.run(closing.clone()));
        }
        let keys = Keys::new(&settings.prefix, settings.address.is_cluster());
        let inner = Inner { settings, keys, lanes, pulse, lives, tracker: tracker.clone(), closing };
        Self { inner: Arc::new(inner) }
    }

    /// Chooses how commands are sent.
    pub fn line(&self, lane: Lane, class: Class) -> Line {
        let lanes = &self.inner.lanes;
        Line { lane: Arc::clone(&lanes[lane as usize % lanes.len()]), class, life: None }
    }

    /// Names keys and channels.
    pub fn keys(&self) -> &Keys {
        &self.inner.keys
    }

    /// Says how Redis is.
    pub fn health(&self) -> Health {
        self.inner.pulse.health()
    }

    /// Watches how Redis is.
    pub fn watch_health(&self) -> watch::Receiver<Health> {
        self.inner.pulse.watch()
    }

    /// The life that the server was last seen in; `None` before it was seen at all.
    pub fn life(&self) -> Option<Life> {
        self.inner.lives.current()
    }

    /// The life that the server was last seen in, with a name that all processes give it: letters, digits and commas.
    pub fn named_life(&self) -> Option<(Life, Arc<str>)> {
        self.inner.lives.named()
    }

    /// Watches for new lives. A command may reach a new life before its watcher has run: what must not is sent on
    /// [`Line::in_life`].
    pub fn watch_life(&self) -> watch::Receiver<Option<Life>> {
        self.inner.lives.watch()
    }

    /// Opens a connection of its own that listens to channels, for ever; `buffer` pushes may wait to be read.
    pub fn subscriber(&self, buffer: usize) -> (Subscriber, Subscriptions) {
        let Inner { settings, pulse, tracker, closing, .. } = &*self.inner;
        Subscriber::open(Arc::clone(settings), buffer, pulse.watch(), tracker, closing.clone())
    }

    /// How it is reached.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The URLs of the servers, for another client of the same servers: of the one server, of the primary that the
    /// sentinels name at this moment, of some nodes of a cluster.
    ///
    /// They hold the password: they are not to be shown.
    ///
    /// # Errors
    /// [`Error::Away`](crate::Error::Away) when no sentinel answers.
    pub async fn urls(&self) -> Result<Vec<String>> {
        let settings = &self.inner.settings;
        let address = &settings.address;
        Ok(match address.place() {
            Place::Server(host, port) => vec![address.url_of(host, *port)],
            Place::Socket(path) => vec![address.url_of_socket(path)],
            Place::Sentinel(sentinels, name) => {
                let (host, port) = sentinel::primary(settings, sentinels, name).await?;
                vec![address.url_of(&host, port)]
            }
            Place::Cluster(nodes) => nodes.iter().map(|(host, port)| address.url_of(host, *port)).collect(),
        })
    }

    /// Runs a task as long as the handle is open.
    pub fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        let closing = self.inner.closing.clone();
        self.inner.tracker.spawn(async move {
            closing.run_until_cancelled(task).await;
        });
    }
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis")
            .field("address", &self.inner.settings.address)
            .field("health", &self.health())
            .finish_non_exhaustive()
    }
}
