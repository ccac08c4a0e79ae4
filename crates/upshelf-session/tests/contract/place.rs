//! Where processes meet: nowhere, at a Redis, or at one that is away.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upshelf_redis::{Redis, Settings};
use upshelf_testkit::{KeyFound, Proxy, RedisCluster, RedisSentinel, RedisServer, unique_prefix, wait_until};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A busy machine does not miss it.
const DEADLINE: Duration = Duration::from_secs(5);

/// Processes at one place share a server and a prefix.
pub(crate) struct Place {
    server: Option<Server>,
    pub(crate) prefix: String,
    /// The way to the server, if it is breakable.
    pub(crate) proxy: Option<Proxy>,
    is_cut: bool,
    fail_fast: Duration,
    listeners: Arc<AtomicUsize>,
}

#[derive(Clone)]
pub(crate) enum Server {
    One(&'static RedisServer),
    Own(Arc<RedisServer>),
    Cluster(&'static RedisCluster),
    /// The addresses of sentinels; who hears what is not counted there.
    Sentinel(String),
}

impl Server {
    fn url(&self) -> String {
        match self {
            Self::One(server) => server.url(),
            Self::Own(server) => server.url(),
            Self::Cluster(cluster) => cluster.url(),
            Self::Sentinel(url) => url.clone(),
        }
    }

    /// Sends a command to where its key is.
    pub(crate) async fn command(&self, words: &[&str]) -> String {
        match self {
            Self::One(server) => server.command(words).await,
            Self::Own(server) => server.command(words).await,
            Self::Cluster(cluster) => cluster.command(words).await,
            Self::Sentinel(_) => unreachable!("no test asks it"),
        }
    }

    pub(crate) async fn keys(&self, prefix: &str) -> Vec<KeyFound> {
        match self {
            Self::One(server) => server.keys(prefix).await,
            Self::Own(server) => server.keys(prefix).await,
            Self::Cluster(cluster) => cluster.keys(prefix).await,
            Self::Sentinel(_) => unreachable!("no test asks it"),
        }
    }

    /// Counts those who hear a channel.
    async fn listeners(&self, channel: &str) -> usize {
        let words = ["PUBSUB", "NUMSUB", channel];
        let replies = match self {
            Self::One(server) => vec![server.command(&words).await],
            Self::Own(server) => vec![server.command(&words).await],
            Self::Cluster(cluster) => {
                let mut replies = Vec::new();
                for node in cluster.nodes() {
                    replies.push(node.command(&words).await);
                }
                replies
            }
            Self::Sentinel(_) => return usize::MAX,
        };
        let count = |reply: &String| reply.lines().last().and_then(|count| count.parse::<usize>().ok());
        replies.iter().map(|reply| count(reply).expect("it is a number")).sum()
    }
}

impl Place {
    fn of(server: Option<Server>) -> Self {
        Self {
            server,
            prefix: unique_prefix(),
            proxy: None,
            is_cut: false,
            fail_fast: DEADLINE,
            listeners: Arc::default(),
        }
    }

    /// There is no Redis.
    pub(crate) fn alone() -> Arc<Self> {
        Arc::new(Self::of(None))
    }

    pub(crate) async fn shared() -> Self {
        Self::of(Some(Server::One(RedisServer::shared().await)))
    }

    pub(crate) async fn cluster() -> Self {
        Self::of(Some(Server::Cluster(RedisCluster::shared().await)))
    }

    /// A server of the test's own.
    pub(crate) fn own(server: &Arc<RedisServer>) -> Self {
        Self::of(Some(Server::Own(Arc::clone(server))))
    }

    pub(crate) fn behind(sentinel: &RedisSentinel) -> Self {
        Self::of(Some(Server::Sentinel(sentinel.url())))
    }

    /// The same place, but the way there can be cut for those who take it.
    pub(crate) async fn behind_a_proxy(&self) -> Self {
        let server = self.server.clone().expect("it has a server");
        let proxy = match &server {
            Server::One(server) => server.proxy().await,
            Server::Own(server) => server.proxy().await,
            Server::Cluster(_) | Server::Sentinel(_) => unreachable!("nodes name their own addresses"),
        };
        Self {
            server: Some(server),
            prefix: self.prefix.clone(),
            proxy: Some(proxy),
            is_cut: false,
            fail_fast: self.fail_fast,
            listeners: Arc::clone(&self.listeners),
        }
    }

    /// The same way, for processes that wait for Redis so long.
    pub(crate) fn with_deadline(self, fail_fast: Duration) -> Self {
        Self { fail_fast, ..self }
    }

    /// Redis cannot be reached, now and later.
    pub(crate) async fn degraded() -> Self {
        let place = Self::shared().await.behind_a_proxy().await;
        place.proxy().cut();
        Self { is_cut: true, ..place }
    }

    pub(crate) fn proxy(&self) -> &Proxy {
        self.proxy.as_ref().expect("it has one")
    }

    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().expect("it has a server")
    }

    /// A handle of a process; connected, if Redis is there.
    pub(crate) async fn connect(&self) -> Option<Redis> {
        let server = self.server.as_ref()?;
        let url = self.proxy.as_ref().map_or_else(|| server.url(), Proxy::url);
        let address = url.parse().expect("test servers have addresses");
        let settings =
            Settings { prefix: self.prefix.clone(), fail_fast: self.fail_fast, ..Settings::new(address) };
        let redis = Redis::open(settings, &TaskTracker::new(), CancellationToken::new());
        if !self.is_cut {
            let mut health = redis.watch_health();
            timeout(PATIENCE, health.wait_for(|health| health.is_up()))
                .await
                .expect("it connects in time")
                .expect("the handle lives");
        }
        Some(redis)
    }

    /// Waits until one process more hears the news.
    pub(crate) async fn wait_for_listeners(&self) {
        if !self.is_cut {
            self.listeners.fetch_add(1, Ordering::SeqCst);
            self.wait_until_all_listen().await;
        }
    }

    /// Waits until every process that was opened here hears the news.
    pub(crate) async fn wait_until_all_listen(&self) {
        let channel = format!("{}upshelf:sessions", self.prefix);
        let (server, expected) = (self.server(), self.listeners.load(Ordering::SeqCst));
        wait_until("all processes to listen", PATIENCE, async || {
            server.listeners(&channel).await >= expected
        })
        .await;
    }
}
