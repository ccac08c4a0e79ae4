use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use upshelf_redis::{Class, Error, Lane, Line, Redis, Result, Settings, client};

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A handle that ends with its test.
pub(crate) struct Handle {
    pub(crate) redis: Redis,
    _closing: DropGuard,
}

impl Handle {
    pub(crate) fn with(settings: Settings) -> Handle {
        let (tracker, closing) = (TaskTracker::new(), CancellationToken::new());
        let redis = Redis::open(settings, &tracker, closing.clone());
        Handle { redis, _closing: closing.drop_guard() }
    }

    pub(crate) fn to(url: &str) -> Handle {
        Handle::with(settings(url))
    }

    /// A handle that is connected.
    pub(crate) async fn up(url: &str) -> Handle {
        let handle = Handle::to(url);
        handle.is_up().await;
        handle
    }

    pub(crate) async fn is_up(&self) {
        self.turns("up", |up| up).await;
    }

    pub(crate) async fn is_away(&self) {
        self.turns("away", |up| !up).await;
    }

    async fn turns(&self, what: &str, wanted: impl Fn(bool) -> bool) {
        let mut health = self.redis.watch_health();
        let turned = timeout(PATIENCE, health.wait_for(|health| wanted(health.is_up()))).await;
        assert!(turned.is_ok_and(|turned| turned.is_ok()), "Redis is not {what} after {PATIENCE:?}");
    }

    pub(crate) fn fast(&self) -> Line {
        self.redis.line(Lane::Decisions, Class::FailFast)
    }

    pub(crate) fn queued(&self) -> Line {
        self.redis.line(Lane::General, Class::Queue)
    }
}

pub(crate) fn settings(url: &str) -> Settings {
    Settings::new(url.parse().expect("the testkit gives addresses"))
}

pub(crate) async fn set(line: &Line, key: &str, value: &str) -> Result<()> {
    line.query(client::cmd("SET").arg(key).arg(value)).await
}

pub(crate) async fn get(line: &Line, key: &str) -> Result<Option<String>> {
    line.query(client::cmd("GET").arg(key)).await
}

#[track_caller]
pub(crate) fn assert_away<T: std::fmt::Debug>(result: Result<T>) {
    match result {
        Err(Error::Away(_)) => {}
        other => panic!("Redis should be away, and there is {other:?}"),
    }
}
