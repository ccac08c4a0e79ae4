//! What live channels promise, over real connections.

mod crowd;
mod desk;
mod events;
mod frames;

use std::time::Duration;

use desk::{PATIENCE, Place, item};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use upshelf_live::Settings;

async fn open() -> Place {
    Place::open(Settings::default()).await
}

#[tokio::test]
async fn commands_are_answered_in_the_words_of_the_protocol() {
    let place = open().await;
    let mut client = place.client().await;
    client.send("{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"votes\"}}\n{\"id\":3,\"subscribe\":{\"channel\":\"votes\"}}").await;
    let connect = client.hear().await;
    assert_eq!((&connect["connect"]["ping"], &connect["connect"]["pong"]), (&json!(25), &json!(true)));
    let snapshot = json!([{ "data": [{ "key": "a", "version": 1 }] }]);
    assert_eq!(client.hear().await["subscribe"]["publications"], snapshot);
    assert_eq!(client.hear().await["error"]["code"], 105);
    for (command, code) in [
        (json!({ "subscribe": { "channel": "nothing" } }), 102),
        (json!({ "subscribe": { "channel": "stream:ada" } }), 103),
        (json!({ "subscribe": { "channel": "" } }), 107),
        (json!({ "subscribe": { "channel": "v".repeat(256) } }), 107),
        (json!({ "history": { "channel": "votes", "limit": 1 } }), 108),
        (json!({ "history": { "channel": "stream:ada", "limit": 1 } }), 103),
        (json!({ "publish": { "channel": "votes", "data": 1 } }), 103),
        (json!({ "presence": { "channel": "votes" } }), 108),
        (json!({ "rpc": { "method": "m" } }), 104),
        (json!({ "send": { "data": 1 } }), 108),
        (json!({ "sub_refresh": { "channel": "else", "token": "t" } }), 103),
    ] {
        let mut command = command;
        command["id"] = json!(9);
        client.say(command.clone()).await;
        let reply = client.hear().await;
        assert_eq!((&reply["id"], &reply["error"]["code"]), (&json!(9), &json!(code)), "{command}");
    }
    client.say(json!({ "id": 4, "sub_refresh": { "channel": "votes", "token": "t" } })).await;
    assert_eq!(client.hear().await, json!({ "id": 4, "sub_refresh": {} }));
    client.say(json!({ "id": 5, "ping": {} })).await;
    assert_eq!(client.hear().await, json!({ "id": 5, "ping": {} }));
    client.say(json!({ "id": 6, "unsubscribe": { "channel": "votes" } })).await;
    assert_eq!(client.hear().await, json!({ "id": 6, "unsubscribe": {} }));
    place.live.put("votes", [item("a", 2)]);
    client.say(json!({ "id": 7, "subscribe": { "channel": "votes" } })).await;
    assert_eq!(
        client.hear().await["subscribe"]["publications"][0]["data"][0]["version"],
        2,
        "nothing came before it"
    );
}

#[tokio::test]
async fn who_does_not_keep_to_the_protocol_is_told_so_and_closed() {
    let place = open().await;
    for (frame, code) in [
        ("nonsense", 3501),
        ("{}", 3501),
        ("{\"id\":1,\"subscribe\":{\"channel\":\"votes\"}}", 3501),
        ("{\"id\":1,\"connect\":{}}\n{\"id\":2,\"connect\":{}}", 3501),
        ("{\"id\":1,\"connect\":{\"token\":\"bad\"}}", 3500),
        ("{\"id\":1,\"connect\":{}}\n{\"send\":{\"data\":1}}", 3508),
    ] {
        let mut client = place.client().await;
        client.send(frame).await;
        assert_eq!(client.end().await, Some(code), "{frame}");
    }
    for (message, code) in
        [(Message::text("x".repeat(64 * 1024 + 1)), 1009), (Message::binary(vec![1, 2, 3]), 3501)]
    {
        let mut client = place.client().await;
        client.send_message(message).await;
        assert_eq!(client.end().await, Some(code));
    }
}

#[tokio::test]
async fn a_token_that_has_expired_may_be_replaced_and_one_that_cannot_be_checked_too() {
    let place = open().await;
    let mut client = place.client().await;
    client.say(json!({ "id": 1, "connect": { "token": "expired" } })).await;
    assert_eq!(client.hear().await["error"]["code"], 109);
    client.say(json!({ "id": 2, "connect": { "token": "away" } })).await;
    assert_eq!(
        client.hear().await["error"],
        json!({ "code": 100, "message": "internal server error", "temporary": true })
    );
    client.say(json!({ "id": 3, "connect": { "token": "ada-60" } })).await;
    let connect = client.hear().await;
    assert_eq!((&connect["connect"]["expires"], &connect["connect"]["ttl"]), (&json!(true), &json!(45)));
    client.say(json!({ "id": 4, "refresh": { "token": "ada-3600" } })).await;
    assert_eq!(client.hear().await["refresh"]["ttl"], 3570);
    client.say(json!({ "id": 5, "refresh": { "token": "bad" } })).await;
    assert_eq!(client.end().await, Some(3500));
}

#[tokio::test]
async fn what_was_missed_is_made_up_for_whole_or_not_at_all() {
    let place = Place::open(Settings { recovery: 5, ..Settings::default() }).await;
    let desk = place.live.house();
    for n in 1..=9 {
        desk.keep(&n.to_string());
    }
    for (offset, epoch, recovered) in
        [(4, "e", true), (9, "e", true), (3, "e", false), (4, "other", false), (10, "e", false)]
    {
        let mut client = place.client().await;
        let subs = json!({ "stream:ada": { "recover": true, "offset": offset, "epoch": epoch } });
        client.say(json!({ "id": 1, "connect": { "token": "ada", "subs": subs } })).await;
        let mut reply = client.hear().await;
        let sub = reply["connect"]["subs"]["stream:ada"].take();
        assert_eq!((&sub["recovered"], &sub["was_recovering"]), (&json!(recovered), &json!(true)), "{sub}");
        assert_eq!((&sub["offset"], &sub["epoch"]), (&json!(9), &json!("e")));
        let got: Vec<u64> = sub["publications"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| one["data"].as_u64().expect("a number"))
            .collect();
        let expected: Vec<u64> = if recovered { (offset + 1..=9).collect() } else { Vec::new() };
        assert_eq!(got, expected);
    }
}

#[tokio::test]
async fn what_comes_while_a_history_is_read_comes_behind_it_and_once() {
    let place = open().await;
    let desk = place.live.house();
    desk.keep("1");
    let gate = desk.gate.write().await;
    let mut client = place.client().await;
    client.say(json!({ "id": 1, "connect": { "token": "ada" } })).await;
    upshelf_testkit::wait_until("the history is asked for", PATIENCE, async || place.live.has("stream:ada"))
        .await;
    for n in 2..=4 {
        let offset = desk.keep(&n.to_string());
        place.live.publish("stream:ada", offset, n.to_string().as_bytes());
    }
    drop(gate);
    let connect = client.hear().await;
    let offset = connect["connect"]["subs"]["stream:ada"]["offset"].as_u64().expect("a number");
    desk.keep("5");
    place.live.publish("stream:ada", 5, b"5");
    for n in offset + 1..=5 {
        assert_eq!(client.publication().await, json!({ "offset": n, "data": n }));
    }
}

#[tokio::test]
async fn what_has_no_number_is_told_in_its_turn_and_moves_nobody_on() {
    let place = open().await;
    let desk = place.live.house();
    let gate = desk.gate.write().await;
    let mut client = place.client().await;
    client.say(json!({ "id": 1, "connect": { "token": "ada" } })).await;
    upshelf_testkit::wait_until("the history is asked for", PATIENCE, async || place.live.has("stream:ada"))
        .await;
    place.live.mention("stream:ada", b"0");
    drop(gate);
    let subscribed = client.hear().await;
    assert_eq!(subscribed["connect"]["subs"]["stream:ada"]["offset"], 0);
    assert_eq!(client.publication().await, json!({ "data": 0 }), "it waits for the reply");
    desk.keep("1");
    place.live.publish("stream:ada", 1, b"1");
    place.live.mention("stream:ada", b"7");
    desk.keep("2");
    place.live.publish("stream:ada", 2, b"2");
    for one in [json!({ "offset": 1, "data": 1 }), json!({ "data": 7 }), json!({ "offset": 2, "data": 2 })] {
        assert_eq!(client.publication().await, one);
    }
    drop(client);
    let mut again = place.client().await;
    let subs = json!({ "stream:ada": { "recover": true, "offset": 1, "epoch": "e" } });
    again.say(json!({ "id": 1, "connect": { "token": "ada", "subs": subs } })).await;
    let recovered = again.hear().await["connect"]["subs"]["stream:ada"].take();
    assert_eq!(
        (&recovered["recovered"], &recovered["publications"]),
        (&json!(true), &json!([{ "offset": 2, "data": 2 }]))
    );
}

#[tokio::test]
async fn publications_that_come_in_another_order_are_put_into_theirs() {
    let place = open().await;
    let desk = place.live.house();
    let mut client = place.come_in("ada").await;
    for n in 1..=6 {
        desk.keep(&n.to_string());
    }
    for n in [3, 1, 2, 3, 6, 2] {
        place.live.publish("stream:ada", n, n.to_string().as_bytes());
    }
    for n in 1..=6 {
        assert_eq!(client.publication().await, json!({ "offset": n, "data": n }));
    }
    desk.keep("7");
    place.live.look("stream:ada", Some(7));
    assert_eq!(client.publication().await, json!({ "offset": 7, "data": 7 }));
    client.say(json!({ "id": 2, "history": { "channel": "stream:ada", "limit": 2, "since": { "offset": 4, "epoch": "e" } } })).await;
    let history = json!({ "publications": [{ "offset": 5, "data": 5 }, { "offset": 6, "data": 6 }], "epoch": "e", "offset": 7 });
    assert_eq!(client.hear().await["history"], history);
    client.say(json!({ "id": 3, "history": { "channel": "stream:ada", "limit": 2, "since": { "offset": 4, "epoch": "x" } } })).await;
    assert_eq!(client.hear().await["error"]["code"], 112);
}

#[tokio::test]
async fn a_short_history_makes_up_for_a_short_absence_and_says_when_it_cannot() {
    let place = Place::open(Settings { brief_length: 3, ..Settings::default() }).await;
    let mut client = place.come_in("").await;
    client.say(json!({ "id": 2, "subscribe": { "channel": "brief:1" } })).await;
    let subscribed = client.hear().await["subscribe"].take();
    let epoch = subscribed["epoch"].as_str().expect("text").to_owned();
    place.live.announce("brief:1", "1");
    assert_eq!(client.publication().await, json!({ "offset": 1, "data": 1 }));
    drop(client);
    for n in 2..=4 {
        place.live.announce("brief:1", n.to_string());
    }
    for (offset, recovered) in [(1, true), (0, false)] {
        let mut client = place.come_in("").await;
        client.say(json!({ "id": 2, "subscribe": { "channel": "brief:1", "recover": true, "offset": offset, "epoch": epoch } })).await;
        let subscribed = client.hear().await["subscribe"].take();
        assert_eq!(subscribed["recovered"], recovered);
        assert_eq!(
            subscribed["publications"].as_array().expect("a list").len(),
            if recovered { 3 } else { 0 }
        );
        if !recovered {
            place.live.lose("brief:1");
            assert_eq!(client.hear().await["push"]["unsubscribe"]["code"], 2500);
            client.say(json!({ "id": 3, "subscribe": { "channel": "brief:1", "recover": true, "offset": 4, "epoch": epoch } })).await;
            assert_eq!(client.hear().await["subscribe"]["recovered"], false, "nobody knows what was missed");
        }
    }
}

#[tokio::test]
async fn a_burst_of_values_comes_in_few_frames_and_ends_with_the_last_one() {
    let place = open().await;
    let mut client = place.come_in("").await;
    client.say(json!({ "id": 2, "subscribe": { "channel": "votes", "data": { "filter": ["b"] } } })).await;
    assert_eq!(client.hear().await["subscribe"]["publications"][0]["data"], json!([]));
    for version in 1..=5_000 {
        place.live.put("votes", [item("b", version), item("a", version + 1)]);
        if version % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let (mut frames, mut last) = (0, 0);
    while last < 5_000 {
        for value in client.publication().await["data"].as_array().expect("a list") {
            assert_eq!(value["key"], "b");
            let version = value["version"].as_u64().expect("a number");
            assert!(version > last, "versions never go back");
            last = version;
        }
        frames += 1;
    }
    assert!(frames <= 12, "{frames} frames");
}

#[tokio::test]
async fn a_frame_whose_answers_are_more_than_may_wait_is_answered_to_who_reads_them() {
    let place = Place::open(Settings { outbound: 64 * 1024, ..Settings::default() }).await;
    for _ in 0..10 {
        place.live.house().keep(&format!("\"{}\"", "x".repeat(5_000)));
    }
    let mut client = place.come_in("ada").await;
    let ask =
        |id: usize| json!({ "id": id, "history": { "channel": "stream:ada", "limit": 10 } }).to_string();
    client.send(&(2..100).map(ask).collect::<Vec<_>>().join("\n")).await;
    for id in 2..100 {
        let reply = client.hear().await;
        assert_eq!(reply["id"], id);
        assert_eq!(reply["history"]["publications"].as_array().map(Vec::len), Some(10));
    }
}

#[tokio::test]
async fn who_may_stay_no_more_is_closed_with_3500() {
    let place = open().await;
    let (mut ada, mut other) = (place.come_in("ada").await, place.come_in("ada-3600").await);
    place.live.house().banned.lock().expect("nobody panics").push("ada".to_owned());
    place.live.review(|_| true).await;
    assert_eq!(ada.end().await, Some(3500));
    let mut again = place.client().await;
    again.say(json!({ "id": 1, "connect": { "token": "ada" } })).await;
    assert_eq!(again.end().await, Some(3500));
    other.say(json!({ "id": 2, "ping": {} })).await;
    assert_eq!(other.hear().await["id"], 2);
}

#[tokio::test]
async fn silent_connections_are_closed_and_those_that_answer_stay() {
    let settings = Settings {
        ping: Duration::from_secs(1),
        pong: Duration::from_secs(1),
        greeting: Duration::from_secs(1),
        ..Settings::default()
    };
    let place = Place::open(settings).await;
    let (mut says_nothing, mut silent, mut awake, mut expired) = (
        place.client().await,
        place.come_in("").await,
        place.come_in("").await,
        place.come_in("ada-2").await,
    );
    awake.say(json!({ "id": 2, "subscribe": { "channel": "votes" } })).await;
    let awake = async {
        // It answers pings while it waits for what comes later.
        assert_eq!(awake.publication().await["data"][0]["version"], 7);
    };
    let expired = async { assert_eq!(expired.next().await, Err(Some(3005))) };
    let others = async {
        assert_eq!(says_nothing.end().await, Some(3502));
        assert_eq!(silent.end().await, Some(3012));
    };
    let others = async {
        tokio::join!(others, expired);
        place.live.put("votes", [item("a", 7)]);
    };
    tokio::join!(awake, others);
}

#[tokio::test]
async fn everybody_is_told_of_the_end_and_nothing_is_left() {
    let place = open().await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(place.come_in("ada").await);
    }
    place.closing.cancel();
    for client in &mut clients {
        assert_eq!(client.end().await, Some(3001));
    }
    drop(clients);
    place.tracker.close();
    tokio::time::timeout(PATIENCE, place.tracker.wait()).await.expect("all tasks end");
}

#[tokio::test]
async fn a_connection_that_is_not_tcp_is_served_as_well() {
    let place = open().await;
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path().join("live");
    let listener = tokio::net::UnixListener::bind(&path).expect("nobody is there");
    let served = axum::serve(listener, desk::router(&place.live));
    place.tracker.spawn(place.closing.clone().run_until_cancelled_owned(served.into_future()));
    let stream = tokio::net::UnixStream::connect(&path).await.expect("it listens");
    let (mut socket, _) = tokio_tungstenite::client_async("ws://live/ws", stream).await.expect("it upgrades");
    let hello = "{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"votes\"}}";
    socket.send(Message::text(hello)).await.expect("it is connected");
    let mut heard = String::new();
    while !heard.contains(r#""version":7"#) {
        if heard.contains("subscribe") {
            place.live.put("votes", [item("a", 7)]);
        }
        let message = timeout(PATIENCE, socket.next()).await.expect("it does not fall silent");
        heard += message.expect("it goes on").expect("it is whole").to_text().expect("it is text");
    }
}
