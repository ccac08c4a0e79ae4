//! Whatever the order and repetition of the writes, the end is the same.

use std::collections::HashMap;
use std::convert::Infallible;

use proptest::prelude::*;
use upshelf_tally::{Counts, Tally};

/// A history of versions 1, 2, 3 … of a few ids, shuffled, with some of it arriving twice.
fn writes() -> impl Strategy<Value = Vec<(u64, Counts)>> {
    prop::collection::vec((0..6_u64, 0..8_u32, 0..8_u32), 1..60)
        .prop_map(|history| {
            let mut versions = HashMap::<u64, u64>::new();
            let mut all = Vec::new();
            for (id, up, down) in history {
                let version = versions.entry(id).or_default();
                *version += 1;
                all.push((id, Counts { up, down, version: *version }));
                if up % 2 == 0 {
                    all.push((id, Counts { up, down, version: *version }));
                }
            }
            all
        })
        .prop_shuffle()
}

/// The newest of each, best first.
fn expected(writes: &[(u64, Counts)]) -> Vec<(u64, Counts)> {
    let mut newest = HashMap::<u64, Counts>::new();
    for (id, counts) in writes {
        let known = newest.entry(*id).or_insert(*counts);
        if counts.version > known.version {
            *known = *counts;
        }
    }
    let mut all: Vec<_> = newest.into_iter().collect();
    all.sort_by(|(a, x), (b, y)| y.score().cmp(&x.score()).then(b.cmp(a)));
    all
}

proptest! {
    #[test]
    fn any_order_of_writes_ends_in_the_newest_counts_and_their_order(
        writes in writes(),
        loaded in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        completed_at in any::<prop::sample::Index>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("it needs no drivers");
        runtime.block_on(async {
            let tally = Tally::<u64>::local();
            // Some old state from the database arrives somewhere in the middle.
            let old: HashMap<u64, Counts> = loaded.iter().map(|index| *index.get(&writes)).collect();
            for (n, (id, counts)) in writes.iter().enumerate() {
                if n == completed_at.index(writes.len()) {
                    let old = old.clone();
                    tally.top(0, async || Ok::<_, Infallible>(old.into_iter().collect())).await.expect("it cannot fail");
                }
                tally.record(*id, *counts).await;
            }
            let expected = expected(&writes);
            let unneeded = async || -> Result<Vec<(u64, Counts)>, &str> { Err("the list is complete") };
            prop_assert_eq!(tally.top(100, unneeded).await, Ok(expected.clone()));
            for (place, (id, counts)) in expected.iter().enumerate() {
                prop_assert_eq!(tally.rank(*id, unneeded).await, Ok(Some(place)));
                let found = tally.counts(&[*id], async |_| Err("it is known")).await;
                prop_assert_eq!(found, Ok(vec![Some(*counts)]));
            }
            Ok(())
        })?;
    }
}
