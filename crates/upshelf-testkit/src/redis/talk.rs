use std::time::Duration;

use redis::{Client, Cmd, Connection, ConnectionLike, RedisError, Value};

/// How long a server of a test may take to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Looks again and again, on the thread that starts servers, until what it waits for is so.
pub(super) fn wait_for(what: &str, holds: impl Fn() -> bool) -> Result<(), String> {
    for _ in 0..1000 {
        if holds() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(format!("waited in vain for {what}"))
}

/// Connects, with a deadline on everything that follows.
pub(super) fn connect(client: &Client, patience: Duration) -> Result<Connection, RedisError> {
    let connection = client.get_connection_with_timeout(patience)?;
    connection.set_read_timeout(Some(patience))?;
    connection.set_write_timeout(Some(patience))?;
    Ok(connection)
}

/// Sends one command on a connection of its own, so that nothing has to be kept alive between two.
pub(super) fn ask(client: &Client, words: &[impl AsRef<str>]) -> Result<Value, RedisError> {
    connect(client, PATIENCE)?.req_command(&command(words))?.extract_error()
}

pub(super) fn command(words: &[impl AsRef<str>]) -> Cmd {
    let mut command = Cmd::new();
    for word in words {
        command.arg(word.as_ref());
    }
    command
}

/// Writes a reply as redis-cli does when its output is no terminal, but absence as `(nil)`.
pub(super) fn text(value: &Value) -> String {
    let lines = |values: &[Value]| values.iter().map(text).collect::<Vec<_>>().join("\n");
    match value {
        Value::Nil => "(nil)".to_owned(),
        Value::Okay => "OK".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Boolean(is) => is.to_string(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => text.clone(),
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Array(values) | Value::Set(values) | Value::Push { data: values, .. } => lines(values),
        Value::Map(pairs) => {
            pairs.iter().map(|(k, v)| format!("{}\n{}", text(k), text(v))).collect::<Vec<_>>().join("\n")
        }
        Value::Attribute { data, .. } => text(data),
        other => format!("{other:?}"),
    }
}

/// Writes an error as the server sent it (`WRONGTYPE Operation …`), or else what kept it from answering.
pub(super) fn complaint(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        (Some(code), None) => code.to_owned(),
        _ => error.to_string(),
    }
}
