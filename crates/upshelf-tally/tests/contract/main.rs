//! What every part of the tally promises.

mod database;
mod outages;
mod parts;
mod whole;

use upshelf_tally::{Board, Counts, Limits, Local};
use upshelf_testkit::contract;
use uuid::Uuid;

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn counts(up: u32, down: u32, version: u64) -> Counts {
    Counts { up, down, version }
}

async fn record(board: &impl Board<Uuid>, n: u128, counts: Counts) {
    board.record(id(n), counts).await.expect("recording works on every part");
}

async fn find(board: &impl Board<Uuid>, n: u128) -> Option<Counts> {
    board.find(&[id(n)]).await.expect("reading works on every part")[0]
}

async fn complete(board: &impl Board<Uuid>, loaded: &[(Uuid, Counts)]) {
    let since = board.epoch().await.expect("reading works on every part");
    board.fill_top(loaded, since).await.expect("filling works on every part");
}

async fn top(board: &impl Board<Uuid>) -> Vec<u128> {
    let top =
        board.top(100).await.expect("reading works on every part").expect("the test completed the list");
    top.into_iter().map(|(id, _)| id.as_u128()).collect()
}

async fn rank(board: &impl Board<Uuid>, n: u128) -> Option<usize> {
    board.rank(id(n)).await.expect("reading works on every part").expect("the test completed the list")
}

contract! {
    parts {
        local => Local::new(Limits::default()),
        shared => parts::shared().await,
        cluster => parts::cluster().await,
    }

    async fn an_unknown_id_has_no_counts(board: &impl Board<Uuid>) {
        assert_eq!(find(board, 1).await, None);
    }

    async fn counts_come_back_one_answer_per_id_in_order(board: &impl Board<Uuid>) {
        record(board, 1, counts(1, 0, 1)).await;
        record(board, 2, counts(2, 0, 2)).await;
        let found = board.find(&[id(2), id(3), id(1), id(2)]).await.expect("reading works on every part");
        assert_eq!(found, [Some(counts(2, 0, 2)), None, Some(counts(1, 0, 1)), Some(counts(2, 0, 2))]);
    }

    async fn an_older_version_never_overwrites_a_newer_one(board: &impl Board<Uuid>) {
        record(board, 1, counts(5, 0, 7)).await;
        record(board, 1, counts(9, 9, 6)).await;
        record(board, 1, counts(9, 9, 7)).await;
        assert_eq!(find(board, 1).await, Some(counts(5, 0, 7)));
        record(board, 1, counts(5, 1, 8)).await;
        assert_eq!(find(board, 1).await, Some(counts(5, 1, 8)));
    }

    async fn what_is_loaded_never_overwrites_what_was_written_meanwhile(board: &impl Board<Uuid>) {
        let since = board.epoch().await.expect("reading works on every part");
        record(board, 1, counts(5, 0, 7)).await;
        board.fill(&[(id(1), counts(4, 0, 6)), (id(2), counts(1, 0, 1))], since).await.expect("filling works");
        assert_eq!(find(board, 1).await, Some(counts(5, 0, 7)));
        assert_eq!(find(board, 2).await, Some(counts(1, 0, 1)));
    }

    async fn there_is_no_top_list_before_it_is_complete(board: &impl Board<Uuid>) {
        record(board, 1, counts(5, 0, 7)).await;
        assert_eq!(board.top(10).await.expect("reading works on every part"), None);
        assert_eq!(board.rank(id(1)).await.expect("reading works on every part"), None);
    }

    async fn the_top_list_is_sorted_by_score_and_ties_by_the_greater_id(board: &impl Board<Uuid>) {
        complete(board, &[(id(1), counts(3, 1, 4)), (id(2), counts(2, 0, 2)), (id(3), counts(0, 9, 9))]).await;
        record(board, 4, counts(5, 0, 5)).await;
        record(board, 5, counts(2, 0, 2)).await;
        assert_eq!(top(board).await, [4, 5, 2, 1, 3]);
        for (place, n) in [4, 5, 2, 1, 3].into_iter().enumerate() {
            assert_eq!(rank(board, n).await, Some(place));
        }
    }

    async fn the_top_list_follows_the_writes(board: &impl Board<Uuid>) {
        complete(board, &[(id(1), counts(1, 0, 1)), (id(2), counts(2, 0, 2))]).await;
        record(board, 1, counts(4, 0, 4)).await;
        assert_eq!(top(board).await, [1, 2]);
        record(board, 1, counts(4, 3, 7)).await;
        assert_eq!(top(board).await, [2, 1]);
        record(board, 1, counts(4, 0, 4)).await;
        assert_eq!(top(board).await, [2, 1], "a late write moves nothing");
    }

    async fn the_top_list_ends_at_the_limit(board: &impl Board<Uuid>) {
        complete(board, &[(id(1), counts(1, 0, 1)), (id(2), counts(2, 0, 2)), (id(3), counts(3, 0, 3))]).await;
        let two = board.top(2).await.expect("reading works on every part").expect("the list is complete");
        assert_eq!(two, [(id(3), counts(3, 0, 3)), (id(2), counts(2, 0, 2))]);
    }

    async fn completing_keeps_newer_writes_and_removals(board: &impl Board<Uuid>) {
        let since = board.epoch().await.expect("reading works on every part");
        record(board, 1, counts(9, 0, 9)).await;
        board.remove(id(2)).await.expect("removing works on every part");
        record(board, 3, counts(1, 0, 1)).await;
        let loaded = [(id(1), counts(1, 0, 1)), (id(2), counts(5, 0, 5))];
        board.fill_top(&loaded, since).await.expect("filling works on every part");
        assert_eq!(top(board).await, [1, 3]);
        assert_eq!(find(board, 1).await, Some(counts(9, 0, 9)));
    }

    async fn what_is_removed_leaves_the_list_but_keeps_its_counts(board: &impl Board<Uuid>) {
        complete(board, &[(id(1), counts(1, 0, 1)), (id(2), counts(2, 0, 2))]).await;
        board.remove(id(2)).await.expect("removing works on every part");
        assert_eq!(top(board).await, [1]);
        assert_eq!(rank(board, 2).await, None);
        assert_eq!(find(board, 2).await, Some(counts(2, 0, 2)));
    }

    async fn a_late_write_does_not_bring_back_what_was_removed(board: &impl Board<Uuid>) {
        complete(board, &[(id(1), counts(1, 0, 1))]).await;
        board.remove(id(1)).await.expect("removing works on every part");
        record(board, 1, counts(2, 0, 2)).await;
        assert_eq!(top(board).await, []);
        assert_eq!(find(board, 1).await, Some(counts(2, 0, 2)));
    }

    async fn what_was_removed_can_be_restored_with_the_newest_counts(board: &impl Board<Uuid>) {
        complete(board, &[(id(1), counts(1, 0, 1)), (id(2), counts(2, 0, 2))]).await;
        board.remove(id(1)).await.expect("removing works on every part");
        record(board, 1, counts(6, 0, 6)).await;
        board.restore(id(1), counts(1, 0, 1)).await.expect("restoring works on every part");
        assert_eq!(top(board).await, [1, 2]);
        record(board, 1, counts(0, 7, 7)).await;
        assert_eq!(top(board).await, [2, 1], "it follows the writes again");
    }

    async fn loaded_counts_are_not_listed_until_something_is_recorded(board: &impl Board<Uuid>) {
        complete(board, &[]).await;
        let since = board.epoch().await.expect("reading works on every part");
        board.fill(&[(id(1), counts(3, 0, 3))], since).await.expect("filling works on every part");
        assert_eq!(top(board).await, []);
        record(board, 1, counts(2, 0, 2)).await;
        assert_eq!(top(board).await, [1]);
        assert_eq!(find(board, 1).await, Some(counts(3, 0, 3)));
    }

    async fn clearing_forgets_everything_and_refuses_what_was_loaded_before(board: &impl Board<Uuid>) {
        complete(board, &[(id(1), counts(1, 0, 1))]).await;
        let before = board.epoch().await.expect("reading works on every part");
        board.clear().await.expect("clearing works on every part");
        board.fill(&[(id(1), counts(1, 0, 1))], before).await.expect("filling works on every part");
        board.fill_top(&[(id(1), counts(1, 0, 1))], before).await.expect("filling works on every part");
        assert_eq!(find(board, 1).await, None);
        assert_eq!(board.top(10).await.expect("reading works on every part"), None);
    }
}
