use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The id of a job.
///
/// As JSON, and as text, a row is its number, and what is only in Redis is its queue and its id there: `email:42`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobId {
    /// A row of the database.
    Row(i64),
    /// A job that no row stands for: pushed straight to Redis, or by another program.
    Shared {
        /// The queue.
        queue: Arc<str>,
        /// Its id there.
        id: Arc<str>,
    },
}

/// A text that is no job's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a job")]
pub struct InvalidJobId;

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row(id) => id.fmt(f),
            Self::Shared { queue, id } => write!(f, "{queue}:{id}"),
        }
    }
}

impl FromStr for JobId {
    type Err = InvalidJobId;

    fn from_str(text: &str) -> Result<Self, InvalidJobId> {
        match text.split_once(':') {
            Some((queue, id)) if !queue.is_empty() && !id.is_empty() => {
                Ok(Self::Shared { queue: queue.into(), id: id.into() })
            }
            Some(_) => Err(InvalidJobId),
            None => text.parse().map(Self::Row).map_err(|_| InvalidJobId),
        }
    }
}

impl Serialize for JobId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Row(id) => serializer.serialize_i64(*id),
            Self::Shared { .. } => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for JobId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(i64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(id) => Ok(Self::Row(id)),
            Written::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_as_it_was_written() {
        let shared = JobId::Shared { queue: "email".into(), id: "repeat:7:1".into() };
        for (id, json) in [(JobId::Row(42), "42"), (shared, r#""email:repeat:7:1""#)] {
            assert_eq!(serde_json::to_string(&id).expect("ids are JSON"), json);
            assert_eq!(serde_json::from_str::<JobId>(json).expect("it was an id"), id);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for wrong in ["", "email:", ":1", "seven"] {
            assert_eq!(wrong.parse::<JobId>(), Err(InvalidJobId), "{wrong}");
        }
    }
}
