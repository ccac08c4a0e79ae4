use std::time::Duration;

use aws_lc_rs::digest::{Context as Digest, SHA256};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::{Error, Result};

/// A kind of job: a payload, and where and how it runs.
///
/// A job may run more than once (a process can die after the work and before the note of it), so its handler must
/// be idempotent and say how.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Identifies the kind for ever: 2 to 127 ASCII characters, starting with a letter, as in `approve`.
    const NAME: &'static str;
    /// The queue it runs in.
    const QUEUE: &'static str;
    /// How many attempts it has; `None` takes the queue's setting.
    const ATTEMPTS: Option<u16> = None;
    /// How long one attempt may take. It also bounds how soon an attempt of a process that died can be taken over.
    const TIMEOUT: Duration = Duration::from_secs(30);
}

/// Which of the jobs that are due runs first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Before everything else.
    Urgent = 1,
    /// The default.
    #[default]
    Normal = 2,
    /// After normal jobs.
    Low = 3,
    /// When nothing else is due.
    Idle = 4,
}

/// How a single job differs from the others of its kind.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub(crate) run_at: Option<Timestamp>,
    pub(crate) priority: Priority,
    pub(crate) key: Option<String>,
}

impl Options {
    /// Runs it no earlier than `time`.
    pub fn at(mut self, time: Timestamp) -> Self {
        self.run_at = Some(time);
        self
    }

    /// Runs it before or after others that are due.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Makes it unique: while a job of the same name and key waits or runs, another is not inserted.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }
}

/// Jobs of any kinds, to be inserted in one statement.
#[derive(Debug, Default)]
pub struct Batch {
    pub(crate) rows: Vec<Row>,
}

impl Batch {
    /// Adds a job.
    ///
    /// # Errors
    /// [`Error::Payload`] when it cannot be written as JSON, or holds a NUL character, which PostgreSQL cannot store.
    pub fn add<J: Job>(&mut self, job: &J, options: Options) -> Result<()> {
        self.rows.push(Row::new(job, options)?);
        Ok(())
    }

    /// Says how many jobs it holds.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Says whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// One job on its way into the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) queue: &'static str,
    pub(crate) payload: Box<RawValue>,
    pub(crate) attempts: Option<u16>,
    pub(crate) priority: Priority,
    pub(crate) run_at: Option<Timestamp>,
    pub(crate) unique: Option<Unique>,
}

/// A unique key, as the table holds it, and the states in which it is held.
#[derive(Clone, Debug)]
pub(crate) struct Unique {
    pub(crate) hash: String,
    pub(crate) states: Held,
}

/// While a job is in one of these states, its key is taken. The bits are River's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// Available, pending, retryable, running, scheduled.
    Unfinished = 0b1111_0001,
    /// Every state, so that a key is used once.
    Always = 0b1111_1111,
}

impl Row {
    pub(crate) fn new<J: Job>(job: &J, options: Options) -> Result<Self> {
        let refuse = |reason: String| Error::Payload { job: J::NAME, reason };
        let payload = serde_json::value::to_raw_value(job).map_err(|error| refuse(error.to_string()))?;
        if has_nul(payload.get()) {
            return Err(refuse("it holds a NUL character".to_owned()));
        }
        let unique = options.key.map(|key| Unique { hash: hash(J::NAME, &key), states: Held::Unfinished });
        Ok(Self {
            name: J::NAME,
            queue: J::QUEUE,
            payload,
            attempts: J::ATTEMPTS,
            priority: options.priority,
            run_at: options.run_at,
            unique,
        })
    }
}

/// The hexadecimal SHA-256 of a job's name and key; a name holds no NUL, so no two pairs read the same.
pub(crate) fn hash(name: &str, key: &str) -> String {
    use std::fmt::Write;
    let mut digest = Digest::new(&SHA256);
    digest.update(name.as_bytes());
    digest.update(b"\0");
    digest.update(key.as_bytes());
    digest.finish().as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Finds `\u0000` that is not itself behind an escaped backslash.
fn has_nul(json: &str) -> bool {
    json.match_indices("\\u0000").any(|(at, _)| {
        let before = json.as_bytes()[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
        before % 2 == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Serialize, serde::Deserialize)]
    struct Note(String);
    impl Job for Note {
        const NAME: &'static str = "note";
        const QUEUE: &'static str = "notes";
    }

    proptest::proptest! {
        #[test]
        fn exactly_the_payloads_with_a_nul_are_refused(text in "[\\\\u0\0a\"]{0,12}") {
            let refused = Row::new(&Note(text.clone()), Options::default()).is_err();
            proptest::prop_assert_eq!(refused, text.contains('\0'));
        }
    }

    #[test]
    fn names_and_keys_do_not_run_into_each_other() {
        assert_ne!(hash("ab", "c"), hash("a", "bc"));
        assert_eq!(hash("a", "b").len(), 64);
    }
}
