use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;
use upshelf_redis::Error;

/// Redis is taken for back after this long without a failure, so that one that comes and goes neither fills the log
/// nor makes this process forget each time what it has counted alone.
const STEADY: Duration = Duration::from_secs(1);

/// Whether this process decides alone, and among how many that do.
#[derive(Debug)]
pub(crate) struct Outage {
    state: Mutex<State>,
    /// Kept beside the state, because it is read for every request.
    is_on: AtomicBool,
    processes: AtomicU32,
}

#[derive(Debug, Default)]
struct State {
    failed_at: Option<Instant>,
    is_wrong: bool,
}

impl Default for Outage {
    fn default() -> Self {
        Self { state: Mutex::default(), is_on: false.into(), processes: 1.into() }
    }
}

impl Outage {
    pub(crate) fn is_on(&self) -> bool {
        self.is_on.load(Relaxed)
    }

    pub(crate) fn processes(&self) -> u32 {
        self.processes.load(Relaxed)
    }

    pub(crate) fn set_processes(&self, processes: NonZeroU32) {
        self.processes.store(processes.get(), Relaxed);
    }

    /// Notes an answer; `true` for the one that ends an outage.
    pub(crate) fn succeeded(&self) -> bool {
        if !self.is_on() {
            return false;
        }
        let mut state = self.state();
        if state.failed_at.is_none_or(|failed_at| failed_at.elapsed() < STEADY) {
            return false;
        }
        *state = State::default();
        self.is_on.store(false, Relaxed);
        tracing::info!("limits are counted together with the other processes again");
        true
    }

    /// Notes that there was no answer.
    pub(crate) fn failed(&self, error: &Error) {
        let mut state = self.state();
        let is_first = state.failed_at.replace(Instant::now()).is_none();
        self.is_on.store(true, Relaxed);
        if error.is_away() {
            if is_first {
                let error: &dyn std::error::Error = error;
                tracing::warn!(
                    error,
                    processes = self.processes(),
                    "limits are counted in this process alone"
                );
            }
        } else if !std::mem::replace(&mut state.is_wrong, true) {
            let error: &dyn std::error::Error = error;
            tracing::error!(error, processes = self.processes(), "limits are counted in this process alone");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no code panics while it holds this lock")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    use tokio::time::advance;
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use super::*;

    /// Counts what is logged.
    #[derive(Clone, Default)]
    struct Log(Arc<AtomicUsize>);

    impl Subscriber for Log {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, _: &Event<'_>) {
            self.0.fetch_add(1, Relaxed);
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_logged_once_and_one_that_does_not_last_not_at_all() {
        let (log, outage) = (Log::default(), Outage::default());
        let _logging = tracing::subscriber::set_default(log.clone());
        assert!(!outage.succeeded());
        for _ in 0..1_000 {
            outage.failed(&Error::Away(None));
            assert!(!outage.succeeded(), "it may be away again at once");
            advance(STEADY / 2).await;
        }
        assert!(outage.is_on());
        assert_eq!(log.0.load(Relaxed), 1, "that it is away");
        advance(STEADY / 2).await;
        assert!(outage.succeeded() && !outage.is_on() && !outage.succeeded());
        assert_eq!(log.0.load(Relaxed), 2, "that it is back");
    }
}
