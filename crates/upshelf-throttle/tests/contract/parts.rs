//! The parts of the service, each with a hand on its time.

use std::cell::Cell;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::LazyLock;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::time::{Instant, advance, pause, resume, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upshelf_redis::{Address, Redis, Settings};
use upshelf_testkit::{KeyFound, Proxy, RedisCluster, RedisServer, unique_prefix, wait_until};
use upshelf_throttle::{Local, Mode, Policy, Rate, Shared, Subject, Throttle};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A busy machine does not miss it.
const DEADLINE: Duration = Duration::from_secs(5);

/// Where the handles live: a test moves the clock of its own runtime, and what keeps connections must not notice.
static BEHIND: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime starts"));

/// A part under test, and its time.
pub(crate) struct Part<L> {
    limiter: L,
    time: Time,
    since: Instant,
    advanced: Cell<Duration>,
    _proxy: Option<Proxy>,
}

enum Time {
    /// Stands still but for [`Part::advance`].
    Still,
    /// Goes on, and jumps.
    Running,
    /// Goes on at a server; what stands there is moved into the past instead.
    Server { at: Server, prefix: String },
}

enum Server {
    One(&'static RedisServer),
    Cluster(&'static RedisCluster),
}

impl<L> Deref for Part<L> {
    type Target = L;

    fn deref(&self) -> &L {
        &self.limiter
    }
}

impl<L> Part<L> {
    fn new(limiter: L, time: Time, proxy: Option<Proxy>) -> Self {
        Self { limiter, time, since: Instant::now(), advanced: Cell::default(), _proxy: proxy }
    }

    pub(crate) fn into_limiter(self) -> L {
        self.limiter
    }

    /// Lets time pass.
    pub(crate) async fn advance(&self, by: Duration) {
        if let Time::Server { at, prefix } = &self.time {
            for key in at.keys(prefix).await {
                at.move_into_the_past(&key.name, by).await;
            }
        }
        match self.time {
            Time::Still => advance(by).await,
            _ => {
                pause();
                advance(by).await;
                resume();
            }
        }
        self.advanced.set(self.advanced.get() + by);
    }

    /// What can be told apart: time that goes on must not reach what a test stops just short of.
    pub(crate) fn moment(&self) -> Duration {
        match self.time {
            Time::Still => Duration::from_micros(1),
            _ => Duration::from_secs(3),
        }
    }

    /// Holds a time that was told against what it must be; where time goes on, less what went by since the part began.
    #[track_caller]
    pub(crate) fn assert_time(&self, told: Duration, expected: Duration) {
        let passed = self.since.elapsed() - self.advanced.get();
        assert!(
            told <= expected && told + passed >= expected,
            "{told:?}, not {expected:?}, after {passed:?}"
        );
    }
}

impl Server {
    async fn keys(&self, prefix: &str) -> Vec<KeyFound> {
        match self {
            Self::One(server) => server.keys(prefix).await,
            Self::Cluster(cluster) => cluster.keys(prefix).await,
        }
    }

    async fn move_into_the_past(&self, key: &str, by: Duration) {
        const MOVE: &str = "
            local tat, left = redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1]) - math.floor(ARGV[1] / 1000)
            if not tat then return end
            if left <= 0 then return redis.call('DEL', KEYS[1]) end
            return redis.call('SET', KEYS[1], string.format('%.0f', tat - ARGV[1]), 'PX', left)";
        let by = by.as_micros().to_string();
        let eval = ["EVAL", MOVE, "1", key, &by];
        match self {
            Self::One(server) => server.command(&eval).await,
            Self::Cluster(cluster) => cluster.command(&eval).await,
        };
    }
}

pub(crate) async fn local() -> Part<Local> {
    pause();
    Part::new(Local::default(), Time::Still, None)
}

pub(crate) async fn whole() -> Part<Throttle> {
    pause();
    Part::new(Throttle::local(Mode::On), Time::Still, None)
}

/// All processes' part alone, on one server.
pub(crate) async fn shared() -> Part<Shared> {
    let (server, prefix) = (RedisServer::shared().await, unique_prefix());
    let shared = Shared::new(&redis(&server.url(), &prefix).await, []);
    Part::new(shared, Time::Server { at: Server::One(server), prefix }, None)
}

/// All processes' part alone, on a cluster.
pub(crate) async fn cluster() -> Part<Shared> {
    let (cluster, prefix) = (RedisCluster::shared().await, unique_prefix());
    let shared = Shared::new(&redis(&cluster.url(), &prefix).await, []);
    Part::new(shared, Time::Server { at: Server::Cluster(cluster), prefix }, None)
}

/// The whole service with Redis.
pub(crate) async fn together() -> Part<Throttle> {
    let (server, prefix) = (RedisServer::shared().await, unique_prefix());
    let throttle = Throttle::shared(Mode::On, &redis(&server.url(), &prefix).await, []);
    Part::new(throttle, Time::Server { at: Server::One(server), prefix }, None)
}

/// The whole service while Redis cannot be reached.
pub(crate) async fn degraded() -> Part<Throttle> {
    let proxy = RedisServer::shared().await.proxy().await;
    proxy.cut();
    let throttle = Throttle::shared(Mode::On, &redis_within(DEADLINE, &proxy.url(), &unique_prefix()), []);
    Part::new(throttle, Time::Running, Some(proxy))
}

/// The whole service after an outage during which much was counted.
pub(crate) async fn restored() -> Part<Throttle> {
    let (server, prefix) = (RedisServer::shared().await, unique_prefix());
    let proxy = server.proxy().await;
    let throttle = Throttle::shared(Mode::On, &redis(&proxy.url(), &prefix).await, []);
    let (ada, ten) = (ada(), ten_a_minute());
    assert!(throttle.take(&ada, &[&ten], 1).await.is_allowed && !throttle.is_alone());
    throttle.forget(&ada).await;
    proxy.cut();
    assert!(throttle.take(&ada, &[&ten], 10).await.is_allowed && throttle.is_alone());
    assert!(!throttle.take(&ada, &[&ten], 1).await.is_allowed);
    proxy.restore();
    wait_until("Redis is back", PATIENCE, async || {
        throttle.peek(&ada, &[&ten], 1).await;
        !throttle.is_alone()
    })
    .await;
    Part::new(throttle, Time::Server { at: Server::One(server), prefix }, Some(proxy))
}

/// A connected handle.
pub(crate) async fn redis(url: &str, prefix: &str) -> Redis {
    let redis = redis_within(DEADLINE, url, prefix);
    let mut health = redis.watch_health();
    timeout(PATIENCE, health.wait_for(|health| health.is_up()))
        .await
        .expect("it connects in time")
        .expect("the handle lives");
    redis
}

/// A handle that may have to wait for its connections.
pub(crate) fn redis_within(deadline: Duration, url: &str, prefix: &str) -> Redis {
    let address = Address::from_str(url).expect("test servers have addresses");
    let settings = Settings { prefix: prefix.to_owned(), fail_fast: deadline, ..Settings::new(address) };
    let _inside = BEHIND.enter();
    Redis::open(settings, &TaskTracker::new(), CancellationToken::new())
}

pub(crate) fn ada() -> Subject {
    Subject::member("ada")
}

pub(crate) fn policy(name: &'static str, rate: Rate) -> Policy {
    Policy::new(name, rate).expect("it is a name")
}

pub(crate) fn ten_a_minute() -> Policy {
    policy("ten", Rate::per_minute(10))
}
