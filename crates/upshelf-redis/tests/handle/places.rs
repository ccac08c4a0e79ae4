use std::time::Duration;

use upshelf_redis::{Error, Health};
use upshelf_testkit::{RedisSentinel, RedisServer, unique_prefix, wait_until};

use crate::fixture::{Handle, PATIENCE, assert_away, get, set, settings};

#[tokio::test]
async fn a_server_behind_a_password_a_database_and_a_socket_is_reached() {
    let server = RedisServer::start_with(&["--requirepass", "p@ss/word:1"]).await;
    let handle = Handle::up(&format!("redis://:p%40ss%2Fword%3A1@{}/3", server.address())).await;
    set(&handle.queued(), "here", "3").await.expect("Redis is there");

    let socket = server.socket().expect("it is our own");
    let url = format!("unix:{}?db=3&pass=p%40ss%2Fword%3A1", socket.display());
    let through_socket = Handle::up(&url).await;
    assert_eq!(get(&through_socket.queued(), "here").await.expect("Redis is there").as_deref(), Some("3"));
}

#[tokio::test]
async fn a_server_that_speaks_tls_is_reached_by_who_knows_its_authority() {
    let server = RedisServer::start_tls(&[]).await;
    let mut settings = settings(&server.url());
    settings.ca_file = server.authority();
    let handle = Handle::with(settings.clone());
    handle.is_up().await;
    set(&handle.queued(), "here", "x").await.expect("Redis is there");

    settings.ca_file = None;
    settings.queue_deadline = Duration::from_millis(500);
    let stranger = Handle::with(settings);
    assert_away(get(&stranger.queued(), "here").await);
}

#[tokio::test]
async fn a_refused_sign_in_is_tried_seldom() {
    let server = RedisServer::start_with(&["--requirepass", "right"]).await;
    let wrong = server.url().replace("right", "wrong");
    let proxy = upshelf_testkit::Proxy::to(server.address()).await;
    let wrong = wrong.replace(&server.address().port().to_string(), &proxy.address().port().to_string());
    let mut settings = settings(&wrong);
    settings.queue_deadline = Duration::from_secs(3);
    let handle = Handle::with(settings);
    assert_away(get(&handle.queued(), "x").await);
    assert!(proxy.connections() <= 2 * 3, "{} connections of three lanes in 3 s", proxy.connections());
}

#[tokio::test]
async fn a_server_that_loads_its_data_is_waited_for() {
    let server = RedisServer::start_with(&[
        "--save",
        "",
        "--key-load-delay",
        "20000",
        "--loading-process-events-interval-bytes",
        "1024",
    ])
    .await;
    for n in 0..100 {
        server.command(&["SET", &format!("k{n}"), &"x".repeat(1_000)]).await;
    }
    server.command(&["SAVE"]).await;
    let handle = Handle::up(&server.url()).await;
    let mut health = handle.redis.watch_health();
    // Only a yes or no leaves the wait: what it returns holds a lock that the handle needs.
    let loading = async { health.wait_for(|health| *health == Health::Loading).await.is_ok() };
    let (seen, ()) =
        tokio::join!(tokio::time::timeout(PATIENCE, loading), server.restart(upshelf_testkit::Keep::Data));
    assert_eq!(seen.ok(), Some(true), "it was not seen loading");
    handle.is_up().await;
    assert!(get(&handle.queued(), "k7").await.expect("Redis is there").is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_primary_is_found_when_the_old_one_is_gone_and_when_it_is_demoted() {
    let sentinel = RedisSentinel::start().await;
    let handle = Handle::up(&sentinel.url()).await;
    let (mut subscriber, subscriptions) = handle.redis.subscriber(64);
    assert_eq!(subscriber.next().await, Some(upshelf_redis::Push::Up));
    subscriptions.subscribe("news").await.expect("Redis is there");
    let key = unique_prefix();
    let life = handle.redis.life();
    for (turn, fail) in ["demoted", "killed"].into_iter().enumerate() {
        match fail {
            "demoted" => sentinel.fail_over().await,
            _ => sentinel.kill_primary().await,
        }
        let value = turn.to_string();
        wait_until(&format!("a write after the primary was {fail}"), PATIENCE, async || {
            set(&handle.fast(), &key, &value).await.is_ok()
                && set(&handle.queued(), &key, &value).await.is_ok()
        })
        .await;
        let primary = sentinel.primary_address().await;
        let there = sentinel.servers().iter().find(|server| server.address() == primary);
        let there = there.expect("the sentinels name one of the servers");
        assert_eq!(there.command(&["GET", &key]).await, value, "{fail}");
        wait_until("news to be heard", PATIENCE, async || {
            let _ = handle.queued().publish("news", b"new primary").await;
            let heard = tokio::time::timeout(Duration::from_millis(200), subscriber.next()).await;
            matches!(heard, Ok(Some(upshelf_redis::Push::Message { .. })))
        })
        .await;
    }
    assert_ne!(handle.redis.life(), life, "another server is another life");
}

#[tokio::test]
async fn what_is_written_on_another_line_of_life_is_not_reached() {
    let server = RedisServer::start().await;
    let handle = Handle::up(&server.url()).await;
    let life = handle.redis.life().expect("it was seen");
    let line = handle.queued().in_life(life);
    set(&line, "k", "v").await.expect("it is the same life");
    server.kill9();
    server.restart(upshelf_testkit::Keep::Nothing).await;
    wait_until("a new life", PATIENCE, async || handle.redis.life() != Some(life)).await;
    handle.is_up().await;
    assert!(matches!(set(&line, "k", "v").await, Err(Error::Away(_))));
    assert_eq!(server.command(&["EXISTS", "k"]).await, "0");
}
