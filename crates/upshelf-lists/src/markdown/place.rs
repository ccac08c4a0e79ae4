//! Where in a document a path is, and where in it a new entry belongs.

use std::collections::HashSet;

use super::head::Found;
use super::lines::{line_end, line_start, preamble};
use super::scan::Node;
use super::undo::Splice;
use super::verify::Wanted;
use super::write::Content;
use super::{Change, ChangeError, Document, order};
use crate::UrlKey;

/// A heading, and the item in it that others are nested in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Place {
    pub(crate) heading: Option<usize>,
    pub(crate) parent: Option<usize>,
}

impl Document {
    pub(crate) fn found<'a>(&self, node: &'a Node) -> &'a Found {
        node.found.as_deref().expect("only nodes that are entries are looked up")
    }

    /// The items and rows directly at a place that are entries or hold some.
    pub(crate) fn siblings(&self, heading: Option<usize>, parent: Option<usize>) -> Vec<usize> {
        let mut useful = HashSet::new();
        for (at, _) in self.nodes.iter().enumerate().filter(|(_, node)| node.entry.is_some()) {
            let mut above = Some(at);
            while let Some(at) = above.filter(|at| useful.insert(*at)) {
                above = self.nodes[at].parent;
            }
        }
        let is_there = |at: &usize| {
            let node = &self.nodes[*at];
            node.heading == heading && node.parent == parent && node.is_alone && !node.name.is_empty()
        };
        (0..self.nodes.len()).filter(|at| useful.contains(at)).filter(is_there).collect()
    }

    /// Whether the items beside this one have blank lines between them.
    pub(crate) fn is_loose(&self, node: &Node) -> bool {
        let siblings = self.siblings(node.heading, node.parent);
        let apart = |pair: &&[usize]| {
            let (one, next) = (&self.nodes[pair[0]], &self.nodes[pair[1]]);
            one.end < next.own.start && self.text[one.end..next.own.start].trim().is_empty()
        };
        let pairs = siblings.len().saturating_sub(1);
        pairs > 0 && siblings.windows(2).filter(apart).count() * 2 > pairs
    }

    /// Puts an entry at a path.
    pub(crate) fn put(
        &self,
        path: &[String],
        title: &str,
        key: &UrlKey,
        content: &Content<'_>,
    ) -> Result<Change, ChangeError> {
        let splice = match self.place(path) {
            Some(place) => self.among(place, title, content)?,
            None => self.below_new(path, content)?,
        };
        let entry = content.entry();
        let wanted = Wanted {
            key: key.clone(),
            title: title.to_owned(),
            description: Some(entry.description.clone()),
        };
        let change = self.apply(splice)?.expect(self, None, Some(&wanted))?;
        match change.entry.as_ref().is_some_and(|entry| entry.path() == path) {
            true => Ok(change),
            false => Err(ChangeError::Unwritable),
        }
    }

    pub(crate) fn place(&self, path: &[String]) -> Option<Place> {
        let with_entries = self.nodes.iter().find(|node| {
            node.entry.is_some_and(|entry| {
                self.entries[entry].section.iter().chain(&self.entries[entry].group).eq(path)
            })
        });
        if let Some(node) = with_entries {
            return Some(Place { heading: node.heading, parent: node.parent });
        }
        let heading = self
            .headings
            .iter()
            .position(|heading| heading.path == path && heading.about.is_none() && !path.is_empty());
        if heading.is_some() {
            return Some(Place { heading, parent: None });
        }
        let group =
            (0..self.nodes.len()).find(|at| self.nodes[*at].has_nested && self.path_of_group(*at) == path);
        if let Some(parent) = group {
            return Some(Place { heading: self.nodes[parent].heading, parent: Some(parent) });
        }
        path.is_empty().then_some(Place { heading: self.title, parent: None })
    }

    fn path_of_group(&self, node: usize) -> Vec<String> {
        let (mut names, mut above) = (Vec::new(), Some(node));
        while let Some(at) = above {
            names.extend(Some(&self.nodes[at].name).filter(|name| !name.is_empty()).cloned());
            above = self.nodes[at].parent;
        }
        let heading =
            self.nodes[node].heading.map(|at| self.headings[at].path.as_slice()).unwrap_or_default();
        heading.iter().cloned().chain(names.into_iter().rev()).collect()
    }

    /// The splice that puts an entry among those that are at a place, or makes it the first.
    fn among(&self, place: Place, title: &str, content: &Content<'_>) -> Result<Splice, ChangeError> {
        let siblings = self.siblings(place.heading, place.parent);
        let rows = siblings.iter().filter(|at| self.nodes[**at].row.is_some()).count();
        let siblings: Vec<usize> = siblings
            .iter()
            .copied()
            .filter(|at| self.nodes[*at].row.is_some() == (rows * 2 > siblings.len()))
            .collect();
        let style = self.style(&siblings);
        if siblings.is_empty() {
            let (at, indent) = self.empty_place(place);
            let lines = content.item(&(indent + &self.bullet()), &style)?;
            let apart = place.parent.is_none();
            return Ok(self.insert(at, &lines, apart, apart));
        }
        let names: Vec<&str> = siblings.iter().map(|at| self.nodes[*at].name.as_str()).collect();
        let position = order::position(&names, title, self.is_alphabetical_by_habit());
        let beside = &self.nodes[siblings[position.saturating_sub(1)]];
        let lines = match &beside.row {
            Some(layout) => vec![content.row(&self.text, beside, layout, &style)?],
            None => {
                let numbers =
                    siblings.iter().map(|at| self.prefix(&self.nodes[*at])).take(2).collect::<Vec<_>>();
                // Some lists write every number as 1.
                let prefix = match position > 0 && (numbers.len() < 2 || numbers[0] != numbers[1]) {
                    true => next_number(self.prefix(beside)),
                    false => self.prefix(beside).to_owned(),
                };
                content.item(&prefix, &style)?
            }
        };
        let loose = beside.row.is_none() && self.is_loose(beside);
        match position {
            0 => Ok(self.insert(beside.own.start, &lines, false, loose)),
            _ => Ok(self.insert(beside.end, &lines, loose, false)),
        }
    }

    /// Where the first entry of a place goes, and its indent.
    fn empty_place(&self, place: Place) -> (usize, String) {
        if let Some(parent) = place.parent {
            let parent = &self.nodes[parent];
            return (parent.own.end, self.nested_indent(self.prefix(parent)));
        }
        let start = place.heading.map_or_else(|| preamble(&self.text), |at| self.headings[at].span.end);
        let next = place.heading.map_or(0, |at| at + 1);
        let end =
            self.headings.get(next).map_or(self.text.len(), |next| line_start(&self.text, next.span.start));
        (self.last_line(start, end), String::new())
    }

    /// The end of the last line that says something between two places; a rule before the next heading is left to it.
    pub(crate) fn last_line(&self, start: usize, end: usize) -> usize {
        let mut end = end.max(start);
        loop {
            end = self.text[..end].trim_end().len().max(start);
            let line = line_start(&self.text, end);
            let words = self.text[line.max(start)..end].trim();
            if line < start || words.len() < 3 || !words.chars().all(|c| c == '-') {
                return if end == 0 { 0 } else { line_end(&self.text, end) };
            }
            end = line;
        }
    }

    /// The bullet this document uses, with its space.
    pub(crate) fn bullet(&self) -> String {
        let bullets = self.nodes.iter().filter(|node| node.entry.is_some() && node.row.is_none());
        let bullet = bullets
            .map(|node| &self.text[node.start..node.content])
            .find(|bullet| bullet.starts_with(['-', '*', '+']) && bullet.ends_with(' '));
        bullet.unwrap_or("- ").to_owned()
    }

    /// The indent of what is nested in an item with this prefix.
    pub(crate) fn nested_indent(&self, prefix: &str) -> String {
        let indent = &prefix[..prefix.len() - prefix.trim_start_matches([' ', '\t']).len()];
        let uses_tabs =
            self.nodes.iter().any(|node| node.parent.is_some() && self.prefix(node).starts_with('\t'));
        match uses_tabs {
            true => format!("{indent}\t"),
            false => format!("{indent}{}", " ".repeat(prefix.chars().count() - indent.chars().count())),
        }
    }

    /// Whole lines put between two lines; blank ones around them as asked, unless there are some.
    pub(crate) fn insert(
        &self,
        at: usize,
        lines: &[String],
        blank_before: bool,
        blank_after: bool,
    ) -> Splice {
        let eol = self.line_break();
        let (before, after) = (&self.text[..at], &self.text[at..]);
        let before = before.strip_prefix('\u{FEFF}').unwrap_or(before);
        let is_ended = before.is_empty() || before.ends_with(['\n', '\r']);
        let last = before.trim_end_matches(['\n', '\r']);
        let is_blank = before.is_empty() || before.len() - last.len() > eol.len() * usize::from(is_ended);
        let mut text = String::new();
        if blank_before && !is_blank {
            text.push_str(eol);
        }
        text.push_str(&lines.join(eol));
        if blank_after && !after.is_empty() && !after.starts_with(['\n', '\r']) {
            text.push_str(eol);
        }
        if is_ended {
            text.push_str(eol);
            return Splice { lines: at..at, new: text.into_bytes() };
        }
        // The last line has no end: it gets one, and the new last line has none.
        let start = line_start(&self.text, at);
        let mut new = self.bytes()[start..at].to_vec();
        new.extend_from_slice(eol.as_bytes());
        new.extend_from_slice(text.as_bytes());
        Splice { lines: start..at, new }
    }
}

/// The prefix of the item after one with this prefix: `3. ` after `2. `.
fn next_number(prefix: &str) -> String {
    let indent = prefix.len() - prefix.trim_start().len();
    let digits =
        prefix[indent..].len() - prefix[indent..].trim_start_matches(|c: char| c.is_ascii_digit()).len();
    match prefix[indent..indent + digits].parse::<u32>() {
        Ok(number) if number < 999_999_999 => {
            format!("{}{}{}", &prefix[..indent], number + 1, &prefix[indent + digits..])
        }
        _ => prefix.to_owned(),
    }
}
