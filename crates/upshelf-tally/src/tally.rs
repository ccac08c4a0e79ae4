//! The whole service: one board, and a loader for what is not on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use upshelf_redis::{Error, Redis};

use crate::check::{self, CheckError, Checked};
use crate::local::Local;
use crate::shared::Shared;
use crate::untold::{News, Untold};
use crate::{Board, Counts, Id, Limits, ranking};

/// The tally: cheap to clone, all clones are one tally.
#[derive(Clone, Debug)]
pub struct Tally<K: Id> {
    local: Local<K>,
    together: Option<Arc<Together<K>>>,
    /// One load of the top list at a time; whoever waits for it finds it loaded.
    loading_top: Arc<tokio::sync::Mutex<()>>,
}

/// All processes' board, and what it was not told.
#[derive(Debug)]
struct Together<K: Id> {
    shared: Shared<K>,
    untold: Arc<Untold<K>>,
    /// Whether the log has been told that it is not believed.
    is_away: AtomicBool,
}

/// Asks the board that holds, all processes' or this one's; `None` when it cannot be asked.
macro_rules! ask {
    ($tally:expr, $board:ident => $run:expr) => {
        match &$tally.together {
            None => {
                let $board = &$tally.local;
                let Ok(answer) = $run;
                Some(answer)
            }
            Some(together) => match together.board() {
                Some($board) => together.heard($run),
                None => None,
            },
        }
    };
}

impl<K: Id> Tally<K> {
    /// Makes a tally within this process, with the default [`Limits`].
    pub fn local() -> Self {
        Self::local_with(Limits::default())
    }

    /// Makes a tally within this process.
    pub fn local_with(limits: Limits) -> Self {
        Self { local: Local::new(limits), together: None, loading_top: Arc::default() }
    }

    /// Makes a tally of all processes that use this Redis; within a tokio runtime.
    pub fn shared(redis: &Redis) -> Self {
        let (shared, untold) = (Shared::new(redis), Arc::<Untold<K>>::default());
        redis.spawn(Arc::clone(&untold).tell(shared.clone()));
        let together = Together { shared, untold, is_away: AtomicBool::new(false) };
        Self { together: Some(Arc::new(together)), ..Self::local_with(Limits { unlisted: 1 }) }
    }

    /// Says whether the loader is asked for everything because Redis is away, or has yet to be told what it missed.
    pub fn is_degraded(&self) -> bool {
        self.together.as_ref().is_some_and(|together| together.board().is_none())
    }

    /// Writes counts after their commit; see [`Board::record`]. Order and repetition do not matter.
    ///
    /// With Redis it waits for its answer, for the handle's fail-fast deadline at most; what Redis was not told is remembered.
    pub async fn record(&self, id: K, counts: Counts) {
        match &self.together {
            None => {
                let Ok(()) = self.local.record(id, counts).await;
            }
            Some(together) => together.tell(id, News::Counted(counts)).await,
        }
    }

    /// Reads counts, one answer per id in their order; `None` is not known to the loader either.
    ///
    /// `load` is called at most once, with the ids that are not known here, each once.
    ///
    /// # Errors
    /// The loader's own.
    pub async fn counts<E>(
        &self,
        ids: &[K],
        load: impl AsyncFnOnce(Vec<K>) -> Result<Vec<(K, Counts)>, E>,
    ) -> Result<Vec<Option<Counts>>, E> {
        let since = ask!(self, board => board.epoch().await);
        let found = ask!(self, board => board.find(ids).await);
        let mut found = found.unwrap_or_else(|| vec![None; ids.len()]);
        let mut missing: Vec<K> =
            ids.iter().zip(&found).filter(|(_, counts)| counts.is_none()).map(|(id, _)| *id).collect();
        if missing.is_empty() {
            return Ok(found);
        }
        missing.sort_unstable();
        missing.dedup();
        let mut loaded = load(missing).await?;
        loaded.sort_unstable_by_key(|(id, _)| *id);
        if let Some(since) = since {
            ask!(self, board => board.fill(&loaded, since).await);
        }
        for (id, counts) in ids.iter().zip(&mut found).filter(|(_, counts)| counts.is_none()) {
            *counts = loaded.binary_search_by_key(id, |(id, _)| *id).ok().map(|at| loaded[at].1);
        }
        Ok(found)
    }

    /// Reads the best `limit`, best first.
    ///
    /// `load` brings everything that competes, and is called only while the top list is not complete.
    ///
    /// # Errors
    /// The loader's own; the next call tries again.
    pub async fn top<E>(
        &self,
        limit: usize,
        load: impl AsyncFnOnce() -> Result<Vec<(K, Counts)>, E>,
    ) -> Result<Vec<(K, Counts)>, E> {
        if let Some(top) = self.find_top(limit).await {
            return Ok(top);
        }
        let _alone = self.loading_top.lock().await;
        if let Some(top) = self.find_top(limit).await {
            return Ok(top);
        }
        let loaded = self.load_top(load).await?;
        // Emptied while it was loaded: this answer is still what the caller asked for, it only is not kept.
        Ok(self.find_top(limit).await.unwrap_or_else(|| ranking::sorted(loaded, limit)))
    }

    /// Returns how many stand before `id` on the top list, or `None` when it is not listed.
    ///
    /// # Errors
    /// The loader's own, see [`top`](Tally::top).
    pub async fn rank<E>(
        &self,
        id: K,
        load: impl AsyncFnOnce() -> Result<Vec<(K, Counts)>, E>,
    ) -> Result<Option<usize>, E> {
        if let Some(rank) = self.find_rank(id).await {
            return Ok(rank);
        }
        let _alone = self.loading_top.lock().await;
        if let Some(rank) = self.find_rank(id).await {
            return Ok(rank);
        }
        let loaded = self.load_top(load).await?;
        Ok(self.find_rank(id).await.unwrap_or_else(|| {
            ranking::sorted(loaded, usize::MAX).iter().position(|(listed, _)| *listed == id)
        }))
    }

    async fn find_top(&self, limit: usize) -> Option<Vec<(K, Counts)>> {
        ask!(self, board => board.top(limit).await)?
    }

    async fn find_rank(&self, id: K) -> Option<Option<usize>> {
        ask!(self, board => board.rank(id).await)?
    }

    async fn load_top<E>(
        &self,
        load: impl AsyncFnOnce() -> Result<Vec<(K, Counts)>, E>,
    ) -> Result<Vec<(K, Counts)>, E> {
        let since = ask!(self, board => board.epoch().await);
        let loaded = load().await?;
        if let Some(since) = since {
            ask!(self, board => board.fill_top(&loaded, since).await);
        }
        Ok(loaded)
    }

    /// Takes `id` off the top list; see [`Board::remove`].
    pub async fn remove(&self, id: K) {
        match &self.together {
            None => {
                let Ok(()) = self.local.remove(id).await;
            }
            Some(together) => together.tell(id, News::Removed(None)).await,
        }
    }

    /// Puts what was removed back on the top list; see [`Board::restore`].
    pub async fn restore(&self, id: K, counts: Counts) {
        match &self.together {
            None => {
                let Ok(()) = self.local.restore(id, counts).await;
            }
            Some(together) => together.tell(id, News::Restored(counts)).await,
        }
    }

    /// Forgets everything: what is read next is loaded again.
    pub async fn clear(&self) {
        if ask!(self, board => board.clear().await).is_none()
            && let Some(together) = &self.together
        {
            together.untold.remember_everything();
        }
    }

    /// Compares what Redis holds with the truth, and corrects it if `repair` says so; `None` without Redis.
    ///
    /// `load` brings everything that competes. What changes meanwhile is no fault: where there seems to be one, it is looked
    /// at once more.
    ///
    /// # Errors
    /// The loader's own, or when Redis is away or answers something unexpected.
    pub async fn check<E, F: Future<Output = Result<Vec<(K, Counts)>, E>>>(
        &self,
        repair: bool,
        load: impl Fn() -> F,
    ) -> Option<Result<Checked, CheckError<E>>> {
        let together = self.together.as_ref()?;
        Some(check::run(&together.shared, repair, load).await)
    }
}

impl<K: Id> Together<K> {
    /// The board, if what it says counts.
    fn board(&self) -> Option<&Shared<K>> {
        (self.shared.redis().health().is_up() && self.untold.is_empty()).then_some(&self.shared)
    }

    /// Tells Redis now, or else later. Once it is begun, it is not lost if its caller goes away.
    async fn tell(&self, id: K, news: News) {
        // Also while it is not believed: else what is untold would grow as fast as it is told.
        let telling = self.untold.begin(id, news);
        let is_there = self.shared.redis().health().is_up();
        if is_there && self.heard(self.shared.tell(id, news).await).is_some() {
            telling.arrived();
        }
    }

    /// Takes an answer in; the log is told of each change.
    fn heard<T>(&self, answer: Result<T, Error>) -> Option<T> {
        match answer {
            Ok(answer) => {
                self.is_away.store(false, Ordering::Relaxed);
                Some(answer)
            }
            Err(error) => {
                if !self.is_away.swap(true, Ordering::Relaxed) {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "counts of votes are read from the database, for want of Redis");
                }
                None
            }
        }
    }
}
