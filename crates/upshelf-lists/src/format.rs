//! The four formats, and one way to read them.

use std::fmt;
use std::str::FromStr;

use crate::{Document, Entry, Section, Skipped, Warning, netscape, table};

/// A format that lists come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// An awesome-style list.
    Markdown,
    /// A bookmark file, as browsers export it.
    Netscape,
    /// An array of `{url, title, section, description, tags}`, or an object with one as `entries`.
    Json,
    /// A table whose header names at least `url`.
    Csv,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Markdown, Self::Netscape, Self::Json, Self::Csv];

    /// Tells the format from a file's name, or else from how it begins.
    pub fn guess(name: &str, bytes: &[u8]) -> Self {
        let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
        match ending.as_deref() {
            Some("md" | "markdown" | "mkd" | "mdown") => return Self::Markdown,
            Some("json") => return Self::Json,
            Some("csv" | "tsv") => return Self::Csv,
            Some("html" | "htm") => return Self::Netscape,
            _ => {}
        }
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]).to_lowercase();
        let start = start.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{FEFF}');
        let header = start.lines().next().unwrap_or_default();
        if start.contains("netscape-bookmark-file")
            || start.starts_with("<!doctype")
            || start.starts_with("<html")
        {
            Self::Netscape
        } else if start.starts_with('{')
            || start.starts_with('[') && start[1..].trim_start().starts_with(['{', ']'])
        {
            Self::Json
        } else if header.split([',', ';', '\t']).any(|name| name.trim_matches([' ', '"']) == "url") {
            Self::Csv
        } else {
            Self::Markdown
        }
    }

    /// Its name: `markdown`, `netscape`, `json`, `csv`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Markdown => "markdown",
            Self::Netscape => "netscape",
            Self::Json => "json",
            Self::Csv => "csv",
        }
    }

    /// What HTTP calls it.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Markdown => "text/markdown; charset=utf-8",
            Self::Netscape => "text/html; charset=utf-8",
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or(UnknownFormat)
    }
}

/// A name that is no format's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one of markdown, netscape, json, csv")]
pub struct UnknownFormat;

/// What a file holds.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// The entries in order of appearance.
    pub entries: Vec<Entry>,
    /// What is no entry, by line.
    pub skipped: Vec<Skipped>,
    /// What is odd, by line.
    pub warnings: Vec<Warning>,
    /// The document itself, of a Markdown list.
    pub document: Option<Document>,
}

impl Reading {
    /// The tree of categories, parents before children, in order of appearance.
    pub fn sections(&self) -> Vec<Section> {
        Section::of(&self.entries)
    }
}

/// The file is not in its format at all, so that nothing of it was read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Unreadable {
    /// Where reading ended, counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub what: String,
}

/// Reads a file. Markdown and bookmark files are never refused; broken JSON, and CSV without a column `url`, are.
pub fn read(format: Format, bytes: Vec<u8>) -> Result<Reading, Unreadable> {
    match format {
        Format::Markdown => {
            let document = Document::parse(bytes);
            let (entries, skipped) = (document.entries().to_vec(), document.skipped().to_vec());
            let warnings = document.warnings().to_vec();
            Ok(Reading { entries, skipped, warnings, document: Some(document) })
        }
        Format::Netscape => Ok(netscape::read(&bytes)),
        Format::Json => table::read_json(&bytes),
        Format::Csv => table::read_csv(&bytes),
    }
}
