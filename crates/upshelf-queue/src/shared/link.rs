//! The connection to BullMQ's queues: made when the handle says that Redis is there, and made anew when it comes back,
//! begins a new life, or another server becomes the primary. The client underneath would sooner or later reconnect by
//! itself, but only after waits that grow to seconds, and never to another primary.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bullmq::options::{RedisConnectionOptions, TlsCerts};
use bullmq::queue::BulkJob;
use bullmq::redis_connection::{AnyConnection, RedisConnection};
use tokio::sync::{Mutex, watch};
use upshelf_redis::Redis;

use crate::BoxError;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How soon it is tried again, at first and at most: a server that answers and refuses us may do so for long.
const AGAIN: Duration = Duration::from_millis(200);
const AT_MOST: Duration = Duration::from_secs(5);

/// One connection, and the queues seen through it. Cheap to clone.
#[derive(Clone)]
pub(super) struct Link {
    inner: Arc<Inner>,
}

struct Inner {
    prefix: String,
    options: RedisConnectionOptions,
    connection: RedisConnection,
    queues: Mutex<Queues>,
    /// The same on a connection that nothing else is sent on.
    adding: Mutex<Queues>,
}

/// The queues seen through one connection.
struct Queues {
    connection: RedisConnection,
    prefix: String,
    seen: HashMap<String, bullmq::Queue>,
}

impl Queues {
    fn of(connection: RedisConnection, prefix: &str) -> Self {
        Self { connection, prefix: prefix.to_owned(), seen: HashMap::new() }
    }

    async fn queue(&mut self, name: &str) -> Result<bullmq::Queue, bullmq::Error> {
        if let Some(queue) = self.seen.get(name) {
            return Ok(queue.clone());
        }
        let options = bullmq::QueueOptions::new().prefix(&self.prefix);
        let queue = bullmq::Queue::with_connection(name, self.connection.clone(), options).await?;
        self.seen.insert(name.to_owned(), queue.clone());
        Ok(queue)
    }
}

/// How many jobs are added at once in an order. BullMQ's client adds them side by side, and they keep their order only as long
/// as they all find room in the buffer of their connection, which is 50.
const IN_ORDER: usize = 40;

impl Link {
    async fn open(redis: &Redis) -> Result<Self, BoxError> {
        let urls = redis.urls().await?;
        let settings = redis.settings();
        let mut options = RedisConnectionOptions::new();
        if settings.address.is_cluster() {
            options = options.cluster_nodes(urls);
        } else if let Some(url) = urls.into_iter().next() {
            options = options.url(url);
        }
        if let Some(file) = &settings.ca_file {
            options = options
                .tls_certs(TlsCerts { root_cert: Some(tokio::fs::read(file).await?), ..TlsCerts::default() });
        }
        let connection = RedisConnection::new_managed_only(&options).await?;
        let prefix = prefix(redis);
        let queues = Mutex::new(Queues::of(connection.clone(), &prefix));
        let alone = RedisConnection::new_managed_only(&options).await?;
        let adding = Mutex::new(Queues::of(alone, &prefix));
        let inner = Inner { prefix, options, connection, queues, adding };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// BullMQ's queue of this name.
    pub(super) async fn queue(&self, name: &str) -> Result<bullmq::Queue, bullmq::Error> {
        self.inner.queues.lock().await.queue(name).await
    }

    /// Adds jobs, each behind the one before it.
    pub(super) async fn add_in_order(&self, name: &str, mut jobs: Vec<BulkJob>) -> Result<(), bullmq::Error> {
        while !jobs.is_empty() {
            let rest = jobs.split_off(jobs.len().min(IN_ORDER));
            let mut alone = self.inner.adding.lock().await;
            alone.queue(name).await?.add_bulk(jobs).await?;
            jobs = rest;
        }
        Ok(())
    }

    /// For commands of our own.
    pub(super) fn connection(&self) -> AnyConnection {
        self.inner.connection.connection()
    }

    pub(super) fn prefix(&self) -> &str {
        &self.inner.prefix
    }

    pub(super) fn options(&self) -> &RedisConnectionOptions {
        &self.inner.options
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("prefix", &self.inner.prefix).finish_non_exhaustive()
    }
}

/// What BullMQ puts before the names of queues: `queue`, and in a cluster `{queue}`, as its scripts use keys of several
/// names at once. BullMQ allows no colon in it, so those of the handle's prefix become hyphens.
fn prefix(redis: &Redis) -> String {
    let keys = redis.keys();
    keys.tag(&keys.name("queue").replace(':', "-")).into_owned()
}

/// Keeps the connection as long as the handle is open.
pub(super) async fn keep(redis: Redis, link: watch::Sender<Option<Link>>) {
    let (mut health, mut life) = (redis.watch_health(), redis.watch_life());
    let mut again = AGAIN;
    loop {
        if health.wait_for(|health| health.is_up()).await.is_err() {
            return;
        }
        life.mark_unchanged();
        let opened = tokio::time::timeout(CONNECT, Link::open(&redis)).await.map_err(BoxError::from);
        match opened.flatten() {
            Ok(open) => {
                again = AGAIN;
                link.send_replace(Some(open));
                tracing::info!("jobs are handed over to Redis");
            }
            Err(error) => {
                tracing::warn!(error = &*error as &dyn std::error::Error, "Redis does not take jobs yet");
                tokio::time::sleep(again).await;
                again = (again * 2).min(AT_MOST);
                continue;
            }
        }
        let is_over = tokio::select! {
            away = health.wait_for(|health| !health.is_up()) => away.is_err(),
            other = life.changed() => other.is_err(),
        };
        link.send_replace(None);
        if is_over {
            return;
        }
    }
}
