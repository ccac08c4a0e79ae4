//! Wherever Redis is.

use upshelf_queue::{Broker, Job, State};
use upshelf_testkit::{Keep, RedisSentinel, RedisServer, wait_until};

use crate::fixture::{Beside, LIMIT, Note, Server, Shelf, redis};

#[tokio::test(flavor = "multi_thread")]
async fn jobs_go_on_at_the_next_primary() {
    let sentinel = RedisSentinel::start().await;
    let shared = RedisServer::shared().await;
    let shelf =
        Shelf::with_redis(Beside::open(sentinel.url(), Server::One(shared), None)).await.connected().await;
    let running = shelf.work().await;
    shelf.enqueue_all((0..50).map(|job| format!("first {job}"))).await;
    wait_until("the first jobs", LIMIT, async || shelf.rows("completed").await == 50).await;
    for (turn, fail) in ["demoted", "killed"].into_iter().enumerate() {
        shelf.queue.pause(Note::QUEUE).await.expect("it pauses");
        shelf.enqueue_all((0..20).map(|job| format!("waiting {turn} {job}"))).await;
        wait_until("they are handed over", LIMIT, async || shelf.rows("pending").await == 20).await;
        match fail {
            "demoted" => sentinel.fail_over().await,
            _ => sentinel.kill_primary().await,
        }
        shelf.enqueue_all((0..20).map(|job| format!("{fail} {job}"))).await;
        shelf.queue.resume(Note::QUEUE).await.ok();
        let expected = 50 + 40 * (i64::try_from(turn).expect("small") + 1);
        wait_until(&format!("all jobs after the primary was {fail}"), LIMIT * 3, async || {
            let _ = shelf.queue.resume(Note::QUEUE).await;
            shelf.rows("completed").await == expected
        })
        .await;
    }
    running.close(LIMIT).await.expect("it closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_a_database_and_tls_reach_the_jobs_connections_too() {
    let server = RedisServer::start_with(&["--requirepass", "p@ss/word:1"]).await;
    let socket = server.socket().expect("it is our own");
    for url in [
        format!("redis://:p%40ss%2Fword%3A1@{}/3", server.address()),
        format!("unix:{}?db=3&pass=p%40ss%2Fword%3A1", socket.display()),
    ] {
        let shared = RedisServer::shared().await;
        let shelf = Shelf::with_redis(Beside::open(url, Server::One(shared), None)).await.connected().await;
        let running = shelf.work().await;
        shelf.until(&shelf.push("reached").await, State::Completed).await;
        running.close(LIMIT).await.expect("it closes");
    }
    let keys = server.command(&["INFO", "keyspace"]).await;
    assert!(keys.contains("db3:") && !keys.contains("db0:"), "{keys}");

    let server = RedisServer::start_tls(&[]).await;
    let address = server.url().parse().expect("test servers have addresses");
    let settings =
        upshelf_redis::Settings { ca_file: server.authority(), ..upshelf_redis::Settings::new(address) };
    let handle = upshelf_redis::Redis::open(settings, &Default::default(), Default::default());
    let beside = Beside { redis: handle, ..Beside::one().await };
    let shelf = Shelf::with_redis(beside).await.connected().await;
    let running = shelf.work().await;
    shelf.until(&shelf.push("in private").await, State::Completed).await;
    running.close(LIMIT).await.expect("it closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_again_the_database_works_what_was_handed_over() {
    let shelf = Shelf::with_redis(Beside::own().await).await.connected().await;
    shelf.queue.pause(Note::QUEUE).await.expect("it pauses");
    let running = shelf.work().await;
    shelf.enqueue_all((0..5).map(|job| format!("job {job}"))).await;
    wait_until("they are handed over", LIMIT, async || shelf.rows("pending").await == 5).await;
    running.close(LIMIT).await.expect("it closes");
    shelf.beside().server.own().restart(Keep::Nothing).await;

    let alone = upshelf_queue::Queue::local(shelf.pools.clone(), crate::fixture::quick()).expect("in range");
    let running = shelf.work_as(&alone).await;
    alone.resume(Note::QUEUE).await.expect("it resumes");
    wait_until("all to be completed", LIMIT, async || shelf.rows("completed").await == 5).await;
    running.close(LIMIT).await.expect("it closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_redis_from_now_on_what_river_was_running_is_taken_over() {
    let shelf = Shelf::shared().await;
    shelf.enqueue_all(["old".to_owned(), "new".to_owned()].into_iter()).await;
    // A process without Redis died ten minutes ago in the middle of one; another began the other a moment ago.
    let begun = "UPDATE river_job SET state = 'running', attempt = 1, attempted_at = now()
        - CASE WHEN args ->> 'name' = 'old' THEN interval '10 minutes' ELSE interval '0' END";
    shelf.execute(begun, begun).await;
    let running = shelf.work().await;
    wait_until("the orphan to be completed", LIMIT, async || shelf.rows("completed").await == 1).await;
    assert_eq!((shelf.rows("running").await, shelf.seen.names()), (1, vec!["old".to_owned()]));
    let done = shelf.queue.jobs(Note::QUEUE, State::Completed, None, 1).await.expect("it lists").jobs;
    assert_eq!((done[0].attempt, done[0].attempts), (2, 3));
    running.close(LIMIT).await.expect("it closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_prefix_is_another_queue_in_redis() {
    let (one, two) = (Shelf::shared().await, Shelf::shared().await);
    let id = one.push("ours").await;
    assert_eq!(one.queue.stats(Note::QUEUE).await.expect("Redis answers").waiting, 1);
    assert_eq!(two.queue.stats(Note::QUEUE).await.expect("Redis answers").waiting, 0);
    assert!(two.queue.find_job(id).await.expect("Redis answers").is_none());
    drop(redis(&one.beside().url, &one.beside().prefix));
}
