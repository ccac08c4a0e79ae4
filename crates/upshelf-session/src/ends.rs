use std::sync::{Arc, Weak};

use tokio::sync::watch;
use uuid::Uuid;

use crate::local::Local;

/// Tells which sessions may have ended; see [`Sessions::ends`](crate::Sessions::ends).
pub struct Ends {
    local: Weak<Local>,
    changes: watch::Receiver<()>,
    seen: [u64; 256],
}

/// Sessions that may have ended: few others among them, and none that has ended is missing.
#[derive(Clone, Copy, Debug)]
pub struct Suspects([bool; 256]);

impl Ends {
    pub(crate) fn of(local: &Arc<Local>) -> Ends {
        // Subscribed first: what changes in between is seen twice and not missed.
        let changes = local.changes();
        Ends { local: Arc::downgrade(local), changes, seen: local.marks() }
    }

    /// Waits until sessions may have ended; `None` once the sessions are closed.
    pub async fn next(&mut self) -> Option<Suspects> {
        loop {
            self.changes.changed().await.ok()?;
            let marks = self.local.upgrade()?.marks();
            let suspects = std::array::from_fn(|slice| marks[slice] != self.seen[slice]);
            self.seen = marks;
            if suspects.contains(&true) {
                return Some(Suspects(suspects));
            }
        }
    }
}

impl Suspects {
    /// Says whether a session may be one of them.
    pub fn includes(&self, session_id: Uuid) -> bool {
        self.0[usize::from(Local::slice(session_id))]
    }
}
