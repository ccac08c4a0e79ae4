//! What processes promise each other through Redis, and what stands there.

use std::time::Duration;

use tokio::task::JoinSet;
use upshelf_cache::{Cache, Context, Inv, LoadError, Policy, Region, Source};
use upshelf_testkit::{KeyFound, RedisCluster, RedisServer, contract, unique_prefix, wait_until};

use crate::parts::{DEADLINE, PATIENCE, linked, redis};
use crate::support::{Away, Database, Hold, KEY, builder, every_way};

/// Three processes: caches with connections of their own.
pub(crate) struct Fleet {
    pub(crate) caches: Vec<Cache>,
    pub(crate) prefix: String,
    at: Server,
}

enum Server {
    One(&'static RedisServer),
    Cluster(&'static RedisCluster),
}

impl Fleet {
    async fn new(at: Server) -> Self {
        let prefix = unique_prefix();
        let url = match &at {
            Server::One(server) => server.url(),
            Server::Cluster(cluster) => cluster.url(),
        };
        let mut caches = Vec::new();
        for _ in 0..3 {
            caches.push(linked(builder(), &redis(&url, &prefix, DEADLINE)).await);
        }
        for cache in &caches {
            wait_until("all know of all", PATIENCE, async || cache.processes() == 3).await;
        }
        Self { caches, prefix, at }
    }

    fn regions(&self) -> [Region<u64>; 3] {
        std::array::from_fn(|n| self.caches[n].region("numbers", Policy::ttl(PATIENCE).grace(PATIENCE)))
    }

    /// Sends a command; `{}` stands for the prefix.
    async fn command(&self, words: &[&str]) -> String {
        let words: Vec<_> = words.iter().map(|word| word.replace("{}", &self.prefix)).collect();
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        match self.at {
            Server::One(server) => server.command(&words).await,
            Server::Cluster(cluster) => cluster.command(&words).await,
        }
    }

    async fn keys(&self) -> Vec<KeyFound> {
        match self.at {
            Server::One(server) => server.keys(&self.prefix).await,
            Server::Cluster(cluster) => cluster.keys(&self.prefix).await,
        }
    }
}

async fn on_one_server() -> Fleet {
    Fleet::new(Server::One(RedisServer::shared().await)).await
}

async fn on_a_cluster() -> Fleet {
    Fleet::new(Server::Cluster(RedisCluster::shared().await)).await
}

async fn read(region: &Region<u64>, database: &Database) -> (u64, Source) {
    let hit = region.get_or_load(KEY, database.load()).await.expect("the database is there");
    (*hit, hit.source())
}

fn failing() -> impl FnOnce(Context) -> std::future::Ready<Result<u64, Away>> + Send + 'static {
    |_| std::future::ready(Err(Away))
}

contract! {
    threads parts {
        one => on_one_server().await,
        cluster => on_a_cluster().await,
    }

    async fn what_one_process_has_loaded_the_others_need_not(fleet: Fleet) {
        let (regions, database) = (fleet.regions(), Database::default());
        database.write(7);
        assert_eq!(read(&regions[0], &database).await, (7, Source::Loaded));
        assert_eq!(read(&regions[1], &database).await, (7, Source::L2));
        assert_eq!(read(&regions[1], &database).await, (7, Source::L1));
        assert_eq!(database.asked(), 1);
        let stats = fleet.caches[1].stats();
        assert_eq!((stats.hits_l1, stats.hits_l2, stats.misses, stats.loads), (1, 1, 1, 0));
    }

    async fn values_are_plain_json_under_the_callers_names_and_everything_ends(fleet: Fleet) {
        let (regions, database) = (fleet.regions(), Database::default());
        database.write(7);
        read(&regions[0], &database).await;
        assert_eq!(fleet.command(&["GET", "{}cache:profile:7"]).await, "7");
        assert_eq!(fleet.command(&["SMEMBERS", "{}cache:tag:member:7"]).await, format!("{}{KEY}", fleet.prefix));
        let keys = fleet.keys().await;
        let names: Vec<_> = keys.iter().map(|key| key.name.replace(&fleet.prefix, "")).collect();
        assert_eq!(names, [
            "cache:meta:{cache:profile:7}",
            "cache:ns",
            "cache:profile:7",
            "cache:tag:member:7",
            "cache:tagv:{cache:tag:member:7}",
        ]);
        for key in keys.iter().filter(|key| !key.name.ends_with("cache:ns")) {
            assert!(key.ttl.is_some(), "{} stays for ever", key.name);
        }
    }

    async fn an_invalidation_reaches_every_process_whatever_its_way(fleet: Fleet) {
        let (regions, database) = (fleet.regions(), Database::default());
        for (value, way) in (1..).zip(every_way()) {
            for region in &regions {
                read(region, &database).await;
            }
            database.write(value);
            let receipt = fleet.caches[1].invalidate([way.clone()]).await;
            assert!(receipt.is_everywhere());
            for (cache, region) in fleet.caches.iter().zip(&regions) {
                wait_until("the news", PATIENCE, async || cache.has_heard(&receipt)).await;
                assert!(region.peek(KEY).is_none(), "after {way:?}");
                assert_eq!(read(region, &database).await.0, value, "after {way:?}");
            }
        }
    }

    async fn many_processes_that_miss_load_once(fleet: Fleet) {
        let (regions, database, hold) = (fleet.regions(), Database::default(), Hold::new());
        database.write(7);
        let mut readers = JoinSet::new();
        for reader in 0..300 {
            let (region, database, hold) = (regions[reader % 3].clone(), database.clone(), hold.clone());
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
        wait_until("the others wait for the lease", PATIENCE, async || {
            fleet.caches.iter().filter(|cache| cache.stats().lease_waits > 0).count() == 2
        })
        .await;
        hold.release();
        assert!(readers.join_all().await.into_iter().all(|value| matches!(value, Ok(7))));
        assert_eq!(database.asked(), 1);
    }

    async fn a_load_that_another_process_invalidates_is_answered_and_kept_nowhere(fleet: Fleet) {
        for (value, way) in (1..).zip(every_way()) {
            for is_tagged_early in [true, false] {
                let (regions, database, hold) = (fleet.regions(), Database::default(), Hold::new());
                let receipt = fleet.caches[2].invalidate([Inv::key(KEY)]).await;
                wait_until("the news", PATIENCE, async || fleet.caches[0].has_heard(&receipt)).await;
                database.write(value);
                let old = {
                    let (database, hold) = (database.clone(), hold.clone());
                    move |cx: Context| async move {
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
                let (old, receipt) = tokio::join!(regions[0].get_or_load(KEY, old), async {
                    hold.is_reached().await;
                    database.write(value + 100);
                    let receipt = fleet.caches[1].invalidate([way.clone()]).await;
                    hold.release();
                    receipt
                });
                assert!(old.is_ok_and(|old| *old == value), "{way:?}");
                for (cache, region) in fleet.caches.iter().zip(&regions) {
                    wait_until("the news", PATIENCE, async || cache.has_heard(&receipt)).await;
                    let seen = read(region, &database).await.0;
                    assert_eq!(seen, value + 100, "after {way:?}, tagged early: {is_tagged_early}");
                }
            }
        }
    }

    async fn a_value_that_was_set_replaces_what_the_others_have(fleet: Fleet) {
        let (regions, database) = (fleet.regions(), Database::default());
        for region in &regions {
            read(region, &database).await;
        }
        regions[1].set_with_tags(KEY, 5, ["member:7"]).await;
        for region in &regions {
            wait_until("the new value", PATIENCE, async || read(region, &database).await.0 == 5).await;
        }
        assert_eq!(database.asked(), 1);
        let receipt = fleet.caches[2].invalidate([Inv::tag("member:7")]).await;
        wait_until("the news", PATIENCE, async || fleet.caches[0].has_heard(&receipt)).await;
        assert_eq!(read(&regions[0], &database).await.0, 0);
    }

    async fn the_grace_value_of_another_process_is_served_while_the_loader_fails(fleet: Fleet) {
        let policy = Policy::ttl(Duration::from_millis(30)).grace(PATIENCE);
        let [first, second] = [0, 1].map(|n| fleet.caches[n].region::<u64>("numbers", policy));
        first.get_or_load(KEY, |_| async { Ok::<_, Away>(1) }).await.expect("it cannot fail");
        // Each process has it grow old at a moment of its own.
        wait_until("its ttl has passed", PATIENCE, async || {
            let hit = second.get_or_load(KEY, failing()).await.expect("there is a value to serve");
            assert_eq!(*hit, 1);
            hit.source() == Source::Stale
        })
        .await;
        let receipt = fleet.caches[2].invalidate([Inv::key(KEY)]).await;
        wait_until("the news", PATIENCE, async || fleet.caches[1].has_heard(&receipt)).await;
        let refused = second.get_or_load(KEY, failing()).await;
        assert!(matches!(refused, Err(LoadError::Failed(_))), "what was invalidated is no grace value");
    }

    async fn while_one_process_loads_anew_the_others_serve_the_grace_value(fleet: Fleet) {
        let policy = Policy::ttl(Duration::from_millis(30)).grace(PATIENCE);
        let [first, second] = [0, 1].map(|n| fleet.caches[n].region::<u64>("numbers", policy));
        first.get_or_load(KEY, |_| async { Ok::<_, Away>(1) }).await.expect("it cannot fail");
        wait_until("its ttl has passed", PATIENCE, async || first.peek(KEY).is_none()).await;
        let hold = Hold::new();
        let held = {
            let hold = hold.clone();
            move |_| async move {
                hold.here().await;
                Ok::<_, Away>(2)
            }
        };
        let (new, ()) = tokio::join!(first.get_or_load(KEY, held), async {
            hold.is_reached().await;
            let old = second.get_or_load(KEY, |_| async { Ok::<_, Away>(3) }).await.expect("it is there");
            assert_eq!((*old, old.source()), (1, Source::Stale));
            hold.release();
        });
        assert!(new.is_ok_and(|new| *new == 2));
    }

    async fn what_a_program_after_the_note_deletes_is_loaded_at_the_next_look(fleet: Fleet) {
        let (regions, database) = (fleet.regions(), Database::default());
        read(&regions[0], &database).await;
        database.write(1);
        let members = fleet.command(&["SMEMBERS", "{}cache:tag:member:7"]).await;
        for key in members.lines().chain([&*format!("{}cache:tag:member:7", fleet.prefix)]) {
            fleet.command(&["DEL", key]).await;
        }
        assert_eq!(read(&regions[1], &database).await, (1, Source::Loaded));
        assert_eq!(read(&regions[0], &database).await, (0, Source::L1), "until its minute is over");
    }

    async fn what_a_program_after_the_note_writes_is_not_taken_for_ours(fleet: Fleet) {
        let (regions, database) = (fleet.regions(), Database::default());
        read(&regions[0], &database).await;
        database.write(1);
        fleet.command(&["SET", "{}cache:profile:7", "99", "KEEPTTL"]).await;
        assert_eq!(read(&regions[1], &database).await, (1, Source::Loaded));
        fleet.command(&["SET", "{}cache:profile:7", "not even JSON"]).await;
        fleet.command(&["DEL", "{}cache:meta:{{}cache:profile:7}"]).await;
        assert_eq!(read(&regions[2], &database).await, (1, Source::Loaded));
        assert_eq!(fleet.caches[1].stats().foreign_values, 1);
    }

    async fn a_lost_token_costs_a_miss_and_no_stale_hit(fleet: Fleet) {
        let (regions, database) = (fleet.regions(), Database::default());
        read(&regions[0], &database).await;
        database.write(1);
        let receipt = fleet.caches[2].invalidate([Inv::tag("member:7")]).await;
        for cache in &fleet.caches {
            wait_until("the news", PATIENCE, async || cache.has_heard(&receipt)).await;
        }
        fleet.command(&["DEL", "{}cache:tagv:{{}cache:tag:member:7}"]).await;
        assert_eq!(read(&regions[1], &database).await.0, 1);
        fleet.command(&["DEL", "{}cache:tagv:{{}cache:tag:member:7}"]).await;
        assert_eq!(read(&regions[2], &database).await.0, 1);
    }

    async fn the_members_of_an_invalidated_tag_are_collected(fleet: Fleet) {
        let region = fleet.caches[0].region::<u64>("numbers", Policy::ttl(PATIENCE));
        for n in 0..500 {
            region.set_with_tags(&format!("cache:number:{n}"), n, ["all"]).await;
        }
        fleet.caches[1].invalidate([Inv::tag("all")]).await;
        wait_until("all are gone", PATIENCE, async || {
            fleet.keys().await.iter().all(|key| key.name.ends_with("cache:ns") || key.name.contains("cache:tagv:"))
        })
        .await;
    }

    async fn names_that_cannot_be_shared_are_cached_in_this_process(fleet: Fleet) {
        let database = Database::default();
        let region = fleet.caches[0].region::<u64>("numbers", Policy::ttl(PATIENCE));
        for source in [Source::Loaded, Source::L1] {
            let hit = region.get_or_load("cache:{odd}", database.load()).await.expect("the database is there");
            assert_eq!(hit.source(), source);
        }
        assert!(fleet.keys().await.iter().all(|key| !key.name.contains("odd")));
    }

    async fn who_leaves_is_not_counted(fleet: Fleet) {
        fleet.caches[0].close().await;
        wait_until("two are left", PATIENCE, async || fleet.caches[1].processes() == 2).await;
    }
}

#[tokio::test]
async fn a_cluster_is_sent_nothing_across_its_slots() {
    let fleet = on_a_cluster().await;
    let (regions, database) = (fleet.regions(), Database::default());
    for way in every_way() {
        read(&regions[0], &database).await;
        fleet.caches[1].invalidate([way]).await;
    }
    let errors = RedisCluster::shared().await.errorstats().await;
    assert!(!errors.contains_key("CROSSSLOT"), "{errors:?}");
}
