use std::sync::Arc;

use redis::{Cmd, FromRedisValue, Pipeline, ToRedisArgs, Value};

use crate::handle::Inner;
use crate::{Error, Result, Script};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Fails at once, and never takes longer than [`Settings::fail_fast`](crate::Settings::fail_fast).
    FailFast,
    /// Waits for a connection, for [`Settings::queue_deadline`](crate::Settings::queue_deadline) at most.
    Queue,
}

/// A way to send commands: a lane and a class. Cheap to clone.
#[derive(Clone)]
pub struct Line {
    pub(crate) inner: Arc<Inner>,
    pub(crate) lane: Lane,
    pub(crate) class: Class,
}

impl Line {
    /// Sends one command and reads its reply.
    ///
    /// # Errors
    /// [`Error::Away`] and [`Error::Wrong`].
    pub async fn query<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T> {
        read(self.inner.command(self.lane, self.class, cmd).await?)
    }

    /// Sends commands in one write and reads their replies. In a cluster all keys must lie in one slot.
    ///
    /// # Errors
    /// As [`query`](Line::query); the first error of any command is the error of all.
    pub async fn pipeline<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T> {
        read(Value::Array(self.inner.pipeline(self.lane, self.class, pipeline).await?))
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
        let mut call = redis::cmd("EVALSHA");
        call.arg(script.digest()).arg(keys.len()).arg(keys).arg(&args);
        match self.inner.command(self.lane, self.class, &call).await {
            Err(Error::Wrong(error)) if error.code() == Some("NOSCRIPT") => {
                let mut call = redis::cmd("EVAL");
                call.arg(script.text).arg(keys.len()).arg(keys).arg(&args);
                read(self.inner.command(self.lane, self.class, &call).await?)
            }
            reply => read(reply?),
        }
    }

    /// Looks for keys that a Redis pattern covers, on every primary, and hands them over in portions.
    ///
    /// As `SCAN` does, it sees every key that is there all the time, and may see a key twice.
    ///
    /// # Errors
    /// As [`query`](Line::query).
    pub async fn scan(&self, pattern: &str, each: impl AsyncFnMut(Vec<String>) -> Result<()>) -> Result<()> {
        self.inner.scan(self.lane, self.class, pattern, each).await
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

fn read<T: FromRedisValue>(value: Value) -> Result<T> {
    // Errors within an array are errors, not values.
    let value = value.extract_error().map_err(Error::from)?;
    T::from_redis_value(value).map_err(|error| Error::Wrong(error.into()))
}
