//! The bus of all processes, through Redis.

mod desk;
mod losses;
mod names;
mod roll;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};
use upshelf_redis::{Class, Error, Health, Lane, Line, Push, Redis, Subscriber};

use self::desk::{Desk, Join};
use self::losses::{Losses, Missed};
use self::names::Names;
use self::roll::{Roll, Standing};
use crate::local::Local;
use crate::switchboard::{Address, wake};
use crate::{Buffer, Carrier, Subscription};

/// How many messages from Redis may wait for this process to hand them out.
const WAITING: usize = 4_096;

/// How long somebody who subscribes waits for the connection that listens, while Redis answers on others.
const CONNECTING: Duration = Duration::from_secs(1);

/// The part of the bus that all processes share.
///
/// Invariants: Redis sends this process a channel or pattern once, however many listen here, and only while somebody
/// does. What is published goes out to Redis alone, and comes back from there for this process's own subscribers, so
/// that all of them everywhere hear one order. Nothing is handed out without Redis: that is what
/// [`Bus`](crate::Bus) adds.
pub struct Shared {
    local: Local,
    line: Line,
    health: watch::Receiver<Health>,
    patience: Duration,
    names: Arc<Names>,
    roll: Arc<Roll>,
    losses: Arc<Losses>,
    joins: mpsc::UnboundedSender<Join>,
    leaves: mpsc::UnboundedSender<Address>,
}

impl Shared {
    /// Makes a bus through `redis` that allows each subscriber the given buffer. Must be called on a runtime of tokio.
    pub fn new(buffer: Buffer, redis: &Redis) -> Self {
        let local = Local::new(buffer);
        let names = Arc::new(Names::new(redis.keys()));
        let roll = Arc::new(Roll::of(&local.switchboard));
        let losses = Arc::<Losses>::default();
        // What does not arrive at once is delivered here, and the others are told: nobody who votes waits for Redis.
        let line = redis.line(Lane::General, Class::FailFast);
        let (subscriber, subscriptions) = redis.subscriber(WAITING);
        let (joins, joining) = mpsc::unbounded_channel();
        let (leaves, leaving) = mpsc::unbounded_channel();
        let desk = Desk::new(Arc::clone(&roll), Arc::clone(&names), subscriptions);
        let hearing = hear(subscriber, Arc::clone(&roll), Arc::clone(&names));
        let telling = {
            let (losses, line) = (Arc::clone(&losses), line.clone());
            losses.tell(line, names.control().to_owned(), redis.watch_health())
        };
        redis.spawn(async move {
            tokio::select! {
                // Ends with the last clone of the bus.
                () = desk.serve(joining, leaving) => {}
                () = hearing => {}
                () = telling => {}
            }
        });
        let (health, patience) = (redis.watch_health(), redis.settings().command_timeout);
        Self { local, line, health, patience, names, roll, losses, joins, leaves }
    }

    pub(crate) fn local(&self) -> &Local {
        &self.local
    }

    /// Says whether this process does not hear the others or cannot reach them, or they do not know yet what they have
    /// missed of it.
    pub fn is_degraded(&self) -> bool {
        !self.roll.is_up() || self.losses.is_any() || !self.health.borrow().is_up()
    }

    /// Publishes through Redis; `true` when it comes back from there to those who listen here.
    pub(crate) async fn carry(&self, channel: &str, payload: &[u8]) -> Result<bool, Error> {
        let begun = Instant::now();
        // Asked before, because a message that is heard meanwhile comes by way of Redis.
        let is_heard = self.roll.is_up();
        match self.line.publish(&self.names.of_channel(channel), payload).await {
            Ok(_) => Ok(is_heard),
            Err(error) => {
                self.losses.add(channel, begun, &error);
                Err(error)
            }
        }
    }

    /// Has Redis send what a subscription listens to, and waits until it does.
    ///
    /// # Errors
    /// When Redis is away, or does not say so in time: the subscription gets a [`Resync`](crate::Event::Resync) once
    /// it does.
    pub(crate) async fn attend(&self, subscription: &mut Subscription) -> Result<(), Error> {
        subscription.farewell = Some(self.leaves.downgrade());
        if self.roll.standing(&subscription.address) == Some(Standing::Confirmed) {
            return Ok(());
        }
        let (mut health, is_heard) = (self.health.clone(), self.roll.is_up());
        let is_away = async {
            // Commands may take longer to find Redis than this did.
            let _ = health.wait_for(|health| !is_heard || health.is_up()).await;
            let _ = health.wait_for(|health| !health.is_up()).await;
        };
        tokio::select! {
            biased;
            done = timeout(self.patience, self.ask_for(subscription)) => done.unwrap_or(Err(Error::Away(None))),
            () = is_away => Err(Error::Away(None)),
        }
    }

    async fn ask_for(&self, subscription: &Subscription) -> Result<(), Error> {
        let Subscription { address, mailbox, .. } = subscription;
        if self.roll.standing(address).is_none() {
            let (answer, answered) = oneshot::channel();
            let join = Join { address: address.clone(), mailbox: Arc::downgrade(mailbox), answer };
            self.joins.send(join).map_err(|_| Error::Away(None))?;
            match answered.await.map_err(|_| Error::Away(None))? {
                Err(error) if error.is_away() => {}
                done => return done,
            }
        }
        // The connection that listens is not there yet, or not again.
        timeout(CONNECTING, self.roll.is_confirmed(address)).await.map_err(|_| Error::Away(None))?;
        mailbox.clear();
        Ok(())
    }
}

impl Carrier for Shared {
    type Error = Error;

    async fn publish(&self, channel: &str, payload: Bytes) -> Result<(), Error> {
        self.carry(channel, &payload).await.map(drop)
    }

    async fn subscribe(&self, channel: &str) -> Result<Subscription, Error> {
        let mut subscription = self.local.listen(channel);
        self.attend(&mut subscription).await?;
        Ok(subscription)
    }

    async fn subscribe_pattern(&self, pattern: &str) -> Result<Subscription, Error> {
        let mut subscription = self.local.listen_pattern(pattern);
        self.attend(&mut subscription).await?;
        Ok(subscription)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("is_degraded", &self.is_degraded()).finish_non_exhaustive()
    }
}

/// Hands out what Redis sends.
async fn hear(mut subscriber: Subscriber, roll: Arc<Roll>, names: Arc<Names>) {
    while let Some(push) = subscriber.next().await {
        match push {
            Push::Up => roll.is_back(),
            Push::Down => roll.is_gone(),
            Push::Message { channel, pattern, payload } if *channel == *names.control() => {
                // What listens to everything hears it too, and it is not theirs.
                if pattern.is_none() {
                    match serde_json::from_slice::<Missed>(&payload) {
                        Ok(missed) => roll.tell(&missed),
                        Err(error) => {
                            tracing::debug!(error = &error as &dyn std::error::Error, "an odd message");
                        }
                    }
                }
            }
            Push::Message { channel, pattern, payload } => {
                let Some(board) = roll.board() else { return };
                let Some(channel) = names.channel(&channel) else { continue };
                // Redis sends a message once by its channel's name, and once more by each pattern that covers it.
                match pattern.as_deref().map(|pattern| names.pattern(pattern)) {
                    None => wake(board.deliver_by_name(channel, &payload)),
                    Some(Some(pattern)) => wake(board.deliver_by_pattern(pattern, channel, &payload)),
                    Some(None) => {}
                }
            }
        }
    }
}
