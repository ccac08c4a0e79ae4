//! What is promised while Redis is away.

use std::time::Duration;

use tokio::time::Instant;
use upshelf_queue::{Batch, Broker, Error, Job, Options, State};
use upshelf_testkit::contract;

use crate::fixture::{LIMIT, Note, Shelf, connected};

contract! {
    parts {
        never => Shelf::never().await,
        gone => Shelf::gone().await,
    }

    async fn a_job_exists_exactly_when_its_transaction_is_committed_while_redis_is_away(shelf: &Shelf) {
        let mut tx = shelf.begin().await;
        shelf.queue.enqueue(tx.connection(), &Note::new("lost"), Options::default()).await.expect("it is inserted");
        drop(tx);
        shelf.enqueue_all(["kept".to_owned()].into_iter()).await;
        let pushed = shelf.push("pushed").await;
        assert_eq!(shelf.rows("available").await, 2);
        let entry = shelf.entry(&pushed).await;
        assert_eq!((entry.state, entry.attempt, entry.error), (State::Waiting, 0, None));
    }

    async fn a_key_is_taken_while_redis_is_away(shelf: &Shelf) {
        let keyed = || Options::default().key("k");
        assert!(shelf.push_with("keyed", keyed()).await.is_some());
        assert_eq!(shelf.push_with("keyed", keyed()).await, None);
        let mut batch = Batch::default();
        for key in ["k", "l", "l"] {
            batch.add(&Note::new("keyed"), Options::default().key(key)).expect("plain text");
        }
        let mut tx = shelf.begin().await;
        assert_eq!(shelf.queue.enqueue_all(tx.connection(), &batch).await.expect("they are inserted"), 1);
        tx.commit().await;
    }

    async fn rows_can_be_promoted_and_removed_while_redis_is_away(shelf: &Shelf) {
        let now = shelf.entry(&shelf.push("now").await).await.created_at;
        let far = Options::default().at(now + Duration::from_secs(3600));
        let delayed = shelf.push_with("delayed", far).await.expect("it has no key");
        assert_eq!(shelf.entry(&delayed).await.state, State::Delayed);
        assert!(shelf.queue.promote(delayed.clone()).await.expect("it promotes"));
        assert_eq!(shelf.entry(&delayed).await.state, State::Waiting);
        assert!(shelf.queue.remove(delayed.clone()).await.expect("it removes"));
        assert!(shelf.queue.find_job(delayed).await.expect("the database answers").is_none());
    }

    async fn what_is_not_known_is_an_error_and_no_zero(shelf: &Shelf) {
        let (queue, hour) = (&shelf.queue, Duration::from_secs(3600));
        shelf.push("kept").await;
        // Each waits for a connection that might be on its way: together they wait no longer than one.
        let (stats, jobs, retried, cleaned, drained) = tokio::join!(
            queue.stats(Note::QUEUE),
            queue.jobs(Note::QUEUE, State::Failed, None, 10),
            queue.retry_failed(Note::QUEUE),
            queue.clean(Note::QUEUE, State::Failed, hour),
            queue.drain(Note::QUEUE),
        );
        assert!(matches!(stats, Err(Error::Redis { .. })));
        assert!(matches!(jobs, Err(Error::Redis { .. })));
        assert!(matches!(retried, Err(Error::Redis { .. })));
        assert!(matches!(cleaned, Err(Error::Redis { .. })));
        assert!(matches!(drained, Err(Error::Redis { .. })));
        assert_eq!(shelf.rows("available").await, 1, "what was refused did nothing by halves");
    }

    async fn workers_start_and_close_at_once_while_redis_is_away(shelf: &Shelf) {
        let begun = Instant::now();
        let running = shelf.work().await;
        shelf.push("waits").await;
        running.close(LIMIT).await.expect("it closes");
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        assert!(shelf.seen.names().is_empty() && shelf.queue.is_degraded());
    }

    async fn a_pause_made_while_redis_is_away_holds_when_it_is_back(shelf: &Shelf) {
        shelf.queue.pause(Note::QUEUE).await.expect("the database remembers it");
        let running = shelf.work().await;
        let id = shelf.push("held").await;
        shelf.beside().proxy.as_ref().expect("it has one").restore();
        connected(&shelf.queue).await;
        upshelf_testkit::wait_until("the job to be held", LIMIT, async || {
            shelf.queue.stats(Note::QUEUE).await.is_ok_and(|stats| (stats.is_paused, stats.paused) == (true, 1))
        })
        .await;
        shelf.queue.resume(Note::QUEUE).await.expect("it resumes");
        shelf.until(&id, State::Completed).await;
        running.close(LIMIT).await.expect("it closes");
        assert_eq!(shelf.seen.names(), ["held"]);
    }
}
