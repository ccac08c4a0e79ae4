use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// One page of a list, and where the next one begins.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Page<T> {
    /// The rows, in the list's order.
    pub items: Vec<T>,
    /// What to ask for next; `null` on the last page.
    pub next_cursor: Option<String>,
}

/// Which page is asked for.
#[derive(Clone, Debug)]
pub struct PageRequest {
    limit: u32,
    cursor: Option<String>,
}

impl PageRequest {
    /// The most rows that one page may hold.
    pub const MAX: u32 = 100;

    /// Asks for `limit` rows (1 to 100) from where `cursor` points, from the start without one.
    pub fn new(limit: u32, cursor: Option<String>) -> PageRequest {
        PageRequest { limit: limit.clamp(1, Self::MAX), cursor }
    }

    /// Asks for the first `limit` rows.
    pub fn first(limit: u32) -> PageRequest {
        PageRequest::new(limit, None)
    }

    /// The number of rows asked for.
    pub fn limit(&self) -> usize {
        self.limit as usize
    }

    /// One row more than asked for: it tells whether there is a next page.
    pub(crate) fn fetch(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// The sort key after which the page begins.
    pub(crate) fn after<K: DeserializeOwned>(&self) -> Result<Option<K>> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let json = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| Error::Cursor)?;
        serde_json::from_slice(&json).map(Some).map_err(|_| Error::Cursor)
    }

    /// Makes the page of up to `limit + 1` fetched rows; `key` gives a row's sort key.
    pub(crate) fn page<T, K: Serialize>(&self, mut items: Vec<T>, key: impl Fn(&T) -> K) -> Page<T> {
        let more = items.len() > self.limit();
        items.truncate(self.limit());
        let next_cursor = items.last().filter(|_| more).map(|last| {
            URL_SAFE_NO_PAD.encode(serde_json::to_vec(&key(last)).expect("sort keys are plain JSON values"))
        });
        Page { items, next_cursor }
    }
}

impl<T> Page<T> {
    /// Gives the same page with every row changed by `change`.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(change).collect(), next_cursor: self.next_cursor }
    }
}
