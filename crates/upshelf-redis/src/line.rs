use std::sync::Arc;

use redis::{Cmd, FromRedisValue, Pipeline, ToRedisArgs, Value};

use crate::lane::Lane as Connection;
use crate::{Error, Life, Result, Script};

/// Which connection a command takes, so that a big value does not hold up a small one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Values of the cache.
    Cache,
    /// Sessions and limits: small, and somebody waits for each.
    Decisions,
    /// Everything else.
    General,
}

/// What a command does while there is no connection.
///
/// Whatever the class, a command that was sent and whose connection broke is not sent again: whether it was done is not
/// known, and the caller knows best whether doing it twice does harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Fails at once, and never takes longer than [`Settings::fail_fast`](crate::Settings::fail_fast).
    FailFast,
    /// Waits for a connection, for [`Settings::queue_deadline`](crate::Settings::queue_deadline) at most, and then for a
    /// reply, for [`Settings::command_timeout`](crate::Settings::command_timeout) at most.
    Queue,
}

/// A way to send commands: a lane and a class. Cheap to clone.
#[derive(Clone)]
pub struct Line {
    pub(crate) lane: Arc<Connection>,
    pub(crate) class: Class,
    pub(crate) life: Option<Life>,
}

impl Line {
    /// The same line, but only while it leads to the server in this life: in another one, Redis is away.
    #[must_use]
    pub fn in_life(&self, life: Life) -> Self {
        Self { life: Some(life), ..self.clone() }
    }

    /// Sends one command and reads its reply.
    ///
    /// # Errors
    /// [`Error::Away`] and [`Error::Wrong`].
    pub async fn query<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T> {
        read(self.send(cmd).await?)
    }

    async fn send(&self, cmd: &Cmd) -> Result<Value> {
        self.lane.run(self.class, self.life, async |link| link.command(cmd).await?.extract_error()).await
    }

    /// Sends commands in one write and reads their replies. In a cluster all keys must lie in one slot.
    ///
    /// # Errors
    /// As [`query`](Line::query); the first error of any command is the error of all.
    pub async fn pipeline<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T> {
        let run = async |link: &mut crate::link::Link| {
            let replies = link.pipeline(pipeline).await?;
            replies.into_iter().map(Value::extract_error).collect::<Result<Vec<_>, _>>()
        };
        read(Value::Array(self.lane.run(self.class, self.life, run).await?))
    }

    /// Runs a script, by its digest; one that the server does not know (a new primary, `SCRIPT FLUSH`) is loaded and run.
    ///
    /// In a cluster the script runs where its first key is: all keys must lie in one slot.
    ///
    /// # Errors
    /// As [`query`](Line::query).
    pub async fn eval<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: &[impl ToRedisArgs],
        args: impl ToRedisArgs,
    ) -> Result<T> {
        let call = |command, script| {
            let mut call = redis::cmd(command);
            call.arg(script).arg(keys.len()).arg(keys).arg(&args);
            call
        };
        let by_digest = call("EVALSHA", script.digest());
        // Both on one connection and in the time of one command.
        let run = async |link: &mut crate::link::Link| {
            match link.command(&by_digest).await.and_then(Value::extract_error) {
                // It was refused before it began.
                Err(error) if error.code() == Some("NOSCRIPT") => {
                    link.command(&call("EVAL", script.text)).await?.extract_error()
                }
                reply => reply,
            }
        };
        read(self.lane.run(self.class, self.life, run).await?)
    }

    /// Looks for keys that a Redis pattern covers, on every primary, and hands them over in portions.
    ///
    /// As `SCAN` does, it sees every key that is there all the time, and may see a key twice.
    ///
    /// # Errors
    /// As [`query`](Line::query), and what `each` returns.
    pub async fn scan(
        &self,
        pattern: &str,
        mut each: impl AsyncFnMut(Vec<String>) -> Result<()>,
    ) -> Result<()> {
        for node in self.lane.run(self.class, self.life, async |link| link.primaries().await).await? {
            let mut cursor = 0_u64;
            loop {
                let mut cmd = redis::cmd("SCAN");
                cmd.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(500);
                let step =
                    async |link: &mut crate::link::Link| link.command_at(&node, &cmd).await?.extract_error();
                let (next, keys): (u64, Vec<String>) =
                    read(self.lane.run(self.class, self.life, step).await?)?;
                if !keys.is_empty() {
                    each(keys).await?;
                }
                if next == 0 {
                    break;
                }
                cursor = next;
            }
        }
        Ok(())
    }

    /// Sends a command to every primary and reads each reply.
    ///
    /// # Errors
    /// As [`query`](Line::query); the first error of any primary is the error of all.
    pub async fn each_primary<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<Vec<T>> {
        let run = async |link: &mut crate::link::Link| {
            let mut replies = Vec::new();
            for node in link.primaries().await? {
                replies.push(link.command_at(&node, cmd).await?.extract_error()?);
            }
            Ok(replies)
        };
        self.lane.run(self.class, self.life, run).await?.into_iter().map(read).collect()
    }

    /// Publishes a payload on a channel (a complete name) and returns how many heard it, where that is known.
    ///
    /// # Errors
    /// As [`query`](Line::query).
    pub async fn publish(&self, channel: &str, payload: &[u8]) -> Result<u64> {
        self.query(redis::cmd("PUBLISH").arg(channel).arg(payload)).await
    }

    /// As [`publish`](Line::publish), to the sharded subscribers of the channel's slot.
    ///
    /// # Errors
    /// As [`query`](Line::query).
    pub async fn publish_sharded(&self, channel: &str, payload: &[u8]) -> Result<u64> {
        self.query(redis::cmd("SPUBLISH").arg(channel).arg(payload)).await
    }
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").field("class", &self.class).field("life", &self.life).finish_non_exhaustive()
    }
}

fn read<T: FromRedisValue>(value: Value) -> Result<T> {
    // Errors within an array are errors, not values.
    let value = value.extract_error().map_err(Error::from)?;
    T::from_redis_value(value).map_err(|error| Error::Wrong(error.into()))
}
