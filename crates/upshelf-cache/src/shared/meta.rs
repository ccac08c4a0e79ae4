//! What is known about a value in Redis beside the value itself, which is nothing but JSON.

use std::borrow::Cow;
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64;

/// Written as `ttl grace hash namespace [["tag","token"],…]`; the scripts read the first two.
#[derive(Debug, PartialEq)]
pub(crate) struct Meta<'a> {
    pub(crate) ttl: Duration,
    pub(crate) grace: Duration,
    /// Of the value: a foreign program that writes a value writes no meta.
    pub(crate) hash: u64,
    pub(super) namespace: Cow<'a, str>,
    /// Each tag of the value and the token that it had.
    pub(crate) tags: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Meta<'a> {
    pub(crate) fn read(text: &'a [u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(text).ok()?.splitn(5, ' ');
        let mut next = || words.next();
        Some(Self {
            ttl: Duration::from_millis(next()?.parse().ok()?),
            grace: Duration::from_millis(next()?.parse().ok()?),
            hash: u64::from_str_radix(next()?, 16).ok()?,
            namespace: next()?.into(),
            tags: match next()? {
                "[]" => Vec::new(),
                tags => serde_json::from_str(tags).ok()?,
            },
        })
    }

    pub(super) fn write(&self) -> String {
        let Self { ttl, grace, hash, namespace, tags } = self;
        let tags = serde_json::to_string(tags).expect("pairs of texts have a form as JSON");
        format!("{} {} {hash:x} {namespace} {tags}", ttl.as_millis(), grace.as_millis())
    }

    /// Says whether this is the value it was written with.
    pub(crate) fn is_of(&self, value: &[u8]) -> bool {
        self.hash == hash(value)
    }
}

/// The hash of a value's JSON.
pub(crate) fn hash(value: &[u8]) -> u64 {
    xxh3_64(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meta_comes_back_as_it_was_written() {
        let meta = Meta {
            ttl: Duration::from_secs(3600),
            grace: Duration::ZERO,
            hash: hash(b"[1]"),
            namespace: "abc:17-x".into(),
            tags: vec![("resource:7".into(), "18-y".into()), ("a \"b\"\n c".into(), "19-z".into())],
        };
        let text = meta.write();
        assert!(text.starts_with("3600000 0 "), "{text}");
        assert_eq!(Meta::read(text.as_bytes()), Some(meta));
    }

    #[test]
    fn what_is_no_meta_is_none() {
        for text in ["", "1", "1 2 3 x", "1 2 3 x [", "a b c d []", "1 2 3 x {}"] {
            assert_eq!(Meta::read(text.as_bytes()), None, "{text:?}");
        }
    }
}
