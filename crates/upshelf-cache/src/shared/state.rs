//! Whether what Redis says counts, and what it has yet to be told.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use upshelf_redis::Life;

use super::token::Token;
use crate::Inv;

/// More invalidations than this are remembered as one of everything.
const MOST: usize = 10_000;

/// The terms on which Redis is believed: a life of the server in which this process has told all it had to tell, and
/// hears all that others tell.
#[derive(Debug)]
pub(crate) struct Link {
    pub(super) life: Life,
    /// The token that every value of now carries: `<life>:<µs>-<unique>`.
    pub(super) namespace: Arc<str>,
}

/// Invariant: while there is a link nothing is waiting to be told. Both are under one lock.
#[derive(Debug, Default)]
pub(super) struct State {
    inner: Mutex<Inner>,
    /// Wakes who links.
    pub(super) changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    link: Option<Arc<Link>>,
    untold: HashSet<Inv>,
    /// Counts the reasons to unlink: an attempt that began before the last one fails.
    breaks: u64,
}

impl State {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn link(&self) -> Option<Arc<Link>> {
        self.inner().link.clone()
    }

    /// Stops believing Redis; says whether it was believed.
    pub(super) fn unlink(&self) -> bool {
        let mut inner = self.inner();
        inner.breaks += 1;
        self.changed.notify_one();
        inner.link.take().is_some()
    }

    /// Remembers what Redis was not told, and stops believing it.
    pub(super) fn remember(&self, what: impl IntoIterator<Item = Inv>) -> bool {
        let mut inner = self.inner();
        inner.untold.extend(what);
        if inner.untold.len() > MOST {
            inner.untold = HashSet::from([Inv::All]);
        }
        inner.breaks += 1;
        self.changed.notify_one();
        inner.link.take().is_some()
    }

    /// Begins an attempt to link: what is to be told before, and the attempt's number.
    pub(super) fn attempt(&self) -> (Vec<Inv>, u64) {
        let inner = self.inner();
        (inner.untold.iter().cloned().collect(), inner.breaks)
    }

    /// Notes that Redis was told. What was remembered again since the attempt began was remembered for a new reason.
    pub(super) fn told(&self, what: &[Inv], attempt: u64) {
        let mut inner = self.inner();
        if inner.breaks == attempt {
            for inv in what {
                inner.untold.remove(inv);
            }
        }
    }

    /// Believes Redis from now on, unless something has happened since the attempt began.
    pub(super) fn establish(&self, link: Link, attempt: u64) -> bool {
        let mut inner = self.inner();
        let is_sound = inner.breaks == attempt && inner.untold.is_empty();
        if is_sound {
            inner.link = Some(Arc::new(link));
        }
        is_sound
    }

    /// Notes a new token of everything, unless a newer one is known.
    pub(super) fn renew(&self, namespace: &str) {
        let mut inner = self.inner();
        if let Some(link) = &inner.link
            && made(namespace) > made(&link.namespace)
        {
            inner.link = Some(Arc::new(Link { life: link.life, namespace: namespace.into() }));
        }
    }
}

/// When a token of everything was made.
pub(super) fn made(namespace: &str) -> u64 {
    let token = namespace.split_once(':').and_then(|(_, token)| Token::read(token));
    token.map_or(0, |token| token.made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded() {
        let state = State::default();
        state.remember((0..MOST).map(|n| Inv::key(n.to_string())));
        assert_eq!(state.attempt().0.len(), MOST);
        state.remember([Inv::key("0")]);
        assert_eq!(state.attempt().0.len(), MOST, "the same again is nothing more");
        state.remember([Inv::key("one too many")]);
        assert_eq!(state.attempt().0, [Inv::All]);
    }

    #[test]
    fn what_is_remembered_while_it_is_being_told_is_told_again() {
        let state = State::default();
        state.remember([Inv::key("a")]);
        let (what, attempt) = state.attempt();
        state.remember([Inv::key("a")]);
        state.told(&what, attempt);
        assert_eq!(state.attempt().0, [Inv::key("a")]);
        let (what, attempt) = state.attempt();
        state.told(&what, attempt);
        assert!(state.attempt().0.is_empty());
    }
}
