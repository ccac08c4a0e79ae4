use anyhow::Result;
use upshelf_store::{Counts, DayCounts};
use upshelf_testkit::contract;

use crate::fixture::Fixture;

fn counts(views: i64, saves: i64, votes: i64) -> Counts {
    Counts { views, saves, votes }
}

contract! {
    parts { sqlite => Fixture::sqlite().await, postgres => Fixture::postgres().await }

    async fn counts_add_up_per_day_and_unknown_resources_are_ignored(f: &Fixture) -> Result<()> {
        let a = f.resource("https://example.org/a", "A").await;
        let b = f.resource("https://example.org/b", "B").await;
        let mut tx = f.write().await;
        tx.add_counts(&[(a, 100, counts(1, 0, 0)), (b, 100, counts(2, 1, 0)), (a, 100, counts(1, 1, 1))]).await?;
        tx.add_counts(&[(a, 102, counts(5, 0, 0)), (a, 100, counts(1, 0, 0)), (f.clock.id(), 100, counts(9, 9, 9))])
            .await?;
        tx.add_counts(&[]).await?;
        let day = |day, counts| DayCounts { day, counts };
        let days = tx.list_daily_counts(102, 4).await?;
        let expected =
            [day(99, counts(0, 0, 0)), day(100, counts(5, 2, 1)), day(101, counts(0, 0, 0)), day(102, counts(5, 0, 0))];
        assert_eq!(days, expected);
        assert_eq!(tx.list_daily_counts(101, 1).await?, [day(101, counts(0, 0, 0))]);
        Ok(())
    }

    async fn the_top_weighs_saves_and_votes_and_shows_live_resources(f: &Fixture) -> Result<()> {
        let viewed = f.resource("https://example.org/a", "A").await;
        let saved = f.resource("https://example.org/b", "B").await;
        let gone = f.resource("https://example.org/c", "C").await;
        f.removed(gone).await;
        let mut tx = f.write().await;
        tx.add_counts(&[
            (viewed, 50, counts(7, 0, 0)),
            (saved, 50, counts(0, 1, 1)),
            (saved, 10, counts(900, 0, 0)),
            (gone, 50, counts(99, 0, 0)),
        ])
        .await?;
        let top = tx.list_top_resources(50, 7, 10).await?;
        let top: Vec<_> = top.iter().map(|row| (row.resource_id, row.counts)).collect();
        assert_eq!(top, [(saved, counts(0, 1, 1)), (viewed, counts(7, 0, 0))]);
        assert_eq!(tx.list_top_resources(50, 7, 1).await?.len(), 1);
        Ok(())
    }

    async fn popularity_follows_the_last_thirty_days(f: &Fixture) -> Result<()> {
        let a = f.resource("https://example.org/a", "A").await;
        let b = f.resource("https://example.org/b", "B").await;
        let mut tx = f.write().await;
        tx.add_counts(&[(a, 100, counts(1, 2, 3)), (a, 71, counts(1, 0, 0)), (a, 70, counts(500, 0, 0))]).await?;
        assert_eq!(tx.recount_popularity(100).await?, 1);
        let popularity = async |tx: &mut upshelf_store::Tx, id| {
            anyhow::Ok(tx.find_resource(id).await?.expect("it is there").popularity)
        };
        assert_eq!(popularity(&mut tx, a).await?, 1 + 10 + 9 + 1);
        assert_eq!(popularity(&mut tx, b).await?, 0);
        assert_eq!(tx.recount_popularity(100).await?, 0, "nothing changed");
        assert_eq!(tx.recount_popularity(131).await?, 1);
        assert_eq!(popularity(&mut tx, a).await?, 0, "its time has passed");
        Ok(())
    }
}
