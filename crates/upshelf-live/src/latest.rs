//! A channel whose last value wins, key by key.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::house::Item;
use crate::outbox::{Line, Outbox};
use crate::wire;

/// The keys that a subscription is limited to.
pub(crate) type Filter = HashSet<String>;

/// The values as they are now, and in which order they came about. Who watches has a number, and asks for what is newer.
pub(crate) struct Latest {
    pub(crate) name: Arc<str>,
    /// The least time between two batches.
    pace: Duration,
    /// Whether the house's values are in.
    pub(crate) is_loaded: OnceCell<()>,
    /// The stamp up to which everything is due to all who watch.
    due: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// In the order in which they came: what was made together lies together in memory, the kernel's part too.
    members: BTreeMap<u64, Arc<Outbox>>,
    values: HashMap<Arc<str>, Value>,
    /// The keys by the stamp of their last change.
    order: BTreeMap<u64, Arc<str>>,
    /// Counts the changes.
    stamp: u64,
    /// What was written for those who have everything up to a stamp; for the present one.
    written: HashMap<u64, Line>,
    next_batch: Option<Instant>,
    is_waiting: bool,
}

struct Value {
    version: u64,
    stamp: u64,
    /// None for one that is gone: its version stays, so that a late message does not bring it back.
    json: Option<Bytes>,
}

impl Latest {
    pub(crate) fn new(name: Arc<str>, pace: Duration) -> Latest {
        Latest { name, pace, is_loaded: OnceCell::new(), due: AtomicU64::new(0), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn join(&self, outbox: &Arc<Outbox>) {
        self.state().members.insert(outbox.id, outbox.clone());
    }

    pub(crate) fn leave(&self, id: u64) {
        self.state().members.remove(&id);
    }

    pub(crate) fn has(&self, id: u64) -> bool {
        self.state().members.contains_key(&id)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.state().members.is_empty()
    }

    /// Takes newer values. Gives when a batch of them is due, if nobody waits for that moment yet; it may be now.
    pub(crate) fn put(&self, items: impl IntoIterator<Item = Item>, now: Instant) -> Option<Instant> {
        let mut state = self.state();
        let before = state.stamp;
        items.into_iter().for_each(|item| state.put(item));
        if state.stamp == before || state.is_waiting {
            return None;
        }
        state.is_waiting = true;
        Some(state.next_batch.map_or(now, |next| next.max(now)))
    }

    /// Takes all values that there are: others are gone.
    pub(crate) fn replace(&self, items: Vec<Item>, now: Instant) -> Option<Instant> {
        let mut state = self.state();
        let there: HashSet<&str> = items.iter().map(|item| &*item.key).collect();
        let State { values, order, .. } = &mut *state;
        for (_, value) in values.iter_mut().filter(|(key, _)| !there.contains(&***key)) {
            order.remove(&value.stamp);
            value.json = None;
        }
        drop(there);
        drop(state);
        self.put(items, now)
    }

    /// Begins a batch: it is due to all who watch, whom this gives.
    pub(crate) fn begin_batch(&self, now: Instant) -> Vec<Arc<Outbox>> {
        let mut state = self.state();
        state.is_waiting = false;
        state.next_batch = Some(now + self.pace);
        self.due.store(state.stamp, Ordering::Release);
        state.members.values().cloned().collect()
    }

    /// Says whether something is due to who has everything up to a stamp.
    pub(crate) fn is_due(&self, sent: u64) -> bool {
        sent < self.due.load(Ordering::Acquire)
    }

    /// Writes all values as a publication, and gives their stamp.
    pub(crate) fn snapshot(&self, filter: Option<&Filter>) -> (Vec<u8>, u64) {
        let state = self.state();
        (state.batch(0, filter).unwrap_or_else(|| wire::publication(None, b"[]")), state.stamp)
    }

    /// Writes what is newer than `sent` as a push, if anything is, and gives the stamp up to which that is all.
    pub(crate) fn since(&self, sent: u64, filter: Option<&Filter>) -> (Option<Line>, u64) {
        let mut state = self.state();
        let stamp = state.stamp;
        let changed = state.order.range(sent + 1..);
        // Few filters let a change through in part: those share with who has none.
        let fits = filter.is_none_or(|filter| changed.clone().all(|(_, key)| filter.contains(&**key)));
        if !fits {
            return (
                state.batch(sent, filter).map(|batch| Line::from(wire::push(&self.name, &batch))),
                stamp,
            );
        }
        (state.line(&self.name, sent), stamp)
    }
}

impl State {
    fn put(&mut self, Item { key, version, json }: Item) {
        let known = self.values.get(&key);
        if known.is_some_and(|value| {
            version < value.version || (version == value.version && value.json.is_some())
        }) {
            return;
        }
        if let Some(value) = known {
            self.order.remove(&value.stamp);
        }
        self.stamp += 1;
        let stamp = self.stamp;
        self.written.clear();
        self.order.insert(stamp, key.clone());
        self.values.insert(key, Value { version, stamp, json: Some(json) });
    }

    /// Writes what is newer than `sent` as a push, once for all.
    fn line(&mut self, name: &str, sent: u64) -> Option<Line> {
        if let Some(line) = self.written.get(&sent) {
            return Some(line.clone());
        }
        let line = Line::from(wire::push(name, &self.batch(sent, None)?));
        self.written.insert(sent, line.clone());
        Some(line)
    }

    fn batch(&self, sent: u64, filter: Option<&Filter>) -> Option<Vec<u8>> {
        let keys = self.order.range(sent + 1..).map(|(_, key)| key);
        let wanted = keys.filter(|key| filter.is_none_or(|filter| filter.contains(&***key)));
        let items: Vec<&Bytes> = wanted.filter_map(|key| self.values.get(key)?.json.as_ref()).collect();
        if items.is_empty() {
            return None;
        }
        let mut list = Vec::new();
        wire::list(&mut list, &items);
        Some(wire::publication(None, &list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board() -> Arc<Latest> {
        Arc::new(Latest::new("votes".into(), Duration::from_millis(100)))
    }

    fn item(key: &str, version: u64) -> Item {
        Item { key: key.into(), version, json: format!("\"{key}{version}\"").into() }
    }

    fn text(line: Option<Line>) -> String {
        line.map_or_else(String::new, |line| String::from_utf8(line.text().to_vec()).expect("text"))
    }

    #[tokio::test]
    async fn an_older_version_never_replaces_a_newer_one_not_even_one_that_is_gone() {
        let (board, now) = (board(), Instant::now());
        assert_eq!(board.put([item("a", 2), item("b", 1)], now), Some(now));
        board.begin_batch(now);
        assert_eq!(board.put([item("a", 1), item("a", 2)], now), None, "nothing is new");
        board.replace(vec![item("b", 1)], now);
        assert_eq!(board.put([item("a", 1)], now), None);
        let (batch, stamp) = board.snapshot(None);
        assert_eq!(text(Some(Line::from(Bytes::from(batch)))), r#"{"data":["b1"]}"#);
        assert_eq!(text(board.since(stamp, None).0), "");
        board.put([item("a", 3)], now);
        assert_eq!(text(board.since(stamp, None).0), r#"{"push":{"channel":"votes","pub":{"data":["a3"]}}}"#);
    }

    #[tokio::test]
    async fn the_first_change_is_told_at_once_and_the_next_ones_together() {
        let (board, now) = (board(), Instant::now());
        assert_eq!(board.put([item("a", 1)], now), Some(now));
        board.begin_batch(now);
        let soon = now + Duration::from_millis(10);
        assert_eq!(board.put([item("a", 2)], soon), Some(now + Duration::from_millis(100)));
        assert_eq!(board.put([item("a", 3)], soon), None, "somebody waits for that moment already");
        let later = now + Duration::from_millis(100);
        board.begin_batch(later);
        assert_eq!(
            board.put([item("a", 4)], later + Duration::from_secs(9)),
            Some(later + Duration::from_secs(9))
        );
    }

    #[tokio::test]
    async fn what_is_new_is_due_with_its_batch_and_not_before() {
        let (board, now) = (board(), Instant::now());
        board.put([item("a", 1)], now);
        assert!(!board.is_due(0));
        board.begin_batch(now);
        assert!(board.is_due(0) && !board.is_due(1));
        board.put([item("a", 2), item("b", 1)], now);
        assert!(!board.is_due(1));
        board.begin_batch(now);
        assert!(board.is_due(1) && !board.is_due(3));
    }

    #[tokio::test]
    async fn a_filter_lets_its_keys_through_and_the_bytes_are_shared_where_they_are_equal() {
        let (board, now) = (board(), Instant::now());
        let filter = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Filter>();
        board.put([item("a", 1), item("b", 1)], now);
        assert_eq!(
            text(board.since(0, Some(&filter(&["b"]))).0),
            r#"{"push":{"channel":"votes","pub":{"data":["b1"]}}}"#
        );
        assert_eq!(text(board.since(0, Some(&filter(&["c"]))).0), "");
        let (all, same) = (board.since(0, None).0, board.since(0, Some(&filter(&["a", "b", "c"]))).0);
        let (all, same) = (all.expect("a line"), same.expect("a line"));
        assert_eq!(all.text().as_ptr(), same.text().as_ptr());
    }
}
