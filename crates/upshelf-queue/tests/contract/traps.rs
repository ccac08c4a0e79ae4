//! What the client of BullMQ does that would surprise: each is worked around, and held here.

use std::time::Duration;

use upshelf_queue::{BoxError, Broker, Context, Job, JobId, Options, Outcome, State};
use upshelf_testkit::wait_until;

use crate::fixture::{Beside, LIMIT, Note, Shelf};

/// A kind whose payload could be anything, `null` too.
#[derive(serde::Serialize, serde::Deserialize)]
struct Anything(Option<serde_json::Value>);

impl Job for Anything {
    const NAME: &'static str = "anything";
    const QUEUE: &'static str = "notes";
}

#[tokio::test(flavor = "multi_thread")]
async fn data_that_is_no_json_fails_its_job_with_a_reason_and_touches_no_other() {
    let shelf = Shelf::shared().await;
    let deep = format!("{}1{}", r#"{"name":"#.repeat(500), "}".repeat(500));
    // A note says first that a name is a text.
    let broken = [
        ("{\"name\":", ["EOF while parsing"; 2]),
        (r#"{"name":"\ud800"}"#, ["hex escape"; 2]),
        (&*deep, ["expected a string", "recursion limit"]),
    ];
    let mut poisoned = Vec::new();
    for (data, reasons) in broken {
        shelf.push("sound").await;
        let ids = [
            shelf.push("poisoned").await,
            shelf
                .queue
                .push(&Anything(None), Options::default())
                .await
                .expect("it is added")
                .expect("no key"),
        ];
        for (id, reason) in ids.into_iter().zip(reasons) {
            let JobId::Shared { id: name, .. } = &id else { panic!("{id} is not only in Redis") };
            let key = shelf.beside().key(Note::QUEUE, name);
            shelf.beside().server.command(&["HSET", &key, "data", data]).await;
            poisoned.push((id, reason));
        }
        shelf.push("sound").await;
    }
    let anything = async |_: Anything, _: Context| Ok::<_, BoxError>(Outcome::Done);
    let running = shelf.queue.work(shelf.handlers().on(anything)).await.expect("the workers start");
    for (id, reason) in poisoned {
        let failed = shelf.until(&id, State::Failed).await;
        let error = failed.error.unwrap_or_default();
        assert!(error.starts_with("the payload does not fit the job") && error.contains(reason), "{error}");
        assert_eq!(failed.attempt, 1);
    }
    shelf.seen.wait_for("sound", 6).await;
    running.close(LIMIT).await.expect("it closes");
    assert_eq!(shelf.seen.names().len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_handed_over_twice_is_one_job() {
    let shelf = Shelf::shared().await;
    shelf.queue.pause(Note::QUEUE).await.expect("it pauses");
    let (one, two) = (shelf.work().await, shelf.work_as(&shelf.elsewhere().await).await);
    shelf.enqueue_all((0..50).map(|job| format!("job {job}"))).await;
    for _ in 0..3 {
        wait_until("they are handed over", LIMIT, async || shelf.rows("pending").await == 50).await;
        // As if the process had died between handing over and noting it.
        let again = "UPDATE river_job SET state = 'available'";
        shelf.execute(again, again).await;
    }
    wait_until("they are handed over", LIMIT, async || shelf.rows("pending").await == 50).await;
    let stats = shelf.queue.stats(Note::QUEUE).await.expect("Redis answers");
    assert_eq!(stats.paused, 50);
    shelf.queue.resume(Note::QUEUE).await.expect("it resumes");
    wait_until("all to be completed", LIMIT, async || shelf.rows("completed").await == 50).await;
    one.close(LIMIT).await.expect("it closes");
    two.close(LIMIT).await.expect("it closes");
    assert_eq!(shelf.seen.names().len(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_was_completed_and_not_noted_in_redis_does_not_run_again() {
    let shelf = Shelf::shared().await;
    shelf.queue.pause(Note::QUEUE).await.expect("it pauses");
    let running = shelf.work().await;
    let mut tx = shelf.begin().await;
    let id = shelf.queue.enqueue(tx.connection(), &Note::new("done before"), Options::default()).await;
    let id = id.expect("it is inserted").expect("it has no key");
    tx.commit().await;
    wait_until("it is handed over", LIMIT, async || shelf.rows("pending").await == 1).await;
    // As if the process that worked it had died between the two notes.
    let done = "UPDATE river_job SET state = 'completed', finalized_at = CURRENT_TIMESTAMP";
    shelf.execute(done, done).await;
    shelf.queue.resume(Note::QUEUE).await.expect("it resumes");
    let JobId::Row(row) = id else { panic!("a row has a number") };
    let (key, name) = (shelf.beside().key(Note::QUEUE, "completed"), format!("river-{row}"));
    wait_until("Redis to have it completed", LIMIT, async || {
        shelf.beside().server.command(&["ZSCORE", &key, &name]).await != "(nil)"
    })
    .await;
    running.close(LIMIT).await.expect("it closes");
    assert!(shelf.seen.names().is_empty(), "{:?}", shelf.seen.names());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_row_was_removed_does_not_run() {
    let shelf = Shelf::shared().await;
    shelf.queue.pause(Note::QUEUE).await.expect("it pauses");
    let running = shelf.work().await;
    shelf.enqueue_all(["removed".to_owned(), "kept".to_owned()].into_iter()).await;
    wait_until("they are handed over", LIMIT, async || shelf.rows("pending").await == 2).await;
    shelf
        .execute(
            "DELETE FROM river_job WHERE args ->> '$.name' = 'removed'",
            "DELETE FROM river_job WHERE args ->> 'name' = 'removed'",
        )
        .await;
    shelf.queue.resume(Note::QUEUE).await.expect("it resumes");
    shelf.seen.wait_for("kept", 1).await;
    wait_until("nothing to wait", LIMIT, async || {
        let stats = shelf.queue.stats(Note::QUEUE).await.expect("Redis answers");
        (stats.waiting, stats.active) == (0, 0)
    })
    .await;
    running.close(LIMIT).await.expect("it closes");
    assert_eq!(shelf.seen.names(), ["kept"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_act_on_jobs_that_are_handed_over() {
    let shelf = Shelf::shared().await;
    let queue = shelf.with(|settings| settings.default.backoff.first = Duration::from_secs(3600)).await;
    let running = shelf.work_as(&queue).await;
    let enqueue = async |name: &str| {
        let mut tx = shelf.begin().await;
        let id = queue.enqueue(tx.connection(), &Note::new(name), Options::default()).await;
        tx.commit().await;
        id.expect("it is inserted").expect("it has no key")
    };
    let delayed = enqueue("errs").await;
    shelf.until(&delayed, State::Delayed).await;
    let active = enqueue("obeys").await;
    shelf.seen.wait_for("obeys", 1).await;
    queue.pause(Note::QUEUE).await.expect("it pauses");
    let waiting = enqueue("waits").await;
    wait_until("it is handed over", LIMIT, async || shelf.rows("pending").await == 3).await;

    let stats = queue.stats(Note::QUEUE).await.expect("Redis answers");
    assert_eq!((stats.delayed, stats.active, stats.paused), (1, 1, 1));
    for (state, id) in [(State::Delayed, &delayed), (State::Active, &active), (State::Waiting, &waiting)] {
        let listed = queue.jobs(Note::QUEUE, state, None, 10).await.expect("it lists").jobs;
        assert_eq!(listed.iter().map(|job| &job.id).collect::<Vec<_>>(), [id], "{state:?}");
    }
    assert!(queue.promote(delayed.clone()).await.expect("it promotes"));
    assert!(!queue.promote(waiting.clone()).await.expect("it is due already"));
    assert_eq!(shelf.entry(&delayed).await.state, State::Waiting);
    assert!(matches!(queue.remove(active.clone()).await, Err(upshelf_queue::Error::Active(_))));
    assert!(queue.remove(waiting.clone()).await.expect("it removes"));
    assert!(queue.find_job(waiting).await.expect("it answers").is_none());
    assert_eq!(queue.drain(Note::QUEUE).await.expect("it drains"), 1, "what runs stays");
    assert!(queue.find_job(delayed).await.expect("it answers").is_none());
    assert_eq!(shelf.rows("pending").await, 1);
    running.close(Duration::ZERO).await.expect("it closes");
    let entry = shelf.entry(&active).await;
    assert_eq!((entry.state, entry.attempt), (State::Waiting, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_resumed_while_its_worker_begins_stays_resumed() {
    let shelf = Shelf::with_redis(Beside::cuttable().await).await.connected().await;
    let near = shelf.elsewhere_near(|_| {}).await;
    let proxy = shelf.beside().proxy.as_ref().expect("it is behind a proxy");
    for turn in 1..=2 {
        shelf.queue.pause(Note::QUEUE).await.expect("it pauses");
        shelf.enqueue_all(["resumed".to_owned()].into_iter()).await;
        // The worker reads of the pause in the database, and asks Redis only when the queue was resumed there.
        proxy.delay(Duration::from_millis(300));
        let running = shelf.work().await;
        wait_until("the worker to begin", LIMIT, async || shelf.rows("pending").await == 1).await;
        near.resume(Note::QUEUE).await.expect("it resumes");
        proxy.restore();
        shelf.seen.wait_for("resumed", turn).await;
        running.close(LIMIT).await.expect("it closes");
    }
}
