//! A vote on pizza toppings: counts arrive in any order, the list follows, and what has been decided leaves it.

use std::convert::Infallible;

use upshelf_tally::{Counts, Tally};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Infallible> {
    let tally = Tally::<char>::local();
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
