//! What the whole service promises in every position: what it says is what the database says.

use upshelf_testkit::{RedisCluster, RedisServer, contract};

use crate::counts;
use crate::database::Database;
use crate::parts::{Part, alone, degraded, restored, together};

contract! {
    parts {
        local => alone(),
        shared => together(&RedisServer::shared().await.url()).await,
        cluster => together(&RedisCluster::shared().await.url()).await,
        down => degraded().await,
        back => restored().await,
    }

    async fn counts_are_the_databases(part: Part) {
        let database = Database::default();
        database.write(1, counts(3, 1, 4));
        database.write(2, counts(2, 0, 2));
        let found = database.counts(&part.tally, &[2, 3, 1, 2]).await;
        assert_eq!(found, [Some(counts(2, 0, 2)), None, Some(counts(3, 1, 4)), Some(counts(2, 0, 2))]);
        database.write(1, counts(4, 1, 5));
        database.tell(&part.tally, 1).await;
        assert_eq!(database.counts(&part.tally, &[1]).await, [Some(counts(4, 1, 5))]);
    }

    async fn the_top_list_is_the_databases(part: Part) {
        let database = Database::default();
        for n in 1..=20 {
            database.write(n, counts(u32::try_from(n % 7).expect("it is small"), 0, 1));
        }
        assert_eq!(database.top(&part.tally).await, database.expected_top());
        for n in [3, 9, 9, 20, 3, 3] {
            database.vote(n);
            database.tell(&part.tally, n).await;
            let expected = database.expected_top();
            assert_eq!(database.top(&part.tally).await, expected);
            assert_eq!(database.rank(&part.tally, n).await, expected.iter().position(|at| *at == n));
        }
    }

    async fn what_is_closed_leaves_the_list_and_a_late_write_does_not_bring_it_back(part: Part) {
        let database = Database::default();
        for n in 1..=3 {
            database.write(n, counts(1, 0, 1));
        }
        assert_eq!(database.top(&part.tally).await, [3, 2, 1]);
        database.close(2);
        part.tally.remove(crate::id(2)).await;
        part.tally.record(crate::id(2), counts(9, 0, 9)).await;
        assert_eq!(database.top(&part.tally).await, [3, 1]);
        assert_eq!(database.rank(&part.tally, 2).await, None);
        database.write(2, counts(9, 0, 9));
        part.tally.restore(crate::id(2), counts(9, 0, 9)).await;
        assert_eq!(database.top(&part.tally).await, [2, 3, 1]);
    }

    async fn it_can_be_emptied_at_any_moment(part: Part) {
        let database = Database::default();
        database.write(1, counts(1, 0, 1));
        assert_eq!(database.top(&part.tally).await, [1]);
        database.write(1, counts(0, 2, 0));
        database.write(2, counts(0, 0, 0));
        part.tally.clear().await;
        assert_eq!(database.top(&part.tally).await, [2, 1], "also where the database went back in time");
        assert_eq!(database.counts(&part.tally, &[1]).await, [Some(counts(0, 2, 0))]);
    }
}

contract! {
    parts {
        shared => together(&RedisServer::shared().await.url()).await,
        cluster => together(&RedisCluster::shared().await.url()).await,
        back => restored().await,
    }

    async fn what_redis_knows_is_not_asked_of_the_database(part: Part) {
        let database = Database::default();
        for n in 1..=700 {
            database.write(n, counts(1, 0, 1));
        }
        assert_eq!(database.top(&part.tally).await, database.expected_top());
        let asked = database.asked();
        database.vote(3);
        database.tell(&part.tally, 3).await;
        assert_eq!(database.top(&part.tally).await, database.expected_top());
        database.counts(&part.tally, &[1, 2, 3, 700]).await;
        assert_eq!(database.asked(), asked);
    }

    async fn a_comparison_finds_what_is_wrong_and_mends_it_when_told_to(part: Part) {
        let database = Database::default();
        for n in 1..=5 {
            database.write(n, counts(1, 0, 1));
        }
        database.top(&part.tally).await;
        let check = async |repair| {
            let load = async || Ok::<_, std::convert::Infallible>(database.all());
            let checked = part.tally.check(repair, load).await.expect("there is Redis").expect("it answers");
            (checked.listed, checked.wrong)
        };
        assert_eq!(check(false).await, (5, 0));
        database.write(2, counts(7, 0, 7));
        database.write(6, counts(0, 1, 1));
        database.close(4);
        assert_eq!(check(false).await, (5, 3));
        assert_eq!(check(true).await, (5, 3));
        assert_eq!(check(false).await, (5, 0));
        assert_eq!(database.top(&part.tally).await, [2, 5, 3, 1, 6]);
        // As after a backup was restored.
        database.write(2, counts(3, 0, 3));
        assert_eq!(check(true).await, (5, 1));
        assert_eq!(database.top(&part.tally).await, [2, 5, 3, 1, 6]);
        assert_eq!(database.counts(&part.tally, &[2]).await, [Some(counts(3, 0, 3))]);
        assert_eq!(check(false).await, (5, 0));
    }
}
