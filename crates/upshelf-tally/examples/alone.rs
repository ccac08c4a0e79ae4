//! A vote on pizza toppings: counts arrive in any order, the list follows, and what has been decided leaves it. Given
//! `redis://HOST:PORT`, all that run this see one list.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upshelf_redis::{Redis, Settings};
use upshelf_tally::{Counts, Tally};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tally = match std::env::args().nth(1) {
        Some(address) => {
            let redis =
                Redis::open(Settings::new(address.parse()?), &TaskTracker::new(), CancellationToken::new());
            // Until it is connected, the database is asked.
            let mut health = redis.watch_health();
            let _ = timeout(Duration::from_secs(1), health.wait_for(|health| health.is_up())).await;
            Tally::<char>::shared(&redis)
        }
        None => Tally::local(),
    };
    let database = async || Ok::<_, Infallible>(vec![('🍍', Counts { up: 9, down: 12, version: 21 })]);

    for (topping, up, down, version) in [('🧀', 8, 1, 9), ('🌶', 5, 2, 7), ('🧀', 7, 1, 8), ('🍄', 6, 0, 6)]
    {
        tally.record(topping, Counts { up, down, version }).await;
    }
    tally.remove('🌶').await;

    for (place, (topping, counts)) in tally.top(10, database).await?.into_iter().enumerate() {
        println!("{}. {topping} {:+} ({} up, {} down)", place + 1, counts.score(), counts.up, counts.down);
    }
    Ok(())
}
