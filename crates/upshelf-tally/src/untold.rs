//! What Redis was not told, and telling it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;
use upshelf_redis::Error;

use crate::shared::Shared;
use crate::{Board, Counts, Id};

/// News of more things than this are not remembered one by one: the board is emptied instead, and filled from the database.
const MOST: usize = 10_000;

/// The pause after an attempt that failed.
const PAUSE: Duration = Duration::from_millis(100);

/// What Redis was not told. While there is something, it is not believed.
#[derive(Debug)]
pub(crate) struct Untold<K: Id> {
    state: Mutex<State<K>>,
    changed: Notify,
}

/// What is to be told about one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// It has these counts.
    Counted(Counts),
    /// It was taken off the list; and its counts, if they were not told.
    Removed(Option<Counts>),
    /// It was put back on the list.
    Restored(Counts),
}

#[derive(Debug)]
struct State<K> {
    news: HashMap<K, News>,
    /// Something that cannot be told one by one.
    everything: bool,
    /// Of the reasons to empty the board: one that comes while it is being emptied is a new one.
    reasons: u64,
}

impl<K: Id> Default for Untold<K> {
    fn default() -> Self {
        let state = State { news: HashMap::new(), everything: false, reasons: 0 };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }
}

impl News {
    /// Both, as one; what is in `self` came first.
    fn and(self, later: Self) -> Self {
        match (self, later) {
            (Self::Counted(known), Self::Counted(counts)) => Self::Counted(newer(known, counts)),
            (Self::Restored(known), Self::Counted(counts) | Self::Restored(counts))
            | (Self::Counted(known), Self::Restored(counts)) => Self::Restored(newer(known, counts)),
            (Self::Removed(known), Self::Counted(counts)) => {
                Self::Removed(Some(known.map_or(counts, |known| newer(known, counts))))
            }
            (Self::Removed(known), Self::Restored(counts)) => {
                Self::Restored(known.map_or(counts, |known| newer(known, counts)))
            }
            (Self::Counted(known) | Self::Restored(known), Self::Removed(counts)) => {
                Self::Removed(Some(counts.map_or(known, |counts| newer(known, counts))))
            }
            (Self::Removed(known), Self::Removed(counts)) => Self::Removed(counts.or(known)),
        }
    }

    /// What is left of it once `told` was told after it.
    fn but(self, told: Self) -> Option<Self> {
        match (self, told) {
            (Self::Counted(counts), Self::Counted(told) | Self::Restored(told))
                if counts.version <= told.version =>
            {
                None
            }
            // Where it stands on the list was told since; its counts were not.
            (
                Self::Removed(Some(counts)) | Self::Restored(counts),
                Self::Removed(None) | Self::Restored(_),
            ) => Some(Self::Counted(counts)),
            (Self::Removed(None), Self::Removed(_) | Self::Restored(_)) => None,
            _ => Some(self),
        }
    }
}

fn newer(known: Counts, counts: Counts) -> Counts {
    if known.version < counts.version { counts } else { known }
}

impl<K: Id> Untold<K> {
    fn state(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_empty(&self) -> bool {
        let state = self.state();
        state.news.is_empty() && !state.everything
    }

    /// Begins to tell: until it has [`arrived`](Telling::arrived), it counts as untold as soon as it is given up.
    pub(crate) fn begin(&self, id: K, news: News) -> Telling<'_, K> {
        Telling { untold: self, id, news, is_told: false }
    }

    /// Remembers what was not told.
    pub(crate) fn remember(&self, id: K, news: News) {
        let mut state = self.state();
        let known = state.news.get(&id).copied();
        state.news.insert(id, known.map_or(news, |known| known.and(news)));
        if state.news.len() > MOST {
            state.forget_all();
        }
        self.changed.notify_one();
    }

    /// Forgets what Redis was told before, or does not need to be told any more.
    fn forget(&self, id: K, told: News) {
        let mut state = self.state();
        if let Some(known) = state.news.get(&id).copied() {
            match known.but(told) {
                Some(left) => state.news.insert(id, left),
                None => state.news.remove(&id),
            };
        }
    }

    /// Forgets what Redis was told just as it is remembered.
    fn settle(&self, id: K, told: News) {
        let mut state = self.state();
        if state.news.get(&id) == Some(&told) {
            state.news.remove(&id);
        }
    }

    /// Remembers that the board lacks something that is not known one by one.
    pub(crate) fn remember_everything(&self) {
        self.state().forget_all();
        self.changed.notify_one();
    }

    /// Tells Redis as soon as it is there, for ever.
    pub(crate) async fn tell(self: Arc<Self>, shared: Shared<K>) {
        let mut health = shared.redis().watch_health();
        loop {
            self.changed.notified().await;
            let mut is_told = false;
            while !is_told {
                // Its answer must not be held across what is waited for next.
                if health.wait_for(|health| health.is_up()).await.is_err() {
                    return;
                }
                is_told = match self.tell_once(&shared).await {
                    Ok(()) => self.is_empty(),
                    Err(error) => {
                        if !error.is_away() {
                            let error = &error as &dyn std::error::Error;
                            tracing::warn!(error, "Redis refuses counts of votes");
                        }
                        false
                    }
                };
                if !is_told {
                    sleep(PAUSE).await;
                }
            }
            tracing::info!("Redis knows all counts of votes again");
        }
    }

    async fn tell_once(&self, shared: &Shared<K>) -> Result<(), Error> {
        let (news, everything) = {
            let state = self.state();
            (state.news.clone(), state.everything.then_some(state.reasons))
        };
        if let Some(reasons) = everything {
            shared.clear().await?;
            let mut state = self.state();
            state.everything = state.reasons != reasons;
        }
        for (id, told) in news {
            shared.tell(id, told).await?;
            self.settle(id, told);
        }
        Ok(())
    }
}

/// Something that is on its way to Redis. Who tells it may be dropped with it, as a request is whose client has gone.
pub(crate) struct Telling<'a, K: Id> {
    untold: &'a Untold<K>,
    id: K,
    news: News,
    is_told: bool,
}

impl<K: Id> Telling<'_, K> {
    pub(crate) fn arrived(mut self) {
        self.is_told = true;
        self.untold.forget(self.id, self.news);
    }
}

impl<K: Id> Drop for Telling<'_, K> {
    fn drop(&mut self) {
        if !self.is_told {
            self.untold.remember(self.id, self.news);
        }
    }
}

impl<K> State<K> {
    fn forget_all(&mut self) {
        self.news.clear();
        self.everything = true;
        self.reasons += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(version: u64) -> Counts {
        Counts { up: 1, down: 0, version }
    }

    fn after(all: &[News]) -> News {
        let untold = Untold::default();
        for news in all {
            untold.remember(7_u64, *news);
        }
        let state = untold.state();
        state.news[&7]
    }

    #[test]
    fn of_two_counts_the_newer_is_remembered() {
        use News::{Counted, Removed, Restored};
        assert_eq!(after(&[2, 3, 1].map(|version| Counted(counts(version)))), Counted(counts(3)));
        assert_eq!(after(&[Counted(counts(3)), Removed(None)]), Removed(Some(counts(3))));
        assert_eq!(after(&[Removed(None), Counted(counts(3))]), Removed(Some(counts(3))));
        assert_eq!(after(&[Removed(Some(counts(3))), Restored(counts(2))]), Restored(counts(3)));
        assert_eq!(after(&[Restored(counts(3)), Counted(counts(4))]), Restored(counts(4)));
    }

    #[test]
    fn what_was_told_since_is_not_told_again_and_nothing_else_is_lost() {
        use News::{Counted, Removed, Restored};
        assert_eq!(Counted(counts(3)).but(Counted(counts(3))), None);
        assert_eq!(Counted(counts(3)).but(Counted(counts(2))), Some(Counted(counts(3))));
        assert_eq!(Counted(counts(3)).but(Removed(None)), Some(Counted(counts(3))));
        assert_eq!(Removed(None).but(Counted(counts(9))), Some(Removed(None)));
        assert_eq!(Removed(None).but(Restored(counts(1))), None);
        assert_eq!(Restored(counts(3)).but(Removed(None)), Some(Counted(counts(3))));
    }

    #[tokio::test]
    async fn what_is_given_up_on_its_way_is_untold() {
        let untold = Untold::default();
        untold.begin(7_u64, News::Removed(None)).arrived();
        assert!(untold.is_empty());
        drop(untold.begin(7_u64, News::Removed(None)));
        assert!(!untold.is_empty());
    }

    #[test]
    fn it_is_bounded() {
        let untold = Untold::default();
        for id in 0..=MOST as u64 {
            untold.remember(id, News::Counted(counts(1)));
        }
        assert!(untold.state().news.is_empty() && untold.state().everything && !untold.is_empty());
    }
}
