//! Lists that are asked for far more often than they change: written once, sent until they are others.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use axum::http::HeaderValue;
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;

use crate::edge;

/// As many lengths of one list as are worth keeping.
const MOST: usize = 8;

/// What was written of one kind of list, by the number of rows that was asked for.
///
/// What is written belongs to one value in memory, and only to that: the cache behind it gives out another value as
/// soon as something in it has changed.
pub(crate) struct Kept<T>(RwLock<HashMap<u32, (Arc<T>, Written)>>);

/// A list in JSON, with the tag of its bytes.
#[derive(Clone)]
pub(crate) struct Written {
    json: Bytes,
    tag: HeaderValue,
}

impl<T> Default for Kept<T> {
    fn default() -> Kept<T> {
        Kept(RwLock::default())
    }
}

impl<T> Kept<T> {
    /// Gives what was written of `value`, or writes it now.
    pub(crate) fn of<I: Serialize>(
        &self,
        rows: u32,
        value: Arc<T>,
        items: impl FnOnce(&T) -> &[I],
    ) -> Written {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, written)) = kept.get(&rows).filter(|(of, _)| Arc::ptr_eq(of, &value)) {
            return written.clone();
        }
        drop(kept);
        let json = Bytes::from(whole(items(&value)));
        let written = Written { tag: edge::strong(&json), json };
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST && !kept.contains_key(&rows) {
            kept.clear();
        }
        kept.insert(rows, (value, written.clone()));
        written
    }
}

impl IntoResponse for Written {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, HeaderValue::from_static("application/json")), (ETAG, self.tag)], self.json)
            .into_response()
    }
}

/// Writes a list that has no further page.
pub(crate) fn whole<T: Serialize>(items: &[T]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Whole<'a, T> {
        items: &'a [T],
        next_cursor: Option<String>,
    }
    serde_json::to_vec(&Whole { items, next_cursor: None }).expect("views are plain JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_written_again_when_it_is_another() {
        let kept = Kept::default();
        let write = |value: &Arc<Vec<i32>>| kept.of(1, value.clone(), |list| &list[..]).json;
        let (one, other) = (Arc::new(vec![1]), Arc::new(vec![2]));
        let first = write(&one);
        assert_eq!(&first[..], br#"{"items":[1],"next_cursor":null}"#);
        assert_eq!(write(&one).as_ptr(), first.as_ptr(), "it is not written twice");
        assert_eq!(&write(&other)[..], br#"{"items":[2],"next_cursor":null}"#);
        assert_eq!(write(&one), first);
    }

    #[test]
    fn no_more_is_kept_than_is_worth_it() {
        let kept = Kept::default();
        for rows in 0..100 {
            kept.of(rows, Arc::new(vec![rows]), |list| &list[..]);
        }
        assert!(kept.0.read().expect("nobody panicked").len() <= MOST);
    }
}
