use std::borrow::Cow;
use std::fmt::Display;

/// Builds the names of keys and channels, in one of two layouts.
///
/// *Plain* (one server, Sentinel) is the design note's names to the byte. *Tagged* (Cluster) is the same names with
/// the part in braces that keys used together share, so that they lie in one slot. Both have the prefix of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    prefix: Box<str>,
    is_tagged: bool,
}

impl Keys {
    /// Begins with a prefix, which may be empty.
    pub fn new(prefix: &str, is_tagged: bool) -> Self {
        Self { prefix: prefix.into(), is_tagged }
    }

    /// What stands before every name.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Says whether the layout is that of a cluster.
    pub fn is_tagged(&self) -> bool {
        self.is_tagged
    }

    /// Completes a name that is the same in both layouts.
    pub fn name(&self, name: impl Display) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Completes a Redis pattern that covers names.
    pub fn pattern(&self, pattern: impl Display) -> String {
        let mut complete = String::with_capacity(self.prefix.len());
        for character in self.prefix.chars() {
            // What stands for itself in the prefix must not cover more.
            if matches!(character, '*' | '?' | '[' | ']' | '\\' | '^' | '-') {
                complete.push('\\');
            }
            complete.push(character);
        }
        format!("{complete}{pattern}")
    }

    /// Writes the part of a name that decides its slot: `42`, and `{42}` in a cluster.
    pub fn tag<'a>(&self, part: &'a str) -> Cow<'a, str> {
        if self.is_tagged { Cow::Owned(format!("{{{part}}}")) } else { Cow::Borrowed(part) }
    }

    /// Names what belongs to another key (a complete one) and must lie in its slot: `cache:lease` of `cache:tags` is
    /// `cache:lease:{cache:tags}`, in both layouts.
    pub fn companion(&self, kind: &str, of: &str) -> String {
        [&*self.prefix, kind, ":{", of, "}"].concat()
    }
}
