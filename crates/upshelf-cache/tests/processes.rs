//! Four processes, 500 readers at once in each, one key that is nowhere: one of them loads it, once. Where that one is
//! killed, another loads it, once more.
//!
//! A harness of its own, because this program is also what it starts.

use std::convert::Infallible;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upshelf_cache::{Cache, Policy};
use upshelf_redis::{Class, Lane, Line, Redis, Settings, client};
use upshelf_testkit::{Patience, Program, RedisServer, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);
const PROCESSES: usize = 4;
const READERS: usize = 500;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    match &*args {
        [_, child, url] if child == "child" => readers(url).await,
        _ => {
            story(false).await;
            story(true).await;
            println!("four processes loaded once, and once more where the loader was killed");
        }
    }
}

async fn story(is_killed: bool) {
    let server = RedisServer::start().await;
    let this = std::env::current_exe().expect("this program has a path");
    let start = |_| Program::start(&this, ["child", &server.url()], &[]);
    let mut programs: Vec<_> = (0..PROCESSES).map(start).collect();
    for program in &mut programs {
        program.wait_for("ready", PATIENCE).await;
    }
    server.command(&["SET", "go", "1"]).await;
    wait_until("all readers wait", PATIENCE, async || server.command(&["GET", "waiting"]).await == "4").await;
    assert_eq!(server.command(&["GET", "loads"]).await, "1");
    if is_killed {
        let loads = |program: &Program| program.lines().iter().any(|line| line == "loading");
        let at = programs.iter().position(loads).expect("one of them loads");
        programs.remove(at).kill9();
        let loads = async || server.command(&["GET", "loads"]).await == "2";
        wait_until("another loads", PATIENCE, loads).await;
    }
    server.command(&["SET", "release", "1"]).await;
    for mut program in programs {
        program.wait_for("500 readers have it", PATIENCE).await;
        assert!(program.wait(PATIENCE).await.success());
    }
    assert_eq!(server.command(&["GET", "loads"]).await, if is_killed { "2" } else { "1" });
}

async fn readers(url: &str) {
    let address = url.parse().expect("test servers have addresses");
    let settings = Settings { fail_fast: PATIENCE, ..Settings::new(address) };
    let redis = Redis::open(settings, &TaskTracker::new(), CancellationToken::new());
    let cache = Cache::builder().shared(&redis).build();
    wait_until("the cache is shared", PATIENCE, async || !cache.is_degraded()).await;
    let region = cache.region::<String>("texts", Policy::ttl(PATIENCE).hard_timeout(PATIENCE));
    let line = redis.line(Lane::General, Class::Queue);
    println!("ready");
    wait_until("the word to go", PATIENCE, async || is_there(&line, "go").await).await;
    let mut all = JoinSet::new();
    for _ in 0..READERS {
        let (region, line) = (region.clone(), line.clone());
        all.spawn(async move {
            let load = |_| async move {
                println!("loading");
                count(&line, "loads").await;
                let mut patience = Patience::of(PATIENCE);
                while !is_there(&line, "release").await && patience.more().await {}
                Ok::<_, Infallible>("loaded".to_owned())
            };
            region.get_or_load("cache:cold", load).await.is_ok_and(|hit| *hit == "loaded")
        });
    }
    wait_until("somebody loads", PATIENCE, async || {
        cache.stats().misses == READERS as u64 && is_there(&line, "loads").await
    })
    .await;
    count(&line, "waiting").await;
    let served = all.join_all().await.into_iter().filter(|is_served| *is_served).count();
    println!("{served} readers have it");
}

async fn is_there(line: &Line, key: &str) -> bool {
    line.query(client::cmd("EXISTS").arg(key)).await.is_ok_and(|exists: bool| exists)
}

async fn count(line: &Line, key: &str) {
    line.query::<u64>(client::cmd("INCR").arg(key)).await.expect("Redis is there");
}
