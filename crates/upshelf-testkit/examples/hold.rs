//! Starts a server with one database, prints its address, and waits for ever: what a test kills.

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let database = upshelf_testkit::Postgres::shared().await.database().await;
    println!("holding {}", database.url);
    std::future::pending::<()>().await;
}
