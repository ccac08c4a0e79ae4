//! Redis forgets everything: no committed job is lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use upshelf_queue::{BoxError, Broker, Context, Handlers, Job, Options, Outcome, State};
use upshelf_testkit::{Keep, wait_until};

use crate::fixture::{Beside, LIMIT, Note, Shelf};

/// For what takes long on a busy machine.
const LONG: Duration = Duration::from_secs(120);

#[derive(Clone, Copy, Debug)]
enum Loss {
    Flushed,
    Restarted,
}

async fn lose(shelf: &Shelf, loss: Loss) {
    match loss {
        Loss::Flushed => drop(shelf.beside().server.command(&["FLUSHALL"]).await),
        Loss::Restarted => {
            shelf.beside().server.own().kill9();
            shelf.beside().server.own().restart(Keep::Nothing).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_emptied_in_the_middle_loses_no_committed_job() {
    for loss in [Loss::Flushed, Loss::Restarted] {
        let shelf = Shelf::with_redis(Beside::own().await).await.connected().await;
        let running = shelf.work().await;
        shelf.enqueue_all((0..400).map(|job| format!("job {job}"))).await;
        wait_until("some jobs to have run", LIMIT, async || shelf.seen.names().len() >= 50).await;
        lose(&shelf, loss).await;
        let begun = Instant::now();
        wait_until("every row to be completed", LONG, async || shelf.rows("completed").await == 400).await;
        let mut runs = BTreeMap::<_, u32>::new();
        for name in shelf.seen.names() {
            *runs.entry(name).or_default() += 1;
        }
        let again = runs.values().filter(|runs| **runs > 1).count();
        eprintln!("{loss:?}: all done {:?} later, {again} of 400 ran twice", begun.elapsed());
        assert_eq!(runs.len(), 400);
        // Only what ran at that moment, at most.
        assert!(again <= 5, "{again} ran twice");
        running.close(LIMIT).await.expect("it closes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_between_two_attempts_and_a_key_survive_an_emptied_redis() {
    let shelf = Shelf::with_redis(Beside::own().await).await.connected().await;
    let queue = shelf.with(|settings| settings.default.backoff.first = Duration::from_secs(3600)).await;
    queue.pause(Note::QUEUE).await.expect("it pauses");
    let keyed = || Options::default().key("k");
    let id = queue.push(&Note::new("errs"), keyed()).await.expect("it is inserted").expect("the key is free");
    queue.resume(Note::QUEUE).await.expect("it resumes");
    let running = shelf.work_as(&queue).await;
    shelf.until(&id, State::Delayed).await;
    assert_eq!(shelf.entry(&id).await.error.as_deref(), Some("the shelf is full"));
    assert_eq!(queue.push(&Note::new("errs"), keyed()).await.expect("it answers"), None, "the key is taken");
    lose(&shelf, Loss::Flushed).await;
    // It begins anew, as Redis forgot what was attempted.
    shelf.seen.wait_for("errs", 2).await;
    assert_eq!(queue.push(&Note::new("errs"), keyed()).await.expect("it answers"), None, "the key is taken");
    running.close(LIMIT).await.expect("it closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_survives_an_emptied_redis() {
    let shelf = Shelf::with_redis(Beside::own().await).await.connected().await;
    let running = shelf.work().await;
    shelf.queue.pause(Note::QUEUE).await.expect("it pauses");
    for loss in [Loss::Flushed, Loss::Restarted] {
        lose(&shelf, loss).await;
        wait_until("the queue to be paused again", LIMIT, async || {
            shelf.queue.stats(Note::QUEUE).await.is_ok_and(|stats| stats.is_paused)
        })
        .await;
    }
    let id = shelf.push("held").await;
    assert_eq!(shelf.queue.stats(Note::QUEUE).await.expect("Redis answers").paused, 1);
    shelf.queue.resume(Note::QUEUE).await.expect("it resumes");
    shelf.until(&id, State::Completed).await;
    running.close(LIMIT).await.expect("it closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_before_redis_was_emptied_can_be_retried() {
    let shelf = Shelf::with_redis(Beside::own().await).await.connected().await;
    let running = shelf.work().await;
    let mut tx = shelf.begin().await;
    let id = shelf.queue.enqueue(tx.connection(), &Note::new("errs"), Options::default()).await;
    let id = id.expect("it is inserted").expect("it has no key");
    tx.commit().await;
    shelf.until(&id, State::Failed).await;
    lose(&shelf, Loss::Flushed).await;
    let failed = shelf.entry(&id).await;
    assert_eq!((failed.attempt, failed.error.as_deref()), (3, Some("the shelf is full")));
    assert_eq!(shelf.queue.retry_failed(Note::QUEUE).await.expect("it retries"), 1);
    shelf.seen.wait_for("errs", 6).await;
    let failed = shelf.until(&id, State::Failed).await;
    assert_eq!((failed.attempt, failed.attempts), (6, 6));
    running.close(LIMIT).await.expect("it closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_fails_when_redis_was_just_emptied_leaves_nothing_in_the_way_of_the_next() {
    let shelf = Shelf::with_redis(Beside::own().await).await.connected().await;
    let (begun, emptied) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (attempts, seen) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&begun));
    let handler = {
        let emptied = Arc::clone(&emptied);
        move |_: Note, context: Context| {
            let (attempts, begun, emptied) = (Arc::clone(&attempts), Arc::clone(&seen), Arc::clone(&emptied));
            async move {
                if attempts.fetch_add(1, Ordering::SeqCst) > 0 {
                    return Ok(Outcome::Done);
                }
                begun.notify_one();
                emptied.notified().await;
                context.log("it was emptied meanwhile");
                Err(BoxError::from("the shelf is full"))
            }
        }
    };
    let running = shelf.queue.work(Handlers::default().on(handler)).await.expect("the workers start");
    shelf.enqueue_all(["job".to_owned()].into_iter()).await;
    begun.notified().await;
    lose(&shelf, Loss::Flushed).await;
    emptied.notify_one();
    wait_until("the row to be completed", LIMIT, async || shelf.rows("completed").await == 1).await;
    let log = shelf.beside().key(Note::QUEUE, "river-1:logs");
    assert_eq!(
        shelf.beside().server.command(&["EXISTS", &log]).await,
        "0",
        "a log of the forgotten job is there"
    );
    running.close(LIMIT).await.expect("it closes");
}
