use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use upshelf_redis::{Error, Result, Subscriptions};

use super::names::Names;
use super::roll::{Roll, Standing};
use crate::mailbox::Mailbox;
use crate::switchboard::{Address, wake};

/// When to ask again for what Redis could not be asked for although it is there.
const PAUSE: Duration = Duration::from_millis(100);

/// Somebody who listens to what Redis was not asked for yet.
pub(super) struct Join {
    pub(super) address: Address,
    pub(super) mailbox: Weak<Mailbox>,
    pub(super) answer: oneshot::Sender<Result<()>>,
}

/// Asks Redis for what somebody here listens to, and for nothing else; one thing after the other, so that what is asked
/// last is what holds.
pub(super) struct Desk {
    roll: Arc<Roll>,
    names: Arc<Names>,
    subscriptions: Subscriptions,
    /// Parked while Redis seemed to be there: it may have come back before they were, and tells it only once.
    doubtful: Vec<Address>,
    has_been_refused: bool,
}

impl Desk {
    pub(super) fn new(roll: Arc<Roll>, names: Arc<Names>, subscriptions: Subscriptions) -> Self {
        Self { roll, names, subscriptions, doubtful: Vec::new(), has_been_refused: false }
    }

    /// Serves until the bus is gone.
    pub(super) async fn serve(
        mut self,
        mut joins: mpsc::UnboundedReceiver<Join>,
        mut leaves: mpsc::UnboundedReceiver<Address>,
    ) {
        if let Err(error) = self.subscriptions.subscribe(self.names.control()).await {
            self.note(&error);
        }
        let mut next_look = Instant::now();
        loop {
            tokio::select! {
                biased;
                // Somebody waits for it.
                join = joins.recv() => match join {
                    Some(join) => self.join(join).await,
                    None => return,
                },
                () = sleep_until(next_look), if !self.doubtful.is_empty() => {
                    self.ask_again().await;
                    next_look = Instant::now() + PAUSE;
                }
                Some(address) = leaves.recv() => {
                    if self.roll.strike(&address) {
                        self.unsubscribe(&address).await;
                    }
                }
            }
        }
    }

    async fn join(&mut self, Join { address, mailbox, answer }: Join) {
        let done = match self.roll.standing(&address) {
            Some(Standing::Confirmed) => Ok(()),
            Some(Standing::Parked) => Err(Error::Away(None)),
            None if !self.roll.has_listener(&address) => return,
            None => self.subscribe(&address).await,
        };
        let is_confirmed = done.is_ok();
        let has_not_waited = answer.send(done).is_err();
        if is_confirmed
            && has_not_waited
            && let Some(mailbox) = mailbox.upgrade()
        {
            wake(mailbox.gap());
        }
    }

    async fn ask_again(&mut self) {
        for address in std::mem::take(&mut self.doubtful) {
            if self.roll.standing(&address) == Some(Standing::Parked)
                && self.subscribe(&address).await.is_ok()
            {
                self.roll.gap_at(&address);
            }
        }
    }

    async fn subscribe(&mut self, address: &Address) -> Result<()> {
        let done = match address {
            Address::Channel(name) => self.subscriptions.subscribe(&self.names.of_channel(name)).await,
            Address::Pattern(name) => {
                self.subscriptions.subscribe_pattern(&self.names.of_pattern(name)).await
            }
        };
        match &done {
            Ok(()) => self.roll.set(address, Some(Standing::Confirmed)),
            Err(error) if error.is_away() => {
                self.roll.set(address, Some(Standing::Parked));
                if self.roll.is_up() {
                    self.doubtful.push(address.clone());
                }
            }
            Err(error) => {
                self.roll.set(address, None);
                self.note(error);
            }
        }
        done
    }

    async fn unsubscribe(&self, address: &Address) {
        match address {
            // The bus itself listens to it.
            Address::Channel(name) if self.names.of_channel(name) == self.names.control() => {}
            Address::Channel(name) => self.subscriptions.unsubscribe(&self.names.of_channel(name)).await,
            Address::Pattern(name) => {
                self.subscriptions.unsubscribe_pattern(&self.names.of_pattern(name)).await;
            }
        }
    }

    /// Logs a refusal, once: those who listen to what Redis will not send hear only what it does not take either.
    fn note(&mut self, error: &Error) {
        if !error.is_away() && !std::mem::replace(&mut self.has_been_refused, true) {
            tracing::error!(error = error as &dyn std::error::Error, "Redis refuses a subscription");
        }
    }
}
