//! Who waits for a load of another process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

const FIRST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<HashMap<Box<str>, Arc<Notify>>>);

/// Waits for one key: until it has landed, or it is time to look.
pub(crate) struct Waiter<'a> {
    all: &'a Waiting,
    key: Box<str>,
    landed: Arc<Notify>,
    pause: Duration,
}

impl Waiting {
    fn keys(&self) -> MutexGuard<'_, HashMap<Box<str>, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wait_for(&self, key: &str) -> Waiter<'_> {
        let landed = Arc::clone(self.keys().entry(key.into()).or_default());
        Waiter { all: self, key: key.into(), landed, pause: FIRST }
    }

    pub(super) fn has_landed(&self, key: &str) {
        if let Some(waiter) = self.keys().get(key) {
            waiter.notify_one();
        }
    }
}

impl Waiter<'_> {
    /// Waits a little: messages may be lost, and a loader may be killed.
    pub(crate) async fn pause(&mut self) {
        if timeout(self.pause, self.landed.notified()).await.is_err() {
            self.pause = (self.pause * 2).min(LONGEST);
        }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut keys = self.all.keys();
        // The map's own and this one.
        if Arc::strong_count(&self.landed) <= 2 {
            keys.remove(&self.key);
        }
    }
}
