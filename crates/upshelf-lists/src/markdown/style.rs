//! How a section writes its entries.

use std::collections::HashMap;

use super::lines::line_start;
use super::scan::Node;
use super::{Document, notes, order};

/// What stands around title, address and description.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Style {
    /// Emphasis around the link, `**` or nothing.
    pub(crate) emphasis: String,
    /// Between link and description.
    pub(crate) separator: String,
    /// Whether descriptions end with a full stop; `None` where it varies.
    pub(crate) full_stop: Option<bool>,
}

impl Document {
    /// The style of these entries; where they do not tell, the document's.
    pub(crate) fn style(&self, nodes: &[usize]) -> Style {
        let own: Vec<&Node> = nodes.iter().map(|at| &self.nodes[*at]).collect();
        let all: Vec<&Node> = self.nodes.iter().filter(|node| node.entry.is_some()).collect();
        Style {
            emphasis: self.emphasis(&own).or_else(|| self.emphasis(&all)).unwrap_or_default(),
            separator: self.separator(&own).or_else(|| self.separator(&all)).unwrap_or_else(|| " - ".into()),
            full_stop: self.full_stop(&own).unwrap_or_else(|| self.full_stop(&all).unwrap_or(Some(true))),
        }
    }

    fn emphasis(&self, nodes: &[&Node]) -> Option<String> {
        most(nodes.iter().filter_map(|node| {
            let found = node.found.as_deref()?;
            let before = self.text.get(node.content..found.link.start)?;
            let after = self.text.get(found.link.end..found.after)?;
            Some(if before == after && before.chars().all(|c| c == '*' || c == '_') { before } else { "" })
        }))
    }

    fn separator(&self, nodes: &[&Node]) -> Option<String> {
        most(nodes.iter().filter_map(|node| {
            let rest = &node.found.as_deref().filter(|_| node.row.is_none())?.rest;
            let separator = self.text.get(rest.separator.clone())?;
            // A space alone may stand before a mere note: `(PDF)`.
            let separates = !separator.trim().is_empty() && separator.len() <= 8;
            (separates && !separator.contains(['\n', '\r'])).then_some(separator)
        }))
    }

    /// `None` without descriptions; else whether nearly all, or nearly none, end with a full stop.
    fn full_stop(&self, nodes: &[&Node]) -> Option<Option<bool>> {
        let ends: Vec<bool> = nodes
            .iter()
            .filter_map(|node| {
                let description = self.text[node.found.as_deref()?.rest.description.clone()].trim_end();
                (!description.is_empty()).then(|| description.ends_with('.'))
            })
            .collect();
        let stops = ends.iter().filter(|stops| **stops).count();
        match ends.len() {
            0 => None,
            1 | 2 if stops != ends.len() => None,
            count if stops * 10 >= count * 7 => Some(Some(true)),
            count if stops * 10 <= count => Some(Some(false)),
            _ => Some(None),
        }
    }

    /// Whether most sections of the document that are long enough to tell are alphabetical.
    pub(crate) fn is_alphabetical_by_habit(&self) -> bool {
        let mut sections: HashMap<(Option<usize>, Option<usize>), Vec<&str>> = HashMap::new();
        for node in self.nodes.iter().filter(|node| node.entry.is_some()) {
            sections.entry((node.heading, node.parent)).or_default().push(&node.name);
        }
        let told: Vec<bool> = sections.values().filter_map(|names| order::is_alphabetical(names)).collect();
        told.iter().filter(|alphabetical| **alphabetical).count() * 2 > told.len()
    }

    /// Indent, bullet and space of this item's first line, to be used again beside it.
    pub(crate) fn prefix(&self, node: &Node) -> &str {
        &self.text[line_start(&self.text, node.start)..node.content]
    }

    /// The line break this document uses.
    pub(crate) fn line_break(&self) -> &'static str {
        match self.text.find(['\n', '\r']) {
            Some(at) if self.text[at..].starts_with("\r\n") => "\r\n",
            Some(at) if self.text[at..].starts_with('\r') => "\r",
            _ => "\n",
        }
    }
}

impl Style {
    /// Ends a description as this style does.
    pub(crate) fn finish(&self, description: &str) -> String {
        let end = notes::sentence_end(description);
        let (sentence, notes) = description.split_at(end);
        let one_sentence =
            sentence.strip_suffix('.').filter(|bare| !bare.contains('.') && !bare.ends_with("etc"));
        match self.full_stop {
            Some(true) if !sentence.is_empty() && !sentence.ends_with(['.', '!', '?', '…', ':', ';']) => {
                format!("{sentence}.{notes}")
            }
            Some(false) => format!("{}{notes}", one_sentence.unwrap_or(sentence)),
            _ => description.to_owned(),
        }
    }
}

/// The commonest of these.
fn most<'a>(of: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut counts: HashMap<&str, (usize, usize)> = HashMap::new();
    for (at, one) in of.enumerate() {
        let (count, last) = counts.entry(one).or_default();
        *count += 1;
        *last = at;
    }
    counts.into_iter().max_by_key(|(_, rank)| *rank).map(|(one, _)| one.to_owned())
}
