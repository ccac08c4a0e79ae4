//! Limits without Upshelf: two policies, a burst of requests, and what the client is told. Given `redis://HOST:PORT`,
//! all that run this count together.

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upshelf_redis::{Redis, Settings};
use upshelf_throttle::{Adjustment, Mode, Policy, Rate, Subject, Throttle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let minute = Policy::new("search", "4/min".parse()?)?;
    let day = Policy::new("search-day", Rate::per_day(1000))?;
    let throttle = match std::env::args().nth(1) {
        Some(address) => {
            let redis =
                Redis::open(Settings::new(address.parse()?), &TaskTracker::new(), CancellationToken::new());
            // Until it is connected, each process decides alone.
            let mut health = redis.watch_health();
            let _ = timeout(Duration::from_secs(1), health.wait_for(|health| health.is_up())).await;
            Throttle::shared(Mode::On, &redis, [&minute, &day])
        }
        None => Throttle::local(Mode::On),
    };
    let visitor = Subject::ip("192.0.2.7".parse()?);

    for request in 1..=5 {
        let verdict = throttle.take(&visitor, &[&minute, &day], 1).await;
        let fields = verdict.fields().ok_or("policies were asked")?;
        println!("request {request}: {}", if verdict.is_allowed { "200" } else { "429" });
        println!("  RateLimit-Policy: {}\n  RateLimit: {}", fields.policy, fields.limit);
        if let Some(seconds) = fields.retry_after {
            println!("  Retry-After: {seconds}");
        }
    }

    throttle.adjust(&visitor, &minute, Adjustment::Refund(1)).await;
    println!("one given back: {}", throttle.take(&visitor, &[&minute], 1).await.is_allowed);
    println!("decided alone for want of Redis: {}", throttle.is_alone());
    Ok(())
}
