use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// One life of the server: ends when it is restarted, or another becomes the primary. What was written in an earlier life
/// may be missing in this one, or be there again.
///
/// Comparable within a process only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Life(u64);

/// Numbers the lives that this process has seen.
#[derive(Debug)]
pub(crate) struct Lives {
    seen: Mutex<Seen>,
    current: watch::Sender<Option<Life>>,
}

#[derive(Debug, Default)]
struct Seen {
    ids: Option<Arc<str>>,
    number: u64,
}

impl Default for Lives {
    fn default() -> Self {
        Self { seen: Mutex::default(), current: watch::Sender::new(None) }
    }
}

impl Lives {
    /// Numbers the life that the servers' own ids name.
    pub(crate) fn note(&self, ids: Arc<str>) -> Life {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.ids.as_ref() != Some(&ids) {
            seen.number += 1;
            seen.ids = Some(ids);
            self.current.send_replace(Some(Life(seen.number)));
        }
        Life(seen.number)
    }

    pub(crate) fn current(&self) -> Option<Life> {
        *self.current.borrow()
    }

    /// The current life, and the servers' own ids in it.
    pub(crate) fn named(&self) -> Option<(Life, Arc<str>)> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.ids.as_ref().map(|ids| (Life(seen.number), Arc::clone(ids)))
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Option<Life>> {
        self.current.subscribe()
    }
}
