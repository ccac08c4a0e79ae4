//! What the cache promises, whatever its levels: single flight, and no stale read.

mod dice;
mod fleet;
mod interleavings;
mod outages;
mod parts;
mod reads;
mod shared;
mod support;
mod time;

use std::time::Duration;

use parts::Part;
use support::{Away, Database, Hold, KEY, every_way, of_one_process};
use tokio::task::JoinSet;
use upshelf_cache::{Cache, Inv, LoadError, Policy, Region, Source};
use upshelf_testkit::contract;

fn numbers(cache: &Cache) -> Region<u64> {
    cache.region("numbers", Policy::ttl(Duration::from_secs(60)).grace(Duration::from_secs(60)))
}

async fn read(region: &Region<u64>, database: &Database) -> u64 {
    *region.get_or_load(KEY, database.load()).await.expect("the database is there")
}

contract! {
    parts {
        local => parts::local(),
        shared => parts::shared().await,
        cluster => parts::cluster().await,
        degraded => parts::degraded().await,
        restored => parts::restored().await,
    }

    async fn a_miss_loads_and_a_hit_does_not(cache: &Part) {
        let (region, database) = (numbers(cache), Database::default());
        database.write(1);
        let first = region.get_or_load(KEY, database.load()).await.expect("the database is there");
        let second = region.get_or_load(KEY, database.load()).await.expect("the database is there");
        assert_eq!((*first, first.source()), (1, Source::Loaded));
        assert_eq!((*second, second.source()), (1, Source::L1));
        assert_eq!(database.asked(), 1);
    }

    async fn that_something_does_not_exist_is_cached_too(cache: &Part) {
        let region = cache.region::<Option<u64>>("maybe", Policy::ttl(Duration::from_secs(60)));
        for source in [Source::Loaded, Source::L1] {
            let hit = region.get_or_load(KEY, |_| async { Ok::<_, Away>(None) }).await;
            assert!(hit.is_ok_and(|hit| hit.is_none() && hit.source() == source));
        }
    }

    async fn many_readers_of_a_missing_key_share_one_load(cache: &Part) {
        let (region, database, hold) = (numbers(cache), Database::default(), Hold::new());
        let mut readers = JoinSet::new();
        for _ in 0..200 {
            let (region, database, hold) = (region.clone(), database.clone(), hold.clone());
            readers.spawn(async move {
                let load = move |_| async move {
                    let value = database.read();
                    hold.here().await;
                    Ok::<_, Away>(value)
                };
                region.get_or_load(KEY, load).await.map(|hit| *hit)
            });
        }
        hold.is_reached().await;
        database.write(1);
        hold.release();
        assert!(readers.join_all().await.into_iter().all(|value| matches!(value, Ok(0))));
        assert_eq!(database.asked(), 1);
    }

    async fn a_failure_goes_to_all_who_wait_and_is_not_kept(cache: &Part) {
        let (region, database, hold) = (numbers(cache), Database::default(), Hold::new());
        let failing = {
            let (hold, database) = (hold.clone(), database.clone());
            move |_| async move {
                database.read();
                hold.here().await;
                Err::<u64, _>(Away)
            }
        };
        let (first, second, ()) = tokio::join!(
            region.get_or_load(KEY, failing),
            region.get_or_load(KEY, database.load()),
            async { hold.is_reached().await; hold.release() },
        );
        for outcome in [first, second] {
            assert!(matches!(outcome, Err(LoadError::Failed(error)) if *error == Away));
        }
        assert_eq!(database.asked(), 1);
        assert_eq!(read(&region, &database).await, 0);
    }

    async fn a_loader_that_panics_releases_all_who_wait(cache: &Part) {
        let (region, database, hold) = (numbers(cache), Database::default(), Hold::new());
        let panicking = {
            let hold = hold.clone();
            move |_| async move {
                hold.here().await;
                panic!("a loader of a test panics")
            }
        };
        let (first, second, ()) = tokio::join!(
            region.get_or_load::<_, _, Away>(KEY, panicking),
            region.get_or_load(KEY, database.load()),
            async { hold.is_reached().await; hold.release() },
        );
        assert!(matches!(first, Err(LoadError::Crashed)));
        assert!(matches!(second, Err(LoadError::Crashed)));
        assert_eq!(read(&region, &database).await, 0, "the key is free again");
    }

    async fn a_reader_that_goes_away_strands_nobody(cache: &Part) {
        let (region, database, hold) = (numbers(cache), Database::default(), Hold::new());
        database.write(1);
        let held = {
            let (hold, database) = (hold.clone(), database.clone());
            move |_| async move {
                hold.here().await;
                Ok::<_, Away>(database.read())
            }
        };
        let mut leader = JoinSet::new();
        leader.spawn({
            let region = region.clone();
            async move { region.get_or_load(KEY, held).await.map(|hit| *hit) }
        });
        hold.is_reached().await;
        let follower = region.get_or_load(KEY, database.load());
        let (value, ()) = tokio::join!(follower, async { leader.shutdown().await; hold.release() });
        assert!(value.is_ok_and(|hit| *hit == 1));
        assert_eq!(database.asked(), 1);
    }

    async fn what_is_invalidated_is_loaded_again(cache: &Part) {
        let (region, database) = (numbers(cache), Database::default());
        for (value, way) in (1..).zip(every_way()) {
            read(&region, &database).await;
            database.write(value);
            cache.invalidate([way.clone()]).await;
            assert!(region.peek(KEY).is_none(), "after {way:?}");
            assert_eq!(read(&region, &database).await, value, "after {way:?}");
        }
    }

    async fn what_is_not_named_stays(cache: &Part) {
        let (region, database) = (numbers(cache), Database::default());
        read(&region, &database).await;
        cache.invalidate([
            Inv::key("cache:profile:77"),
            Inv::tag("member:8"),
            Inv::pattern("cache:profile:7:*"),
            Inv::cascade("resource:8"),
        ]).await;
        assert!(region.peek(KEY).is_some());
    }

    async fn a_load_from_before_an_invalidation_is_answered_but_neither_kept_nor_joined(cache: &Part) {
        for (value, way) in (1..).zip(every_way()) {
            // A tag may be put on the value before the invalidation, or only after it.
            for is_tagged_early in [true, false] {
                let (region, database, hold) = (numbers(cache), Database::default(), Hold::new());
                cache.invalidate([Inv::all()]).await;
                database.write(value);
                let old = {
                    let (database, hold) = (database.clone(), hold.clone());
                    move |cx: upshelf_cache::Context| async move {
                        if is_tagged_early {
                            cx.tag("member:7");
                        }
                        let value = database.read();
                        hold.here().await;
                        if !is_tagged_early {
                            cx.tag("member:7");
                        }
                        Ok::<_, Away>(value)
                    }
                };
                let (old, new) = tokio::join!(region.get_or_load(KEY, old), async {
                    hold.is_reached().await;
                    database.write(value + 100);
                    cache.invalidate([way.clone()]).await;
                    // Only a tag that nobody can know of yet makes the reader wait, and then it loads for itself.
                    let must_wait = way == Inv::tag("member:7") && !is_tagged_early;
                    if must_wait {
                        hold.release();
                    }
                    let new = region.get_or_load(KEY, database.load()).await;
                    hold.release();
                    new
                });
                assert!(old.is_ok_and(|old| *old == value), "{way:?}");
                assert!(new.is_ok_and(|new| *new == value + 100), "{way:?}");
                let kept = region.peek(KEY).map(|hit| *hit);
                assert_eq!(kept, Some(value + 100), "after {way:?}, tagged early: {is_tagged_early}");
            }
        }
    }

    async fn an_older_load_does_not_overwrite_what_was_set(cache: &Part) {
        let (region, database, hold) = (numbers(cache), Database::default(), Hold::new());
        let old = {
            let hold = hold.clone();
            move |_| async move {
                hold.here().await;
                Ok::<_, Away>(1)
            }
        };
        let (old, ()) = tokio::join!(region.get_or_load(KEY, old), async {
            hold.is_reached().await;
            region.set_with_tags(KEY, 2, ["member:7"]).await;
            hold.release();
        });
        assert!(old.is_ok_and(|old| *old == 1));
        assert_eq!(read(&region, &database).await, 2);
        cache.invalidate([Inv::tag("member:7")]).await;
        assert_eq!(read(&region, &database).await, 0);
    }

    async fn a_loader_may_say_not_to_keep_its_value(cache: &Part) {
        let region = numbers(cache);
        let load = |cx: upshelf_cache::Context| async move {
            cx.no_store();
            Ok::<_, Away>(1)
        };
        assert!(region.get_or_load(KEY, load).await.is_ok_and(|hit| *hit == 1));
        assert!(region.peek(KEY).is_none());
    }

    async fn a_value_of_another_type_is_loaded_over(cache: &Part) {
        let (region, database) = (numbers(cache), Database::default());
        cache.region::<String>("texts", Policy::ttl(Duration::from_secs(60))).set(KEY, "seven".to_owned()).await;
        assert!(region.peek(KEY).is_none());
        database.write(7);
        assert_eq!(read(&region, &database).await, 7);
        assert_eq!(region.peek(KEY).map(|hit| *hit), Some(7));
    }

    async fn a_reader_does_not_take_a_value_of_another_type_from_a_load_under_way(cache: &Part) {
        let (region, database, hold) = (numbers(cache), Database::default(), Hold::new());
        let texts = cache.region::<String>("texts", Policy::ttl(Duration::from_secs(60)));
        let text = {
            let hold = hold.clone();
            move |_| async move {
                hold.here().await;
                Ok::<_, Away>("seven".to_owned())
            }
        };
        database.write(7);
        let (text, number, ()) = tokio::join!(
            texts.get_or_load(KEY, text),
            region.get_or_load(KEY, database.load()),
            async { hold.is_reached().await; hold.release() },
        );
        assert!(text.is_ok_and(|text| *text == "seven"));
        assert!(number.is_ok_and(|number| *number == 7));
    }

    async fn closing_waits_for_loads_under_way(cache: &Part) {
        let (region, hold) = (numbers(cache), Hold::new());
        let held = {
            let hold = hold.clone();
            move |_| async move {
                hold.here().await;
                Ok::<_, Away>(1)
            }
        };
        let mut reader = JoinSet::new();
        reader.spawn({
            let region = region.clone();
            async move { region.get_or_load(KEY, held).await.map(|hit| *hit) }
        });
        hold.is_reached().await;
        reader.shutdown().await;
        let ((), ()) = tokio::join!(cache.close(), async { hold.release() });
        assert_eq!(region.peek(KEY).map(|hit| *hit), Some(1), "nobody waited, and yet it has ended");
    }

    async fn the_receipt_says_what_was_named_with_all_that_follows(cache: &Part) {
        let receipt = cache.invalidate([Inv::cascade("resource:7"), Inv::pattern("a*"), Inv::tag("b")]).await;
        assert_eq!((receipt.keys, receipt.tags, receipt.patterns, receipt.all), (1, 3, 1, false));
        assert!(cache.invalidate(every_way()).await.all);
    }
}

contract! {
    threads parts { local => of_one_process() }

    async fn readers_on_many_threads_load_each_key_once(cache: &Cache) {
        let (region, database) = (numbers(cache), Database::default());
        let mut readers = JoinSet::new();
        for _ in 0..8 {
            let (region, database) = (region.clone(), database.clone());
            readers.spawn(async move {
                for n in 0..5000 {
                    let hit = region.get_or_load(&format!("cache:profile:{n}"), database.load()).await;
                    assert!(hit.is_ok());
                }
            });
        }
        readers.join_all().await;
        assert_eq!(database.asked(), 5000);
    }
}

#[tokio::test]
async fn memory_is_bounded_by_weight() {
    let cache = Cache::builder().weight(1 << 20).build();
    let region = cache.region::<String>("texts", Policy::ttl(Duration::from_secs(60)));
    for n in 0..10_000 {
        region.set(&format!("cache:text:{n}"), "x".repeat(1000)).await;
    }
    let kept = (0..10_000).filter(|n| region.peek(&format!("cache:text:{n}")).is_some()).count();
    assert!((400..=1000).contains(&kept), "{kept} values of 1,000 bytes are in 1 MiB");
}

#[tokio::test]
async fn a_value_of_three_mebibytes_is_kept_by_the_default_bound() {
    let region = Cache::builder().build().region::<String>("texts", Policy::ttl(Duration::from_secs(60)));
    region.set(KEY, "x".repeat(3 << 20)).await;
    assert!(region.peek(KEY).is_some());
}

#[tokio::test]
async fn a_value_that_is_too_heavy_is_returned_and_not_kept() {
    let cache = Cache::builder().weight(1 << 20).build();
    let region = cache.region::<String>("texts", Policy::ttl(Duration::from_secs(60)));
    region.set(KEY, "light".to_owned()).await;
    cache.invalidate([Inv::key(KEY)]).await;
    let heavy = region.get_or_load(KEY, |_| async { Ok::<_, Away>("x".repeat(2 << 20)) }).await;
    assert!(heavy.is_ok_and(|heavy| heavy.len() == 2 << 20));
    assert!(region.peek(KEY).is_none());
}
