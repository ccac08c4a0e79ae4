//! A slow source behind a cache: one load for many readers, and a fresh one after an invalidation. Given
//! `redis://HOST:PORT`, all that run this share what was loaded.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upshelf_cache::{Cache, Inv, Policy};
use upshelf_redis::{Redis, Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut builder = Cache::builder().weight(1 << 20);
    if let Some(address) = std::env::args().nth(1) {
        let redis =
            Redis::open(Settings::new(address.parse()?), &TaskTracker::new(), CancellationToken::new());
        builder = builder.shared(&redis);
    }
    let cache = builder.build();
    // Until Redis is there, this process has a cache of its own.
    let shared = async {
        while cache.is_degraded() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let _ = timeout(Duration::from_secs(1), shared).await;
    let weather = cache.region::<String>("weather", Policy::ttl(Duration::from_secs(900)).jitter(0.1));
    let asked = Arc::new(AtomicU32::new(0));

    for day in ["Monday", "Tuesday"] {
        for reader in 1..=3 {
            let asked = Arc::clone(&asked);
            let report = weather.get_or_load("weather:lisbon", move |cx| async move {
                cx.tag("city:lisbon");
                let times = asked.fetch_add(1, Ordering::Relaxed) + 1;
                Ok::<_, Infallible>(format!("sunny, says the station when asked for the {times}. time"))
            });
            let report = report.await?;
            println!("{day}, reader {reader}: {} ({:?})", *report, report.source());
        }
        cache.invalidate([Inv::tag("city:lisbon")]).await;
    }
    println!("alone for want of Redis: {}", cache.is_degraded());
    cache.close().await;
    Ok(())
}
