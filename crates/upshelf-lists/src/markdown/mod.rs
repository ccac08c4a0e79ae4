//! A Markdown list as a document that remembers its bytes.

mod change;
mod fresh;
mod head;
mod lines;
mod link;
mod notes;
mod order;
mod outline;
mod place;
mod rows;
mod scan;
mod section;
mod style;
mod undo;
mod verify;
mod write;

use std::collections::HashSet;

pub use change::{Change, ChangeError, Edit, Target};
pub use fresh::fresh;
pub use undo::Undo;

use crate::text::{fold, one_line};
use crate::{Entry, Reason, Section, Skipped, Warning};
use lines::Lines;
use outline::Heading;
use scan::{Node, Scan};

/// A Markdown list, read once, with the place of everything that can be changed in it.
#[derive(Debug, Clone)]
pub struct Document {
    /// What is parsed: as long as the bytes, with `?` for every byte that is no UTF-8.
    text: String,
    /// The bytes themselves, where they differ from `text`.
    broken: Option<Vec<u8>>,
    headings: Vec<Heading>,
    nodes: Vec<Node>,
    title: Option<usize>,
    entries: Vec<Entry>,
    skipped: Vec<Skipped>,
    warnings: Vec<Warning>,
}

impl Document {
    /// Reads a list. Any bytes will do; what makes no sense is reported, never refused.
    pub fn parse(bytes: Vec<u8>) -> Self {
        let (text, broken) = match String::from_utf8(bytes) {
            Ok(text) => (text, None),
            Err(error) => {
                let bytes = error.into_bytes();
                (legible(&bytes), Some(bytes))
            }
        };
        let Scan { mut headings, mut nodes, skipped: passed } = scan::scan(&text);
        let title = outline::resolve(&mut headings);
        let lines = Lines::of(&text);
        let slugs: HashSet<String> = headings.iter().map(|heading| outline::slug(&heading.name)).collect();
        let mut skipped: Vec<Skipped> =
            passed.into_iter().map(|(at, reason)| Skipped { line: lines.at(at), reason }).collect();
        let sponsored = sponsored(&nodes, headings.len());
        let mut entries = Vec::new();
        for at in 0..nodes.len() {
            let Some(found) = nodes[at].found.as_deref() else { continue };
            let line = lines.at(nodes[at].start);
            let heading = nodes[at].heading.map(|heading| &headings[heading]);
            let is_sponsored = nodes[at].heading.is_some_and(|heading| sponsored[heading]);
            let reason = heading.and_then(|heading| aside(heading, &found.url, &slugs));
            if let Some(reason) = reason.or(is_sponsored.then_some(Reason::Sponsored)) {
                skipped.push(Skipped { line, reason });
                continue;
            }
            let mut group = Vec::new();
            let mut parent = nodes[at].parent;
            while let Some(above) = parent {
                group.extend(Some(&nodes[above].name).filter(|name| !name.is_empty()).cloned());
                parent = nodes[above].parent;
            }
            group.reverse();
            entries.push(Entry {
                line,
                title: found.title.clone(),
                url: found.url.clone(),
                section: heading.map(|heading| heading.path.clone()).unwrap_or_default(),
                group,
                description: one_line(&text[found.rest.description.clone()]).into_owned(),
                attributes: found.rest.attributes.iter().map(|note| fold(note).into_owned()).collect(),
                ..Entry::default()
            });
            nodes[at].entry = Some(entries.len() - 1);
        }
        skipped.sort_by_key(|skipped| skipped.line);
        let mut document =
            Self { text, broken, headings, nodes, title, entries, skipped, warnings: Vec::new() };
        document.warnings = document.find_oddities(&lines);
        document
    }

    /// The bytes it was read from, every one.
    pub fn bytes(&self) -> &[u8] {
        self.broken.as_deref().unwrap_or(self.text.as_bytes())
    }

    /// Gives the bytes back.
    pub fn into_bytes(self) -> Vec<u8> {
        self.broken.unwrap_or(self.text.into_bytes())
    }

    /// The list's own title, its first heading.
    pub fn title(&self) -> Option<&str> {
        self.title.map(|at| self.headings[at].name.as_str())
    }

    /// The entries in order of appearance.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What looked like an entry and is none, by line.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// What is odd about the file.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The tree of categories, parents before children, in order of appearance: those with entries, and theirs above.
    pub fn sections(&self) -> Vec<Section> {
        Section::of(&self.entries)
    }

    fn find_oddities(&self, lines: &Lines) -> Vec<Warning> {
        let mut warnings = Vec::new();
        if let Some(bytes) = &self.broken {
            let at = str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
            warnings.push(Warning {
                line: lines.at(at),
                what: "bytes that are no UTF-8; they are kept as they are".into(),
            });
        }
        let mut seen = HashSet::new();
        for (node, at) in self.nodes.iter().filter_map(|node| Some((node, node.entry?))) {
            let (key, entry) = (&self.found(node).key, &self.entries[at]);
            if !seen.insert((key, node.heading, node.parent)) {
                let what = format!("{} stands twice in the same section", entry.url);
                warnings.push(Warning { line: entry.line, what });
            }
        }
        warnings.sort_by_key(|warning| warning.line);
        warnings
    }
}

/// Why an entry under this heading does not count.
fn aside(heading: &Heading, url: &str, slugs: &HashSet<String>) -> Option<Reason> {
    if let Some(section) = &heading.about {
        return Some(Reason::AboutTheList(section.clone()));
    }
    // Some tables of contents spell out the address of the page they stand on.
    let fragment = url.split_once('#').map(|(_, fragment)| fragment.to_lowercase())?;
    (outline::is_contents(&heading.name) && slugs.contains(&fragment)).then_some(Reason::InPage)
}

/// Which sections are advertising: of three links or more, four in five carry a campaign's tag.
///
/// A list that tags its own links is none: such sections hold a tenth of all links at most.
fn sponsored(nodes: &[Node], headings: usize) -> Vec<bool> {
    let mut counts = vec![(0_usize, 0_usize); headings];
    for (heading, found) in nodes.iter().filter_map(|node| node.heading.zip(node.found.as_deref())) {
        counts[heading].0 += 1;
        counts[heading].1 += usize::from(found.url.contains("utm_"));
    }
    let is_one = |(links, tagged): &(usize, usize)| *links >= 3 && tagged * 5 >= links * 4;
    let all: usize = counts.iter().map(|(links, _)| links).sum();
    let within: usize = counts.iter().filter(|count| is_one(count)).map(|(links, _)| links).sum();
    counts.iter().map(|count| is_one(count) && within * 10 <= all).collect()
}

/// Text of the same length in which every byte that is no UTF-8 is a question mark.
fn legible(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
    text
}
