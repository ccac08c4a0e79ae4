use std::time::Duration;

use redis::{Client, RedisError};

use super::talk;

/// A key as a walk over Redis finds it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyFound {
    /// Its whole name, prefix included.
    pub name: String,
    /// As TYPE says it: `string`, `hash`, `list`, `set`, `zset` or `stream`.
    pub kind: String,
    /// How long it still has to live; `None` means for ever.
    pub ttl: Option<Duration>,
}

/// Lists the keys with a prefix in order; blocks.
pub(super) fn list(client: &Client, prefix: &str) -> Result<Vec<KeyFound>, RedisError> {
    let mut to = talk::connect(client, talk::PATIENCE)?;
    let mut pattern = String::new();
    for letter in prefix.chars() {
        if "*?[]\\".contains(letter) {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('*');
    let (mut cursor, mut names) = (0_u64, Vec::new());
    loop {
        let (next, some): (u64, Vec<String>) = redis::cmd("SCAN")
            .arg(cursor)
            .arg("MATCH")
            .arg(&pattern)
            .arg("COUNT")
            .arg(1000)
            .query(&mut to)?;
        names.extend(some);
        cursor = next;
        if cursor == 0 {
            break;
        }
    }
    // While a table grows, SCAN may name a key twice.
    names.sort_unstable();
    names.dedup();
    let mut found = Vec::new();
    for name in names {
        let (kind, ttl): (String, i64) =
            redis::pipe().cmd("TYPE").arg(&name).cmd("PTTL").arg(&name).query(&mut to)?;
        // -2: it has ended since.
        if ttl != -2 {
            found.push(KeyFound { name, kind, ttl: u64::try_from(ttl).ok().map(Duration::from_millis) });
        }
    }
    Ok(found)
}
