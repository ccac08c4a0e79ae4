//! Sections that have yet to be made.

use super::lines::line_start;
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
        let (mut lines, mut prefix, mut at) = (Vec::new(), self.bullet(), 0);
        let mut apart = true;
        if let Some(parent) = place.parent {
            at = self.nodes[parent].end;
            prefix = self.nested_indent(self.prefix(&self.nodes[parent])) + &prefix;
            apart = false;
        } else {
            at = at.max(self.end_of_section(place.heading, depth));
        }
        for (below, name) in path[depth..].iter().enumerate() {
            match place.parent.is_none() && level + below <= 6 {
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
            // As far from what precedes it as most headings are.
            let mut gaps: Vec<usize> = self
                .headings
                .iter()
                .skip(1)
                .map(|heading| self.blank_lines_before(heading.span.start))
                .collect();
            gaps.sort_unstable();
            let gap = gaps.get(gaps.len() / 2).copied().unwrap_or(1);
            lines.splice(0..0, vec![String::new(); gap.clamp(1, 3) - 1]);
        }
        Ok(self.insert(at, &lines, apart, apart))
    }

    fn blank_lines_before(&self, at: usize) -> usize {
        let before = &self.text[..line_start(&self.text, at)];
        before[before.trim_end().len()..].matches('\n').count().saturating_sub(1)
    }

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
        self.last_line(if self.text.starts_with('\u{FEFF}') { 3.min(end) } else { 0 }, end)
    }
}
