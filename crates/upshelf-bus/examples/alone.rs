//! Two listeners, one of them too slow: it is told to resync instead of holding anybody up.

use upshelf_bus::{Buffer, Bus, Event};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let bus = Bus::local_with(Buffer { messages: 3, ..Buffer::default() });
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
