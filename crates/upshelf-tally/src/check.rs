//! Comparing what Redis holds with the truth.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::sleep;
use upshelf_redis::Error;

use crate::shared::Shared;
use crate::{Board, Counts, Id};

/// What was committed is told by then.
const MOMENT: Duration = Duration::from_millis(300);

/// What a comparison has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Things on the list.
    pub listed: usize,
    /// Things whose counts, or whose place on the list, were wrong.
    pub wrong: usize,
}

/// Why there was no comparison.
#[derive(Debug, thiserror::Error)]
pub enum CheckError<E> {
    /// The loader's own.
    #[error("cannot load the truth")]
    Load(#[source] E),
    /// Redis is away, or answered something unexpected.
    #[error("cannot read what Redis holds")]
    Redis(#[from] Error),
}

/// What is wrong, by what mends it.
struct Faults<K> {
    listed: usize,
    /// Older than the truth, or missing.
    behind: Vec<(K, Counts)>,
    /// Newer than the truth: the database has gone back in time.
    ahead: HashSet<K>,
    /// On the list, and do not compete.
    extra: Vec<K>,
}

/// Compares, and if `repair` says so corrects.
pub(crate) async fn run<K: Id, E, F: Future<Output = Result<Vec<(K, Counts)>, E>>>(
    shared: &Shared<K>,
    repair: bool,
    load: impl Fn() -> F,
) -> Result<Checked, CheckError<E>> {
    let Some(mut faults) = Faults::find(shared, &load).await? else { return Ok(Checked::default()) };
    if faults.count() > 0 {
        sleep(MOMENT).await;
        let first = faults;
        let Some(second) = Faults::find(shared, &load).await? else { return Ok(Checked::default()) };
        faults = second.both(&first);
    }
    let checked = Checked { listed: faults.listed, wrong: faults.count() };
    if repair && checked.wrong > 0 {
        if !faults.ahead.is_empty() {
            shared.clear().await?;
        }
        for (id, counts) in faults.behind {
            shared.record(id, counts).await?;
        }
        for id in faults.extra {
            shared.remove(id).await?;
        }
    }
    Ok(checked)
}

impl<K: Id> Faults<K> {
    /// Looks at Redis first and then at the truth, so that nothing can rightly be ahead of it; `None` while there is no list.
    async fn find<E, F: Future<Output = Result<Vec<(K, Counts)>, E>>>(
        shared: &Shared<K>,
        load: &impl Fn() -> F,
    ) -> Result<Option<Self>, CheckError<E>> {
        let Some(top) = shared.top(usize::MAX).await? else { return Ok(None) };
        let ids: Vec<K> = top.iter().map(|(id, _)| *id).collect();
        let mut kept = Vec::with_capacity(ids.len());
        for portion in ids.chunks(500) {
            kept.extend(shared.find(portion).await?);
        }
        let truth: HashMap<K, Counts> = load().await.map_err(CheckError::Load)?.into_iter().collect();
        let mut faults =
            Self { listed: top.len(), behind: Vec::new(), ahead: HashSet::new(), extra: Vec::new() };
        for ((id, listed), kept) in top.iter().zip(kept) {
            match truth.get(id) {
                None => faults.extra.push(*id),
                Some(truth) => {
                    let held = [Some(*listed), kept].into_iter().flatten();
                    let mut wrong = held.filter(|held| held != truth).peekable();
                    if wrong.peek().is_none() {
                        continue;
                    }
                    if wrong.all(|held| held.version < truth.version) {
                        faults.behind.push((*id, *truth));
                    } else {
                        faults.ahead.insert(*id);
                    }
                }
            }
        }
        let listed: HashSet<K> = ids.into_iter().collect();
        faults.behind.extend(truth.into_iter().filter(|(id, _)| !listed.contains(id)));
        Ok(Some(faults))
    }

    fn count(&self) -> usize {
        self.behind.len() + self.ahead.len() + self.extra.len()
    }

    /// What was wrong both times.
    fn both(mut self, before: &Self) -> Self {
        let behind: HashSet<K> = before.behind.iter().map(|(id, _)| *id).collect();
        self.behind.retain(|(id, _)| behind.contains(id));
        self.ahead.retain(|id| before.ahead.contains(id));
        self.extra.retain(|id| before.extra.contains(id));
        self
    }
}
