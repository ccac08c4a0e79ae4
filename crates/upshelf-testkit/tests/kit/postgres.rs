//! A database server that is killed.

use sqlx::{Connection as _, PgConnection};
use upshelf_testkit::{PostgresServer, wait_until};

use crate::LIMIT;

#[tokio::test]
async fn a_killed_server_comes_back_with_every_commit_it_acknowledged() {
    let server = PostgresServer::start().await;
    let mut connection = PgConnection::connect(server.url()).await.expect("it answers");
    sqlx::raw_sql("CREATE TABLE shelf (book BIGINT)").execute(&mut connection).await.expect("a table");
    for book in 0..50_i64 {
        let insert = sqlx::query("INSERT INTO shelf VALUES ($1)").bind(book).execute(&mut connection);
        insert.await.expect("it commits");
    }
    server.kill9().await;
    wait_until("the connection to be lost", LIMIT, async || {
        sqlx::query("SELECT 1").execute(&mut connection).await.is_err()
    })
    .await;
    wait_until("nobody to listen", LIMIT, async || PgConnection::connect(server.url()).await.is_err()).await;
    server.restart().await;
    let mut connection = PgConnection::connect(server.url()).await.expect("it answers again");
    let kept: i64 =
        sqlx::query_scalar("SELECT count(*) FROM shelf").fetch_one(&mut connection).await.expect("it counts");
    assert_eq!(kept, 50);
}
