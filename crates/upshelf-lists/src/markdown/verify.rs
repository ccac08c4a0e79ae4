//! A change is held to its word: the new document is read, and compared with the old one.

use super::{Change, ChangeError, Document, write};
use crate::text::{plain, tame};
use crate::{Entry, UrlKey};

/// What must be read back after a change.
pub(crate) struct Wanted {
    pub(crate) key: UrlKey,
    pub(crate) title: String,
    pub(crate) description: Option<String>,
}

impl Change {
    /// Holds a change to its word: this entry is as wanted, and every other one as it was.
    pub(crate) fn expect(
        mut self,
        old: &Document,
        changed: Option<usize>,
        wanted: Option<&Wanted>,
    ) -> Result<Self, ChangeError> {
        let is_group = changed.is_some_and(|at| old.nodes[at].has_nested);
        let before = changed.and_then(|at| old.nodes[at].entry);
        let mut theirs = old
            .entries
            .iter()
            .enumerate()
            .filter(|(at, _)| Some(*at) != before)
            .map(|(_, entry)| entry)
            .peekable();
        let mut own = None;
        for entry in &self.document.entries {
            if theirs.peek().is_some_and(|old| same(old, entry, is_group)) {
                theirs.next();
            } else if own.replace(entry).is_some() {
                return Err(ChangeError::Unwritable);
            }
        }
        if theirs.next().is_some() || own.is_some() != wanted.is_some() {
            return Err(ChangeError::Unwritable);
        }
        if let (Some(own), Some(wanted)) = (own, wanted) {
            let describes = wanted.description.as_deref().is_none_or(|description| {
                let shown = plain(&write::all_of(own));
                let bare = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
                bare(&shown).starts_with(&bare(&plain(&tame(description))))
            });
            if own.title != wanted.title || UrlKey::of(&own.url).as_ref() != Ok(&wanted.key) || !describes {
                return Err(ChangeError::Unwritable);
            }
        }
        self.entry = own.cloned();
        Ok(self)
    }
}

fn same(old: &Entry, new: &Entry, is_group: bool) -> bool {
    old.url == new.url
        && old.title == new.title
        && old.description == new.description
        && old.attributes == new.attributes
        && old.section == new.section
        && (is_group || old.group == new.group)
}
