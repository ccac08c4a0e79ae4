//! Redis servers: what can be asked of them, and what can befall them.

use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use upshelf_testkit::{Keep, Program, RedisServer, temp_dir, unique_prefix, wait_until};

use crate::{LIMIT, hold};

#[tokio::test]
async fn any_command_is_answered_with_text() {
    let (redis, t) = (RedisServer::shared().await, unique_prefix());
    let key = format!("{t}shelf");
    assert_eq!(redis.command(&["GET", &key]).await, "(nil)");
    assert_eq!(redis.command(&["RPUSH", &key, "oak", "pine"]).await, "2");
    assert_eq!(redis.command(&["LRANGE", &key, "0", "-1"]).await, "oak\npine");
    let error = redis.try_command(&["GET", &key]).await.expect_err("a list is no string");
    assert!(error.starts_with("WRONGTYPE Operation"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn servers_are_used_while_the_clock_is_paused() {
    let start = tokio::time::Instant::now();
    assert_eq!(RedisServer::shared().await.command(&["PING"]).await, "PONG");
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[test]
fn the_shared_server_is_used_from_many_runtimes_at_once() {
    let threads: Vec<_> = (0..8)
        .map(|_| {
            std::thread::spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.expect("a runtime can be made").block_on(async {
                    let redis = RedisServer::shared().await;
                    assert_eq!(redis.command(&["PING"]).await, "PONG");
                    redis.url()
                })
            })
        })
        .collect();
    let urls: Vec<String> = threads.into_iter().map(|t| t.join().expect("no thread panics")).collect();
    assert!(urls.iter().all(|url| *url == urls[0]), "{urls:?}");
}

#[tokio::test]
#[should_panic(expected = "take RedisServer::start() for an outage")]
async fn the_shared_server_cannot_be_taken_from_the_other_tests() {
    RedisServer::shared().await.kill9();
}

#[tokio::test]
async fn the_keys_of_a_test_are_listed_with_type_and_time_to_live() {
    let redis = RedisServer::shared().await;
    // Marks of patterns in a prefix are taken literally.
    let (one, two) = (format!("{}[a]*", unique_prefix()), unique_prefix());
    assert_ne!(one, two);
    redis.command(&["SET", &format!("{one}b"), "1", "EX", "100"]).await;
    redis.command(&["ZADD", &format!("{one}a"), "1", "oak"]).await;
    redis.command(&["SET", &format!("{two}c"), "1"]).await;

    let found = redis.keys(&one).await;
    let names: Vec<&str> = found.iter().map(|key| key.name.strip_prefix(&one).expect("the prefix")).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!((found[0].kind.as_str(), found[0].ttl), ("zset", None));
    let ttl = found[1].ttl.expect("a time to live was set");
    assert!(found[1].kind == "string" && ttl <= Duration::from_secs(100) && ttl > Duration::from_secs(70));
    assert_eq!(redis.keys(&two).await.len(), 1);
}

#[tokio::test]
async fn a_monitor_hears_every_command_in_order() {
    let (redis, t) = (RedisServer::shared().await, unique_prefix());
    let monitor = redis.monitor().await;
    let key = format!("{t}shelf");
    redis.command(&["SET", &key, "oak"]).await;
    redis.command(&["EVAL", "return redis.call('GET', KEYS[1])", "1", &key]).await;
    let heard = monitor.heard(&t).await;
    let commands: Vec<&str> = heard.iter().filter_map(|line| line.split('"').nth(1)).collect();
    assert_eq!(commands, ["SET", "EVAL", "GET"]);
    assert!(heard[2].contains("[0 lua]") && !heard[1].contains("[0 lua]"), "{heard:?}");
    let before = redis.command(&["CLIENT", "LIST"]).await.matches("cmd=monitor").count();
    drop(monitor);
    wait_until("the monitor to be gone", LIMIT, async || {
        redis.command(&["CLIENT", "LIST"]).await.matches("cmd=monitor").count() < before
    })
    .await;
}

#[tokio::test]
async fn a_paused_server_keeps_its_connections_and_answers_later() {
    let redis = RedisServer::start().await;
    let client = redis::Client::open(redis.url()).expect("a URL");
    let mut connection = client.get_connection().expect("the server accepts");
    connection.set_read_timeout(Some(Duration::from_millis(100))).expect("a socket has timeouts");
    redis.pause();
    redis::cmd("SET").arg("shelf").arg("oak").exec(&mut connection).expect_err("nobody answers");
    redis.resume();
    wait_until("the command sent meanwhile", LIMIT, async || redis.command(&["GET", "shelf"]).await == "oak")
        .await;
}

#[tokio::test]
async fn a_restart_keeps_the_data_or_nothing() {
    let redis = RedisServer::start().await;
    let address = redis.address();
    redis.command(&["SET", "shelf", "oak"]).await;
    redis.restart(Keep::Data).await;
    assert_eq!(redis.command(&["GET", "shelf"]).await, "oak");
    redis.pause();
    redis.restart(Keep::Nothing).await;
    assert_eq!(redis.command(&["GET", "shelf"]).await, "(nil)");
    assert_eq!(redis.address(), address);
    assert!(TcpStream::connect(address).is_ok());
}

#[tokio::test]
async fn after_a_power_cut_a_server_has_what_was_on_its_disk() {
    let careful = RedisServer::start_with(&["--appendonly", "yes"]).await;
    let careless = RedisServer::start().await;
    for redis in [&careful, &careless] {
        redis.command(&["SET", "shelf", "oak"]).await;
        redis.kill9();
        assert!(TcpStream::connect(redis.address()).is_err());
        redis.restart(Keep::Data).await;
    }
    assert_eq!(careful.command(&["GET", "shelf"]).await, "oak");
    assert_eq!(careless.command(&["GET", "shelf"]).await, "(nil)");
}

#[tokio::test]
async fn a_password_is_asked_for_and_stands_in_the_url() {
    let redis = RedisServer::start_with(&["--requirepass", "sesame"]).await;
    assert_eq!(redis.url(), format!("redis://:sesame@{}", redis.address()));
    assert_eq!(redis.command(&["PING"]).await, "PONG");
    assert_eq!(redis.info("server", "redis_mode").await.as_deref(), Some("standalone"));
    assert_eq!(redis.info("server", "no_such_field").await, None);
    let ping = |url: &str| {
        redis::Client::open(url).and_then(|to| redis::cmd("PING").exec(&mut to.get_connection()?))
    };
    assert!(ping(&redis.url()).is_ok() && ping(&redis.proxy().await.url()).is_ok());
    assert!(ping(&format!("redis://{}", redis.address())).is_err());
}

#[tokio::test]
async fn a_tls_server_is_trusted_by_its_authority_only() {
    let redis = RedisServer::start_tls(&[]).await;
    let authority = redis.authority().expect("a TLS server has an authority");
    let (address, authority) = (redis.address().to_string(), authority.display().to_string());
    let look = async |arguments: &[&str]| {
        let mut all = vec!["s_client", "-brief", "-verify_return_error", "-connect", &address];
        all.extend(arguments);
        Program::start("openssl", all, &[]).wait(LIMIT).await.success()
    };
    assert!(look(&["-CAfile", &authority, "-verify_hostname", "localhost"]).await);
    assert!(!look(&["-CAfile", &authority, "-verify_hostname", "example.org"]).await);
    assert!(!look(&["-verify_hostname", "localhost"]).await);
    assert_eq!(redis.url(), format!("rediss://localhost:{}", redis.address().port()));
    assert_eq!(redis.command(&["PING"]).await, "PONG");
}

#[tokio::test]
#[should_panic(expected = "Redis did not start")]
async fn settings_that_redis_refuses_are_reported() {
    RedisServer::start_with(&["--appendonly", "perhaps"]).await;
}

#[tokio::test]
async fn a_missing_server_is_a_failure_that_says_how_to_install_it() {
    let folder = temp_dir();
    for program in ["sh", "rm"] {
        std::os::unix::fs::symlink(format!("/bin/{program}"), folder.path().join(program))
            .expect("a new link");
    }
    let path = folder.path().to_str().expect("a temporary folder's name is plain");
    let mut program = Program::start(hold(), ["redis"], &[("PATH", path)]);
    program.wait_for("apt-get install redis-server", LIMIT).await;
    assert!(!program.wait(LIMIT).await.success());
}

#[tokio::test]
async fn a_redis_server_ends_with_its_guard_or_its_process() {
    let redis = RedisServer::start().await;
    let (address, socket) = (redis.address(), redis.socket().expect("our own server has a socket"));
    redis.pause();
    drop(redis);
    assert!(TcpStream::connect(address).is_err() && !socket.exists());

    let mut program = Program::start(hold(), ["redis"], &[]);
    let line = program.wait_for("holding ", LIMIT).await;
    let (address, socket) = line.trim_start_matches("holding ").split_once(' ').expect("two words");
    assert!(TcpStream::connect(address).is_ok() && Path::new(socket).exists());
    program.kill9();
    wait_until("the server and its folder to be gone", LIMIT, async || {
        TcpStream::connect(address).is_err()
            && Path::new(socket).parent().is_some_and(|folder| !folder.exists())
    })
    .await;
}
