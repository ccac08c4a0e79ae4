//! Four processes, 200 requests at once in each, a limit of ten: exactly ten pass.
//!
//! A harness of its own, because this program is also what it starts.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upshelf_redis::{Class, Lane, Redis, Settings, client};
use upshelf_testkit::{Program, RedisServer, wait_until};
use upshelf_throttle::{Limiter, Mode, Policy, Rate, Shared, Subject, Throttle};

const PATIENCE: Duration = Duration::from_secs(60);
const PROCESSES: usize = 4;
const REQUESTS: usize = 200;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    match &*args {
        [_, child, url] if child == "child" => requests(url).await,
        _ => exactly_ten_of_four_processes_requests_pass_and_nothing_else_is_charged().await,
    }
}

async fn exactly_ten_of_four_processes_requests_pass_and_nothing_else_is_charged() {
    let server = RedisServer::start().await;
    let this = std::env::current_exe().expect("this program has a path");
    let start = |_| Program::start(&this, ["child", &server.url()], &[]);
    let mut programs: Vec<_> = (0..PROCESSES).map(start).collect();
    for program in &mut programs {
        program.wait_for("ready", PATIENCE).await;
    }
    server.command(&["SET", "go", "1"]).await;
    let mut passed = 0;
    for program in &mut programs {
        let line = program.wait_for("passed", PATIENCE).await;
        let count = line.rsplit(' ').next().expect("a line has a last word");
        passed += count.parse::<u32>().expect("it is a number");
        assert!(program.wait(PATIENCE).await.success());
    }
    assert_eq!(passed, 10);
    let shared = Shared::new(&redis(&server.url()).await, []);
    let wide = policy("wide", Rate::per_day(1000));
    let left = shared.peek(&ada(), &[&wide], 0).await.expect("Redis is there").usages[0].remaining;
    assert_eq!(left, 990, "790 refused requests were charged nowhere");
    println!("four processes agree");
}

async fn requests(url: &str) {
    let redis = redis(url).await;
    let throttle = Arc::new(Throttle::shared(Mode::On, &redis, []));
    let line = redis.line(Lane::Decisions, Class::FailFast);
    println!("ready");
    wait_until("the word to go", PATIENCE, async || {
        line.query(client::cmd("EXISTS").arg("go")).await.is_ok_and(|exists: bool| exists)
    })
    .await;
    let mut all = JoinSet::new();
    for _ in 0..REQUESTS {
        let throttle = throttle.clone();
        all.spawn(async move {
            let (ten, wide) = (policy("ten", Rate::per_day(10)), policy("wide", Rate::per_day(1000)));
            throttle.take(&ada(), &[&wide, &ten], 1).await.is_allowed
        });
    }
    let passed = all.join_all().await.into_iter().filter(|is_allowed| *is_allowed).count();
    assert!(!throttle.is_alone(), "no request was decided without Redis");
    println!("passed {passed}");
}

/// A connected handle whose deadline a busy machine does not miss.
async fn redis(url: &str) -> Redis {
    let address = url.parse().expect("test servers have addresses");
    let settings = Settings { fail_fast: PATIENCE, ..Settings::new(address) };
    let redis = Redis::open(settings, &TaskTracker::new(), CancellationToken::new());
    wait_until("a connection", PATIENCE, async || redis.health().is_up()).await;
    redis
}

fn ada() -> Subject {
    Subject::member("ada")
}

fn policy(name: &'static str, rate: Rate) -> Policy {
    Policy::new(name, rate).expect("it is a name")
}
