//! Changes to a document, each confined to the lines it is about.

use super::lines::{line_end, line_start};
use super::scan::Node;
use super::undo::Splice;
use super::verify::Wanted;
use super::write::{self, Content};
use super::{Document, Undo};
use crate::text::{escape, fold, one_line};
use crate::{Entry, UrlError, UrlKey};

/// Which entry is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The resource.
    pub key: UrlKey,
    /// The [`path`](Entry::path) it stands at; without one, the first place it has.
    pub path: Option<Vec<String>>,
}

impl Target {
    /// Means the first place of a resource.
    pub fn new(key: UrlKey) -> Self {
        Self { key, path: None }
    }

    /// Means the place of a resource in this section.
    pub fn at(key: UrlKey, path: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { key, path: Some(path.into_iter().map(Into::into).collect()) }
    }
}

/// What to change in an entry; what is `None` stays, byte by byte.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edit {
    /// The link's text, plain.
    pub title: Option<String>,
    /// The address.
    pub url: Option<String>,
    /// The description, inline Markdown; an empty one goes, with its separator.
    pub description: Option<String>,
}

/// A document after a change.
#[derive(Debug, Clone)]
pub struct Change {
    /// The document as it now is.
    pub document: Document,
    /// The entry as it now reads; `None` after a removal or an undo.
    pub entry: Option<Entry>,
    /// Takes the change back, also after other changes.
    pub undo: Undo,
}

/// Why a change was not made. The document is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// No such entry, in that section.
    #[error("the list has no such entry")]
    NotFound,
    /// It stands in that section already.
    #[error("the section has this entry already")]
    Exists,
    /// A title or the name of a section is empty.
    #[error("a name is empty")]
    Nameless,
    /// The address cannot be a link.
    #[error("the address cannot be used")]
    Url(#[from] UrlError),
    /// It cannot be written at that place without changing more than it should.
    #[error("the entry cannot be written at that place")]
    Unwritable,
    /// What an undo would take back has been changed since.
    #[error("the lines to restore have changed since")]
    Changed,
}

impl Document {
    /// Puts a new entry at its [`path`](Entry::path), making the sections that are missing.
    ///
    /// Of the entry its title, address, description, section and group count. The description gets or loses its final
    /// full stop as the section has it.
    pub fn add(&self, entry: &Entry) -> Result<Change, ChangeError> {
        let key = UrlKey::of(&entry.url)?;
        let path = clean(&entry.path())?;
        if fold(&entry.title).is_empty() {
            return Err(ChangeError::Nameless);
        }
        if self.find(&Target { key: key.clone(), path: Some(path.clone()) }).is_ok() {
            return Err(ChangeError::Exists);
        }
        self.put(&path, &fold(&entry.title), &key, &Content::New(entry))
    }

    /// Changes an entry where it stands.
    pub fn edit(&self, target: &Target, edit: &Edit) -> Result<Change, ChangeError> {
        let at = self.find(target)?;
        let node = &self.nodes[at];
        let (found, old) = (self.found(node), self.entry(node));
        let in_row = node.row.is_some();
        let title =
            edit.title.as_deref().map(|title| fold(title).into_owned()).filter(|title| *title != old.title);
        let url = edit.url.as_deref().filter(|url| *url != old.url);
        let key = UrlKey::of(url.unwrap_or(&old.url))?;
        if title.as_deref() == Some("") {
            return Err(ChangeError::Nameless);
        }
        let is_elsewhere = |other: usize| other != at && self.entry(&self.nodes[other]).path() == old.path();
        if key != target.key && self.find(&Target::at(key.clone(), old.path())).is_ok_and(is_elsewhere) {
            return Err(ChangeError::Exists);
        }
        let mut parts = Vec::new();
        let label = title.as_deref().map(|title| write::cell(&escape(title), in_row));
        let address = url.map(|url| write::address(url, in_row)).transpose()?;
        match (&label, &address, &found.label, &found.target) {
            (Some(label), None, Some(place), _) => parts.push((place.clone(), label.clone())),
            (None, Some(address), _, Some(place)) => parts.push((place.clone(), address.clone())),
            (Some(label), Some(address), Some(place), Some(target)) => {
                parts.push((place.clone(), label.clone()));
                parts.push((target.clone(), address.clone()));
            }
            (None, None, ..) => {}
            // Written in another way, say by reference: the whole link is written anew.
            _ => {
                let label = label.unwrap_or_else(|| write::cell(&escape(&old.title), in_row));
                let address = address.map_or_else(|| write::address(&old.url, in_row), Ok)?;
                parts.push((found.link.clone(), format!("[{label}]({address})")));
            }
        }
        if let Some(new) = edit.description.as_deref().filter(|new| one_line(new) != old.description) {
            parts.push(self.describe(at, &write::description(new, in_row)));
        }
        parts.retain(|(place, new)| self.text[place.clone()] != **new);
        let start = parts.iter().map(|(place, _)| place.start).min().unwrap_or(node.own.start);
        let end = parts.iter().map(|(place, _)| place.end).max().unwrap_or(node.own.start);
        let lines = line_start(&self.text, start)..line_end(&self.text, end.max(start));
        let mut new = self.bytes()[lines.clone()].to_vec();
        parts.sort_by_key(|(place, _)| std::cmp::Reverse(place.start));
        for (place, text) in parts {
            new.splice(place.start - lines.start..place.end - lines.start, text.into_bytes());
        }
        let change = self.apply(Splice { lines, new })?;
        let want = Wanted {
            key,
            title: title.unwrap_or_else(|| old.title.clone()),
            description: edit.description.clone(),
        };
        change.expect(self, Some(at), Some(&want))
    }

    /// Takes an entry out. One that others are nested in leaves its title behind, as a group.
    pub fn remove(&self, target: &Target) -> Result<Change, ChangeError> {
        let at = self.find(target)?;
        self.apply(self.cut(at)?)?.expect(self, Some(at), None)
    }

    /// Takes an entry out and puts it, as it is written, at another path.
    pub fn move_to(&self, target: &Target, path: &[String]) -> Result<Change, ChangeError> {
        let at = self.find(target)?;
        let path = clean(path)?;
        let (node, entry) = (&self.nodes[at], self.entry(&self.nodes[at]).clone());
        if self.find(&Target { key: target.key.clone(), path: Some(path.clone()) }).is_ok() {
            return Err(ChangeError::Exists);
        }
        let written = (self.broken.is_none() && node.row.is_none()).then(|| self.lines_of(node));
        let content = Content::Moved { entry: &entry, written };
        let without = self.remove(target)?;
        let mut change = without.document.put(&path, &entry.title, &target.key, &content)?;
        change.undo = change.undo.then(without.undo);
        Ok(change)
    }

    /// An item's own lines, the first without its bullet, the others without its indent.
    fn lines_of(&self, node: &Node) -> Vec<String> {
        let prefix = self.prefix(node);
        let indent = &prefix[..prefix.len() - prefix.trim_start().len()];
        let lines = self.text[node.content..node.own.end].lines();
        lines.map(|line| line.strip_prefix(indent).unwrap_or(line).trim_end().to_owned()).collect()
    }

    pub(crate) fn find(&self, target: &Target) -> Result<usize, ChangeError> {
        let found = self.nodes.iter().position(|node| {
            node.entry.is_some_and(|entry| {
                node.found.as_deref().is_some_and(|found| found.key == target.key)
                    && target.path.as_ref().is_none_or(|path| self.entries[entry].path() == *path)
            })
        });
        found.ok_or(ChangeError::NotFound)
    }

    pub(crate) fn entry(&self, node: &Node) -> &Entry {
        &self.entries[node.entry.expect("only nodes that are entries are looked up")]
    }

    /// What replaces an entry's description, and where.
    fn describe(&self, at: usize, new: &str) -> (std::ops::Range<usize>, String) {
        let node = &self.nodes[at];
        let found = self.found(node);
        let rest = &found.rest;
        let old = rest.description.clone();
        if node.row.is_some() {
            return (old, new.to_owned());
        }
        match (rest.description.is_empty(), new.is_empty()) {
            (false, true) => (rest.separator.start..rest.description.end, String::new()),
            (true, false) => {
                let siblings = self.siblings(node.heading, node.parent);
                let separator = self.style(&siblings).separator;
                // Notes that follow stay apart from it.
                let gap = if self.text[old.end..].starts_with(['`', '(', '[']) { " " } else { "" };
                (old, format!("{separator}{new}{gap}"))
            }
            _ => (old, new.to_owned()),
        }
    }

    /// The splice that takes this entry out.
    fn cut(&self, at: usize) -> Result<Splice, ChangeError> {
        let node = &self.nodes[at];
        if !node.is_alone {
            return Err(ChangeError::Unwritable);
        }
        if node.has_nested {
            let title = write::group(&self.entry(node).title);
            let new = format!("{}{title}{}", self.prefix(node), self.line_break());
            return Ok(Splice { lines: node.own.clone(), new: new.into_bytes() });
        }
        let mut lines = node.own.clone();
        // Of the blank lines around it one is enough.
        let blank_before = lines.start == 0 || self.is_blank_before(lines.start);
        let next = line_end(&self.text, lines.end);
        let blank_after = lines.end < next && self.text[lines.end..next].trim().is_empty();
        let is_spaced = self.siblings(node.heading, node.parent).len() > 1;
        if blank_before && blank_after && is_spaced && node.row.is_none() && self.is_loose(node) {
            lines.end = next;
        }
        Ok(Splice { lines, new: Vec::new() })
    }

    fn is_blank_before(&self, at: usize) -> bool {
        let end = self.text[..at].trim_end_matches(['\n', '\r']).len();
        at - end > 1 && self.text[end..at].trim_start_matches("\r\n").contains(['\n', '\r'])
    }

    pub(crate) fn apply(&self, splice: Splice) -> Result<Change, ChangeError> {
        let undo = Undo::of(self, &splice);
        let mut bytes = Vec::with_capacity(self.bytes().len() + splice.new.len());
        bytes.extend_from_slice(&self.bytes()[..splice.lines.start]);
        bytes.extend_from_slice(&splice.new);
        bytes.extend_from_slice(&self.bytes()[splice.lines.end..]);
        Ok(Change { document: Self::parse(bytes), entry: None, undo })
    }
}

/// The names of a path, each on one line.
fn clean(path: &[String]) -> Result<Vec<String>, ChangeError> {
    let path: Vec<String> = path.iter().map(|name| fold(name).into_owned()).collect();
    if path.iter().any(String::is_empty) { Err(ChangeError::Nameless) } else { Ok(path) }
}
