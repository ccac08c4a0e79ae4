use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// Keeps every other process from working the queues of the same SQLite file, as long as it lives.
///
/// SQLite has one writer and no way to wake another process; two that work its queues would each take the other's
/// running jobs for orphans.
pub(crate) struct Lock(#[expect(dead_code, reason = "the lock lasts as long as the file is open")] File);

impl Lock {
    /// # Errors
    /// When another process has it.
    pub(crate) fn take(database: &Path) -> Result<Lock> {
        let path = database.with_extension("lock");
        let file = File::create(&path).with_context(|| format!("could not make {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(file)),
            Err(TryLockError::WouldBlock) => {
                bail!(
                    "another process works {} already; SQLite takes one, PostgreSQL any number",
                    database.display()
                )
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("could not lock {}", path.display()))
            }
        }
    }
}
