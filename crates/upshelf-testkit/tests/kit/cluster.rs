//! Redis Cluster: slots, and what befalls nodes.

use redis::cluster::ClusterClient;
use upshelf_testkit::{Keep, RedisCluster, unique_prefix, wait_until};

use crate::LIMIT;

#[tokio::test]
async fn a_cluster_counts_the_errors_that_its_nodes_send() {
    let cluster = RedisCluster::start().await;
    let nodes: Vec<String> = cluster
        .url()
        .trim_start_matches("redis+cluster://")
        .split(',')
        .map(|n| format!("redis://{n}"))
        .collect();
    assert_eq!(nodes.len(), 3);
    let client = ClusterClient::new(nodes).expect("URLs");
    let mut connection = client.get_connection().expect("the cluster answers");
    for key in 0..100 {
        redis::cmd("SET").arg(key).arg("oak").exec(&mut connection).expect("each key has a node");
    }
    assert_eq!(cluster.command(&["GET", "99"]).await, "oak");
    assert_eq!(cluster.keys("").await.len(), 100);
    let errors = cluster.errorstats().await;
    assert!(!errors.contains_key("MOVED") && !errors.contains_key("CROSSSLOT"), "{errors:?}");

    let error = cluster.nodes()[0].try_command(&["MGET", "a", "b"]).await.expect_err("two slots");
    assert!(error.starts_with("CROSSSLOT"), "{error}");
    let home = cluster.primary_of("a").await.expect("each key has a node").address();
    let elsewhere = cluster.nodes().iter().find(|node| node.address() != home).expect("three nodes");
    let error = elsewhere.try_command(&["GET", "a"]).await.expect_err("not here");
    assert!(error.starts_with("MOVED") && error.ends_with(&home.to_string()), "{error}");
    let errors = cluster.errorstats().await;
    assert_eq!((errors["CROSSSLOT"], errors["MOVED"]), (1, 1));
}

#[tokio::test]
async fn the_shared_cluster_keeps_tests_apart_by_their_prefixes() {
    let (cluster, one, two) = (RedisCluster::shared().await, unique_prefix(), unique_prefix());
    cluster.command(&["SET", &format!("{one}shelf"), "oak", "EX", "60"]).await;
    cluster.command(&["SET", &format!("{two}shelf"), "pine"]).await;
    let found = cluster.keys(&one).await;
    assert!(
        found.len() == 1 && found[0].name == format!("{one}shelf") && found[0].ttl.is_some(),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_cluster_comes_back_whole_with_its_data_or_without() {
    let cluster = RedisCluster::start().await;
    let keys: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    for key in &keys {
        cluster.command(&["SET", key, "oak"]).await;
    }
    cluster.pause();
    cluster.resume();
    cluster.ready().await;
    cluster.restart(Keep::Data).await;
    assert_eq!(cluster.keys("").await.len(), 20);
    cluster.kill9();
    cluster.restart(Keep::Nothing).await;
    assert_eq!(cluster.keys("").await, []);
    for key in &keys {
        cluster.command(&["SET", key, "pine"]).await;
    }
}

#[tokio::test]
async fn a_replica_takes_over_from_a_primary_that_is_killed() {
    let cluster = RedisCluster::start_with_replicas().await;
    assert_eq!(cluster.addresses().len(), 6);
    let old = cluster.primary_of("shelf").await.expect("each key has a node");
    // WAIT counts for the writes of its own connection.
    let client = redis::Client::open(old.url()).expect("a URL");
    let mut connection = client.get_connection().expect("the node accepts");
    redis::cmd("SET").arg("shelf").arg("oak").exec(&mut connection).expect("the slot is here");
    let replicas = redis::cmd("WAIT").arg(1).arg(5000).query::<u32>(&mut connection);
    assert_eq!(replicas.expect("WAIT answers"), 1);
    old.kill9();
    wait_until("another primary", LIMIT, async || {
        cluster.primary_of("shelf").await.is_some_and(|new| new.address() != old.address())
    })
    .await;
    cluster.ready().await;
    assert_eq!(cluster.command(&["GET", "shelf"]).await, "oak");
}
