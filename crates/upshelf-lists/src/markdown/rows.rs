//! Entries in tables: `| [name](url) | description | … |`.

use std::ops::Range;

use super::head::{Found, Head};
use crate::Reason;

/// How the cells of a row are laid out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// The cell that holds the link.
    pub(crate) link: usize,
    /// The cell that holds the description.
    pub(crate) description: Option<usize>,
}

/// A table being read.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) header: Vec<String>,
    /// The cells of the current row: what each shows, and what it begins with.
    pub(crate) cells: Vec<(String, Head)>,
}

impl Table {
    /// Reads the row whose cells were gathered; `Ok(None)` for one that says nothing.
    pub(crate) fn row(
        &mut self,
        text: &str,
        range: Range<usize>,
    ) -> Result<Option<(Row, Box<Found>)>, Reason> {
        let mut cells = std::mem::take(&mut self.cells);
        let Some(link) = cells.iter().position(|(_, head)| !matches!(head, Head::Marks)) else {
            return Ok(None);
        };
        let mut found = match std::mem::replace(&mut cells[link].1, Head::Marks) {
            Head::Entry(found) => found,
            Head::Other(_, Reason::NoLink)
                if cells.iter().any(|(_, head)| matches!(head, Head::Entry(_))) =>
            {
                return Err(Reason::TextBeforeLink);
            }
            Head::Other(_, reason) => return Err(reason),
            Head::Marks => return Ok(None),
        };
        let description = self.description(link, cells.len());
        let places = split(text, range);
        if let Some(place) = description.and_then(|at| places.get(at)) {
            found.rest.separator = place.start..place.start;
            found.rest.description = place.clone();
        } else {
            let end = found.after;
            found.rest.separator = end..end;
            found.rest.description = end..end;
        }
        found.rest.attributes.clear();
        for (at, (value, _)) in
            cells.iter().enumerate().filter(|(at, _)| *at > link && Some(*at) != description)
        {
            let header = self.header.get(at).filter(|header| !header.is_empty());
            if !value.is_empty() {
                found
                    .rest
                    .attributes
                    .push(header.map_or_else(|| value.clone(), |header| format!("{header}: {value}")));
            }
        }
        Ok(Some((Row { link, description }, found)))
    }

    /// The column that the header calls a description, or the one right of the link.
    fn description(&self, link: usize, cells: usize) -> Option<usize> {
        let named = self.header.iter().position(|name| {
            let name = name.to_lowercase();
            name.contains("descri") || name == "about" || name == "what"
        });
        named.or(Some(link + 1)).filter(|at| *at < cells && *at != link)
    }
}

/// The places of a row's cells, without the space around them.
///
/// In GitHub's tables a bar ends a cell everywhere, in code too, unless a backslash stands before it.
pub(crate) fn split(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let line = text[range.clone()].trim_end();
    let mut starts = vec![usize::from(line.starts_with('|'))];
    let mut ends = Vec::new();
    for (at, _) in line.match_indices('|').skip(starts[0]) {
        if !line[..at].ends_with('\\') {
            ends.push(at);
            starts.push(at + 1);
        }
    }
    if ends.last() == Some(&line.len().saturating_sub(1)) {
        starts.pop();
    } else {
        ends.push(line.len());
    }
    let trimmed = |start: usize, end: usize| {
        let cell = &line[start..end];
        let inner = cell.trim();
        let lead = if inner.is_empty() { cell.len().min(1) } else { cell.len() - cell.trim_start().len() };
        range.start + start + lead..range.start + start + lead + inner.len()
    };
    starts.into_iter().zip(ends).map(|(start, end)| trimmed(start, end)).collect()
}
