use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use upshelf_queue::{BoxError, Broker, Context, Handlers, Job, Options, Outcome, Rate, State};
use upshelf_testkit::{Patience, contract, wait_until};

use crate::fixture::{LIMIT, Note, Shelf, begin};

/// Another kind of job with the name of the first, as an older version wrote it.
#[derive(serde::Serialize, serde::Deserialize)]
struct Misfit {
    number: u32,
}

impl Job for Misfit {
    const NAME: &'static str = Note::NAME;
    const QUEUE: &'static str = Note::QUEUE;
}

/// A kind that nobody here handles.
#[derive(serde::Serialize, serde::Deserialize)]
struct Stranger {}

impl Job for Stranger {
    const NAME: &'static str = "stranger";
    const QUEUE: &'static str = Note::QUEUE;
}

/// A job that makes another.
#[derive(serde::Serialize, serde::Deserialize)]
struct Letter {
    name: String,
}

impl Job for Letter {
    const NAME: &'static str = "letter";
    const QUEUE: &'static str = "letters";
}

contract! {
    parts {
        sqlite => Shelf::sqlite().await,
        postgres => Shelf::postgres().await,
        small => Shelf::small().await,
        shared => Shelf::shared().await,
        cluster => Shelf::cluster().await,
        restored => Shelf::restored().await,
    }

    async fn a_failed_attempt_is_tried_again_after_growing_waits_until_none_is_left(shelf: &Shelf) {
        let queue = shelf.with(|settings| settings.default.backoff.first = Duration::from_millis(200)).await;
        let running = shelf.work_as(&queue).await;
        let push = async |name| {
            let pushed = queue.push(&Note::new(name), Options::default()).await;
            pushed.expect("it is inserted").expect("it has no key")
        };
        let failed = shelf.until(&push("errs").await, State::Failed).await;
        assert_eq!((failed.attempt, failed.error.as_deref()), (3, Some("the shelf is full")));
        let moments = shelf.seen.moments();
        assert_eq!(moments.len(), 3);
        assert!(moments[1] - moments[0] >= Duration::from_millis(150), "{:?}", moments[1] - moments[0]);
        assert!(moments[2] - moments[1] >= Duration::from_millis(300), "{:?}", moments[2] - moments[1]);

        let mended = shelf.until(&push("errs twice").await, State::Completed).await;
        assert_eq!(mended.attempt, 3);
        running.close(LIMIT).await.expect("it closes");
    }

    async fn a_failure_for_good_is_not_tried_again(shelf: &Shelf) {
        let running = shelf.work().await;
        let failed = shelf.until(&shelf.push("fails").await, State::Failed).await;
        assert_eq!((failed.attempt, failed.error.as_deref()), (1, Some("no such shelf")));
        running.close(LIMIT).await.expect("it closes");
        assert_eq!(shelf.seen.count("fails"), 1);
    }

    async fn a_panic_is_a_failed_attempt_and_stops_nothing_else(shelf: &Shelf) {
        let running = shelf.work().await;
        let failed = shelf.until(&shelf.push("panics").await, State::Failed).await;
        assert_eq!((failed.attempt, failed.error.as_deref()), (3, Some("the shelf fell")));
        shelf.until(&shelf.push("after it").await, State::Completed).await;
        running.close(LIMIT).await.expect("it closes");
    }

    async fn a_poisoned_payload_fails_its_job_with_a_reason_and_touches_no_other(shelf: &Shelf) {
        let poisoned = shelf.queue.push(&Misfit { number: 7 }, Options::default()).await;
        let poisoned = poisoned.expect("it is inserted").expect("it has no key");
        let sound = shelf.push("sound").await;
        let running = shelf.work().await;
        let failed = shelf.until(&poisoned, State::Failed).await;
        let reason = failed.error.unwrap_or_default();
        assert!(reason.starts_with("the payload does not fit the job note: missing field `name`"), "{reason}");
        assert_eq!(failed.attempt, 1);
        shelf.until(&sound, State::Completed).await;
        running.close(LIMIT).await.expect("it closes");
        assert_eq!(shelf.seen.names(), ["sound"]);
    }

    async fn a_kind_that_nobody_here_knows_waits_for_who_does(shelf: &Shelf) {
        let stranger = shelf.queue.push(&Stranger {}, Options::default()).await;
        let stranger = stranger.expect("it is inserted").expect("it has no key");
        let running = shelf.work().await;
        shelf.until(&shelf.push("known").await, State::Completed).await;
        running.close(LIMIT).await.expect("it closes");
        let entry = shelf.entry(&stranger).await;
        // BullMQ hands out every kind: who does not know one has it wait.
        let waits = if shelf.is_shared() { State::Delayed } else { State::Waiting };
        assert_eq!((entry.state, entry.attempt), (waits, 0));
        let known = Handlers::default().on(async |_: Stranger, _: Context| Ok::<_, BoxError>(Outcome::Done));
        let running = shelf.queue.work(known).await.expect("the workers start");
        shelf.until(&stranger, State::Completed).await;
        running.close(LIMIT).await.expect("it closes");
    }

    async fn a_snoozed_job_comes_back_and_uses_no_attempt(shelf: &Shelf) {
        let running = shelf.work().await;
        let done = shelf.until(&shelf.push("snoozes").await, State::Completed).await;
        assert_eq!(done.attempt, 1);
        running.close(LIMIT).await.expect("it closes");
        assert_eq!(shelf.seen.count("snoozes"), 6);
    }

    async fn an_attempt_that_takes_too_long_is_ended_and_says_so(shelf: &Shelf) {
        let running = shelf.work().await;
        let id = shelf.push("hangs").await;
        wait_until("the first attempt to time out", LIMIT, async || shelf.entry(&id).await.error.is_some()).await;
        assert_eq!(shelf.entry(&id).await.error.as_deref(), Some("timed out after 2s"));
        running.close(Duration::ZERO).await.expect("it closes");
    }

    async fn progress_and_log_can_be_read_by_everybody(shelf: &Shelf) {
        let running = shelf.work().await;
        let done = shelf.until(&shelf.push("talks").await, State::Completed).await;
        assert_eq!((done.progress, done.log), (Some(40), vec!["first line".to_owned(), "second line".to_owned()]));
        running.close(LIMIT).await.expect("it closes");
    }

    async fn a_long_log_keeps_its_newest_lines_in_order(shelf: &Shelf) {
        let handler = async |_: Note, context: Context| {
            for line in 0..70 {
                context.log(format!("attempt {}, line {line}", context.attempt));
            }
            if context.is_last() { Ok(Outcome::Done) } else { Err(BoxError::from("not yet")) }
        };
        let running = shelf.queue.work(Handlers::default().on(handler)).await.expect("the workers start");
        let mut tx = shelf.begin().await;
        let id = shelf.queue.enqueue(tx.connection(), &Note::new("talks on"), Options::default()).await;
        let id = id.expect("it is inserted").expect("it has no key");
        tx.commit().await;
        shelf.queue.wake(Note::QUEUE);
        let done = shelf.until(&id, State::Completed).await;
        running.close(LIMIT).await.expect("it closes");
        let all = (2..=3).flat_map(|attempt| (0..70).map(move |line| format!("attempt {attempt}, line {line}")));
        assert_eq!(done.log, all.skip(40).collect::<Vec<_>>());
    }

    async fn no_more_jobs_run_side_by_side_than_the_queue_allows(shelf: &Shelf) {
        let queue = shelf.with(|settings| settings.default.concurrency = 3).await;
        for _ in 0..9 {
            shelf.push("one of nine").await;
        }
        // How many run now, and the most there ever were.
        let gauge = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
        let seen = Arc::clone(&gauge);
        let handler = move |_: Note, _: Context| {
            let gauge = Arc::clone(&gauge);
            async move {
                let now = gauge.0.fetch_add(1, Ordering::SeqCst) + 1;
                gauge.1.fetch_max(now, Ordering::SeqCst);
                // Gives a fourth the time to show itself.
                let mut patience = Patience::of(Duration::from_millis(200));
                while gauge.0.load(Ordering::SeqCst) <= 3 && patience.more().await {}
                gauge.0.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, BoxError>(Outcome::Done)
            }
        };
        let running = queue.work(Handlers::default().on(handler)).await.expect("the workers start");
        wait_until("all to be completed", LIMIT, async || {
            shelf.queue.stats(Note::QUEUE).await.expect("the database answers").completed == 9
        })
        .await;
        running.close(LIMIT).await.expect("it closes");
        assert_eq!(seen.1.load(Ordering::SeqCst), 3);
    }

    async fn no_second_sees_more_jobs_than_the_rate(shelf: &Shelf) {
        let rate = Rate { jobs: 5, per: Duration::from_millis(500) };
        let queue = shelf.with(|settings| settings.default.rate = Some(rate)).await;
        for _ in 0..16 {
            shelf.push("quick").await;
        }
        let running = shelf.work_as(&queue).await;
        shelf.seen.wait_for("quick", 16).await;
        running.close(LIMIT).await.expect("it closes");
        let moments = shelf.seen.moments();
        for window in moments.windows(6) {
            // What Redis hands out in time may begin a little late.
            let play = Duration::from_millis(if shelf.is_shared() { 150 } else { 20 });
            assert!(window[5] - window[0] >= rate.per - play, "{:?}", window[5] - window[0]);
        }
        assert!(moments[15] - moments[0] <= Duration::from_secs(3), "{:?}", moments[15] - moments[0]);
    }

    async fn workers_and_transactions_never_lock_each_other_out(shelf: &Shelf) {
        // Each letter's handler inserts a note in a transaction of its own, while others insert letters.
        let (queue, pools) = (shelf.queue.clone(), shelf.pools.clone());
        let handler = move |letter: Letter, _: Context| {
            let (queue, pools) = (queue.clone(), pools.clone());
            async move {
                let mut tx = begin(&pools).await;
                queue.enqueue(tx.connection(), &Note::new(&letter.name), Options::default()).await?;
                tx.commit().await;
                queue.wake(Note::QUEUE);
                Ok::<_, BoxError>(Outcome::Done)
            }
        };
        let running = shelf.queue.work(shelf.handlers().on(handler)).await.expect("the workers start");
        let elsewhere = shelf.elsewhere().await;
        for number in 0..60 {
            let letter = Letter { name: format!("letter {}", number % 20) };
            let mut tx = shelf.begin().await;
            shelf.queue.enqueue(tx.connection(), &letter, Options::default()).await.expect("it is inserted");
            tx.commit().await;
            shelf.queue.wake(Letter::QUEUE);
            elsewhere.push(&letter, Options::default()).await.expect("it is inserted from another process");
        }
        wait_until("every note", LIMIT, async || {
            shelf.queue.stats(Note::QUEUE).await.expect("the database answers").completed == 120
        })
        .await;
        running.close(LIMIT).await.expect("it closes");
        assert_eq!(shelf.seen.count("letter 7"), 6);
        let letters = shelf.queue.stats(Letter::QUEUE).await.expect("the database answers");
        assert_eq!((letters.completed, letters.failed, letters.delayed), (120, 0, 0));
        let first = shelf.queue.jobs(Letter::QUEUE, State::Completed, None, 200).await.expect("it lists").jobs;
        assert!(first.iter().all(|letter| letter.attempt == 1));
    }
}
