//! What the tally asks its loader, and what it never asks twice.

use std::cell::Cell;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use upshelf_tally::{Counts, Limits, Tally};

const ONE: Counts = Counts { up: 1, down: 0, version: 1 };

#[derive(Debug, PartialEq)]
struct Broken;

#[tokio::test]
async fn only_what_is_missing_is_loaded_each_once_and_kept() {
    let tally = Tally::<u64>::local();
    tally.record(1, ONE).await;
    let asked = Cell::new(0);
    for _ in 0..2 {
        let found = tally.counts(&[3, 1, 2, 3, 4], async |missing| {
            asked.set(asked.get() + 1);
            assert!(missing == [2, 3, 4] || missing == [4]);
            Ok::<_, Infallible>(vec![(3, ONE), (2, ONE)])
        });
        assert_eq!(found.await, Ok(vec![Some(ONE), Some(ONE), Some(ONE), Some(ONE), None]));
    }
    assert_eq!(asked.get(), 2, "4 does not exist, so it is asked for again; nothing else is");
    let known = tally.counts(&[3, 2], async |_| Err(Broken)).await;
    assert_eq!(known, Ok(vec![Some(ONE), Some(ONE)]));
}

#[tokio::test]
async fn a_failing_loader_is_the_callers_error_and_the_next_call_tries_again() {
    let tally = Tally::<u64>::local();
    assert_eq!(tally.counts(&[1], async |_| Err(Broken)).await, Err(Broken));
    assert_eq!(tally.top(1, async || Err(Broken)).await, Err(Broken));
    assert_eq!(tally.rank(1, async || Err(Broken)).await, Err(Broken));
    assert_eq!(tally.top(1, async || Ok::<_, Broken>(vec![(1, ONE)])).await, Ok(vec![(1, ONE)]));
    assert_eq!(tally.rank(1, async || Err(Broken)).await, Ok(Some(0)));
}

#[tokio::test]
async fn many_readers_of_a_new_top_list_load_it_once() {
    let tally = Tally::<u64>::local();
    let loads = std::sync::Arc::new(AtomicUsize::new(0));
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (tally, loads) = (tally.clone(), std::sync::Arc::clone(&loads));
        readers.spawn(async move {
            let load = async || {
                loads.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                Ok::<_, Infallible>(vec![(1, ONE), (2, ONE)])
            };
            let known = tally.counts(&[1], async |_| Ok::<_, Infallible>(vec![(1, ONE)])).await;
            assert_eq!(known, Ok(vec![Some(ONE)]));
            tally.top(10, load).await
        });
    }
    for top in readers.join_all().await {
        assert_eq!(top, Ok(vec![(2, ONE), (1, ONE)]));
    }
    assert_eq!(loads.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_load_that_was_overtaken_by_a_clearing_is_answered_but_not_kept() {
    let tally = Tally::<u64>::local();
    let top = tally.top(10, async || {
        tally.clear().await;
        Ok::<_, Broken>(vec![(1, ONE), (2, ONE)])
    });
    assert_eq!(top.await, Ok(vec![(2, ONE), (1, ONE)]));
    assert_eq!(tally.top(10, async || Err(Broken)).await, Err(Broken), "it has to be loaded again");
    let rank = tally.rank(1, async || {
        tally.clear().await;
        Ok::<_, Broken>(vec![(1, ONE), (2, ONE)])
    });
    assert_eq!(rank.await, Ok(Some(1)));
}

#[tokio::test]
async fn counts_that_are_not_listed_are_bounded() {
    let tally = Tally::<u64>::local_with(Limits { unlisted: 100 });
    let ids: Vec<u64> = (0..10_000).collect();
    let load =
        async |missing: Vec<u64>| Ok::<_, Infallible>(missing.into_iter().map(|id| (id, ONE)).collect());
    assert!(tally.counts(&ids, load).await.is_ok_and(|found| found.iter().all(Option::is_some)));
    let asked = Cell::new(0);
    let again = tally.counts(&ids, async |missing| {
        asked.set(missing.len());
        load(missing).await
    });
    assert!(again.await.is_ok_and(|found| found.iter().all(Option::is_some)));
    assert!((9_900..10_000).contains(&asked.get()), "{} of 10,000 were forgotten", asked.get());
}
