use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::watch;
use tokio::time::Instant;

use super::losses::Missed;
use crate::switchboard::{Address, Switchboard, wake};

/// What Redis was asked to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It sends it, or it did and those who listen get a resync when it does again.
    Confirmed,
    /// It was away; once it is back, those who listen get a resync.
    Parked,
}

/// What Redis sends to this process, and who is told of what it could not send.
///
/// No lock of the switchboard is held while one waits for this state's.
pub(super) struct Roll {
    board: Weak<Switchboard>,
    /// Kept beside the state, because it is read for every publication.
    is_up: AtomicBool,
    state: Mutex<State>,
    /// Tells that something was confirmed.
    confirmed: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    /// Since when Redis sends without a gap, or last did.
    up_since: Option<Instant>,
    standings: HashMap<Address, Standing>,
}

impl Roll {
    pub(super) fn of(board: &Arc<Switchboard>) -> Self {
        Self {
            board: Arc::downgrade(board),
            is_up: false.into(),
            state: Mutex::default(),
            confirmed: watch::Sender::new(()),
        }
    }

    /// Those who listen here; `None` when the bus is gone.
    pub(super) fn board(&self) -> Option<Arc<Switchboard>> {
        self.board.upgrade()
    }

    /// Says whether Redis sends what it was asked to.
    pub(super) fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Acquire)
    }

    pub(super) fn standing(&self, address: &Address) -> Option<Standing> {
        self.state().standings.get(address).copied()
    }

    /// Waits until Redis sends something.
    pub(super) async fn is_confirmed(&self, address: &Address) {
        let mut confirmed = self.confirmed.subscribe();
        while self.standing(address) != Some(Standing::Confirmed) && confirmed.changed().await.is_ok() {}
    }

    pub(super) fn has_listener(&self, address: &Address) -> bool {
        self.board().is_some_and(|board| board.has_listener(address))
    }

    /// Notes what became of asking Redis to send something; without a standing it refused to.
    pub(super) fn set(&self, address: &Address, standing: Option<Standing>) {
        let mut state = self.state();
        match standing {
            Some(standing) => state.standings.insert(address.clone(), standing),
            None => state.standings.remove(address),
        };
        drop(state);
        self.confirmed.send_replace(());
    }

    /// Strikes off what nobody listens to any more; `true` if Redis was asked to send it.
    ///
    /// Whoever joins reads the standing when it is already on the switchboard: either it is seen here, or it sees that
    /// Redis has to be asked.
    pub(super) fn strike(&self, address: &Address) -> bool {
        let mut state = self.state();
        !self.has_listener(address) && state.standings.remove(address).is_some()
    }

    /// Notes that Redis sends everything it was asked to, from now on.
    pub(super) fn is_back(&self) {
        let Some(board) = self.board() else { return };
        let mut state = self.state();
        let is_first = state.up_since.replace(Instant::now()).is_none();
        self.is_up.store(true, Ordering::Release);
        let mut wakers = Vec::new();
        for (address, standing) in &mut state.standings {
            let was_parked = std::mem::replace(standing, Standing::Confirmed) == Standing::Parked;
            // Who listened before has heard this process alone.
            if is_first && was_parked {
                wakers.extend(board.gap_at(address));
            }
        }
        if !is_first {
            wakers.extend(board.gap_everywhere());
            tracing::info!("what other processes publish is heard again");
        }
        drop(state);
        self.confirmed.send_replace(());
        wake(wakers);
    }

    /// Notes that something may be missing from now on.
    pub(super) fn is_gone(&self) {
        self.is_up.store(false, Ordering::Release);
        tracing::warn!("what other processes publish is not heard");
    }

    /// Tells those who listen here of what another process could not publish, if they have not begun anew since.
    pub(super) fn tell(&self, missed: &Missed) {
        let Some(board) = self.board() else { return };
        let up_since = self.state().up_since;
        if up_since.is_some_and(|up_since| missed.is_before(up_since)) {
            return;
        }
        match &missed.channels {
            Some(channels) => channels.iter().for_each(|channel| wake(board.gap_on(channel))),
            None => wake(board.gap_everywhere()),
        }
    }

    /// Tells those who listen to exactly this that something may be missing.
    pub(super) fn gap_at(&self, address: &Address) {
        if let Some(board) = self.board() {
            wake(board.gap_at(address));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
