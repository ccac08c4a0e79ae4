use std::time::Duration;

use upshelf_queue::{BoxError, Broker, Context, Handlers, Job, Keep, Options, Outcome, State};
use upshelf_testkit::{contract, wait_until};

use crate::fixture::{LIMIT, Note, Shelf};

/// A job by the clock.
#[derive(serde::Serialize, serde::Deserialize)]
struct Tick {}

impl Job for Tick {
    const NAME: &'static str = "tick";
    const QUEUE: &'static str = "ticks";
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

    async fn a_periodic_job_runs_once_per_period_in_the_whole_fleet(shelf: &Shelf) {
        let every = Duration::from_secs(1);
        let handlers = || {
            let tick = async |_: Tick, _: Context| Ok::<_, BoxError>(Outcome::Done);
            Handlers::default().on(tick).periodic(&Tick {}, every, true)
        };
        let one = shelf.queue.work(handlers()).await.expect("the workers start");
        let two = shelf.elsewhere().await.work(handlers()).await.expect("the workers start");
        let ticks = async || shelf.queue.jobs("ticks", State::Completed, None, 100).await.expect("it lists").jobs;
        wait_until("two periods", LIMIT, async || ticks().await.len() >= 2).await;
        one.close(LIMIT).await.expect("it closes");
        // Another takes the place of the first and catches up with nothing that was done already.
        let three = shelf.elsewhere().await.work(handlers()).await.expect("the workers start");
        wait_until("four periods", LIMIT, async || ticks().await.len() >= 4).await;
        two.close(LIMIT).await.expect("it closes");
        three.close(LIMIT).await.expect("it closes");
        let mut seconds: Vec<_> = ticks().await.iter().map(|tick| tick.created_at.as_second()).collect();
        seconds.reverse();
        // A job that was late bears the second of the next; two processes that both ran theirs would have made twice as many.
        let periods = seconds.last().expect("four are done") - seconds[0] + 1;
        assert!((seconds.len() as i64 - periods).abs() <= 1, "{seconds:?}");
    }

    async fn a_period_is_remembered_however_little_is_kept(shelf: &Shelf) {
        let handlers = || {
            let tick = async |_: Tick, _: Context| Ok::<_, BoxError>(Outcome::Done);
            // Longer than the age of the epoch, so that the period never turns while this test runs.
            Handlers::default().on(tick).on(shelf.seen.clone()).periodic(&Tick {}, Duration::from_secs(1 << 32), true)
        };
        let queue = shelf.with(|settings| {
            settings.tidy = Duration::from_millis(20);
            settings.default.keep_completed = Keep { count: 0, age: Duration::ZERO };
        }).await;
        for _ in 0..2 {
            let running = queue.work(handlers()).await.expect("the workers start");
            wait_until("the period's job", LIMIT, async || {
                queue.stats("ticks").await.expect("the database answers").completed == 1
            })
            .await;
            // When another job was cleaned away, this one had its chance, too.
            let other = queue.push(&Note::new("cleaned away"), Options::default()).await.expect("inserted").expect("no key");
            wait_until("the clean-up", LIMIT, async || {
                queue.find_job(other.clone()).await.expect("the database answers").is_none()
            })
            .await;
            running.close(LIMIT).await.expect("it closes");
        }
        let ticks = queue.jobs("ticks", State::Completed, None, 10).await.expect("it lists").jobs;
        assert_eq!(ticks.len(), 1);
    }

    async fn a_process_works_a_queue_once(shelf: &Shelf) {
        let running = shelf.work().await;
        let again = shelf.queue.work(shelf.handlers()).await;
        assert!(matches!(again, Err(upshelf_queue::Error::Settings(_))), "{again:?}");
        running.close(LIMIT).await.expect("it closes");
        shelf.work().await.close(LIMIT).await.expect("it closes");
        assert!(shelf.queue.work(Handlers::default()).await.is_err());
        let short = shelf.handlers().periodic(&Tick {}, Duration::from_millis(999), true);
        assert!(shelf.queue.work(short).await.is_err());
    }
}
