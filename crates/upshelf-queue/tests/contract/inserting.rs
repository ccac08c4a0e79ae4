use std::time::Duration;

use upshelf_queue::{Batch, Broker, Error, Job, Options, Priority, QueueSettings, State};
use upshelf_testkit::{contract, wait_until};

use crate::fixture::{LIMIT, Note, Shelf};

contract! {
    parts {
        sqlite => Shelf::sqlite().await,
        postgres => Shelf::postgres().await,
        small => Shelf::small().await,
        shared => Shelf::shared().await,
        cluster => Shelf::cluster().await,
        restored => Shelf::restored().await,
    }

    async fn a_job_exists_exactly_when_its_transaction_is_committed(shelf: &Shelf) {
        let mut tx = shelf.begin().await;
        let lost = shelf.queue.enqueue(tx.connection(), &Note::new("lost"), Options::default()).await;
        let lost = lost.expect("the database takes a job").expect("it has no key");
        drop(tx);
        let mut tx = shelf.begin().await;
        let kept = shelf.queue.enqueue(tx.connection(), &Note::new("kept"), Options::default()).await;
        let kept = kept.expect("the database takes a job").expect("it has no key");
        tx.commit().await;
        assert!(kept == lost || shelf.queue.find_job(lost.clone()).await.expect("the database answers").is_none());
        assert_eq!(shelf.entry(&kept).await.payload.get().replace(' ', ""), r#"{"name":"kept"}"#);

        let running = shelf.work().await;
        shelf.until(&kept, State::Completed).await;
        running.close(LIMIT).await.expect("it closes");
        assert_eq!(shelf.seen.names(), ["kept"]);
    }

    async fn a_committed_job_runs_without_waiting_for_a_poll(shelf: &Shelf) {
        let queue = shelf.with(|settings| settings.poll = Duration::from_secs(3600)).await;
        let running = shelf.work_as(&queue).await;
        for round in 1..=3 {
            let mut tx = shelf.begin().await;
            queue.enqueue(tx.connection(), &Note::new("woken"), Options::default()).await.expect("it is inserted");
            tx.commit().await;
            queue.wake(Note::QUEUE);
            shelf.seen.wait_for("woken", round).await;
            queue.push(&Note::new("pushed"), Options::default()).await.expect("it is inserted");
            shelf.seen.wait_for("pushed", round).await;
        }
        running.close(LIMIT).await.expect("it closes");
    }

    async fn many_jobs_are_inserted_at_once_and_each_runs_once(shelf: &Shelf) {
        let mut batch = Batch::default();
        for job in 0..300 {
            batch.add(&Note::new(&format!("job {job}")), Options::default()).expect("plain text");
        }
        let mut tx = shelf.begin().await;
        assert_eq!(shelf.queue.enqueue_all(tx.connection(), &batch).await.expect("they are inserted"), 300);
        tx.commit().await;
        // Two processes share them.
        let (one, two) = (shelf.work().await, shelf.work_as(&shelf.elsewhere().await).await);
        wait_until("all to be completed", LIMIT, async || {
            shelf.queue.stats(Note::QUEUE).await.expect("the database answers").completed == 300
        })
        .await;
        one.close(LIMIT).await.expect("it closes");
        two.close(LIMIT).await.expect("it closes");
        let mut names = shelf.seen.names();
        names.sort();
        names.dedup();
        assert_eq!((names.len(), shelf.seen.names().len()), (300, 300));
    }

    async fn a_delayed_job_runs_when_it_is_due_and_not_before(shelf: &Shelf) {
        let running = shelf.work().await;
        let soon = shelf.entry(&shelf.push("now").await).await.created_at + Duration::from_millis(1_500);
        let later = shelf.push_with("later", Options::default().at(soon)).await.expect("it has no key");
        assert_eq!(shelf.entry(&later).await.state, State::Delayed);
        assert_eq!(shelf.queue.stats(Note::QUEUE).await.expect("the database answers").delayed, 1);
        let done = shelf.until(&later, State::Completed).await;
        let begun = done.begun_at.expect("it ran");
        assert!(begun + Duration::from_millis(2) >= soon, "due {soon}, begun {begun}");
        assert!(begun <= soon + Duration::from_secs(2), "due {soon}, begun {begun}");
        running.close(LIMIT).await.expect("it closes");
    }

    async fn a_job_that_was_due_long_ago_is_due_now(shelf: &Shelf) {
        let running = shelf.work().await;
        shelf.push_with("past", Options::default().at(jiff::Timestamp::UNIX_EPOCH)).await.expect("it has no key");
        shelf.seen.wait_for("past", 1).await;
        running.close(LIMIT).await.expect("it closes");
    }

    async fn jobs_run_by_priority_and_then_in_the_order_of_insertion(shelf: &Shelf) {
        let queue = shelf.with(|settings| settings.default.concurrency = 1).await;
        for (name, priority) in [
            ("idle", Priority::Idle), ("one", Priority::Normal), ("low", Priority::Low),
            ("two", Priority::Normal), ("urgent", Priority::Urgent),
        ] {
            shelf.push_with(name, Options::default().priority(priority)).await.expect("it has no key");
        }
        let stats = queue.stats(Note::QUEUE).await.expect("the database answers");
        // BullMQ knows no priority before the normal one: its urgent jobs wait at the front of the normal ones.
        assert_eq!((stats.waiting, stats.prioritized), if shelf.is_shared() { (3, 2) } else { (2, 3) });
        let running = shelf.work_as(&queue).await;
        shelf.seen.wait_for("idle", 1).await;
        running.close(LIMIT).await.expect("it closes");
        assert_eq!(shelf.seen.names(), ["urgent", "one", "two", "low", "idle"]);
    }

    async fn a_key_is_taken_while_its_job_waits_or_runs_and_free_afterwards(shelf: &Shelf) {
        let keyed = || Options::default().key("shelf 7");
        let first = shelf.push_with("keyed", keyed()).await.expect("the key is free");
        assert_eq!(shelf.push_with("keyed", keyed()).await, None);
        assert!(shelf.push_with("keyed", Options::default().key("shelf 8")).await.is_some());
        let mut batch = Batch::default();
        for key in ["shelf 7", "shelf 9", "shelf 9"] {
            batch.add(&Note::new("keyed"), Options::default().key(key)).expect("plain text");
        }
        let mut tx = shelf.begin().await;
        assert_eq!(shelf.queue.enqueue_all(tx.connection(), &batch).await.expect("they are inserted"), 1);
        tx.commit().await;

        let running = shelf.work().await;
        shelf.until(&first, State::Completed).await;
        assert!(shelf.push_with("keyed", keyed()).await.is_some());
        running.close(LIMIT).await.expect("it closes");
    }

    async fn a_payload_with_a_nul_is_refused_before_it_breaks_the_transaction(shelf: &Shelf) {
        let mut tx = shelf.begin().await;
        let refused = shelf.queue.enqueue(tx.connection(), &Note::new("a\0b"), Options::default()).await;
        assert!(matches!(refused, Err(Error::Payload { job: "note", .. })), "{refused:?}");
        let odd = "quotes \" ' \\ \\u0000 \u{1f4da} \u{7f}\n";
        let id = shelf.queue.enqueue(tx.connection(), &Note::new(odd), Options::default()).await;
        let id = id.expect("the transaction still works").expect("it has no key");
        tx.commit().await;
        let note: Note = serde_json::from_str(shelf.entry(&id).await.payload.get()).expect("it is JSON");
        assert_eq!(note.name, odd);
    }

    async fn a_queue_has_its_own_number_of_attempts(shelf: &Shelf) {
        let queue = shelf.with(|settings| {
            settings.queues.insert(Note::QUEUE.to_owned(), QueueSettings { attempts: 7, ..QueueSettings::default() });
        }).await;
        let id = queue.push(&Note::new("plain"), Options::default()).await.expect("it is inserted").expect("no key");
        assert_eq!(shelf.entry(&id).await.attempts, 7);
        assert_eq!(shelf.entry(&shelf.push("plain").await).await.attempts, 3);
    }

    async fn tables_can_be_brought_up_to_date_again(shelf: &Shelf) {
        let id = shelf.push("kept").await;
        shelf.queue.migrate().await.expect("nothing is to be done");
        assert_eq!(shelf.entry(&id).await.state, State::Waiting);
    }

    async fn two_processes_may_make_the_tables_at_once(shelf: &Shelf) {
        shelf
            .execute(
                "DROP TABLE river_job; DROP TABLE river_queue; DROP TABLE river_leader;
                 DROP TABLE river_migration; DROP TABLE river_notification",
                "DROP SCHEMA public CASCADE; CREATE SCHEMA public",
            )
            .await;
        let queues = [shelf.elsewhere().await, shelf.elsewhere().await, shelf.elsewhere().await];
        let (one, two, three) = tokio::join!(queues[0].migrate(), queues[1].migrate(), queues[2].migrate());
        assert!(one.is_ok() && two.is_ok() && three.is_ok(), "{one:?} {two:?} {three:?}");
        let id = queues[0].push(&Note::new("first"), Options::default()).await.expect("it is inserted");
        assert!(id.is_some());
    }
}
