//! A slow source behind a cache: one load for many readers, and a fresh one after an invalidation.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use upshelf_cache::{Cache, Inv, LoadError, Policy};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), LoadError<Infallible>> {
    let cache = Cache::builder().weight(1 << 20).build();
    let weather = cache.region::<String>("weather", Policy::ttl(Duration::from_secs(900)).jitter(0.1));
    let asked = Arc::new(AtomicU32::new(0));

    for day in ["Monday", "Tuesday"] {
        for reader in 1..=3 {
            let asked = Arc::clone(&asked);
            let report = weather.get_or_load("weather:lisbon", move |cx| async move {
                cx.tag("city:lisbon");
                let times = asked.fetch_add(1, Ordering::Relaxed) + 1;
                Ok(format!("sunny, says the station when asked for the {times}. time"))
            });
            let report = report.await?;
            println!("{day}, reader {reader}: {} ({:?})", *report, report.source());
        }
        cache.invalidate([Inv::tag("city:lisbon")]).await;
    }
    cache.close().await;
    Ok(())
}
