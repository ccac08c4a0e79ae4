//! The public log.

use upshelf_store::{LogEntry, LogFilter, Page, PageRequest};

use crate::{Catalog, Result};

impl Catalog {
    /// Lists every change of state, newest first.
    pub async fn log(&self, filter: &LogFilter, page: &PageRequest) -> Result<Page<LogEntry>> {
        Ok(self.store().read().await?.list_log(filter, page).await?)
    }
}
