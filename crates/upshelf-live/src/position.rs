//! Where a client of Server-Sent Events is, in all of its channels, as one text.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::wire::Recovery;

/// Longer than any position that is written here, with as many channels as there may be.
const LONGEST: usize = 64 * 1024;

/// Positions by channel, in the order of the subscriptions.
#[derive(Debug, Default)]
pub(crate) struct Positions(Vec<(Arc<str>, String, u64)>);

impl Positions {
    pub(crate) fn add(&mut self, channel: &Arc<str>, epoch: &str, offset: u64) {
        self.0.push((channel.clone(), epoch.to_owned(), offset));
    }

    pub(crate) fn advance(&mut self, channel: &str, offset: u64) {
        if let Some((_, _, at)) = self.0.iter_mut().find(|(name, ..)| **name == *channel) {
            *at = offset;
        }
    }

    /// Writes the field `id` of an event; nothing where no channel has a position.
    pub(crate) fn field(&self) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let mut text = String::from("id: ");
        for (at, (channel, epoch, offset)) in self.0.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            let _ = write!(text, "{comma}{}={offset}@{}", plain(channel), plain(epoch));
        }
        text.push('\n');
        text
    }
}

/// Reads what [`Positions::field`] wrote. What makes no sense is left out: its channel begins anew.
pub(crate) fn read(text: &str) -> HashMap<String, Recovery> {
    if text.len() > LONGEST {
        return HashMap::new();
    }
    let one = |entry: &str| {
        let (channel, position) = entry.split_once('=')?;
        let (offset, epoch) = position.split_once('@')?;
        let recovery = Recovery { recover: true, offset: offset.parse().ok()?, epoch: meant(epoch)? };
        Some((meant(channel)?, recovery))
    };
    text.trim().split(',').filter_map(one).collect()
}

/// Hides what has a meaning in a position, or cannot stand in a header.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b':' | b'.' | b'-' | b'_' => {
                plain.push(char::from(byte))
            }
            _ => {
                let _ = write!(plain, "%{byte:02X}");
            }
        }
    }
    plain
}

fn meant(plain: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(plain.len());
    let mut rest = plain.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (hex, behind) = rest.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?);
        rest = behind;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut positions = Positions::default();
        assert_eq!(positions.field(), "");
        positions.add(&"a:1".into(), "e.1", 7);
        positions.add(&"odd,=@%\n é".into(), "", 0);
        positions.advance("a:1", 9);
        let field = positions.field();
        assert_eq!(field, "id: a:1=9@e.1,odd%2C%3D%40%25%0A%20%C3%A9=0@\n");
        let read = read(field.trim_start_matches("id: "));
        assert_eq!(read["a:1"], Recovery { recover: true, offset: 9, epoch: "e.1".to_owned() });
        assert_eq!(read["odd,=@%\n é"], Recovery { recover: true, offset: 0, epoch: String::new() });
    }

    #[test]
    fn nonsense_is_no_position() {
        for text in ["", ",", "a", "a=b@c", "a=1", "a%=1@e", "a%zz=1@e", "a%é=1@e", "=@"] {
            assert!(read(text).is_empty(), "{text:?}");
        }
    }
}
