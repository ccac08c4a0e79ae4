use std::time::Duration;

use tokio::time::Instant;
use upshelf_queue::{Broker, Job, Options, Rate, State};
use upshelf_testkit::{Program, contract};

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

    async fn closing_finishes_what_runs_and_takes_nothing_new(shelf: &Shelf) {
        let running = shelf.work().await;
        let begun = shelf.push("takes a moment").await;
        shelf.seen.wait_for("takes a moment", 1).await;
        running.close(LIMIT).await.expect("it closes");
        assert_eq!(shelf.entry(&begun).await.state, State::Completed);
        let late = shelf.push("late").await;
        assert_eq!(shelf.entry(&late).await.state, State::Waiting);
        assert_eq!(shelf.seen.count("late"), 0);
    }

    async fn closing_hands_back_what_does_not_end_in_time(shelf: &Shelf) {
        let running = shelf.work().await;
        let stubborn = shelf.push("hangs").await;
        let obedient = shelf.push("obeys").await;
        let late = shelf.push("finishes late").await;
        shelf.seen.wait_for("finishes late", 1).await;
        shelf.seen.wait_for("hangs", 1).await;
        running.close(Duration::from_millis(100)).await.expect("it closes");
        for id in [stubborn, obedient] {
            let entry = shelf.entry(&id).await;
            assert_eq!((entry.state, entry.attempt, entry.error), (State::Waiting, 0, None));
        }
        assert_eq!(shelf.entry(&late).await.state, State::Completed);
    }

    async fn closing_hands_back_what_waits_for_the_rate(shelf: &Shelf) {
        let rate = Rate { jobs: 1, per: Duration::from_secs(3600) };
        let queue = shelf.with(|settings| settings.default.rate = Some(rate)).await;
        for _ in 0..4 {
            shelf.push("slow").await;
        }
        let running = shelf.work_as(&queue).await;
        shelf.seen.wait_for("slow", 1).await;
        let begun = Instant::now();
        running.close(LIMIT).await.expect("it closes");
        assert!(begun.elapsed() < LIMIT / 2, "closing waited for the rate: {:?}", begun.elapsed());
        let stats = queue.stats(Note::QUEUE).await.expect("the database answers");
        assert_eq!((stats.waiting, stats.active, stats.completed), (3, 0, 1));
    }

    async fn a_job_of_a_killed_process_is_taken_over_by_another(shelf: &Shelf) {
        let job = shelf.push("orphan").await;
        let tests = std::env::current_exe().expect("a test runs from a file");
        let victim = tests.parent().and_then(|deps| deps.parent()).expect("target/debug/deps").join("examples/victim");
        let mut places = vec![shelf.address()];
        places.extend(shelf.beside.as_ref().map(|beside| [beside.url.clone(), beside.prefix.clone()]).into_iter().flatten());
        let mut victim = Program::start(victim, places, &[]);
        victim.wait_for("began orphan", LIMIT).await;
        victim.kill9();
        assert_eq!(shelf.entry(&job).await.state, State::Active);

        // It held the lead as well; the lease of 15 s is let run out here and now.
        let expire = "DELETE FROM river_leader";
        shelf.execute(expire, expire).await;
        let queue = shelf.with(|settings| settings.rescue_after = Duration::from_secs(2)).await;
        let running = shelf.work_as(&queue).await;
        // To BullMQ, an attempt that nobody ended was none.
        let attempt = if shelf.is_shared() { 1 } else { 2 };
        assert_eq!(shelf.until(&job, State::Completed).await.attempt, attempt);
        running.close(LIMIT).await.expect("it closes");
    }
}

contract! {
    parts { sqlite => Shelf::sqlite().await, postgres => Shelf::postgres().await }

    async fn a_job_whose_process_died_is_taken_over(shelf: &Shelf) {
        let orphan = shelf.push("orphan").await;
        let spent = shelf.push("spent").await;
        // What a process leaves that was killed in the middle of its jobs, a minute ago.
        shelf.execute(
            "UPDATE river_job SET state = 'running', attempted_at = datetime('now', 'subsec', '-60 seconds'),
                attempt = CASE WHEN args ->> '$.name' = 'spent' THEN 3 ELSE 1 END",
            "UPDATE river_job SET state = 'running', attempted_at = now() - interval '60 seconds',
                attempt = CASE WHEN args ->> 'name' = 'spent' THEN 3 ELSE 1 END",
        )
        .await;
        let queue = shelf.with(|settings| settings.rescue_after = Duration::from_secs(2)).await;
        let running = shelf.work_as(&queue).await;
        assert_eq!(shelf.until(&orphan, State::Completed).await.attempt, 2);
        shelf.until(&spent, State::Failed).await;
        running.close(LIMIT).await.expect("it closes");
        assert_eq!(shelf.seen.names(), ["orphan"]);
    }

    async fn a_process_that_is_alone_takes_over_at_once(shelf: &Shelf) {
        let orphan = shelf.push("orphan").await;
        let spent = shelf.push("spent").await;
        shelf.execute(
            "UPDATE river_job SET state = 'running', attempted_at = datetime('now', 'subsec'),
                attempt = CASE WHEN args ->> '$.name' = 'spent' THEN 3 ELSE 1 END;
             INSERT INTO river_leader (elected_at, expires_at, leader_id)
                VALUES (datetime('now', 'subsec'), datetime('now', 'subsec', '+1 hour'), 'the dead')",
            "UPDATE river_job SET state = 'running', attempted_at = now(),
                attempt = CASE WHEN args ->> 'name' = 'spent' THEN 3 ELSE 1 END;
             INSERT INTO river_leader (elected_at, expires_at, leader_id)
                VALUES (now(), now() + interval '1 hour', 'the dead')",
        )
        .await;
        let soon = shelf.entry(&orphan).await.created_at + Duration::from_secs(2);
        let queue = shelf.with(|settings| settings.alone = true).await;
        let running = shelf.work_as(&queue).await;
        let done = shelf.until(&orphan, State::Completed).await;
        assert_eq!((done.attempt, done.error.as_deref()), (2, Some("the process died")));
        assert_eq!(shelf.entry(&spent).await.state, State::Failed);
        // Only a leader makes delayed jobs due, so the lead was taken over, too.
        let delayed = shelf.push_with("delayed", Options::default().at(soon)).await.expect("it has no key");
        shelf.until(&delayed, State::Completed).await;
        running.close(LIMIT).await.expect("it closes");
    }
}
