//! The way in to live channels, as far as it is refused; what goes on behind it is in the slices.

use secrecy::ExposeSecret;
use upshelf_catalog::{changes_channel, notices_channel};
use upshelf_session::Device;
use upshelf_store::Role;
use uuid::Uuid;

use crate::app::App;

#[tokio::test]
async fn a_plain_request_is_told_that_a_websocket_is_wanted() {
    let app = App::open().await;
    let reply = app.anon().get("/connection/websocket").await;
    reply.refused(426, "not_a_websocket");
    assert_eq!(reply.header("upgrade"), "websocket");
    let half = app.anon().header("upgrade", "websocket").header("connection", "upgrade");
    half.get("/connection/websocket").await.refused(400, "not_a_websocket");
}

#[tokio::test]
async fn a_cookie_opens_a_connection_only_for_a_page_of_the_site() {
    let app = App::open().await;
    let ada = app.account("ada", Role::Member).await;
    let tokens = app.web.sessions().start(ada.id.0, &Device::default(), app.hand.now()).await;
    let cookie = format!("upshelf-access={}", tokens.expect("a session starts").access_token.expose_secret());
    for origin in [None, Some("http://elsewhere.example"), Some("null")] {
        let mut page = app.anon().header("host", "shelf.example").header("cookie", &cookie);
        if let Some(origin) = origin {
            page = page.header("origin", origin);
        }
        page.get("/connection/websocket").await.refused(403, "cross_site");
    }
    let page = app.anon().header("host", "shelf.example").header("cookie", &cookie);
    // It gets as far as the question whether it is a WebSocket.
    let reply = page.header("origin", "http://shelf.example").get("/connection/websocket").await;
    reply.refused(426, "not_a_websocket");
    app.anon().bearer("forged").get("/connection/websocket").await.refused(401, "token_invalid");
}

#[tokio::test]
async fn channels_that_one_may_not_watch_are_problems() {
    let app = App::open().await;
    let (ada, bob) = (app.account("ada", Role::Member).await, app.member("bob").await);
    let events = |channels: &str| format!("/api/v1/events?channels={channels}");
    let adas = notices_channel(ada.id);
    app.anon().get(&events(&adas)).await.refused(401, "not_signed_in");
    bob.get(&events(&adas)).await.refused(403, "channel_forbidden");
    bob.get(&events("suggestions:votes,made:up")).await.refused(404, "channel_not_found");
    bob.get(&events(&changes_channel(Uuid::from_u128(1).into()))).await.refused(404, "channel_not_found");
    bob.get(&events("suggestions:votes,suggestions:votes")).await.refused(422, "invalid");
    bob.get(&events("")).await.refused(422, "invalid");
    bob.get("/api/v1/events").await.refused(422, "invalid");
    let filter = |filter: &str| format!("{}&filter={filter}", events("suggestions:votes"));
    bob.get(&filter("one")).await.refused(422, "invalid");
    let many = vec![Uuid::from_u128(1).to_string(); 201].join(",");
    bob.get(&filter(&many)).await.refused(422, "invalid");
}
