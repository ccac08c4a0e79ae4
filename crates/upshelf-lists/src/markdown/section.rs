//! Sections that have yet to be made.

use super::lines::{line_start, preamble};
use super::place::Place;
use super::undo::Splice;
use super::write::{self, Content};
use super::{ChangeError, Document};

impl Document {
    /// The splice that puts an entry into a section that has yet to be made.
    pub(crate) fn below_new(&self, path: &[String], content: &Content<'_>) -> Result<Splice, ChangeError> {
        let (depth, place) = (1..path.len())
            .rev()
            .find_map(|depth| Some((depth, self.place(&path[..depth])?)))
            .unwrap_or((0, Place { heading: None, parent: None }));
        let style = self.style(&[]);
        let level = match place.heading {
            Some(heading) if depth > 0 => usize::from(self.headings[heading].level) + 1,
            _ => self.top_level(),
        };
        let apart = place.parent.is_none();
        let (at, mut prefix) = match place.parent {
            Some(parent) => {
                let parent = &self.nodes[parent];
                (parent.end, self.nested_indent(self.prefix(parent)) + &self.bullet())
            }
            None => (self.end_of_section(place.heading, depth), self.bullet()),
        };
        let mut lines = Vec::new();
        for (below, name) in path[depth..].iter().enumerate() {
            match apart && level + below <= 6 {
                true => lines.extend([
                    format!("{} {}", "#".repeat(level + below), write::heading(name)),
                    String::new(),
                ]),
                false => {
                    lines.push(format!("{prefix}{}", write::group(name)));
                    prefix = self.nested_indent(&prefix) + &self.bullet();
                }
            }
        }
        lines.extend(content.item(&prefix, &style)?);
        if apart {
            lines.splice(0..0, vec![String::new(); self.gap().clamp(1, 3) - 1]);
        }
        Ok(self.insert(at, &lines, apart, apart))
    }

    /// How many blank lines stand before most headings.
    fn gap(&self) -> usize {
        let mut gaps: Vec<usize> = self
            .headings
            .iter()
            .skip(1)
            .map(|heading| {
                let before = &self.text[..line_start(&self.text, heading.span.start)];
                before[before.trim_end().len()..].matches('\n').count().saturating_sub(1)
            })
            .collect();
        gaps.sort_unstable();
        gaps.get(gaps.len() / 2).copied().unwrap_or(1)
    }

    /// The level of most headings that stand for outermost categories.
    fn top_level(&self) -> usize {
        let mut counts = [0_usize; 7];
        for heading in self.headings.iter().filter(|heading| heading.path.len() == 1) {
            counts[usize::from(heading.level)] += 1;
        }
        let most = (1..7).rev().max_by_key(|level| counts[*level]).filter(|level| counts[*level] > 0);
        most.unwrap_or(2)
    }

    /// Where a new section under this heading goes; at the top, before the closing sections about the list itself.
    fn end_of_section(&self, heading: Option<usize>, depth: usize) -> usize {
        let next = match heading.filter(|_| depth > 0) {
            Some(at) => {
                let level = self.headings[at].level;
                self.headings[at + 1..]
                    .iter()
                    .position(|next| next.level <= level)
                    .map(|after| at + 1 + after)
            }
            None => {
                let last = self.headings.iter().rposition(|heading| heading.about.is_none());
                Some(last.map_or(0, |last| last + 1))
            }
        };
        let end =
            next.and_then(|at| self.headings.get(at)).map(|next| line_start(&self.text, next.span.start));
        let end = end.unwrap_or(self.text.len());
        self.last_line(preamble(&self.text), end)
    }
}
