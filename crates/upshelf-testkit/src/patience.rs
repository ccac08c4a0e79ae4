use std::panic::resume_unwind;
use std::time::{Duration, Instant};

/// How long a test still waits: looks again and again, a little less often each time, on real time.
///
/// Real time also where tokio's clock is paused, because it is another process or thread that is waited for.
#[derive(Debug)]
pub struct Patience {
    end: Instant,
    pause: Duration,
}

impl Patience {
    /// Begins to wait, for `limit` at most.
    pub fn of(limit: Duration) -> Self {
        Self { end: now() + limit, pause: Duration::from_millis(1) }
    }

    /// Pauses before the next look; `false` when the limit has passed.
    pub async fn more(&mut self) -> bool {
        let pause = self.pause;
        if now() >= self.end {
            return false;
        }
        self.pause = (pause * 2).min(Duration::from_millis(50));
        // A blocking thread, because tokio's own timer may be paused (and, idle, it would run ahead).
        tokio::task::spawn_blocking(move || std::thread::sleep(pause)).await.is_ok()
    }
}

/// Waits until `what` is so, looking again and again; panics with `what` when `limit` passes first.
///
/// ```
/// # use std::time::Duration;
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let mut looks = 0;
/// upshelf_testkit::wait_until("three looks", Duration::from_secs(5), async || {
///     looks += 1;
///     looks == 3
/// })
/// .await;
/// # }
/// ```
#[track_caller]
pub fn wait_until(
    what: &str,
    limit: Duration,
    mut holds: impl AsyncFnMut() -> bool,
) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let mut patience = Patience::of(limit);
        while !holds().await {
            assert!(patience.more().await, "{caller}: waited {limit:?} for: {what}");
        }
    }
}

/// Does blocking work aside. The servers outlive the runtime of the test that starts them, and tokio's clock may be
/// paused: it does not run ahead while such work is being done.
pub(crate) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => resume_unwind(error.into_panic()),
    }
}

#[expect(clippy::disallowed_methods, reason = "waiting for another process happens on real time")]
fn now() -> Instant {
    Instant::now()
}
