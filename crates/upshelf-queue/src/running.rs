use std::time::Duration;

use crate::{Result, local, shared};

/// The workers of this process. Dropped without [`close`](Self::close), what runs is cancelled and handed back as far
/// as the runtime lives on to do it.
#[derive(Debug)]
#[must_use = "the workers stop when this is dropped"]
pub struct Running(pub(crate) Part);

#[derive(Debug)]
pub(crate) enum Part {
    Local(local::Running),
    Shared(shared::Running),
}

impl Running {
    /// Closes cleanly: takes no new job, finishes what runs, and hands back what has not ended after `limit`.
    ///
    /// What is handed back waits again for any process, and its attempt does not count.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when the workers had stopped because of a failure.
    pub async fn close(self, limit: Duration) -> Result<()> {
        match self.0 {
            Part::Local(running) => running.close(limit).await,
            Part::Shared(running) => {
                running.close(limit).await;
                Ok(())
            }
        }
    }
}
