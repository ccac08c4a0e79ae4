//! Two listeners, one of them too slow: it is told to resync instead of holding anybody up. Given
//! `redis://HOST:PORT`, all that run this hear each other's goals.

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upshelf_bus::{Buffer, Bus, Event};
use upshelf_redis::{Redis, Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let buffer = Buffer { messages: 3, ..Buffer::default() };
    let bus = match std::env::args().nth(1) {
        Some(address) => {
            let redis =
                Redis::open(Settings::new(address.parse()?), &TaskTracker::new(), CancellationToken::new());
            Bus::shared_with(buffer, &redis)
        }
        None => Bus::local_with(buffer),
    };
    // Until Redis is there, this process hears itself.
    let connected = async {
        while bus.is_degraded() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let _ = timeout(Duration::from_secs(1), connected).await;
    let mut quick = bus.subscribe("scores").await;
    let mut slow = bus.subscribe_pattern("*").await;

    for goal in 1..=5 {
        bus.publish("scores", format!("goal {goal}")).await;
        println!("quick: {}", describe(quick.recv().await));
    }
    drop(bus);
    while let Some(event) = slow.recv().await {
        println!("slow:  {}", describe(Some(event)));
    }
    Ok(())
}

fn describe(event: Option<Event>) -> String {
    match event {
        Some(Event::Message { channel, payload }) => {
            format!("{channel}: {}", String::from_utf8_lossy(&payload))
        }
        Some(Event::Resync) => "something was missed, reading the score board again".to_owned(),
        None => "the bus is gone".to_owned(),
    }
}
