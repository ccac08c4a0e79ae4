//! Tokens: opaque but for their order.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Tags whose tokens are known at once; more are forgotten together, and asked for again.
const MOST: usize = 50_000;

/// What a tag's values are valid with: `<µs of its server's clock>-<unique>`, or with a plus for one that was made
/// because there was none, and so stands for no invalidation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) text: Arc<str>,
    /// When it was made. Grows with each token of a tag, so that of two the greater is the newer.
    pub(super) made: u64,
}

impl Token {
    pub(super) fn read(text: &str) -> Option<Self> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        Some(Self { made: text[..digits].parse().ok()?, text: text.into() })
    }

    /// Says whether it was made by an invalidation.
    pub(super) fn is_of_invalidation(&self) -> bool {
        self.text.contains('-')
    }
}

/// The tokens of tags as far as this process has heard.
///
/// One that lags behind makes an entry that nobody believes, or lets one be believed until the message that is on its
/// way arrives; it makes no later read stale.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    known: Mutex<HashMap<Box<str>, Known>>,
    /// Counts what was learned.
    lessons: AtomicU64,
}

#[derive(Debug)]
struct Known {
    token: Token,
    lesson: u64,
}

impl Mirror {
    fn known(&self) -> MutexGuard<'_, HashMap<Box<str>, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number of the last lesson.
    pub(super) fn lessons(&self) -> u64 {
        self.lessons.load(Ordering::Acquire)
    }

    /// Learns a token, unless a newer one is known.
    pub(super) fn learn(&self, tag: &str, token: Token) {
        let mut known = self.known();
        let next = || self.lessons.fetch_add(1, Ordering::AcqRel) + 1;
        match known.get_mut(tag) {
            Some(present) if present.token.made >= token.made => {}
            Some(present) => *present = Known { token, lesson: next() },
            None => {
                if known.len() >= MOST {
                    known.clear();
                }
                known.insert(tag.into(), Known { token, lesson: next() });
            }
        }
    }

    /// Says whether this is the tag's token; `None` when none is known.
    pub(super) fn is(&self, tag: &str, token: &str) -> Option<bool> {
        self.known().get(tag).map(|known| &*known.token.text == token)
    }

    /// Says whether this was known to be the tag's token when the last lesson was that of number `then`.
    pub(super) fn was(&self, tag: &str, token: &Token, then: u64) -> bool {
        self.known().get(tag).is_some_and(|known| known.token == *token && known.lesson <= then)
    }

    pub(super) fn clear(&self) {
        *self.known() = HashMap::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Token {
        Token::read(text).expect("it begins with a number")
    }

    #[test]
    fn an_older_token_does_not_replace_a_newer_one() {
        let mirror = Mirror::default();
        assert_eq!(mirror.is("a", "5-x"), None);
        let before = mirror.lessons();
        mirror.learn("a", token("5-x"));
        let after = mirror.lessons();
        mirror.learn("b", token("1-x"));
        mirror.learn("a", token("5-x"));
        mirror.learn("a", token("4-y"));
        assert_eq!(mirror.is("a", "5-x"), Some(true));
        assert!(mirror.was("a", &token("5-x"), after) && !mirror.was("a", &token("5-x"), before));
        mirror.learn("a", token("6+z"));
        assert_eq!(mirror.is("a", "5-x"), Some(false));
        assert!(!token("6+z").is_of_invalidation());
    }

    #[test]
    fn it_is_bounded() {
        let mirror = Mirror::default();
        for tag in 0..2 * MOST {
            mirror.learn(&tag.to_string(), token("1-x"));
        }
        assert!(mirror.known().len() <= MOST);
    }
}
