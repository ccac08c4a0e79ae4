//! The kit itself: it must be right before anything else can be.

use std::time::Duration;

use sqlx::{Connection, PgConnection, Row};
use upshelf_testkit::{HandClock, Postgres, Program, contract, free_port, temp_dir, wait_until};

mod cluster;
mod node;
mod postgres;
mod proxy;
mod redis;
mod sentinel;

const LIMIT: Duration = Duration::from_secs(20);

trait Shelf {
    fn name(&self) -> impl Future<Output = &'static str> + Send;
}
struct Oak;
struct Pine(u8);
impl Shelf for Oak {
    async fn name(&self) -> &'static str {
        "shelf"
    }
}
impl Shelf for Pine {
    async fn name(&self) -> &'static str {
        if self.0 == 3 { "shelf" } else { "plank" }
    }
}

contract! {
    parts { oak => Oak, pine => std::future::ready(Pine(3)).await }

    /// Parts may differ in type.
    async fn a_part_is_taken_by_reference(shelf: &impl Shelf) {
        assert_eq!(shelf.name().await, "shelf");
    }

    async fn a_test_may_return_a_result(shelf: &impl Shelf) -> Result<(), std::num::ParseIntError> {
        assert_eq!("5".parse::<usize>()?, shelf.name().await.len());
        Ok(())
    }
}

contract! {
    paused
    parts { short => Duration::from_secs(1), long => Duration::from_secs(86_400) }

    async fn a_paused_contract_waits_for_nothing(wait: Duration) {
        let start = tokio::time::Instant::now();
        tokio::time::sleep(wait).await;
        assert!(start.elapsed() >= wait);
    }
}

contract! {
    threads
    parts { two => 2_usize }

    async fn a_threaded_contract_has_two_workers(workers: usize) {
        assert_eq!(tokio::runtime::Handle::current().metrics().num_workers(), workers);
    }
}

#[test]
fn a_hand_clock_shows_the_same_time_to_all() {
    let clock = HandClock::default();
    let other = clock.clone();
    assert_eq!(clock.now().to_string(), "2026-01-05T09:00:00Z");
    clock.advance(Duration::from_millis(1500));
    assert_eq!(other.now().to_string(), "2026-01-05T09:00:01.5Z");
    other.set(jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(clock.now(), jiff::Timestamp::UNIX_EPOCH);
}

#[tokio::test]
async fn every_test_has_a_database_of_its_own_that_goes_with_it() -> Result<(), sqlx::Error> {
    let postgres = Postgres::shared().await;
    let (one, two) = (postgres.database().await, postgres.database().await);
    let mut in_one = PgConnection::connect(&one.url).await?;
    sqlx::raw_sql("CREATE TABLE shelf (id bigint)").execute(&mut in_one).await?;
    let mut in_two = PgConnection::connect(&two.url).await?;
    let found = sqlx::query("SELECT to_regclass('shelf') IS NOT NULL").fetch_one(&mut in_two).await?;
    assert!(!found.get::<bool, _>(0));

    let name: String = sqlx::query_scalar("SELECT current_database()").fetch_one(&mut in_one).await?;
    drop(one);
    wait_until("the first database to be dropped", LIMIT, async || {
        let left =
            sqlx::query_scalar::<_, i64>("SELECT count(*) FROM pg_database WHERE datname = $1").bind(&name);
        left.fetch_one(&mut in_two).await.expect("the server answers") == 0
    })
    .await;
    Ok(())
}

#[tokio::test]
async fn a_server_ends_with_its_process_even_when_that_is_killed() {
    let mut program = Program::start(hold(), ["postgres"], &[]);
    let line = program.wait_for("holding ", LIMIT).await;
    let url = line.trim_start_matches("holding ");
    assert!(PgConnection::connect(url).await.is_ok());

    program.kill9();
    wait_until("the server to be gone", LIMIT, async || PgConnection::connect(url).await.is_err()).await;
}

/// The example that holds servers until it is killed.
fn hold() -> std::path::PathBuf {
    let tests = std::env::current_exe().expect("a test runs from a file");
    tests.parent().and_then(|deps| deps.parent()).expect("target/debug/deps").join("examples/hold")
}

#[tokio::test]
async fn a_program_is_heard_asked_to_end_and_killed() {
    let script = "echo one; echo \"home is $HOME, cargo is $CARGO.\" >&2; trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done";
    let mut program = Program::start("/bin/sh", ["-c", script], &[("HOME", "/nowhere")]);
    program.wait_for("ready", LIMIT).await;
    assert_eq!(program.wait_for("home", LIMIT).await, "home is /nowhere, cargo is .");
    assert_eq!(program.terminate(LIMIT).await.code(), Some(7));

    let mut program =
        Program::start("/bin/sh", ["-c", "trap '' TERM; echo ready; while :; do sleep 0.01; done"], &[]);
    program.wait_for("ready", LIMIT).await;
    program.kill9();
    assert_eq!(program.wait(LIMIT).await.code(), None);
}

#[tokio::test]
async fn a_program_is_talked_to_line_by_line() {
    let script = "while read -r line; do echo \"heard $line\"; done; echo end";
    let mut program = Program::start_with_input("/bin/sh", ["-c", script], &[]);
    for line in ["one", "two", "two"] {
        program.send(line);
        assert_eq!(program.answer("heard", LIMIT).await, format!("heard {line}"));
    }
    assert_eq!(program.wait_for("heard", LIMIT).await, "heard one");
    program.close_input();
    program.answer("end", LIMIT).await;
    assert!(program.wait(LIMIT).await.success());
}

#[tokio::test]
#[should_panic(expected = "it does not read what it is sent")]
async fn a_line_to_a_program_without_input_is_not_lost_in_silence() {
    Program::start("/bin/sh", ["-c", "read -r line"], &[]).send("one");
}

#[tokio::test]
#[should_panic(expected = "what it printed")]
async fn a_program_that_ends_early_is_reported_with_its_output() {
    let mut program = Program::start("/bin/sh", ["-c", "echo what it printed"], &[]);
    program.wait_for("never", LIMIT).await;
}

#[test]
fn ports_are_free_and_folders_go_away() {
    std::net::TcpListener::bind(("127.0.0.1", free_port())).expect("nobody listens on a free port");
    let folder = temp_dir();
    let path = folder.path().to_owned();
    assert!(path.is_dir());
    drop(folder);
    assert!(!path.exists());
}
