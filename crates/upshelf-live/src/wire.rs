//! Frames of the client protocol, version 2, as JSON: lines in, lines out.

use std::collections::HashMap;
use std::fmt::Write as _;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::codes::{Code, Unsubscribe};

/// What a client asks for.
#[derive(Debug, PartialEq)]
pub struct Command {
    /// Names the command in its reply; 0 for one that wants none.
    pub id: u32,
    /// What it is.
    pub method: Method,
}

/// The commands.
#[derive(Debug, PartialEq)]
pub enum Method {
    /// A sign of life: the empty command.
    Pong,
    /// Comes in.
    Connect(Connect),
    /// Watches a channel.
    Subscribe(Subscribe),
    /// Watches it no more.
    Unsubscribe(Channel),
    /// Brings a new token.
    Refresh(Refresh),
    /// Brings a new token for a subscription.
    SubRefresh(Channel),
    /// Reads what was published.
    History(History),
    /// Asks for a sign of life.
    Ping,
    /// A message to the server.
    Send,
    /// One that is known, or not, and never done here.
    Refused(Code),
}

/// The parts of `connect` that count here.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Connect {
    /// The access token.
    pub token: String,
    /// Where the client was, by channel.
    pub subs: HashMap<String, Recovery>,
}

/// Where a client was in a channel.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Recovery {
    /// Whether what was missed is wanted.
    pub recover: bool,
    /// The number of the last publication seen.
    pub offset: u64,
    /// The epoch it belongs to.
    pub epoch: String,
}

/// The parts of `subscribe` that count here.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Subscribe {
    /// Which channel.
    pub channel: String,
    /// What the channel is to know of the subscription.
    pub data: Value,
    /// Where the client was.
    #[serde(flatten)]
    pub recovery: Recovery,
}

/// A command that has only a channel.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Channel {
    /// Which channel.
    pub channel: String,
}

/// The parts of `refresh` that count here.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Refresh {
    /// The new access token.
    pub token: String,
}

/// The parts of `history` that count here.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct History {
    /// Of which channel.
    pub channel: String,
    /// How many publications; none for 0, as many as there may be for a negative number.
    pub limit: i64,
    /// Behind which position; without it, from the beginning.
    pub since: Option<Since>,
    /// Whether the newest comes first.
    pub reverse: bool,
}

/// A position.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Since {
    /// The number of a publication.
    pub offset: u64,
    /// The epoch it belongs to.
    pub epoch: String,
}

/// A frame that is none of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a frame of the protocol")]
pub struct Malformed;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Raw {
    id: u32,
    connect: Option<Connect>,
    subscribe: Option<Subscribe>,
    unsubscribe: Option<Channel>,
    refresh: Option<Refresh>,
    sub_refresh: Option<Channel>,
    history: Option<History>,
    ping: Option<IgnoredAny>,
    send: Option<IgnoredAny>,
    publish: Option<IgnoredAny>,
    presence: Option<IgnoredAny>,
    presence_stats: Option<IgnoredAny>,
    #[serde(flatten)]
    others: HashMap<String, IgnoredAny>,
}

/// Reads the commands of a frame, a line each, until one is none.
pub fn decode(frame: &str) -> impl Iterator<Item = Result<Command, Malformed>> + '_ {
    frame.lines().filter(|line| !line.trim().is_empty()).map(command)
}

fn command(line: &str) -> Result<Command, Malformed> {
    let raw: Raw = serde_json::from_str(line).map_err(|_| Malformed)?;
    let method = match raw {
        Raw { connect: Some(connect), .. } => Method::Connect(connect),
        Raw { subscribe: Some(subscribe), .. } => Method::Subscribe(subscribe),
        Raw { unsubscribe: Some(of), .. } => Method::Unsubscribe(of),
        Raw { refresh: Some(refresh), .. } => Method::Refresh(refresh),
        Raw { sub_refresh: Some(of), .. } => Method::SubRefresh(of),
        Raw { history: Some(history), .. } => Method::History(history),
        Raw { ping: Some(_), .. } => Method::Ping,
        Raw { send: Some(_), .. } => Method::Send,
        Raw { publish: Some(_), .. } => Method::Refused(Code::PermissionDenied),
        Raw { presence: Some(_), .. } | Raw { presence_stats: Some(_), .. } => {
            Method::Refused(Code::NotAvailable)
        }
        Raw { id: 0, ref others, .. } if others.is_empty() => Method::Pong,
        Raw { .. } => Method::Refused(Code::MethodNotFound),
    };
    // What wants no reply cannot be refused by one.
    match (raw.id, &method) {
        (0, Method::Pong | Method::Send) | (1.., _) => Ok(Command { id: raw.id, method }),
        (0, _) => Err(Malformed),
    }
}

/// Writes text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("text is always JSON")
}

/// Writes a publication.
pub(crate) fn publication(offset: Option<u64>, data: &[u8]) -> Vec<u8> {
    let mut json = match offset {
        Some(offset) => format!("{{\"offset\":{offset},\"data\":").into_bytes(),
        None => b"{\"data\":".to_vec(),
    };
    json.extend_from_slice(data);
    json.push(b'}');
    json
}

/// What stands before the channel in a push.
const PUSH: &[u8] = b"{\"push\":";

/// Writes a push of a publication.
pub(crate) fn push(channel: &str, publication: &[u8]) -> Bytes {
    let channel = quoted(channel);
    let mut line = Vec::with_capacity(PUSH.len() + channel.len() + publication.len() + 20);
    line.extend_from_slice(PUSH);
    line.extend_from_slice(b"{\"channel\":");
    line.extend_from_slice(channel.as_bytes());
    line.extend_from_slice(b",\"pub\":");
    line.extend_from_slice(publication);
    line.extend_from_slice(b"}}");
    line.into()
}

/// Takes from a push what an `EventSource` gets of it, without a copy.
pub(crate) fn inside_push(line: &Bytes) -> Bytes {
    line.slice(PUSH.len()..line.len() - 1)
}

/// Writes the push that ends a subscription.
pub(crate) fn unsubscribe(channel: &str, Unsubscribe { code, reason }: Unsubscribe) -> Bytes {
    let channel = quoted(channel);
    format!(r#"{{"push":{{"channel":{channel},"unsubscribe":{{"code":{code},"reason":"{reason}"}}}}}}"#)
        .into()
}

/// Writes the reply to a command: `body` is the JSON of its result.
pub(crate) fn reply(id: u32, method: &str, body: &[u8]) -> Bytes {
    let mut line = format!("{{\"id\":{id},\"{method}\":").into_bytes();
    line.extend_from_slice(body);
    line.push(b'}');
    line.into()
}

/// Writes the reply to a command that is refused.
pub(crate) fn refusal(id: u32, code: Code) -> Bytes {
    let (number, message) = (code.number(), code.message());
    let temporary = if code.is_temporary() { ",\"temporary\":true" } else { "" };
    format!(r#"{{"id":{id},"error":{{"code":{number},"message":"{message}"{temporary}}}}}"#).into()
}

/// Adds how long a sign-in is good for.
pub(crate) fn expiry(ttl: Option<u64>) -> String {
    ttl.map_or_else(String::new, |ttl| format!(",\"expires\":true,\"ttl\":{ttl}"))
}

/// How a subscription begins.
#[derive(Debug, Default)]
pub(crate) struct Subscribed {
    /// Whether a client that comes back can be given what it missed.
    pub(crate) is_recoverable: bool,
    pub(crate) epoch: String,
    pub(crate) offset: u64,
    pub(crate) is_recovered: bool,
    pub(crate) was_recovering: bool,
    /// Publications, written.
    pub(crate) publications: Vec<Vec<u8>>,
}

impl Subscribed {
    /// Writes it as a reply's result.
    pub(crate) fn json(&self) -> Vec<u8> {
        let mut json = String::from("{");
        if self.is_recoverable {
            let _ = write!(
                json,
                "\"recoverable\":true,\"positioned\":true,\"epoch\":{},\"offset\":{},",
                quoted(&self.epoch),
                self.offset
            );
        }
        if self.was_recovering {
            let _ = write!(json, "\"was_recovering\":true,\"recovered\":{},", self.is_recovered);
        }
        json.push_str("\"publications\":");
        let mut json = json.into_bytes();
        list(&mut json, &self.publications);
        json.push(b'}');
        json
    }
}

/// Writes a list of what is written already.
pub(crate) fn list(json: &mut Vec<u8>, items: &[impl AsRef<[u8]>]) {
    json.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            json.push(b',');
        }
        json.extend_from_slice(item.as_ref());
    }
    json.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn methods(frame: &str) -> Vec<Result<Command, Malformed>> {
        decode(frame).collect()
    }

    #[test]
    fn a_frame_holds_a_command_a_line() {
        let frame = "{\"id\":1,\"connect\":{\"token\":\"t\"}}\n\n{}\n{\"id\":2,\"subscribe\":{\"channel\":\"a\",\"recover\":true,\"offset\":7,\"epoch\":\"e\"}}\n";
        let connect = Connect { token: "t".to_owned(), ..Connect::default() };
        let recovery = Recovery { recover: true, offset: 7, epoch: "e".to_owned() };
        let subscribe = Subscribe { channel: "a".to_owned(), recovery, ..Subscribe::default() };
        let expected = [
            Ok(Command { id: 1, method: Method::Connect(connect) }),
            Ok(Command { id: 0, method: Method::Pong }),
            Ok(Command { id: 2, method: Method::Subscribe(subscribe) }),
        ];
        assert_eq!(methods(frame), expected);
    }

    #[test]
    fn what_is_known_and_not_done_is_told_from_what_is_unknown() {
        for (line, code) in [
            (r#"{"id":1,"publish":{"channel":"a","data":1}}"#, Code::PermissionDenied),
            (r#"{"id":1,"presence":{"channel":"a"}}"#, Code::NotAvailable),
            (r#"{"id":1,"presence_stats":{"channel":"a"}}"#, Code::NotAvailable),
            (r#"{"id":1,"rpc":{"method":"m"}}"#, Code::MethodNotFound),
            (r#"{"id":1}"#, Code::MethodNotFound),
        ] {
            assert_eq!(methods(line), [Ok(Command { id: 1, method: Method::Refused(code) })], "{line}");
        }
    }

    #[test]
    fn what_is_no_command_is_malformed() {
        for line in
            ["", "x", "[]", "1", "{\"id\":-1}", "{\"id\":1,\"connect\":7}", "{\"connect\":{}}", "{\"huh\":1}"]
        {
            let expected = if line.is_empty() { vec![] } else { vec![Err(Malformed)] };
            assert_eq!(methods(line), expected, "{line}");
        }
        let deep = format!("{{\"id\":1,\"subscribe\":{{\"channel\":\"a\",\"data\":{}1", "[".repeat(60_000));
        assert_eq!(methods(&deep), [Err(Malformed)]);
    }

    #[test]
    fn replies_are_in_the_words_of_the_protocol() {
        assert_eq!(
            refusal(3, Code::Internal),
            r#"{"id":3,"error":{"code":100,"message":"internal server error","temporary":true}}"#
        );
        assert_eq!(
            refusal(3, Code::PermissionDenied),
            r#"{"id":3,"error":{"code":103,"message":"permission denied"}}"#
        );
        let push = push("a\"b", &publication(Some(4), b"{}"));
        assert_eq!(push, r#"{"push":{"channel":"a\"b","pub":{"offset":4,"data":{}}}}"#);
        assert_eq!(inside_push(&push), r#"{"channel":"a\"b","pub":{"offset":4,"data":{}}}"#);
        let subscribed = Subscribed {
            is_recoverable: true,
            epoch: "e".to_owned(),
            offset: 4,
            is_recovered: true,
            was_recovering: true,
            publications: vec![publication(None, b"1"), publication(None, b"2")],
        };
        let json: Value = serde_json::from_slice(&reply(9, "subscribe", &subscribed.json())).expect("JSON");
        let expected = serde_json::json!({"id": 9, "subscribe": {"recoverable": true, "positioned": true, "epoch": "e",
            "offset": 4, "was_recovering": true, "recovered": true, "publications": [{"data": 1}, {"data": 2}]}});
        assert_eq!(json, expected);
    }
}
