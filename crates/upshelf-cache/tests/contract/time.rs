//! What a reader gets at which moment in the life of an entry. The clock is the test's.

use std::time::Duration;

use crate::support::{Away, Database, Hold, KEY, every_way, of_one_process};
use tokio::task::yield_now;
use tokio::time::advance;
use upshelf_cache::{Cache, Context, Inv, LoadError, Policy, Region, Source};
use upshelf_testkit::contract;

const SECOND: Duration = Duration::from_secs(1);

/// Fresh for 100 s, then 100 s of grace.
fn policy() -> Policy {
    Policy::ttl(100 * SECOND).grace(100 * SECOND)
}

async fn filled(cache: &Cache, policy: Policy) -> (Region<u64>, Database) {
    let (region, database) = (cache.region("numbers", policy), Database::default());
    database.write(1);
    region.get_or_load(KEY, database.load()).await.expect("the database is there");
    database.write(2);
    (region, database)
}

/// Reads with a loader that works, and says what came from where.
async fn read(region: &Region<u64>, database: &Database) -> (u64, Source) {
    let hit = region.get_or_load(KEY, database.load()).await.expect("the database is there");
    (*hit, hit.source())
}

/// Reads with a loader that fails.
async fn read_in_vain(region: &Region<u64>, database: &Database) -> Result<(u64, Source), LoadError<Away>> {
    let database = database.clone();
    let load = move |_| async move {
        database.read();
        Err(Away)
    };
    region.get_or_load(KEY, load).await.map(|hit| (*hit, hit.source()))
}

/// Lets background tasks run to their end.
async fn settle() {
    for _ in 0..10 {
        yield_now().await;
    }
}

contract! {
    paused parts { local => of_one_process() }

    async fn a_value_is_fresh_to_the_end_of_its_ttl(cache: &Cache) {
        let (region, database) = filled(cache, Policy::ttl(100 * SECOND)).await;
        advance(99 * SECOND).await;
        let hit = region.peek(KEY).expect("it is fresh");
        assert_eq!((*hit, hit.age()), (1, 99 * SECOND));
        assert_eq!(read(&region, &database).await, (1, Source::L1));
        advance(SECOND).await;
        assert!(region.peek(KEY).is_none());
        assert_eq!(read(&region, &database).await, (2, Source::Loaded));
    }

    async fn a_loader_may_choose_the_ttl(cache: &Cache) {
        let region = cache.region::<u64>("numbers", policy());
        let load = |cx: Context| async move {
            cx.ttl(SECOND);
            Ok::<_, Away>(1)
        };
        region.get_or_load(KEY, load).await.expect("the loader cannot fail");
        assert!(region.peek(KEY).is_some());
        advance(SECOND).await;
        assert!(region.peek(KEY).is_none());
    }

    async fn an_endless_ttl_is_long(cache: &Cache) {
        let endless = Policy::ttl(Duration::MAX).grace(Duration::MAX).hard_timeout(Duration::MAX);
        let (region, _) = filled(cache, endless).await;
        advance(1_000_000 * SECOND).await;
        assert!(region.peek(KEY).is_some());
    }

    async fn jitter_shortens_ttls_each_by_another_share(cache: &Cache) {
        let region = cache.region::<u64>("numbers", Policy::ttl(1000 * SECOND).jitter(0.5));
        let keys: Vec<_> = (0..100).map(|n| format!("cache:number:{n}")).collect();
        for key in &keys {
            region.set(key, 1).await;
        }
        let fresh = || keys.iter().filter(|key| region.peek(key).is_some()).count();
        advance(499 * SECOND).await;
        assert_eq!(fresh(), 100);
        advance(251 * SECOND).await;
        assert!((20..80).contains(&fresh()), "{} of 100 are fresh at half of the jitter", fresh());
        advance(251 * SECOND).await;
        assert_eq!(fresh(), 0);
    }

    async fn the_grace_value_is_served_while_the_loader_fails_and_no_longer(cache: &Cache) {
        let (region, database) = filled(cache, policy()).await;
        advance(150 * SECOND).await;
        assert!(matches!(read_in_vain(&region, &database).await, Ok((1, Source::Stale))));
        advance(50 * SECOND).await;
        assert!(matches!(read_in_vain(&region, &database).await, Err(LoadError::Failed(_))));
        assert_eq!(read(&region, &database).await, (2, Source::Loaded));
    }

    async fn a_failed_refresh_is_not_repeated_before_the_back_off_has_passed(cache: &Cache) {
        let (region, database) = filled(cache, policy().backoff(10 * SECOND)).await;
        advance(100 * SECOND).await;
        assert!(matches!(read_in_vain(&region, &database).await, Ok((1, Source::Stale))));
        let asked = database.asked();
        advance(9 * SECOND).await;
        assert_eq!(read(&region, &database).await, (1, Source::Stale));
        assert_eq!(database.asked(), asked);
        advance(SECOND).await;
        assert_eq!(read(&region, &database).await, (2, Source::Loaded));
    }

    async fn a_crashed_refresh_backs_off_too(cache: &Cache) {
        let (region, database) = filled(cache, policy().backoff(10 * SECOND)).await;
        advance(100 * SECOND).await;
        let crash = region.get_or_load::<_, _, Away>(KEY, |_| async { panic!("a loader of a test panics") });
        assert!(crash.await.is_ok_and(|hit| hit.source() == Source::Stale));
        assert_eq!(read(&region, &database).await, (1, Source::Stale));
    }

    async fn an_invalidated_value_is_never_a_grace_value(cache: &Cache) {
        for way in every_way() {
            let (region, database) = filled(cache, policy()).await;
            advance(150 * SECOND).await;
            cache.invalidate([way.clone()]).await;
            let outcome = read_in_vain(&region, &database).await;
            assert!(matches!(outcome, Err(LoadError::Failed(_))), "{way:?} left {outcome:?}");
            cache.invalidate([Inv::all()]).await;
        }
    }

    async fn an_invalidation_ends_the_back_off(cache: &Cache) {
        let (region, database) = filled(cache, policy()).await;
        advance(150 * SECOND).await;
        assert!(read_in_vain(&region, &database).await.is_ok());
        cache.invalidate([Inv::tag("member:7")]).await;
        assert_eq!(read(&region, &database).await, (2, Source::Loaded));
    }

    async fn a_slow_loader_yields_to_the_grace_value_and_goes_on(cache: &Cache) {
        let (region, database) = filled(cache, policy().soft_timeout(SECOND)).await;
        advance(150 * SECOND).await;
        let slow = {
            let database = database.clone();
            move |_| async move {
                tokio::time::sleep(5 * SECOND).await;
                Ok::<_, Away>(database.read())
            }
        };
        let hit = region.get_or_load(KEY, slow).await.expect("there is a grace value");
        assert_eq!((*hit, hit.source()), (1, Source::Stale));
        advance(5 * SECOND).await;
        settle().await;
        assert_eq!(region.peek(KEY).map(|hit| *hit), Some(2));
    }

    async fn a_slow_loader_is_awaited_when_there_is_no_grace_value(cache: &Cache) {
        let region = cache.region::<u64>("numbers", policy().soft_timeout(SECOND));
        let slow = |_| async {
            tokio::time::sleep(5 * SECOND).await;
            Ok::<_, Away>(1)
        };
        assert!(region.get_or_load(KEY, slow).await.is_ok_and(|hit| hit.source() == Source::Loaded));
    }

    async fn a_loader_past_the_hard_timeout_is_cancelled(cache: &Cache) {
        struct Tell(Hold);
        impl Drop for Tell {
            fn drop(&mut self) {
                self.0.release();
            }
        }
        let (region, ended) = (cache.region::<u64>("numbers", policy().hard_timeout(SECOND)), Hold::new());
        let tell = Tell(ended.clone());
        let endless = move |_| async move {
            let _tell = tell;
            std::future::pending::<Result<u64, Away>>().await
        };
        assert!(matches!(region.get_or_load(KEY, endless).await, Err(LoadError::TimedOut)));
        ended.here().await;
    }

    async fn a_cancelled_refresh_leaves_the_grace_value(cache: &Cache) {
        let (region, _) = filled(cache, policy().hard_timeout(SECOND)).await;
        advance(150 * SECOND).await;
        let hit = region.get_or_load(KEY, |_| std::future::pending::<Result<u64, Away>>()).await;
        assert!(hit.is_ok_and(|hit| hit.source() == Source::Stale));
    }

    async fn others_take_the_grace_value_while_one_loads(cache: &Cache) {
        let (region, database) = filled(cache, policy()).await;
        advance(150 * SECOND).await;
        let hold = Hold::new();
        let held = {
            let (hold, database) = (hold.clone(), database.clone());
            move |_| async move {
                hold.here().await;
                Ok::<_, Away>(database.read())
            }
        };
        let (leader, other) = tokio::join!(region.get_or_load(KEY, held), async {
            hold.is_reached().await;
            let other = read(&region, &database).await;
            hold.release();
            other
        });
        assert_eq!(other, (1, Source::Stale));
        assert!(leader.is_ok_and(|hit| *hit == 2 && hit.source() == Source::Loaded));
    }

    async fn an_early_refresh_happens_once_and_in_the_background(cache: &Cache) {
        let (region, database) = filled(cache, policy().early(0.8)).await;
        advance(79 * SECOND).await;
        assert_eq!(read(&region, &database).await, (1, Source::L1));
        settle().await;
        assert_eq!(database.asked(), 1, "it is not yet time");
        advance(SECOND).await;
        for _ in 0..5 {
            assert_eq!(read(&region, &database).await, (1, Source::L1));
        }
        settle().await;
        assert_eq!(read(&region, &database).await, (2, Source::L1));
        assert_eq!(database.asked(), 2);
    }

    async fn a_failed_early_refresh_backs_off_while_the_value_is_fresh(cache: &Cache) {
        let (region, database) = filled(cache, policy().early(0.8).backoff(10 * SECOND)).await;
        advance(80 * SECOND).await;
        assert!(matches!(read_in_vain(&region, &database).await, Ok((1, Source::L1))));
        settle().await;
        for _ in 0..5 {
            assert_eq!(read(&region, &database).await, (1, Source::L1));
            settle().await;
        }
        assert_eq!(database.asked(), 2);
        advance(10 * SECOND).await;
        assert_eq!(read(&region, &database).await, (1, Source::L1));
        settle().await;
        assert_eq!(region.peek(KEY).map(|hit| *hit), Some(2));
    }

    async fn an_early_refresh_that_an_invalidation_overtakes_is_not_kept(cache: &Cache) {
        for way in every_way() {
            let (region, database) = filled(cache, policy().early(0.8)).await;
            advance(80 * SECOND).await;
            let hold = Hold::new();
            let held = {
                let (hold, database) = (hold.clone(), database.clone());
                move |cx: Context| async move {
                    let value = database.read();
                    hold.here().await;
                    cx.tag("member:7");
                    Ok::<_, Away>(value)
                }
            };
            assert!(region.get_or_load(KEY, held).await.is_ok_and(|hit| *hit == 1));
            hold.is_reached().await;
            cache.invalidate([way.clone()]).await;
            hold.release();
            settle().await;
            assert!(region.peek(KEY).is_none(), "{way:?}");
            cache.invalidate([Inv::all()]).await;
        }
    }
}
