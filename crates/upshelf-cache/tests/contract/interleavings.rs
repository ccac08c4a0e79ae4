//! No stale read, whatever happens in between: random stories, and real threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::{JoinSet, yield_now};
use upshelf_cache::{Cache, Cascade, Context, Inv, Policy, Region};

use crate::dice::Dice;

pub(crate) const KEYS: [&str; 4] = ["cache:a:0", "cache:a:1", "cache:b:2", "cache:b:3"];

pub(crate) fn rules() -> Cascade {
    let rules = [
        ("root:{n}", vec![Inv::cascade("leaf:{n}"), Inv::tag("tag:0")]),
        ("leaf:{n}", vec![Inv::pattern("cache:b:*")]),
    ];
    Cascade::new(rules).expect("this goes round nowhere")
}

/// The tags of a key: `tag:0` on 0 and 1, `tag:1` on 1 and 2.
pub(crate) fn tags(key: usize) -> &'static [&'static str] {
    [&["tag:0"][..], &["tag:0", "tag:1"], &["tag:1"], &[]][key]
}

/// Something to invalidate, and the keys it covers.
pub(crate) fn covered_of(dice: &mut Dice) -> (Inv, &'static [usize]) {
    match dice.roll(9) {
        key @ 0..4 => (Inv::key(KEYS[key as usize]), [&[0][..], &[1], &[2], &[3]][key as usize]),
        4 => (Inv::tag("tag:0"), &[0, 1]),
        5 => (Inv::tag("tag:1"), &[1, 2]),
        6 => (Inv::pattern("cache:a:*"), &[0, 1]),
        7 => (Inv::cascade("root:5"), &[0, 1, 2, 3]),
        _ => (Inv::all(), &[0, 1, 2, 3]),
    }
}

/// The truth, and what every reader may count on.
struct World {
    cache: Cache,
    regions: [Region<u64>; 2],
    /// What the database says: it only grows.
    truth: [AtomicU64; 4],
    /// What an acknowledged invalidation promises at least.
    floor: [AtomicU64; 4],
    /// Reads that were checked.
    checked: AtomicU64,
}

#[derive(Debug)]
struct Away;

impl World {
    fn new() -> Self {
        let cache = Cache::builder().weight(1 << 20).cascade(rules()).build();
        let plain = Policy::ttl(Duration::from_millis(50));
        let rich = Policy::ttl(Duration::from_millis(20))
            .grace(Duration::from_millis(50))
            .early(0.3)
            .jitter(0.3)
            .soft_timeout(Duration::from_millis(3))
            .hard_timeout(Duration::from_millis(30))
            .backoff(Duration::from_millis(4));
        let regions = [cache.region("plain", plain), cache.region("rich", rich)];
        let (truth, floor) = (Default::default(), Default::default());
        Self { cache, regions, truth, floor, checked: AtomicU64::new(0) }
    }

    /// Changes the data, invalidates, and only then raises what readers may count on.
    async fn write(&self, dice: &mut Dice) {
        let (inv, covered) = covered_of(dice);
        let written: Vec<_> =
            covered.iter().map(|key| (*key, self.truth[*key].fetch_add(1, Ordering::SeqCst) + 1)).collect();
        for _ in 0..dice.roll(3) {
            yield_now().await;
        }
        self.cache.invalidate([inv]).await;
        for (key, value) in written {
            self.floor[key].fetch_max(value, Ordering::SeqCst);
        }
    }

    async fn read(self: &Arc<Self>, dice: &mut Dice) {
        let key = dice.roll(4) as usize;
        let region = &self.regions[dice.roll(2) as usize];
        let floor = self.floor[key].load(Ordering::SeqCst);
        let (world, mut loader_dice) = (Arc::clone(self), Dice(dice.roll(u64::MAX)));
        let load = move |cx: Context| async move { world.load(cx, key, &mut loader_dice).await };
        let seen = match dice.roll(8) {
            0 => region.peek(KEYS[key]).map(|hit| *hit),
            _ => region.get_or_load(KEYS[key], load).await.ok().map(|hit| *hit),
        };
        if let Some(seen) = seen {
            assert!(seen >= floor, "{} read as {seen} after {floor} was acknowledged", KEYS[key]);
            self.checked.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn play(self: Arc<Self>, mut dice: Dice) {
        for _ in 0..4 {
            match dice.roll(10) {
                0..3 => self.write(&mut dice).await,
                3 => tokio::time::advance(Duration::from_millis(dice.roll(30))).await,
                _ => self.read(&mut dice).await,
            }
            for _ in 0..dice.roll(3) {
                yield_now().await;
            }
        }
    }

    async fn load(&self, cx: Context, key: usize, dice: &mut Dice) -> Result<u64, Away> {
        let is_tagged_early = dice.roll(2) == 0;
        if is_tagged_early {
            cx.tags(tags(key));
        }
        for _ in 0..dice.roll(4) {
            yield_now().await;
        }
        let value = self.truth[key].load(Ordering::SeqCst);
        for _ in 0..dice.roll(6) {
            yield_now().await;
        }
        if !is_tagged_early {
            cx.tags(tags(key));
        }
        if dice.roll(12) == 0 { Err(Away) } else { Ok(value) }
    }
}

#[test]
fn no_story_of_100_000_has_a_stale_read() {
    let checked: u64 = std::thread::scope(|scope| {
        let halves = [0..50_000, 50_000..100_000].map(|seeds| scope.spawn(move || tell(seeds)));
        halves.map(|half| half.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).iter().sum()
    });
    assert!(checked > 500_000, "only {checked} reads were checked");
}

/// Plays the stories of these seeds, four actors each, and returns how many reads were checked.
fn tell(seeds: std::ops::Range<u64>) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a clock is always there");
    let mut checked = 0;
    for seed in seeds {
        let world = Arc::new(World::new());
        runtime.block_on(async {
            let mut actors = JoinSet::new();
            for actor in 0..4 {
                actors.spawn(Arc::clone(&world).play(Dice(seed * 4 + actor)));
            }
            while let Some(end) = actors.join_next().await {
                end.unwrap_or_else(|error| panic!("the story of seed {seed} went wrong: {error}"));
            }
            world.cache.close().await;
        });
        checked += world.checked.load(Ordering::Relaxed);
    }
    checked
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_stale_read_on_real_threads() {
    let world = Arc::new(World::new());
    let mut actors = JoinSet::new();
    for seed in 0..8 {
        let (world, mut dice) = (Arc::clone(&world), Dice(seed));
        actors.spawn(async move {
            for _ in 0..10_000 {
                match dice.roll(4) {
                    0 => world.write(&mut dice).await,
                    _ => world.read(&mut dice).await,
                }
            }
        });
    }
    actors.join_all().await;
    world.cache.close().await;
    assert!(world.checked.load(Ordering::Relaxed) > 40_000);
}
