//! Node programs beside our own.

use upshelf_testkit::{Node, RedisServer, unique_prefix};

use crate::LIMIT;

#[tokio::test]
async fn a_node_script_uses_its_packages_and_talks_by_lines() {
    let node =
        Node::project(&[("ioredis", "5"), ("bentocache", "1.6"), ("rate-limiter-flexible", "11")]).await;
    let (redis, t) = (RedisServer::shared().await, unique_prefix());
    let mut script = node.start("tests/kit/node.mjs", &[&redis.url()], &[("PREFIX", &t)]);
    for (ask, expected) in
        [("set oak", "reply OK"), ("get", "reply oak"), ("cache", "reply pine"), ("limit", "reply 2")]
    {
        script.send(ask);
        assert_eq!(script.answer("reply", LIMIT).await, expected);
    }
    assert_eq!(redis.command(&["GET", &format!("{t}shelf")]).await, "oak");
    script.close_input();
    assert!(script.wait(LIMIT).await.success());
}

#[tokio::test]
#[should_panic(expected = "another version of ioredis than 4")]
async fn another_version_than_the_wanted_one_is_reported() {
    Node::project(&[("ioredis", "4")]).await;
}
