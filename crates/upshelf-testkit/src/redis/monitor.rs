use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use redis::{Client, RedisError};

use super::RedisServer;
use super::talk;
use crate::aside;

/// Hears every command that a server runs (MONITOR), until it is dropped.
#[derive(Debug)]
pub struct Monitor {
    client: Client,
    /// Of the connection that listens.
    id: String,
    lines: Arc<Mutex<Vec<String>>>,
}

impl RedisServer {
    /// Begins to hear every command, those of other tests on a shared server too.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn monitor(&self) -> Monitor {
        let client = self.client.clone();
        aside(|| Monitor::begin(client)).await.expect("a server that runs can be listened to")
    }
}

impl Monitor {
    fn begin(client: Client) -> Result<Self, RedisError> {
        let mut connection = talk::connect(&client, talk::PATIENCE)?;
        let id = redis::cmd("CLIENT").arg("ID").query::<u64>(&mut connection)?.to_string();
        redis::cmd("MONITOR").exec(&mut connection)?;
        connection.set_read_timeout(None)?;
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let heard = Arc::clone(&lines);
        std::thread::spawn(move || {
            while let Ok(line) = connection.recv_response() {
                heard.lock().expect("no reader panics").push(talk::text(&line));
            }
        });
        Ok(Self { client, id, lines })
    }

    /// Returns what was heard so far, in the server's order, of the lines that contain `part` (a key prefix, say):
    /// `1767603600.000000 [0 127.0.0.1:52104] "SET" "t5f0c81d2n7:shelf" "oak"`. What a script calls has `[0 lua]`.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn heard(&self, part: &str) -> Vec<String> {
        static MARKS: AtomicU64 = AtomicU64::new(0);
        let mark = format!("end of {} {}", self.id, MARKS.fetch_add(1, Ordering::Relaxed));
        let (client, echo) = (self.client.clone(), ["ECHO".to_owned(), mark.clone()]);
        aside(move || talk::ask(&client, &echo)).await.expect("a server that runs echoes");
        // Once its own mark has come by, so has everything before.
        crate::wait_until("the monitor to hear its own mark", talk::PATIENCE, async || {
            self.lines.lock().expect("no reader panics").iter().any(|line| line.contains(&mark))
        })
        .await;
        let lines = self.lines.lock().expect("no reader panics");
        lines.iter().take_while(|line| !line.contains(&mark)).filter(|l| l.contains(part)).cloned().collect()
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // The thread ends with its connection; if the server is gone, both are already.
        let _ = talk::ask(&self.client, &["CLIENT", "KILL", "ID", &self.id]);
    }
}
