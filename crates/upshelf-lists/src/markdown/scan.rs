//! From Markdown's events to headings, items and table rows, with their places.

use std::ops::Range;

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use super::head::{self, Found, Head, Run};
use super::lines::{line_end, line_start, preamble};
use super::outline::Heading;
use super::rows;
use crate::Reason;
use crate::text::DIALECT;

/// How deep lists may nest; what lies deeper is reported and left alone.
const DEPTH: usize = 24;

/// A list item or a table row.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// The heading it stands under.
    pub(crate) heading: Option<usize>,
    /// The item it is nested in.
    pub(crate) parent: Option<usize>,
    /// Its name as a group.
    pub(crate) name: String,
    /// Where its bullet (or its row) begins.
    pub(crate) start: usize,
    /// Where its own text begins, after bullet and space.
    pub(crate) content: usize,
    /// Its own lines, whole, without those of entries nested in it.
    pub(crate) own: Range<usize>,
    /// The end of its last line, nested items included.
    pub(crate) end: usize,
    /// Whether it has its first line for itself.
    pub(crate) is_alone: bool,
    /// Whether entries are nested in it.
    pub(crate) has_nested: bool,
    pub(crate) row: Option<rows::Row>,
    pub(crate) found: Option<Box<Found>>,
    /// The entry it is, by index; filled in when entries are made.
    pub(crate) entry: Option<usize>,
}

/// What was found, in order of appearance.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub(crate) headings: Vec<Heading>,
    pub(crate) nodes: Vec<Node>,
    /// Places and reasons.
    pub(crate) skipped: Vec<(usize, Reason)>,
}

/// Reads a whole document in one pass, without recursion.
pub(crate) fn scan(text: &str) -> Scan {
    let offset = preamble(text);
    let mut scanner = Scanner {
        text,
        scan: Scan::default(),
        open: Vec::new(),
        too_deep: 0,
        run: Vec::new(),
        quiet: 0,
        table: None,
    };
    for (event, range) in Parser::new_ext(&text[offset..], DIALECT).into_offset_iter() {
        scanner.take(event, range.start + offset..range.end + offset);
    }
    scanner.flush();
    scanner.scan
}

struct Scanner<'a> {
    text: &'a str,
    scan: Scan,
    /// Items that are open, outermost first.
    open: Vec<Open>,
    too_deep: usize,
    run: Run<'a>,
    /// How many blocks are open whose text says nothing: code, HTML, headings' metadata.
    quiet: usize,
    table: Option<rows::Table>,
}

struct Open {
    node: usize,
    read: bool,
    reason: Reason,
}

impl<'a> Scanner<'a> {
    fn take(&mut self, event: Event<'a>, range: Range<usize>) {
        match event {
            Event::Start(tag) if is_block(&tag.to_end()) => {
                self.flush();
                self.start(&tag, range);
            }
            Event::End(tag) if is_block(&tag) => self.end(tag, range),
            Event::Rule => self.flush(),
            _ if self.quiet == 0 => self.run.push((event, range)),
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>, range: Range<usize>) {
        match tag {
            Tag::Item => self.open_item(range),
            Tag::Table(_) => self.table = Some(rows::Table::default()),
            Tag::HtmlBlock | Tag::CodeBlock(_) | Tag::MetadataBlock(_) => self.quiet += 1,
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd, range: Range<usize>) {
        match tag {
            TagEnd::Heading(level) if self.open.is_empty() => {
                let run = std::mem::take(&mut self.run);
                self.scan.headings.push(Heading::new(head::name(&run), level as u8, range));
            }
            TagEnd::HtmlBlock => {
                self.quiet -= 1;
                if self.open.is_empty() {
                    self.scan.headings.extend(super::outline::in_html(self.text, range));
                }
            }
            TagEnd::CodeBlock | TagEnd::MetadataBlock(_) => self.quiet -= 1,
            TagEnd::Item => {
                self.flush();
                self.close_item(range);
            }
            TagEnd::TableCell => {
                let run = std::mem::take(&mut self.run);
                if let Some(table) = &mut self.table {
                    table.cells.push((head::name(&run), head::read(self.text, &run)));
                }
            }
            TagEnd::TableHead => {
                if let Some(table) = &mut self.table {
                    table.header = table.cells.drain(..).map(|(name, _)| name).collect();
                }
            }
            TagEnd::TableRow => self.row(range),
            TagEnd::Table => self.table = None,
            _ => self.flush(),
        }
    }

    fn open_item(&mut self, range: Range<usize>) {
        if self.open.len() >= DEPTH {
            if self.too_deep == 0 {
                self.scan.skipped.push((range.start, Reason::TooDeep));
            }
            self.too_deep += 1;
            return;
        }
        let text = self.text;
        let start = range.start + (text[range.clone()].len() - text[range.clone()].trim_start().len());
        let line = line_start(text, start);
        let is_alone = text[line..start].chars().all(|c| c.is_whitespace() || c == '>' || c == '\u{FEFF}');
        let parent = self.open.last().map(|open| open.node);
        if let Some(parent) = parent {
            let parent = &mut self.scan.nodes[parent];
            if !parent.has_nested {
                parent.has_nested = true;
                parent.own.end = line.max(parent.own.start);
            }
        }
        self.open.push(Open { node: self.scan.nodes.len(), read: false, reason: Reason::NoLink });
        self.scan.nodes.push(Node {
            heading: self.scan.headings.len().checked_sub(1),
            parent,
            name: String::new(),
            start,
            content: start + bullet(&text[start..]),
            own: line..line,
            end: line,
            is_alone,
            has_nested: false,
            row: None,
            found: None,
            entry: None,
        });
    }

    fn close_item(&mut self, range: Range<usize>) {
        if self.too_deep > 0 {
            self.too_deep -= 1;
            return;
        }
        let Some(open) = self.open.pop() else { return };
        let has_nested = self.scan.nodes[open.node + 1..].iter().any(|node| node.found.is_some());
        let node = &mut self.scan.nodes[open.node];
        let said = self.text[..range.end].trim_end().len().max(node.content.min(range.end));
        node.end = line_end(self.text, said);
        // Items below it that are no entries are its own text.
        node.has_nested = has_nested;
        if !has_nested {
            node.own.end = node.end;
        }
        if node.found.is_none() && !has_nested && !node.name.is_empty() {
            self.scan.skipped.push((node.start, open.reason));
        }
        let is_silent = node.name.is_empty() && node.found.is_none();
        if is_silent && open.node + 1 == self.scan.nodes.len() {
            self.scan.nodes.pop();
        }
    }

    /// Gives the text gathered so far to the block it belongs to.
    fn flush(&mut self) {
        if self.run.is_empty() || self.table.is_some() || self.too_deep > 0 {
            self.run.clear();
            return;
        }
        let run = std::mem::take(&mut self.run);
        let Some(open) = self.open.last_mut() else { return self.prose(&run) };
        let node = &mut self.scan.nodes[open.node];
        if std::mem::replace(&mut open.read, true) {
            // A paragraph of its own may hold the description.
            let found = node.found.as_deref_mut().filter(|found| found.rest.description.is_empty());
            if let Some(found) = found.filter(|_| !node.has_nested) {
                let end = run.iter().map(|(_, range)| range.end).max().unwrap_or_default();
                let attributes = std::mem::take(&mut found.rest.attributes);
                found.rest = super::notes::split(self.text, run[0].1.start..end);
                found.rest.attributes.splice(0..0, attributes);
                found.rest.separator = found.rest.description.start..found.rest.description.start;
            }
            return;
        }
        match head::read(self.text, &run) {
            Head::Entry(found) => {
                node.name.clone_from(&found.title);
                node.found = Some(found);
            }
            Head::Other(name, reason) => {
                node.name = name;
                open.reason = reason;
            }
            Head::Marks => open.read = false,
        }
    }

    /// Reports links within sentences; those that only show an image are badges.
    fn prose(&mut self, run: &Run<'_>) {
        let is_image = |at: usize| matches!(run.get(at), Some((Event::Start(Tag::Image { .. }), _)));
        let link = run.iter().enumerate().find_map(|(at, (event, range))| match event {
            Event::Start(Tag::Link { dest_url, .. }) if dest_url.starts_with("http") && !is_image(at + 1) => {
                Some(range.start)
            }
            _ => None,
        });
        self.scan.skipped.extend(link.map(|at| (at, Reason::Prose)));
    }

    fn row(&mut self, range: Range<usize>) {
        let heading = self.scan.headings.len().checked_sub(1);
        let parent = self.open.last().map(|open| open.node);
        let Some(table) = &mut self.table else { return };
        match table.row(self.text, range.clone()) {
            Ok(Some((row, found))) => {
                let own = line_start(self.text, range.start)..line_end(self.text, range.start);
                self.scan.nodes.push(Node {
                    heading,
                    parent,
                    name: found.title.clone(),
                    start: range.start,
                    content: range.start,
                    end: own.end,
                    own,
                    is_alone: true,
                    has_nested: false,
                    row: Some(row),
                    found: Some(found),
                    entry: None,
                });
            }
            Ok(None) => {}
            Err(reason) => self.scan.skipped.push((range.start, reason)),
        }
    }
}

fn is_block(tag: &TagEnd) -> bool {
    !matches!(
        tag,
        TagEnd::Emphasis
            | TagEnd::Strong
            | TagEnd::Strikethrough
            | TagEnd::Link
            | TagEnd::Image
            | TagEnd::Superscript
            | TagEnd::Subscript
    )
}

/// The length of a bullet (`-`, `*`, `+`, `12.`, `3)`) and the white space after it on its line.
fn bullet(item: &str) -> usize {
    let digits = item.len() - item.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let mark = digits + usize::from(item[digits..].starts_with(['-', '*', '+', '.', ')']));
    mark + (item[mark..].len() - item[mark..].trim_start_matches([' ', '\t']).len())
}
