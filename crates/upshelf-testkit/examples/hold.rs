//! Starts a server (`postgres` or `redis`), prints its address, and waits for ever: what a test kills.

use upshelf_testkit::{Postgres, RedisServer};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("postgres") => {
            let database = Postgres::shared().await.database().await;
            hold(&database.url).await;
        }
        Some("redis") => {
            let server = RedisServer::start().await;
            hold(&format!("{} {}", server.address(), server.socket().unwrap_or_default().display())).await;
        }
        _ => panic!("which server: postgres or redis?"),
    }
}

async fn hold(what: &str) {
    println!("holding {what}");
    std::future::pending::<()>().await;
}
