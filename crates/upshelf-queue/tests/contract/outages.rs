//! Redis is away.

use std::time::Duration;

use tokio::time::Instant;
use upshelf_queue::{Broker, Error, Job, Options, State};
use upshelf_testkit::{Keep, wait_until};

use crate::fixture::{Beside, LIMIT, Note, Shelf, connected};

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_away_nothing_is_refused_and_afterwards_all_runs_soon_in_order() {
    let beside = Beside::cuttable_own().await;
    beside.proxy.as_ref().expect("it has one").cut();
    let begun = Instant::now();
    let shelf = Shelf::with_redis(beside).await;
    let queue = shelf.elsewhere_away(|settings| settings.default.concurrency = 1);
    let running = shelf.work_as(&queue).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "starting waited for Redis: {:?}", begun.elapsed());
    assert!(queue.is_degraded() && shelf.queue.is_degraded());

    shelf.enqueue_all((0..1_000).map(|job| format!("job {job:04}"))).await;
    let pushed = shelf.push("pushed").await;
    let entry = shelf.entry(&pushed).await;
    assert_eq!((entry.state, entry.attempt), (State::Waiting, 0));
    assert!(matches!(queue.stats(Note::QUEUE).await, Err(Error::Redis { .. })));
    assert!(matches!(queue.retry_failed(Note::QUEUE).await, Err(Error::Redis { .. })));
    assert_eq!((shelf.rows("available").await, shelf.seen.names().len()), (1_001, 0));

    shelf.beside().proxy.as_ref().expect("it has one").restore();
    let back = Instant::now();
    shelf.seen.wait_for("job 0099", 1).await;
    eprintln!("the first hundred ran {:?} after the end of the outage", back.elapsed());
    assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());
    shelf.seen.wait_for("pushed", 1).await;
    let took = back.elapsed();
    eprintln!("1,001 jobs ran, one after the other, {took:?} after the end of the outage");
    shelf.until(&pushed, State::Completed).await;
    let names = shelf.seen.names();
    assert!(names.is_sorted() && names.len() == 1_001, "{names:?}");
    assert_eq!(shelf.entry(&pushed).await.attempt, 1);
    running.close(LIMIT).await.expect("it closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_worker_is_back_soon_after_redis_and_what_ran_meanwhile_is_not_lost() {
    let shelf = Shelf::with_redis(Beside::own().await).await.connected().await;
    let running = shelf.work().await;
    shelf.push("obeys").await;
    let committed = {
        let mut tx = shelf.begin().await;
        let id = shelf.queue.enqueue(tx.connection(), &Note::new("takes a moment"), Options::default()).await;
        tx.commit().await;
        id.expect("it is inserted").expect("it has no key")
    };
    shelf.seen.wait_for("takes a moment", 1).await;
    let server = shelf.beside().server.own();
    server.kill9();
    wait_until("the outage to be noticed", LIMIT, async || shelf.queue.is_degraded()).await;
    shelf.until(&committed, State::Completed).await;
    let waits = shelf.push("waits").await;
    server.restart(Keep::Nothing).await;
    let back = Instant::now();
    shelf.until(&waits, State::Completed).await;
    let took = back.elapsed();
    eprintln!("an idle worker had a job done {took:?} after the return of Redis");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(shelf.seen.count("takes a moment"), 1, "what was done was done once");
    running.close(Duration::ZERO).await.expect("it closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_outage_leaves_a_worker_with_what_it_may_run() {
    let shelf = Shelf::with_redis(Beside::cuttable().await).await.connected().await;
    let running = shelf.work().await;
    for _ in 0..5 {
        shelf.push("obeys").await;
    }
    shelf.seen.wait_for("obeys", 5).await;
    let proxy = shelf.beside().proxy.as_ref().expect("it has one");
    proxy.cut();
    wait_until("the outage to be noticed", LIMIT, async || shelf.queue.is_degraded()).await;
    proxy.restore();
    connected(&shelf.queue).await;
    // All five places are taken by what was begun before; the handler gives up at its time-out of two seconds.
    shelf.push("sixth").await;
    let begun = Instant::now();
    shelf.seen.wait_for("sixth", 1).await;
    let moments = shelf.seen.moments();
    assert!(moments[5] - moments[0] >= Duration::from_secs(2), "it ran beside five others: {moments:?}");
    assert!(begun.elapsed() < LIMIT);
    running.close(Duration::ZERO).await.expect("it closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_made_by_who_is_cut_off_alone_is_kept_by_those_who_are_not() {
    let shelf = Shelf::gone().await;
    let proxy = shelf.beside().proxy.as_ref().expect("it has one");
    let near = shelf.elsewhere_near(|settings| settings.recheck = Duration::from_millis(300)).await;
    let running = shelf.work_as(&near).await;
    for pause in [true, false] {
        let wished = match pause {
            true => shelf.queue.pause(Note::QUEUE).await,
            false => shelf.queue.resume(Note::QUEUE).await,
        };
        wished.expect("the database remembers it");
        wait_until("the others to follow", LIMIT, async || {
            near.stats(Note::QUEUE).await.expect("they reach Redis").is_paused == pause
        })
        .await;
    }
    shelf.queue.pause(Note::QUEUE).await.expect("the database remembers it");
    proxy.restore();
    connected(&shelf.queue).await;
    wait_until("the others to follow", LIMIT, async || {
        near.stats(Note::QUEUE).await.expect("they reach Redis").is_paused
    })
    .await;
    let id = shelf.push("held").await;
    assert_eq!(near.stats(Note::QUEUE).await.expect("they reach Redis").paused, 1);
    // Whoever pauses in Redis itself is believed, too.
    shelf.queue.resume(Note::QUEUE).await.expect("it resumes");
    shelf.until(&id, State::Completed).await;
    let meta = shelf.beside().key(Note::QUEUE, "meta");
    shelf.beside().server.command(&["HSET", &meta, "paused", "1"]).await;
    let paused = "SELECT count(*) FROM river_queue WHERE paused_at IS NOT NULL";
    wait_until("the database to follow", LIMIT, async || shelf.number(paused).await == 1).await;
    running.close(LIMIT).await.expect("it closes");
}
