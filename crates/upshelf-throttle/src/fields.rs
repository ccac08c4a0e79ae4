use std::fmt::{self, Write};
use std::time::Duration;

use crate::verdict::{Usage, Verdict};

/// The values of header fields that tell a client about its limits (draft-ietf-httpapi-ratelimit-headers-10, RFC 9110).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    /// `RateLimit-Policy`: what is allowed.
    pub policy: String,
    /// `RateLimit`: what is left, and in how many seconds there is more.
    pub limit: String,
    /// `Retry-After`, for a refused request only: whole seconds, at least 1, never too early.
    pub retry_after: Option<String>,
}

impl Verdict {
    /// Writes the fields; `None` when there is nothing to tell. Shadows are not told of.
    pub fn fields(&self) -> Option<Fields> {
        let mut told = self.usages.iter().filter(|usage| !usage.is_shadow).peekable();
        told.peek()?;
        let (mut policy, mut limit) = (String::new(), String::new());
        for (at, usage) in told.enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            append(&mut policy, format_args!("{comma}{}", quota(usage)));
            append(&mut limit, format_args!("{comma}{}", left(usage)));
        }
        let retry_after = (!self.is_allowed).then(|| whole_seconds(self.retry_after()).max(1).to_string());
        Some(Fields { policy, limit, retry_after })
    }
}

fn quota(usage: &Usage) -> impl fmt::Display + '_ {
    let window = whole_seconds(usage.rate.period()).max(1);
    fmt::from_fn(move |f| write!(f, r#""{}";q={};w={window}"#, usage.policy, usage.rate.limit()))
}

fn left(usage: &Usage) -> impl fmt::Display + '_ {
    let next = whole_seconds(usage.next_after);
    fmt::from_fn(move |f| write!(f, r#""{}";r={};t={next}"#, usage.policy, usage.remaining))
}

fn append(to: &mut String, text: fmt::Arguments<'_>) {
    to.write_fmt(text).expect("writing to a string does not fail");
}

/// Rounds up, so that nobody is told to come back too early.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
