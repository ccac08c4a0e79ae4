use std::sync::LazyLock;

use tokio::task::JoinSet;
use upshelf_redis::{Class, Error, Keys, Lane, Script, client};
use upshelf_testkit::{RedisCluster, RedisServer, contract, unique_prefix};

use crate::fixture::{Handle, get, set};

static JOIN: LazyLock<Script> = LazyLock::new(|| {
    Script::new("return redis.call('GET', KEYS[1]) .. ARGV[1] .. redis.call('GET', KEYS[2])")
});

contract! {
    threads parts {
        server => Handle::up(&RedisServer::shared().await.url()).await,
        cluster => Handle::up(&RedisCluster::shared().await.url()).await,
    }

    async fn commands_of_many_tasks_find_their_own_replies(handle: &Handle) {
        let prefix = unique_prefix();
        let mut tasks = JoinSet::new();
        for n in 0..500 {
            let line = handle.redis.line([Lane::Cache, Lane::Decisions, Lane::General][n % 3], Class::Queue);
            let key = format!("{prefix}{n}");
            tasks.spawn(async move {
                set(&line, &key, &n.to_string()).await.expect("Redis is there");
                let found = get(&line, &key).await.expect("Redis is there");
                assert_eq!(found, Some(n.to_string()));
            });
        }
        tasks.join_all().await;
    }

    async fn a_script_runs_where_it_is_not_known_yet_and_where_it_was_forgotten(handle: &Handle) {
        let (line, prefix) = (handle.queued(), unique_prefix());
        let keys = [format!("{prefix}{{t}}a"), format!("{prefix}{{t}}b")];
        for key in &keys {
            set(&line, key, "x").await.expect("Redis is there");
        }
        for _ in 0..2 {
            let joined: String = line.eval(&JOIN, &keys, "-").await.expect("Redis is there");
            assert_eq!(joined, "x-x");
            let flushed: Vec<String> =
                line.each_primary(client::cmd("SCRIPT").arg("FLUSH")).await.expect("Redis is there");
            assert!(flushed.iter().all(|reply| reply == "OK"));
        }
    }

    async fn a_wrong_command_is_wrong_and_opens_no_breaker(handle: &Handle) {
        let (line, prefix) = (handle.fast(), unique_prefix());
        set(&line, &prefix, "text").await.expect("Redis is there");
        for _ in 0..20 {
            let added = line.query::<u64>(client::cmd("INCR").arg(&prefix)).await;
            assert!(matches!(added, Err(Error::Wrong(_))), "{added:?}");
        }
        assert!(handle.redis.health().is_up());
        assert_eq!(get(&line, &prefix).await.expect("Redis is there"), Some("text".to_owned()));
    }

    async fn an_error_among_replies_is_an_error(handle: &Handle) {
        let (line, prefix) = (handle.queued(), unique_prefix());
        let mut pipeline = client::pipe();
        pipeline.cmd("SET").arg(&prefix).arg("text").cmd("INCR").arg(&prefix);
        let replies = line.pipeline::<(String, u64)>(&pipeline).await;
        assert!(matches!(replies, Err(Error::Wrong(_))), "{replies:?}");
    }

    async fn a_scan_sees_every_key_on_every_primary(handle: &Handle) {
        let (line, prefix) = (handle.queued(), unique_prefix());
        for n in 0..1_200 {
            set(&line, &format!("{prefix}{n}"), "").await.expect("Redis is there");
        }
        let mut found = std::collections::BTreeSet::new();
        let pattern = format!("{prefix}*");
        let scanned = line.scan(&pattern, async |keys| {
            found.extend(keys);
            Ok(())
        });
        scanned.await.expect("Redis is there");
        assert_eq!(found.len(), 1_200);
    }
}

#[tokio::test]
async fn a_pipeline_across_slots_is_refused_before_it_is_sent() {
    let cluster = RedisCluster::shared().await;
    let handle = Handle::up(&cluster.url()).await;
    let prefix = unique_prefix();
    let mut pipeline = client::pipe();
    pipeline.cmd("SET").arg(format!("{prefix}{{a}}")).arg(1).cmd("SET").arg(format!("{prefix}{{b}}")).arg(1);
    let replies = handle.queued().pipeline::<Vec<String>>(&pipeline).await;
    assert!(matches!(replies, Err(Error::Wrong(_))), "{replies:?}");
    assert_eq!(cluster.keys(&prefix).await.len(), 0);
    assert_eq!(cluster.errorstats().await.get("CROSSSLOT"), None);
}

#[test]
fn a_companion_lies_in_the_slot_of_its_key_in_both_layouts() {
    for is_tagged in [false, true] {
        let keys = Keys::new("shelf:", is_tagged);
        let key = keys.name("cache:tags");
        assert_eq!(key, "shelf:cache:tags");
        assert_eq!(keys.companion("cache:lease", &key), "shelf:cache:lease:{shelf:cache:tags}");
    }
    assert_eq!(Keys::new("", false).tag("42"), "42");
    assert_eq!(Keys::new("", true).tag("42"), "{42}");
}
