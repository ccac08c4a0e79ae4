//! No stale read in any of three processes, whatever happens in between, with clocks that are an hour apart.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::task::{JoinSet, yield_now};
use tokio::time::{advance, pause, resume};
use upshelf_cache::{Cache, Context, Policy, Receipt, Region};
use upshelf_testkit::{RedisServer, unique_prefix, wait_until};

use crate::dice::Dice;
use crate::interleavings::{KEYS, covered_of, rules, tags};
use crate::parts::{DEADLINE, PATIENCE, linked, redis};

const PROCESSES: usize = 3;
const ACTORS: u64 = 4;
/// Loads, reads and invalidations of each actor.
const STEPS: u64 = 9_000;

/// The database, and what readers in each process may count on.
#[derive(Default)]
struct Truth {
    /// It only grows.
    rows: [AtomicU64; 4],
    /// What every invalidation that a process has acknowledged, or heard of, promises at least.
    floors: [[AtomicU64; 4]; PROCESSES],
    caches: Mutex<Vec<Option<Cache>>>,
    checked: AtomicU64,
    invalidated: AtomicU64,
}

impl Truth {
    fn raise(&self, process: usize, written: &[(usize, u64)]) {
        for (key, value) in written {
            self.floors[process][*key].fetch_max(*value, Ordering::SeqCst);
        }
    }
}

struct Process {
    number: usize,
    cache: Cache,
    regions: [Region<u64>; 2],
    truth: Arc<Truth>,
    /// Of all processes, to ask them what they have heard.
    caches: Vec<Cache>,
    /// What other processes have perhaps not heard of yet.
    unheard: Mutex<Vec<News>>,
}

/// An invalidation that was acknowledged here, on its way to another process.
struct News {
    to: usize,
    receipt: Receipt,
    written: Vec<(usize, u64)>,
}

#[derive(Debug)]
struct Away;

#[test]
fn no_stale_read_in_three_processes_whose_clocks_are_an_hour_apart() {
    let (truth, prefix) = (Arc::new(Truth::default()), unique_prefix());
    truth.caches.lock().expect("nobody panics here").resize(PROCESSES, None);
    std::thread::scope(|scope| {
        let processes: Vec<_> = (0..PROCESSES)
            .map(|number| {
                let (truth, prefix) = (Arc::clone(&truth), prefix.clone());
                scope.spawn(move || run(number, truth, &prefix))
            })
            .collect();
        for process in processes {
            process.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
    let (checked, invalidated) =
        (truth.checked.load(Ordering::Relaxed), truth.invalidated.load(Ordering::Relaxed));
    assert!(checked > 60_000, "only {checked} reads were checked");
    assert!(invalidated > 20_000, "only {invalidated} invalidations");
}

fn run(number: usize, truth: Arc<Truth>, prefix: &str) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    runtime.block_on(async move {
        pause();
        advance(Duration::from_secs(3600) * u32::try_from(number).expect("there are three")).await;
        resume();
        let builder = Cache::builder().weight(1 << 20).cascade(rules());
        let redis = redis(&RedisServer::shared().await.url(), prefix, DEADLINE);
        let cache = linked(builder, &redis).await;
        truth.caches.lock().expect("nobody panics here")[number] = Some(cache.clone());
        let all = || -> Option<Vec<Cache>> { truth.caches.lock().ok()?.iter().cloned().collect() };
        wait_until("all are there", PATIENCE, async || {
            all().is_some_and(|all| all.iter().all(|cache| cache.processes() == PROCESSES))
        })
        .await;
        let caches = all().expect("all are there");
        let plain = Policy::ttl(Duration::from_millis(500));
        let rich = Policy::ttl(Duration::from_millis(50))
            .grace(Duration::from_millis(500))
            .early(0.3)
            .jitter(0.3)
            .soft_timeout(Duration::from_millis(5))
            .backoff(Duration::from_millis(10));
        let regions = [cache.region("plain", plain), cache.region("rich", rich)];
        let unheard = Mutex::default();
        let process = Arc::new(Process { number, cache, regions, truth, caches, unheard });
        let mut actors = JoinSet::new();
        for actor in 0..ACTORS {
            actors.spawn(Arc::clone(&process).act(Dice(number as u64 * ACTORS + actor)));
        }
        actors.join_all().await;
        process.cache.close().await;
    });
}

impl Process {
    async fn act(self: Arc<Self>, mut dice: Dice) {
        for _ in 0..STEPS {
            match dice.roll(4) {
                0 => self.write(&mut dice).await,
                _ => self.read(&mut dice).await,
            }
            self.look_who_has_heard();
        }
    }

    /// Raises what readers elsewhere may count on.
    fn look_who_has_heard(&self) {
        self.unheard.lock().expect("nobody panics here").retain(|news| {
            let is_heard = self.caches[news.to].has_heard(&news.receipt);
            if is_heard {
                self.truth.raise(news.to, &news.written);
            }
            !is_heard
        });
    }

    /// Changes rows, invalidates, and only then raises what readers here may count on.
    async fn write(self: &Arc<Self>, dice: &mut Dice) {
        let (inv, covered) = covered_of(dice);
        let rows = &self.truth.rows;
        let written: Vec<_> =
            covered.iter().map(|key| (*key, rows[*key].fetch_add(1, Ordering::SeqCst) + 1)).collect();
        let receipt = self.cache.invalidate([inv]).await;
        assert!(receipt.is_everywhere(), "Redis is there all the time");
        self.truth.invalidated.fetch_add(1, Ordering::Relaxed);
        self.truth.raise(self.number, &written);
        let others = (0..PROCESSES).filter(|number| *number != self.number);
        let news = others.map(|to| News { to, receipt, written: written.clone() });
        self.unheard.lock().expect("nobody panics here").extend(news);
    }

    async fn read(self: &Arc<Self>, dice: &mut Dice) {
        let key = dice.roll(4) as usize;
        let region = &self.regions[dice.roll(2) as usize];
        let floor = self.truth.floors[self.number][key].load(Ordering::SeqCst);
        let (process, mut loader_dice) = (Arc::clone(self), Dice(dice.roll(u64::MAX)));
        let load = move |cx: Context| async move { process.load(cx, key, &mut loader_dice).await };
        let seen = match dice.roll(8) {
            0 => region.peek(KEYS[key]).map(|hit| *hit),
            _ => region.get_or_load(KEYS[key], load).await.ok().map(|hit| *hit),
        };
        if let Some(seen) = seen {
            assert!(seen >= floor, "{} read as {seen} after {floor} was acknowledged", KEYS[key]);
            self.truth.checked.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn load(&self, cx: Context, key: usize, dice: &mut Dice) -> Result<u64, Away> {
        let is_tagged_early = dice.roll(2) == 0;
        if is_tagged_early {
            cx.tags(tags(key));
        }
        let value = self.truth.rows[key].load(Ordering::SeqCst);
        // The row may change now.
        for _ in 0..dice.roll(20) {
            yield_now().await;
        }
        if !is_tagged_early {
            cx.tags(tags(key));
        }
        if dice.roll(12) == 0 { Err(Away) } else { Ok(value) }
    }
}
