//! Two listeners, one of them too slow: it is told to resync instead of holding anybody up. Given `redis://HOST:PORT`,
//! all that run this hear each other.

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
            // Until it is connected, each process hears itself alone.
            let mut health = redis.watch_health();
            let _ = timeout(Duration::from_secs(1), health.wait_for(|health| health.is_up())).await;
            Bus::shared_with(buffer, &redis)
        }
        None => Bus::local_with(buffer),
    };
    let mut quick = bus.subscribe("scores").await;
    let mut slow = bus.subscribe_pattern("*").await;

    for goal in 1..=5 {
        bus.publish("scores", format!("goal {goal}")).await;
        println!("quick: {}", describe(quick.recv().await));
    }
    println!("alone for want of Redis: {}", bus.is_degraded());
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
