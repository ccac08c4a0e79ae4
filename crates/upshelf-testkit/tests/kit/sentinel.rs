//! Sentinels: the primary moves, by order and by death.

use upshelf_testkit::{RedisSentinel, wait_until};

use crate::LIMIT;

#[tokio::test]
async fn a_failover_moves_the_primary_and_the_old_one_takes_no_writes() {
    let redis = RedisSentinel::start().await;
    let old = redis.primary().await;
    assert_eq!(old.address(), redis.servers()[0].address());
    redis.command(&["SET", "shelf", "oak"]).await;

    redis.fail_over().await;
    assert_eq!(redis.primary_address().await, redis.servers()[1].address());
    let error = old.try_command(&["SET", "shelf", "pine"]).await.expect_err("it is a replica now");
    assert!(error.starts_with("READONLY"), "{error}");
    assert_eq!(redis.command(&["GET", "shelf"]).await, "oak");
}

#[tokio::test]
async fn the_replica_is_promoted_when_the_primary_is_killed() {
    let redis = RedisSentinel::start().await;
    assert_eq!(redis.url().matches("127.0.0.1").count(), 3);
    let old = redis.primary_address().await;
    redis.kill_primary().await;
    wait_until("another primary", LIMIT, async || redis.primary_address().await != old).await;
    assert_eq!(redis.command(&["SET", "shelf", "oak"]).await, "OK");
    // The third of them watches still.
    assert_eq!(redis.sentinels()[2].command(&["PING"]).await, "PONG");
}
