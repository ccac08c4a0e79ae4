use upshelf_store::{Error, Store};
use upshelf_testkit::{Postgres, Proxy};

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_said_to_be_away_and_is_there_again() {
    let database = Postgres::shared().await.database().await;
    let (sign_in, place) = database.url.split_once('@').expect("the testkit gives a user");
    let (server, name) = place.split_once('/').expect("the testkit names a database");
    let server = if server.contains(':') { server.to_owned() } else { format!("{server}:5432") };
    let proxy = Proxy::to(server).await;
    let store = Store::open(&format!("{sign_in}@{}/{name}", proxy.address())).await.expect("it opens");
    let ask = async || store.read().await?.find_setting("a").await;
    assert_eq!(ask().await.expect("it is there"), None);

    proxy.cut();
    let away = ask().await;
    assert!(matches!(away, Err(Error::Away(..))), "{away:?}");
    proxy.restore();
    assert_eq!(ask().await.expect("it is there again"), None);
}
