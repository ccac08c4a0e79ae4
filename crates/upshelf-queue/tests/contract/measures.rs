//! How fast, how steady, how soon: what is measured, and held.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;
use upshelf_queue::{BoxError, Broker, Context, Handlers, Job, Options, Outcome, QueueSettings, Rate, State};
use upshelf_testkit::{Patience, Program, wait_until};

use crate::fixture::{Beside, LIMIT, Note, Shelf};

macro_rules! kinds {
    ($($kind:ident $queue:literal),*) => {
        $(#[derive(serde::Serialize, serde::Deserialize)]
        struct $kind {}
        impl Job for $kind {
            const NAME: &'static str = stringify!($kind);
            const QUEUE: &'static str = $queue;
        })*
        fn five() -> Handlers {
            Handlers::default()$(.on(async |_: $kind, _: Context| Ok::<_, BoxError>(Outcome::Done)))*
        }
    };
}

kinds! { Approval "auto-approval", Notification "notifications", View "analytics", Mail "email", Sweep "cleanup" }

#[tokio::test(flavor = "multi_thread")]
async fn five_idle_workers_close_within_a_second_and_a_half() {
    let shelf = Shelf::shared().await;
    let running = shelf.queue.work(five()).await.expect("the workers start");
    for queue in ["auto-approval", "notifications", "analytics", "email", "cleanup"] {
        let stalled = shelf.beside().key(queue, "stalled-check");
        wait_until("each worker to be there", LIMIT, async || {
            shelf.beside().server.command(&["EXISTS", &stalled]).await == "1"
        })
        .await;
    }
    let begun = Instant::now();
    running.close(LIMIT).await.expect("it closes");
    eprintln!("five idle workers closed in {:?}", begun.elapsed());
    assert!(begun.elapsed() <= Duration::from_millis(1_500), "{:?}", begun.elapsed());
}

/// A burst may end one window of the rate and begin the next, so that two of 10 fall into one second; between them and the
/// job behind them lies a whole window, less what a worker may be late. Workers that each kept a rate of their own would begin
/// 30 jobs at once.
fn keeps_to_the_rate(moments: &[Instant]) {
    for window in moments.windows(21) {
        assert!(window[20] - window[0] >= Duration::from_millis(500), "{:?}", window[20] - window[0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_workers_together_keep_to_the_rate() {
    let shelf = Shelf::shared().await;
    let rate = Rate { jobs: 10, per: Duration::from_secs(1) };
    let mut workers = Vec::new();
    for _ in 0..3 {
        let queue = shelf.elsewhere_with(|settings| settings.default.rate = Some(rate)).await;
        workers.push((shelf.work_as(&queue).await, queue));
    }
    shelf.enqueue_all((0..45).map(|_| "quick".to_owned())).await;
    shelf.seen.wait_for("quick", 45).await;
    let moments = shelf.seen.moments();
    let whole = moments[44] - moments[0];
    keeps_to_the_rate(&moments);
    eprintln!("45 jobs at 10/s on three workers: {whole:?}");
    assert!(whole >= Duration::from_millis(3_850) && whole <= Duration::from_secs(7), "{whole:?}");
    for (running, _) in workers {
        running.close(LIMIT).await.expect("it closes");
    }
}

/// At the default rate of 10/s and 5 side by side, where jobs take longer than a second.
#[tokio::test(flavor = "multi_thread")]
async fn three_workers_run_no_more_than_five_jobs_each_and_keep_to_the_rate_together() {
    let shelf = Shelf::shared().await;
    let moments = Arc::new(Mutex::new(Vec::new()));
    let (mut workers, mut gauges) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let queue = shelf.elsewhere_with(|settings| settings.default = QueueSettings::default()).await;
        // How many run now, and the most there ever were.
        let gauge = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
        let (seen, began) = (Arc::clone(&gauge), Arc::clone(&moments));
        let handler = move |_: Approval, _: Context| {
            let (gauge, began) = (Arc::clone(&seen), Arc::clone(&began));
            async move {
                began.lock().expect("no handler panics here").push(Instant::now());
                let now = gauge.0.fetch_add(1, Ordering::SeqCst) + 1;
                gauge.1.fetch_max(now, Ordering::SeqCst);
                let mut patience = Patience::of(Duration::from_millis(1_800));
                while patience.more().await {}
                gauge.0.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, BoxError>(Outcome::Done)
            }
        };
        workers.push((queue.work(Handlers::default().on(handler)).await.expect("it starts"), queue));
        gauges.push(gauge);
    }
    let mut batch = upshelf_queue::Batch::default();
    for _ in 0..45 {
        batch.add(&Approval {}, Options::default()).expect("it is JSON");
    }
    let mut tx = shelf.begin().await;
    shelf.queue.enqueue_all(tx.connection(), &batch).await.expect("they are inserted");
    tx.commit().await;
    wait_until("every row to be completed", LIMIT, async || shelf.rows("completed").await == 45).await;
    for gauge in &gauges {
        let most = gauge.1.load(Ordering::SeqCst);
        assert!((1..=5).contains(&most), "{most} side by side");
    }
    let most: usize = gauges.iter().map(|gauge| gauge.1.load(Ordering::SeqCst)).sum();
    assert!(most > 10, "the workers shared the work: {most}");
    let moments = moments.lock().expect("no handler panics here").clone();
    assert_eq!(moments.len(), 45);
    keeps_to_the_rate(&moments);
    let whole = moments[44] - moments[0];
    assert!(whole >= Duration::from_millis(3_850), "{whole:?}");
    for (running, _) in workers {
        running.close(LIMIT).await.expect("it closes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_fail_together_come_back_apart() {
    let shelf = Shelf::shared().await;
    let queue = shelf
        .with(|settings| {
            settings.default.concurrency = 20;
            settings.default.backoff.first = Duration::from_secs(1);
            settings.default.attempts = 2;
        })
        .await;
    queue.pause(Note::QUEUE).await.expect("it pauses");
    for _ in 0..20 {
        queue.push(&Note::new("errs"), Options::default()).await.expect("it is added");
    }
    let running = shelf.work_as(&queue).await;
    queue.resume(Note::QUEUE).await.expect("it resumes");
    shelf.seen.wait_for("errs", 40).await;
    let moments = shelf.seen.moments();
    let spread = moments[39] - moments[20];
    assert!(spread >= Duration::from_millis(150), "{spread:?}");
    assert!(moments[20] - moments[0] >= Duration::from_millis(700), "{:?}", moments[20] - moments[0]);
    running.close(LIMIT).await.expect("it closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_in_one_queue_does_not_hold_up_another() {
    let shelf = Shelf::with_redis(Beside::own().await).await.connected().await;
    let running = shelf.queue.work(five()).await.expect("the workers start");
    let mut batch = upshelf_queue::Batch::default();
    for _ in 0..20_000 {
        batch.add(&View {}, Options::default()).expect("it is JSON");
    }
    let mut tx = shelf.begin().await;
    shelf.queue.enqueue_all(tx.connection(), &batch).await.expect("they are inserted");
    tx.commit().await;
    let mut slowest = Duration::ZERO;
    for _ in 0..5 {
        let begun = Instant::now();
        let mut tx = shelf.begin().await;
        let id = shelf.queue.enqueue(tx.connection(), &Approval {}, Options::default()).await;
        tx.commit().await;
        let id = id.expect("it is inserted").expect("it has no key");
        shelf.until(&id, State::Completed).await;
        slowest = slowest.max(begun.elapsed());
    }
    eprintln!("the slowest of five approvals during a burst of 20,000: {slowest:?}");
    assert!(slowest <= Duration::from_secs(1), "{slowest:?}");
    running.close(LIMIT).await.expect("it closes");
}

/// What a worker tells about each job must be read, or it piles up: some 300 bytes each.
#[tokio::test(flavor = "multi_thread")]
async fn memory_stays_flat_over_many_jobs() {
    const JOBS: usize = 20_000;
    let shelf = Shelf::with_redis(Beside::own().await).await.connected().await;
    let table = "CREATE TABLE effects (job TEXT PRIMARY KEY, runs BIGINT NOT NULL)";
    shelf.execute(table, table).await;
    let tests = std::env::current_exe().expect("a test runs from a file");
    let clerk =
        tests.parent().and_then(|deps| deps.parent()).expect("target/debug/deps").join("examples/clerk");
    let beside = shelf.beside();
    let mut clerk = Program::start(&clerk, [shelf.address(), beside.url.clone(), beside.prefix.clone()], &[]);
    clerk.wait_for("ready", LIMIT).await;
    let resident = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", clerk.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux tells it");
        line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number")
    };
    let work = async |jobs: usize| {
        for _ in 0..jobs / 100 {
            let note = Note::new("nothing");
            let pushes = (0..100).map(|_| shelf.queue.push(&note, Options::default()));
            futures_util::future::try_join_all(pushes).await.expect("Redis takes them");
        }
        wait_until("all to be done", Duration::from_secs(120), async || {
            let stats = shelf.queue.stats(Note::QUEUE).await.expect("Redis answers");
            (stats.waiting, stats.active) == (0, 0)
        })
        .await;
    };
    work(JOBS / 2).await;
    let before = resident();
    let begun = Instant::now();
    work(JOBS).await;
    let grown = resident().saturating_sub(before);
    eprintln!("{JOBS} more jobs in {:?}: {grown} KiB more, from {before}", begun.elapsed());
    assert!(grown < 3 * 1024, "{grown} KiB more, from {before}");
}
