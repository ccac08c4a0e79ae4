//! Server-Sent Events, as they stand on the wire.

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use upshelf_live::Settings;

use crate::desk::{PATIENCE, Place, item};

/// Reads a stream of events, line by line.
struct Reader(BufReader<TcpStream>);

/// An event: its type, id and data.
type Event = (String, String, serde_json::Value);

impl Reader {
    async fn open(place: &Place, query: &str) -> Reader {
        let mut stream = TcpStream::connect(place.at).await.expect("it listens");
        let request = format!("GET /events?{query} HTTP/1.1\r\nhost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("it takes requests");
        Reader(BufReader::new(stream))
    }

    /// The next line; `None` at the end.
    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = timeout(PATIENCE, self.0.read_line(&mut line)).await.expect("it does not fall silent");
        (read.expect("it stays connected") > 0).then(|| line.trim_end().to_owned())
    }

    async fn event(&mut self) -> Option<Event> {
        let (mut kind, mut id) = (String::new(), String::new());
        loop {
            let line = self.line().await?;
            if let Some(found) = line.strip_prefix("event: ") {
                found.clone_into(&mut kind);
            } else if let Some(found) = line.strip_prefix("id: ") {
                found.clone_into(&mut id);
            } else if let Some(data) = line.strip_prefix("data: ") {
                return Some((kind, id, serde_json::from_str(data).expect("data is JSON")));
            }
        }
    }
}

#[tokio::test]
async fn a_reader_that_comes_back_gets_what_it_missed_in_all_channels() {
    let place = Place::open(Settings::default()).await;
    let channels = "channels=stream:ada,brief:1,votes&token=ada";
    let mut reader = Reader::open(&place, channels).await;
    let (kind, _, told) = reader.event().await.expect("the first event");
    assert_eq!((kind.as_str(), &told["recovered"]), ("subscribed", &json!(false)));
    let (_, _, snapshot) = reader.event().await.expect("the snapshot");
    assert_eq!(snapshot["pub"]["data"][0], json!({ "key": "a", "version": 1 }));
    place.live.announce("brief:1", "1");
    let (_, id, message) = reader.event().await.expect("a message");
    assert_eq!(message, json!({ "channel": "brief:1", "pub": { "offset": 1, "data": 1 } }));
    drop(reader);

    for n in 1..=3 {
        let offset = place.live.house().keep(&n.to_string());
        place.live.publish("stream:ada", offset, n.to_string().as_bytes());
    }
    place.live.announce("brief:1", "2");
    let mut reader = Reader::open(&place, &format!("{channels}&last={}", id.replace('%', "%25"))).await;
    let (_, first, told) = reader.event().await.expect("the first event");
    assert_eq!(told["recovered"], true);
    assert_eq!(told["channels"]["stream:ada"], json!({ "recovered": true }));
    assert_eq!(first, id, "who is cut off before the next event asks for the same again");
    let mut missed = Vec::new();
    let mut last = String::new();
    for _ in 0..4 {
        let (_, id, message) = reader.event().await.expect("a message");
        missed.push((message["channel"].as_str().expect("text").to_owned(), message["pub"]["data"].as_u64()));
        last = id;
    }
    let expected = [("stream:ada", 1), ("stream:ada", 2), ("stream:ada", 3), ("brief:1", 2)];
    assert_eq!(missed, expected.map(|(channel, n)| (channel.to_owned(), Some(n))));
    assert!(last.starts_with("stream:ada=3@e,brief:1=2@"), "{last}");

    let wrong = last.replace("stream:ada=3", "stream:ada=99");
    let mut reader = Reader::open(&place, &format!("{channels}&last={wrong}")).await;
    let (_, _, told) = reader.event().await.expect("the first event");
    assert_eq!(
        (&told["recovered"], &told["channels"]["brief:1"]),
        (&json!(false), &json!({ "recovered": true }))
    );
}

#[tokio::test]
async fn a_stream_of_events_is_refused_whole_and_ends_with_the_program() {
    let place = Place::open(Settings::default()).await;
    for (channels, code) in [("votes,nothing", "102"), ("votes,stream:ada", "103"), ("votes,votes", "105")] {
        let mut reader = Reader::open(&place, &format!("channels={channels}")).await;
        assert!(reader.line().await.expect("a status").contains("400"));
        while !reader.line().await.expect("headers").is_empty() {}
        let mut body = [0; 3];
        tokio::io::AsyncReadExt::read_exact(&mut reader.0, &mut body).await.expect("a body");
        assert_eq!(body, code.as_bytes());
    }
    let mut reader = Reader::open(&place, "channels=votes").await;
    reader.event().await.expect("the first event");
    reader.event().await.expect("the snapshot");
    place.live.put("votes", [item("a", 2)]);
    assert_eq!(reader.event().await.expect("a message").2["pub"]["data"][0]["version"], 2);
    place.closing.cancel();
    assert_eq!(reader.event().await, None);
}
