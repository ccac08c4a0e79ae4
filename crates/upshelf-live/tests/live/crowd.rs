//! Good clients among bad ones.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use upshelf_live::Settings;
use upshelf_testkit::wait_until;

use crate::desk::{PATIENCE, Place, item};

/// Comes in by hand, so that nothing is ever read.
async fn deaf(place: &Place) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket can be had");
    socket.set_recv_buffer_size(4 * 1024).expect("it can be small");
    let mut stream = socket.connect(place.at).await.expect("it listens");
    let request = "GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).await.expect("it takes requests");
    for command in [
        json!({ "id": 1, "connect": { "token": "ada" } }),
        json!({ "id": 2, "subscribe": { "channel": "votes" } }),
    ] {
        stream.write_all(&masked(&command.to_string())).await.expect("it takes frames");
    }
    stream
}

/// A text frame with a mask of zeros.
fn masked(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("it is short");
    assert!(length < 126, "it is short");
    let mut frame = vec![0x81, 0x80 | length, 0, 0, 0, 0];
    frame.extend_from_slice(text.as_bytes());
    frame
}

/// Reads what there is to the end, and gives the code in the frame of the close.
async fn code(stream: TcpStream) -> Option<u16> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line).await.ok()?;
    }
    loop {
        let first = stream.read_u8().await.ok()?;
        let length = match stream.read_u8().await.ok()? {
            126 => u64::from(stream.read_u16().await.ok()?),
            127 => stream.read_u64().await.ok()?,
            short => u64::from(short),
        };
        if first == 0x88 {
            return stream.read_u16().await.ok();
        }
        tokio::io::copy(&mut (&mut stream).take(length), &mut tokio::io::sink()).await.ok()?;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_never_read_or_send_garbage_disturb_nobody() {
    const MANY: usize = 200;
    /// So many of them read on in the end; what they have to read first takes a while.
    const SOME: usize = 20;
    let place = Place::open(Settings { outbound: 64 * 1024, ..Settings::default() }).await;
    let mut good = place.come_in("ada").await;
    good.say(json!({ "id": 2, "subscribe": { "channel": "votes" } })).await;
    good.hear().await;
    let mut deaf_ones = Vec::new();
    for _ in 0..MANY {
        deaf_ones.push(deaf(&place).await);
    }
    wait_until("all are in", PATIENCE, async || place.live.connections() == MANY + 1).await;
    let garbage = async {
        for n in 0..MANY {
            let mut client = place.client().await;
            client.send(["{", "[]", "\u{0}", "{\"id\":1e9}"][n % 4]).await;
            assert_eq!(client.end().await, Some(3501));
        }
    };
    // More than the system's buffers and ours together take for one connection.
    let big = format!("\"{}\"", "x".repeat(30_000));
    let published = async {
        for n in 1..=400 {
            let offset = place.live.house().keep(&big);
            place.live.publish("stream:ada", offset, big.as_bytes());
            place.live.put("votes", [item("a", n + 1)]);
            let asked = Instant::now();
            good.say(json!({ "id": 100 + n, "ping": {} })).await;
            while good.hear().await["id"] != 100 + n {}
            assert!(asked.elapsed() < Duration::from_secs(5), "a good client waits for bad ones");
            if n > 100 && place.live.connections() == 1 {
                break;
            }
        }
    };
    timeout(4 * PATIENCE, async { tokio::join!(garbage, published) }).await.expect("all of it in time");
    wait_until("the slow ones are given up", PATIENCE, async || place.live.connections() == 1).await;
    let mut readers: JoinSet<_> = deaf_ones.into_iter().take(SOME).map(code).collect();
    while let Some(code) = timeout(PATIENCE, readers.join_next()).await.expect("they come to the end") {
        assert_eq!(code.expect("it reads"), Some(3008), "it is told once it reads");
    }
    good.say(json!({ "id": 1_000, "ping": {} })).await;
    while good.hear().await["id"] != 1_000 {}
}

#[tokio::test]
async fn who_was_given_up_and_does_not_read_on_holds_up_no_end() {
    let place = Place::open(Settings { outbound: 64 * 1024, ..Settings::default() }).await;
    let _deaf = deaf(&place).await;
    wait_until("it is in", PATIENCE, async || place.live.has("stream:ada")).await;
    let big = format!("\"{}\"", "x".repeat(30_000));
    wait_until("it is given up", PATIENCE, async || {
        let offset = place.live.house().keep(&big);
        place.live.publish("stream:ada", offset, big.as_bytes());
        place.live.connections() == 0
    })
    .await;
    place.closing.cancel();
    place.tracker.close();
    // Sooner than it would have been waited for.
    timeout(PATIENCE / 2, place.tracker.wait()).await.expect("nothing is left");
}
