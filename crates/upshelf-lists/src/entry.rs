//! What every format is read into.

use std::fmt;

use jiff::Timestamp;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

/// One link of a list, as it was written.
///
/// It serialises as `{line, title, url, section, description, attributes}`, with `section` being its whole
/// [`path`](Entry::path), and `tags` and `added` where there are any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// The line it begins on, counted from 1; 0 where it was not read from a file.
    pub line: usize,
    /// The link's text, without markup.
    pub title: String,
    /// The address as written, entities and escapes resolved.
    pub url: String,
    /// The headings (or folders) above it, outermost first; empty at the top of a list.
    pub section: Vec<String>,
    /// The list items it is nested in, outermost first.
    pub group: Vec<String>,
    /// Inline Markdown, as written, on one line, without separator and attributes.
    pub description: String,
    /// What stands beside the description: `MIT`, `[Source Code](https://…)`, `Auth: apiKey`.
    pub attributes: Vec<String>,
    /// Labels, where the format knows them.
    pub tags: Vec<String>,
    /// When it was saved, where the format knows it.
    pub added: Option<Timestamp>,
}

impl Entry {
    /// Makes an entry with nothing but its title and address.
    pub fn new(title: impl Into<String>, url: impl Into<String>) -> Self {
        Self { title: title.into(), url: url.into(), ..Self::default() }
    }

    /// Its place in the tree of categories: section, then group.
    pub fn path(&self) -> Vec<String> {
        self.section.iter().chain(&self.group).cloned().collect()
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let extra = usize::from(!self.tags.is_empty()) + usize::from(self.added.is_some());
        let mut fields = to.serialize_struct("Entry", 6 + extra)?;
        fields.serialize_field("line", &self.line)?;
        fields.serialize_field("title", &self.title)?;
        fields.serialize_field("url", &self.url)?;
        fields.serialize_field("section", &self.path())?;
        fields.serialize_field("description", &self.description)?;
        fields.serialize_field("attributes", &self.attributes)?;
        if !self.tags.is_empty() {
            fields.serialize_field("tags", &self.tags)?;
        }
        if let Some(added) = self.added {
            fields.serialize_field("added", &added)?;
        }
        fields.end()
    }
}

/// A category: a heading or a group that has entries, or has such a category beneath it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Section {
    /// Its names from the outermost to its own.
    pub path: Vec<String>,
    /// The line of its first entry or of the first one beneath it, counted from 1.
    pub line: usize,
    /// How many entries stand directly in it.
    pub entries: usize,
}

impl Section {
    /// Lists the categories of these entries, parents before children, in order of appearance.
    pub(crate) fn of(entries: &[Entry]) -> Vec<Self> {
        let mut seen = std::collections::HashMap::<Vec<String>, usize>::new();
        let mut sections = Vec::<Self>::new();
        for entry in entries {
            let path = entry.path();
            if let Some(&at) = seen.get(&path) {
                sections[at].entries += 1;
                continue;
            }
            for depth in 1..=path.len() {
                let at = *seen.entry(path[..depth].to_vec()).or_insert_with(|| {
                    sections.push(Self { path: path[..depth].to_vec(), line: entry.line, entries: 0 });
                    sections.len() - 1
                });
                sections[at].entries += usize::from(depth == path.len());
            }
        }
        sections
    }
}

/// Something that looked like an entry and is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Its line, counted from 1.
    pub line: usize,
    /// Why it was skipped.
    pub reason: Reason,
}

/// Why something was skipped; serialises as the sentence it displays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A link to a place in the same document: a table of contents, "back to top".
    InPage,
    /// A link to another file beside the list.
    Relative,
    /// An address that is neither `http` nor `https`: `javascript:`, `place:`, `mailto:`.
    NotHttp,
    /// An address that cannot be parsed.
    BadUrl,
    /// The item says something before its link.
    TextBeforeLink,
    /// Neither a link nor entries beneath it.
    NoLink,
    /// Links within a sentence.
    Prose,
    /// The section is about the list itself (licence, contributing, sponsors).
    AboutTheList(String),
    /// The section is advertising: nearly all of its links carry a campaign's tag.
    Sponsored,
    /// Nested deeper than is sensible.
    TooDeep,
    /// A record that is no entry; says what is wrong with it.
    Malformed(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InPage => f.write_str("a link within this document"),
            Self::Relative => f.write_str("a link to a file beside the list"),
            Self::NotHttp => f.write_str("neither http nor https"),
            Self::BadUrl => f.write_str("not a usable address"),
            Self::TextBeforeLink => f.write_str("text before the first link"),
            Self::NoLink => f.write_str("no link"),
            Self::Prose => f.write_str("links within prose"),
            Self::AboutTheList(section) => write!(f, "in {section:?}, which is about the list itself"),
            Self::Sponsored => f.write_str("among links with campaign tags only, which is advertising"),
            Self::TooDeep => f.write_str("nested too deep"),
            Self::Malformed(what) => f.write_str(what),
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Something odd about a file that was read nevertheless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Its line, counted from 1.
    pub line: usize,
    /// What is odd, as a sentence without full stop.
    pub what: String,
}
