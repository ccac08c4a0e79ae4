//! The bus of all processes, through Redis.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use upshelf_redis::{Class, Error, Keys, Lane, Line, Push, Redis, Subscriber, Subscriptions};

use crate::local::{Address, Local, Switchboard, wake};
use crate::{Buffer, Carrier, Subscription};

/// Messages of all channels that may wait to be handed out here.
const WAITING: usize = 8192;

/// How long a subscriber waits for Redis to confirm; after that it is told to resync when it does.
const CONFIRMATION: Duration = Duration::from_secs(1);

/// The part of the bus through Redis.
///
/// Invariants: a message comes back from Redis, and so in the same order to all processes, or it is delivered here alone;
/// this process is subscribed to what somebody here listens to, and to nothing else.
#[derive(Clone, Debug)]
pub struct Shared {
    inner: Arc<Inner>,
    _end: Arc<DropGuard>,
}

#[derive(Debug)]
struct Inner {
    redis: Redis,
    line: Line,
    local: Local,
    wishes: Arc<Wishes>,
    /// Whether what others publish is heard.
    hears: Arc<AtomicBool>,
}

/// What this process is subscribed to.
#[derive(Debug)]
struct Wishes {
    keys: Keys,
    subscriptions: Subscriptions,
    /// Held while a subscription is made or ended, so that one that is ended is not another's that was just made.
    changing: Mutex<()>,
}

impl Shared {
    /// Makes the part; within a tokio runtime.
    pub fn new(buffer: Buffer, redis: &Redis) -> Self {
        let (subscriber, subscriptions) = redis.subscriber(WAITING);
        let wishes = Wishes { keys: redis.keys().clone(), subscriptions, changing: Mutex::default() };
        let inner = Inner {
            redis: redis.clone(),
            line: redis.line(Lane::General, Class::FailFast),
            local: Local::new(buffer),
            wishes: Arc::new(wishes),
            hears: Arc::default(),
        };
        let (deserted, leaving) = mpsc::unbounded_channel();
        inner.local.switchboard().tell_of_deserted(deserted);
        let end = CancellationToken::new();
        let listener = Listener {
            keys: redis.keys().clone(),
            switchboard: Arc::downgrade(inner.local.switchboard()),
            hears: Arc::clone(&inner.hears),
        };
        let leaver = leave(leaving, Arc::clone(&inner.wishes), Arc::downgrade(inner.local.switchboard()));
        let ending = end.clone();
        redis.spawn(async move {
            let both = async { tokio::join!(listener.run(subscriber), leaver) };
            ending.run_until_cancelled(both).await;
        });
        Self { inner: Arc::new(inner), _end: Arc::new(end.drop_guard()) }
    }

    pub(crate) fn local(&self) -> &Local {
        &self.inner.local
    }

    /// Says whether other processes are not heard, or not reached.
    pub fn is_degraded(&self) -> bool {
        !self.inner.hears.load(Ordering::Acquire) || !self.inner.redis.health().is_up()
    }

    /// Publishes; says whether subscribers of this process hear of it from Redis.
    pub(crate) async fn carry(&self, channel: &str, payload: &Bytes) -> bool {
        let heard = self.inner.hears.load(Ordering::Acquire);
        match self.send(channel, payload).await {
            Ok(()) => heard,
            Err(error) => {
                if !error.is_away() {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, channel, "Redis refuses a publication");
                }
                false
            }
        }
    }

    async fn send(&self, channel: &str, payload: &Bytes) -> Result<(), Error> {
        let channel = self.inner.wishes.keys.name(channel);
        self.inner.line.publish(&channel, payload).await.map(drop)
    }

    /// Listens, and says whether Redis has confirmed it. Where it has not, those who listen are told to resync when it does.
    pub(crate) async fn listen(&self, address: Address) -> (Subscription, Result<(), Error>) {
        let Inner { redis, local, wishes, .. } = &*self.inner;
        let subscription = local.listen(address.clone());
        let (answer, answered) = oneshot::channel();
        let (wishes, switchboard) = (Arc::clone(wishes), Arc::downgrade(local.switchboard()));
        // A task of its own: who does not wait any longer must not leave a half of it.
        redis.spawn(async move {
            let done = wishes.subscribe(&address).await;
            let is_confirmed = done.is_ok();
            if answer.send(done).is_err()
                && is_confirmed
                && let Some(switchboard) = switchboard.upgrade()
            {
                wake(switchboard.resync(Some(&address)));
            }
        });
        let done = match timeout(CONFIRMATION, answered).await {
            Ok(Ok(done)) => done,
            _ => Err(Error::Away(None)),
        };
        (subscription, done)
    }
}

impl Carrier for Shared {
    type Error = Error;

    async fn publish(&self, channel: &str, payload: Bytes) -> Result<(), Error> {
        self.send(channel, &payload).await
    }

    async fn subscribe(&self, channel: &str) -> Result<Subscription, Error> {
        let (subscription, done) = self.listen(Address::Channel(channel.into())).await;
        done.map(|()| subscription)
    }

    async fn subscribe_pattern(&self, pattern: &str) -> Result<Subscription, Error> {
        let (subscription, done) = self.listen(Address::Pattern(pattern.into())).await;
        done.map(|()| subscription)
    }
}

impl Wishes {
    async fn subscribe(&self, address: &Address) -> Result<(), Error> {
        let _alone = self.changing.lock().await;
        match address {
            Address::Channel(name) => self.subscriptions.subscribe(&self.keys.name(name)).await,
            Address::Pattern(name) => self.subscriptions.subscribe_pattern(&self.keys.pattern(name)).await,
        }
    }

    async fn unsubscribe(&self, address: &Address, switchboard: &Weak<Switchboard>) {
        let _alone = self.changing.lock().await;
        if switchboard.upgrade().is_some_and(|switchboard| switchboard.has(address)) {
            return;
        }
        match address {
            Address::Channel(name) => self.subscriptions.unsubscribe(&self.keys.name(name)).await,
            Address::Pattern(name) => self.subscriptions.unsubscribe_pattern(&self.keys.pattern(name)).await,
        }
    }
}

/// Ends the subscriptions that nobody here needs any more.
async fn leave(
    mut leaving: mpsc::UnboundedReceiver<Address>,
    wishes: Arc<Wishes>,
    switchboard: Weak<Switchboard>,
) {
    while let Some(address) = leaving.recv().await {
        wishes.unsubscribe(&address, &switchboard).await;
    }
}

/// Hands out what Redis brings.
struct Listener {
    keys: Keys,
    switchboard: Weak<Switchboard>,
    hears: Arc<AtomicBool>,
}

impl Listener {
    async fn run(self, mut subscriber: Subscriber) {
        let before_patterns = self.keys.pattern("");
        while let Some(push) = subscriber.next().await
            && let Some(switchboard) = self.switchboard.upgrade()
        {
            match push {
                Push::Up => {
                    // First it counts as heard: what is published between the two is heard and comes after the gap.
                    self.hears.store(true, Ordering::Release);
                    wake(switchboard.resync(None));
                }
                Push::Down => self.hears.store(false, Ordering::Release),
                // What comes before `Up` comes before the gap.
                Push::Message { .. } if !self.hears.load(Ordering::Acquire) => {}
                Push::Message { channel, pattern, payload } => {
                    let Some(channel) = channel.strip_prefix(self.keys.prefix()) else { continue };
                    let address = match pattern {
                        None => Address::Channel(channel.into()),
                        Some(pattern) => match pattern.strip_prefix(&*before_patterns) {
                            Some(pattern) => Address::Pattern(pattern.into()),
                            None => continue,
                        },
                    };
                    wake(switchboard.deliver_to(&address, channel, &payload));
                }
            }
        }
    }
}
