use std::time::Duration;

use upshelf_queue::{Broker, Error, Job, JobId, Keep, Options, Priority, State};
use upshelf_testkit::{contract, wait_until};

use crate::fixture::{LIMIT, Note, Shelf};

const NOTES: &str = Note::QUEUE;

contract! {
    parts {
        sqlite => Shelf::sqlite().await,
        postgres => Shelf::postgres().await,
        small => Shelf::small().await,
        shared => Shelf::shared().await,
        cluster => Shelf::cluster().await,
        restored => Shelf::restored().await,
    }

    async fn a_paused_queue_hands_out_nothing_until_it_is_resumed(shelf: &Shelf) {
        // Before anybody has worked it, and while somebody does.
        shelf.queue.pause(NOTES).await.expect("it pauses");
        let first = shelf.push("first").await;
        let running = shelf.work().await;
        let stats = shelf.queue.stats(NOTES).await.expect("the database answers");
        assert_eq!((stats.is_paused, stats.paused, stats.waiting), (true, 1, 0));
        shelf.queue.resume(NOTES).await.expect("it resumes");
        shelf.until(&first, State::Completed).await;

        shelf.queue.pause(NOTES).await.expect("it pauses");
        let second = shelf.push_with("second", Options::default().priority(Priority::Urgent)).await;
        // Another queue is not touched: when its job is done, the paused one had its chance, too.
        let probe = shelf.elsewhere().await.push(&Probe {}, Options::default()).await.expect("it is inserted");
        let other = shelf.queue.work(probing()).await.expect("the workers start");
        shelf.until(&probe.expect("it has no key"), State::Completed).await;
        assert_eq!(shelf.queue.stats(NOTES).await.expect("the database answers").paused, 1);
        assert_eq!(shelf.seen.names(), ["first"]);
        shelf.queue.resume(NOTES).await.expect("it resumes");
        shelf.until(&second.expect("it has no key"), State::Completed).await;
        other.close(LIMIT).await.expect("it closes");
        running.close(LIMIT).await.expect("it closes");
    }

    async fn statistics_count_every_job_once(shelf: &Shelf) {
        let far = shelf.entry(&shelf.push("done").await).await.created_at + Duration::from_secs(3600);
        shelf.push("fails").await;
        let running = shelf.work().await;
        wait_until("both to end", LIMIT, async || {
            let stats = shelf.queue.stats(NOTES).await.expect("the database answers");
            (stats.completed, stats.failed) == (1, 1)
        })
        .await;
        shelf.push("obeys").await;
        shelf.seen.wait_for("obeys", 1).await;
        shelf.queue.pause(NOTES).await.expect("it pauses");
        shelf.push_with("delayed", Options::default().at(far)).await;
        shelf.push("waiting").await;
        shelf.push_with("prioritized", Options::default().priority(Priority::Low)).await;
        let stats = shelf.queue.stats(NOTES).await.expect("the database answers");
        assert_eq!((stats.active, stats.delayed, stats.paused, stats.completed, stats.failed), (1, 1, 2, 1, 1));
        assert_eq!(stats.completed_last_minute, 1);
        assert!(stats.mean_run.is_some() && stats.mean_wait.is_some(), "{stats:?}");
        let oldest = stats.oldest_waiting.expect("two jobs wait");
        assert!(oldest < LIMIT, "{oldest:?}");
        running.close(Duration::ZERO).await.expect("it closes");
        let stats = shelf.queue.stats(NOTES).await.expect("the database answers");
        assert_eq!((stats.active, stats.paused), (0, 3));
        assert_eq!(shelf.queue.stats("nobody's").await.expect("the database answers"), Default::default());
    }

    async fn failed_jobs_can_wait_again_with_all_their_attempts(shelf: &Shelf) {
        let running = shelf.work().await;
        let id = shelf.push("errs").await;
        shelf.until(&id, State::Failed).await;
        assert_eq!(shelf.queue.retry_failed(NOTES).await.expect("it retries"), 1);
        wait_until("three more attempts", LIMIT, async || shelf.seen.count("errs") == 6).await;
        shelf.until(&id, State::Failed).await;
        assert_eq!(shelf.queue.retry_failed("another").await.expect("it retries"), 0);
        running.close(LIMIT).await.expect("it closes");
    }

    async fn a_failed_job_whose_key_is_taken_stays_failed(shelf: &Shelf) {
        let running = shelf.work().await;
        for _ in 0..2 {
            let id = shelf.push_with("fails", Options::default().key("k")).await.expect("the key is free");
            shelf.until(&id, State::Failed).await;
        }
        running.close(LIMIT).await.expect("it closes");
        // The newer of the two; then its key is taken.
        assert_eq!(shelf.queue.retry_failed(NOTES).await.expect("it retries"), 1);
        assert_eq!(shelf.queue.retry_failed(NOTES).await.expect("it retries"), 0);
        let stats = shelf.queue.stats(NOTES).await.expect("the database answers");
        assert_eq!((stats.waiting, stats.failed), (1, 1));
    }

    async fn a_delayed_job_can_be_promoted(shelf: &Shelf) {
        let waiting = shelf.push("waiting").await;
        let far = shelf.entry(&waiting).await.created_at + Duration::from_secs(3600);
        let id = shelf.push_with("delayed", Options::default().at(far)).await.expect("it has no key");
        assert!(shelf.queue.promote(id.clone()).await.expect("it promotes"));
        assert!(!shelf.queue.promote(id.clone()).await.expect("it is due already"));
        assert!(!shelf.queue.promote(JobId::Row(i64::MAX)).await.expect("there is none"));
        let running = shelf.work().await;
        shelf.until(&id, State::Completed).await;
        running.close(LIMIT).await.expect("it closes");
    }

    async fn a_job_can_be_removed_unless_it_runs(shelf: &Shelf) {
        let id = shelf.push("removed").await;
        assert!(shelf.queue.remove(id.clone()).await.expect("it removes"));
        assert!(!shelf.queue.remove(id.clone()).await.expect("there is none"));
        let running = shelf.work().await;
        let active = shelf.push("obeys").await;
        shelf.seen.wait_for("obeys", 1).await;
        assert!(matches!(shelf.queue.remove(active.clone()).await, Err(Error::Active(id)) if id == active));
        assert!(matches!(shelf.queue.promote(active.clone()).await, Err(Error::Active(id)) if id == active));
        running.close(Duration::ZERO).await.expect("it closes");
        assert_eq!(shelf.seen.names(), ["obeys"]);
    }

    async fn a_queue_can_be_drained_and_cleaned(shelf: &Shelf) {
        let running = shelf.work().await;
        let done = shelf.push("done").await;
        shelf.until(&done, State::Completed).await;
        let failed = shelf.push("fails").await;
        shelf.until(&failed, State::Failed).await;
        running.close(LIMIT).await.expect("it closes");
        shelf.push("waiting").await;
        let far = shelf.entry(&done).await.created_at + Duration::from_secs(3600);
        shelf.push_with("delayed", Options::default().at(far)).await;

        assert_eq!(shelf.queue.drain(NOTES).await.expect("it drains"), 2);
        let hour = Duration::from_secs(3600);
        assert_eq!(shelf.queue.clean(NOTES, State::Completed, hour).await.expect("it cleans"), 0);
        shelf.age().await;
        assert_eq!(shelf.queue.clean(NOTES, State::Completed, hour).await.expect("it cleans"), 1);
        assert_eq!(shelf.queue.clean(NOTES, State::Failed, hour).await.expect("it cleans"), 1);
        assert_eq!(shelf.queue.stats(NOTES).await.expect("the database answers"), Default::default());
    }

    async fn of_finished_jobs_only_the_newest_are_kept(shelf: &Shelf) {
        let queue = shelf.with(|settings| {
            settings.tidy = Duration::from_millis(50);
            settings.default.keep_completed = Keep { count: 3, age: Duration::from_secs(3600) };
            settings.default.keep_failed = Keep { count: 100, age: Duration::from_secs(1) };
        }).await;
        let mut last = JobId::Row(0);
        for _ in 0..7 {
            last = queue.push(&Note::new("done"), Options::default()).await.expect("inserted").expect("no key");
            queue.push(&Note::new("fails"), Options::default()).await.expect("inserted").expect("no key");
        }
        let running = shelf.work_as(&queue).await;
        wait_until("the rest to be cleaned away", LIMIT, async || {
            let stats = queue.stats(NOTES).await.expect("the database answers");
            (stats.waiting, stats.active, stats.completed, stats.failed) == (0, 0, 3, 0)
        })
        .await;
        running.close(LIMIT).await.expect("it closes");
        assert_eq!(shelf.seen.names().len(), 14);
        assert_eq!(shelf.entry(&last).await.state, State::Completed);
    }

    async fn jobs_are_listed_newest_first_page_by_page(shelf: &Shelf) {
        let mut pushed = Vec::new();
        for job in 0..5 {
            pushed.insert(0, shelf.push(&format!("job {job}")).await);
        }
        let (mut listed, mut cursor) = (Vec::new(), None);
        for _ in 0..4 {
            let page = shelf.queue.jobs(NOTES, State::Waiting, cursor.as_deref(), 2).await.expect("it lists");
            listed.extend(page.jobs.iter().map(|job| job.id.clone()));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!((listed, cursor), (pushed, None));
        let none = shelf.queue.jobs(NOTES, State::Failed, None, 2).await.expect("it lists");
        assert!(none.jobs.is_empty() && none.next.is_none());
        let wrong = shelf.queue.jobs(NOTES, State::Waiting, Some("nonsense"), 2).await;
        assert!(matches!(wrong, Err(Error::Cursor)), "{wrong:?}");
    }
}

/// A job of another queue.
#[derive(serde::Serialize, serde::Deserialize)]
struct Probe {}

impl Job for Probe {
    const NAME: &'static str = "probe";
    const QUEUE: &'static str = "probes";
}

fn probing() -> upshelf_queue::Handlers {
    use upshelf_queue::{BoxError, Context, Handlers, Outcome};
    Handlers::default().on(async |_: Probe, _: Context| Ok::<_, BoxError>(Outcome::Done))
}
