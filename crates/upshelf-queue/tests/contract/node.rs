//! Programs in Node beside ours, on the same queues: BullMQ from npm, and Bull Board.

use std::time::Duration;

use serde_json::Value;
use upshelf_queue::{Broker, Context, Handlers, Job, JobId, Options, Priority, State};
use upshelf_testkit::{Node, Program, wait_until};

use crate::fixture::{Beside, LIMIT, Note, Seen, Shelf};

struct Beyond(Program, #[expect(dead_code, reason = "the script runs in its folder")] Node);

impl Beyond {
    async fn start(shelf: &Shelf) -> Self {
        let packages =
            [("bullmq", "6"), ("@bull-board/api", "9"), ("@bull-board/express", "9"), ("express", "5")];
        let node = Node::project(&packages).await;
        let beside = shelf.beside();
        let program = node.start("tests/contract/node.mjs", &[&beside.url, &beside.bull()], &[]);
        Self(program, node)
    }

    async fn ask(&mut self, words: &[&str]) -> String {
        self.0.send(&words.join("\t"));
        let reply = self.0.answer("reply ", LIMIT).await;
        reply.trim_start_matches("reply ").to_owned()
    }

    async fn add(&mut self, queue: &str, name: &str, options: &str) -> JobId {
        let data = serde_json::json!({ "name": name }).to_string();
        let id = self.ask(&["add", queue, "note", &data, options]).await;
        JobId::Shared { queue: queue.into(), id: id.as_str().into() }
    }

    /// The names of the jobs that Node ran, with the attempt.
    fn ran(&self) -> Vec<String> {
        let lines = self.0.lines();
        lines.iter().filter_map(|line| line.strip_prefix("ran note ")).map(str::to_owned).collect()
    }

    async fn has_event(&mut self, event: &str) {
        self.0.wait_for(&format!("event {event}"), LIMIT).await;
    }
}

macro_rules! kinds {
    ($($kind:ident $queue:literal),*) => {
        $(#[derive(serde::Serialize, serde::Deserialize)]
        struct $kind { name: String }
        impl Job for $kind {
            const NAME: &'static str = concat!("note of ", $queue);
            const QUEUE: &'static str = $queue;
        })*
        const QUEUES: [&str; 5] = [$($queue),*];
        fn five(seen: &Seen) -> Handlers {
            Handlers::default()$(.on({
                let seen = seen.clone();
                move |job: $kind, context: Context| {
                    let seen = seen.clone();
                    async move { upshelf_queue::Handler::run(&seen, Note::new(&job.name), context).await }
                }
            }))*
        }
    };
}

kinds! { Approval "auto-approval", Notification "notifications", View "analytics", Mail "email", Sweep "cleanup" }

#[tokio::test(flavor = "multi_thread")]
async fn node_adds_to_each_queue_and_we_run_it() {
    let shelf = Shelf::with_redis(Beside::own().await).await.connected().await;
    let mut node = Beyond::start(&shelf).await;
    let running = shelf.queue.work(five(&shelf.seen)).await.expect("the workers start");
    for queue in QUEUES {
        let name = format!("note of {queue}");
        let id = node.ask(&["add", queue, &name, &format!(r#"{{"name":"to {queue}"}}"#), "{}"]).await;
        let id = JobId::Shared { queue: queue.into(), id: id.as_str().into() };
        assert_eq!(shelf.until(&id, State::Completed).await.attempt, 1);
        assert_eq!(shelf.seen.count(&format!("to {queue}")), 1);
    }
    running.close(LIMIT).await.expect("it closes");

    let board: Value =
        serde_json::from_str(&node.ask(&[&["board"], &QUEUES[..]].concat()).await).expect("JSON");
    for queue in QUEUES {
        assert_eq!((&board[queue]["completed"], &board[queue]["failed"]), (&1.into(), &0.into()), "{board}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_node_adds_is_retried_delayed_prioritised_and_deduplicated_and_node_hears_of_it() {
    let shelf = Shelf::with_redis(Beside::own().await).await.connected().await;
    let queue = shelf.with(|settings| settings.default.concurrency = 1).await;
    let mut node = Beyond::start(&shelf).await;
    assert_eq!(node.ask(&["events", Note::QUEUE]).await, "listening");
    let twice = node
        .add(Note::QUEUE, "errs twice", r#"{"attempts":3,"backoff":{"type":"exponential","delay":200}}"#)
        .await;
    let once = node.add(Note::QUEUE, "errs", r#"{"attempts":1}"#).await;
    let delayed = node.add(Note::QUEUE, "later", r#"{"delay":1500}"#).await;
    let deduplicated = r#"{"deduplication":{"id":"one"}}"#;
    let first = node.add(Note::QUEUE, "deduplicated", deduplicated).await;
    assert_eq!(node.add(Note::QUEUE, "deduplicated", deduplicated).await, first);
    for (name, priority) in [("third", 9), ("second", 3), ("first", 1)] {
        node.add(Note::QUEUE, name, &format!(r#"{{"priority":{priority}}}"#)).await;
    }
    node.add(Note::QUEUE, "talks", "{}").await;

    let running = shelf.work_as(&queue).await;
    let done = shelf.until(&twice, State::Completed).await;
    assert_eq!((done.attempt, done.attempts), (3, 3));
    let failed = shelf.until(&once, State::Failed).await;
    assert_eq!((failed.attempt, failed.error.as_deref()), (1, Some("the shelf is full")));
    let late = shelf.until(&delayed, State::Completed).await;
    let waited = late.begun_at.expect("it ran").duration_since(late.created_at);
    assert!(waited >= jiff::SignedDuration::from_millis(1_490), "{waited:?}");
    shelf.until(&first, State::Completed).await;
    let names = shelf.seen.names();
    assert_eq!(shelf.seen.count("deduplicated"), 1);
    let place = |name: &str| names.iter().position(|seen| seen == name).expect("it ran");
    assert!(place("first") < place("second") && place("second") < place("third"), "{names:?}");
    running.close(LIMIT).await.expect("it closes");
    // Its key is free again.
    assert_ne!(node.add(Note::QUEUE, "deduplicated", deduplicated).await, first);

    let JobId::Shared { id: twice, .. } = twice else { panic!("Node's jobs are in Redis") };
    let JobId::Shared { id: once, .. } = once else { panic!("Node's jobs are in Redis") };
    node.has_event(&format!("delayed {twice}")).await;
    node.has_event(&format!("completed {twice}")).await;
    node.has_event(&format!("failed {once} the shelf is full")).await;
    node.has_event("progress").await;
    node.has_event("deduplicated").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_we_commit_a_node_worker_runs_and_its_row_is_settled() {
    let shelf = Shelf::with_redis(Beside::own().await).await.connected().await;
    let queue = shelf.with(|settings| settings.default.backoff.first = Duration::from_millis(100)).await;
    let mut node = Beyond::start(&shelf).await;
    // Handed over while nobody works, so that all of it is Node's.
    queue.pause(Note::QUEUE).await.expect("it pauses");
    let running = shelf.work_as(&queue).await;
    let push = async |name: &str, options: Options| {
        let mut tx = shelf.begin().await;
        let id = queue.enqueue(tx.connection(), &Note::new(name), options).await.expect("it is inserted");
        tx.commit().await;
        id
    };
    let normal = push("errs twice", Options::default()).await.expect("it has no key");
    let low = push("low", Options::default().priority(Priority::Low)).await.expect("it has no key");
    let urgent = push("urgent", Options::default().priority(Priority::Urgent)).await.expect("it has no key");
    let keyed = push("keyed", Options::default().key("k")).await.expect("the key is free");
    assert_eq!(push("keyed", Options::default().key("k")).await, None);
    let soon = shelf.entry(&low).await.created_at + Duration::from_millis(800);
    let delayed = push("delayed", Options::default().at(soon)).await.expect("it has no key");
    let fails = push("errs", Options::default()).await.expect("it has no key");
    wait_until("all to be handed over", LIMIT, async || shelf.rows("pending").await == 6).await;
    running.close(LIMIT).await.expect("it closes");

    assert_eq!(node.ask(&["events", Note::QUEUE]).await, "listening");
    queue.resume(Note::QUEUE).await.expect("it resumes");
    assert_eq!(node.ask(&["work", Note::QUEUE]).await, "working");
    let JobId::Row(row) = normal else { panic!("a row has a number") };
    node.has_event(&format!("completed river-{row}")).await;
    // The low one may be the last of all, where the machine is slow.
    for id in [&delayed, &low] {
        let JobId::Row(row) = id else { panic!("a row has a number") };
        node.has_event(&format!("completed river-{row}")).await;
    }
    let JobId::Row(failing) = fails else { panic!("a row has a number") };
    node.has_event(&format!("failed river-{failing} never")).await;
    let mut ran = node.ran();
    let place = |name: &str| {
        ran.iter().position(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {ran:?}"))
    };
    assert!(place("urgent") < place("errs twice") && place("keyed") < place("low"), "{ran:?}");
    ran.retain(|line| !line.starts_with("errs"));
    assert_eq!(ran.len(), 4, "each once: {ran:?}");
    assert_eq!(node.ran().iter().filter(|line| line.starts_with("errs twice")).count(), 3);

    // Our own process notes it when it looks again.
    let running = shelf.work_as(&queue).await;
    for id in [&normal, &low, &urgent, &keyed, &delayed] {
        shelf.until(id, State::Completed).await;
    }
    assert_eq!(shelf.entry(&normal).await.attempt, 3);
    let failed = shelf.until(&fails, State::Failed).await;
    assert_eq!((failed.attempt, failed.error.as_deref()), (3, Some("never")));
    assert!(push("keyed", Options::default().key("k")).await.is_some(), "its key is free again");
    running.close(LIMIT).await.expect("it closes");
    assert!(!shelf.seen.names().contains(&"low".to_owned()), "Node ran it, and we did not");
}

#[tokio::test(flavor = "multi_thread")]
async fn bull_board_counts_the_five_queues_right() {
    let shelf = Shelf::with_redis(Beside::own().await).await.connected().await;
    let mut node = Beyond::start(&shelf).await;
    let running = shelf.queue.work(five(&shelf.seen)).await.expect("the workers start");
    let push = async |name: &str| {
        let mut tx = shelf.begin().await;
        let id =
            shelf.queue.enqueue(tx.connection(), &Mail { name: name.to_owned() }, Options::default()).await;
        tx.commit().await;
        id.expect("it is inserted").expect("it has no key")
    };
    for _ in 0..3 {
        shelf.until(&push("done").await, State::Completed).await;
    }
    shelf.until(&push("fails").await, State::Failed).await;
    let active = push("obeys").await;
    shelf.until(&active, State::Active).await;
    shelf.queue.pause("email").await.expect("it pauses");
    for _ in 0..2 {
        push("waits").await;
    }
    wait_until("all to be handed over", LIMIT, async || shelf.rows("pending").await == 3).await;

    let board: Value =
        serde_json::from_str(&node.ask(&[&["board"], &QUEUES[..]].concat()).await).expect("JSON");
    let email = &board["email"];
    let held = ["waiting", "paused"].iter().filter_map(|state| email[state].as_u64()).max();
    assert_eq!(
        (&email["completed"], &email["failed"], &email["active"], held),
        (&3.into(), &1.into(), &1.into(), Some(2)),
        "{board}"
    );
    for queue in QUEUES.iter().filter(|queue| **queue != "email") {
        assert!(
            board[queue].as_object().expect("counts").values().all(|count| *count == 0),
            "{queue}: {board}"
        );
    }
    let stats = shelf.queue.stats("email").await.expect("Redis answers");
    assert_eq!((stats.completed, stats.failed, stats.active, stats.paused), (3, 1, 1, 2));
    running.close(Duration::ZERO).await.expect("it closes");
}
