use std::sync::LazyLock;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use upshelf_redis::{Class, Lane, Script, Settings, client};
use upshelf_testkit::{Keep, RedisServer, wait_until};

use crate::fixture::{Handle, PATIENCE, assert_away, get, set, settings};

#[tokio::test]
async fn a_program_may_start_before_redis_does() {
    let server = RedisServer::start().await;
    let proxy = server.proxy().await;
    proxy.cut();
    let handle = Handle::to(&proxy.url());
    let begun = Instant::now();
    assert_away(get(&handle.fast(), "k").await);
    assert!(begun.elapsed() < Duration::from_millis(200), "{:?}", begun.elapsed());
    let line = handle.queued();
    let (queued, ()) = tokio::join!(set(&line, "k", "v"), async { proxy.restore() });
    queued.expect("it waited until Redis was there");
    handle.is_up().await;
    assert_eq!(get(&handle.fast(), "k").await.expect("Redis is there").as_deref(), Some("v"));
}

#[tokio::test]
async fn a_frozen_server_costs_little_time_and_is_there_again_at_once() {
    let server = RedisServer::start().await;
    let handle = Handle::up(&server.url()).await;
    server.pause();
    let mut slowest = Duration::ZERO;
    let begun = Instant::now();
    let mut quick = 0;
    while begun.elapsed() < Duration::from_secs(7) {
        let asked = Instant::now();
        assert_away(get(&handle.fast(), "k").await);
        let took = asked.elapsed();
        slowest = slowest.max(took);
        quick += usize::from(took < Duration::from_millis(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(slowest < Duration::from_millis(150), "one took {slowest:?}");
    assert!(quick > 100, "the breaker did not open: only {quick} were refused at once");
    server.resume();
    let resumed = Instant::now();
    wait_until("the first reply", PATIENCE, async || get(&handle.fast(), "k").await.is_ok()).await;
    assert!(resumed.elapsed() < Duration::from_secs(2), "{:?}", resumed.elapsed());
}

#[tokio::test]
async fn a_slow_reply_is_waited_for_as_long_as_the_setting_says() {
    let server = RedisServer::start().await;
    let handle = Handle::up(&server.url()).await;
    let sleepy = handle.redis.line(Lane::General, Class::Queue);
    // The client's own default would give up after half a second.
    let slept: String = sleepy.query(client::cmd("DEBUG").arg("SLEEP").arg("0.8")).await.expect("it answers");
    assert_eq!(slept, "OK");
}

#[tokio::test]
async fn commands_that_time_out_again_and_again_have_their_connection_replaced() {
    let server = RedisServer::start().await;
    let proxy = server.proxy().await;
    let mut settings = settings(&proxy.url());
    settings.command_timeout = Duration::from_secs(1);
    settings.connect_timeout = Duration::from_secs(1);
    let handle = Handle::with(settings);
    handle.is_up().await;
    let before = proxy.connections();
    proxy.freeze();
    for _ in 0..6 {
        assert_away(get(&handle.fast(), "k").await);
    }
    wait_until("a new connection", PATIENCE, async || proxy.connections() > before).await;
    handle.is_away().await;
    proxy.restore();
    handle.is_up().await;
    assert_eq!(get(&handle.fast(), "k").await.expect("Redis is there"), None);
}

#[tokio::test]
async fn a_killed_server_is_noticed_without_traffic_and_found_again() {
    let server = RedisServer::start().await;
    let handle = Handle::up(&server.url()).await;
    server.kill9();
    handle.is_away().await;
    assert_away(get(&handle.fast(), "k").await);
    server.restart(Keep::Nothing).await;
    let restarted = Instant::now();
    handle.is_up().await;
    assert!(restarted.elapsed() < Duration::from_secs(2), "{:?}", restarted.elapsed());
}

#[tokio::test]
async fn no_more_than_so_many_commands_wait_for_a_connection() {
    let server = RedisServer::start().await;
    let proxy = server.proxy().await;
    proxy.cut();
    let mut settings = settings(&proxy.url());
    settings.queue_max = 10;
    let handle = Handle::with(settings);
    let mut tasks = JoinSet::new();
    for n in 0..15 {
        let line = handle.queued();
        tasks.spawn(async move { set(&line, &format!("k{n}"), "v").await.is_ok() });
    }
    // Those beyond the bound are answered at once, the others when Redis is there.
    for _ in 0..5 {
        assert_eq!(tasks.join_next().await.expect("15 were spawned").ok(), Some(false));
    }
    proxy.restore();
    assert_eq!(tasks.join_all().await, [true; 10]);
}

#[tokio::test]
async fn a_command_that_breaks_its_connection_is_done_at_most_once() {
    let server = RedisServer::start().await;
    let proxy = server.proxy().await;
    let handle = Handle::up(&proxy.url()).await;
    for _ in 0..20 {
        let (line, mut add) = (handle.queued(), client::cmd("INCR"));
        add.arg("n");
        let (_, ()) = tokio::join!(line.query::<u64>(&add), async {
            tokio::task::yield_now().await;
            proxy.cut();
        });
        proxy.restore();
        handle.is_up().await;
    }
    let n: u64 = server.command(&["GET", "n"]).await.parse().unwrap_or(0);
    assert!(n <= 20, "{n} of 20");
}

#[tokio::test]
async fn a_handle_that_is_closed_is_away() {
    let server = RedisServer::start().await;
    let (tracker, closing) =
        (tokio_util::task::TaskTracker::new(), tokio_util::sync::CancellationToken::new());
    let redis = upshelf_redis::Redis::open(settings(&server.url()), &tracker, closing.clone());
    let (mut subscriber, _subscriptions) = redis.subscriber(8);
    assert!(subscriber.next().await.is_some());
    closing.cancel();
    tracker.close();
    tracker.wait().await;
    assert_eq!(subscriber.next().await, None);
    assert_away(get(&redis.line(Lane::General, Class::FailFast), "k").await);
}

#[tokio::test]
async fn a_script_that_the_server_does_not_know_takes_no_longer_than_one_command_may() {
    static ONE: LazyLock<Script> = LazyLock::new(|| Script::new("return redis.call('INCR', KEYS[1])"));
    let server = RedisServer::start().await;
    let proxy = server.proxy().await;
    let fail_fast = Duration::from_millis(600);
    let handle = Handle::with(Settings { fail_fast, ..settings(&proxy.url()) });
    handle.is_up().await;
    // A reply comes after 400 ms: there is time for one, and not for a second.
    proxy.delay(Duration::from_millis(200));
    let asked = Instant::now();
    assert_away(handle.fast().eval::<u64>(&ONE, &["k"], &[] as &[&str]).await);
    assert!(asked.elapsed() < Duration::from_millis(750), "{:?}", asked.elapsed());
    proxy.restore();
    handle.is_up().await;
    let counted: u64 = handle.queued().eval(&ONE, &["k"], &[] as &[&str]).await.expect("Redis is there");
    assert!(counted <= 2, "it was run {counted} times");
}
