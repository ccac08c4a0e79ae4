//! Taking a change back, exactly, and also after other changes.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::lines::line_end;
use super::{Change, ChangeError, Document};

/// How many lines on either side are remembered …
const CONTEXT: usize = 3;
/// … and at most, where all of them are blank.
const MOST: usize = 50;

/// Whole lines of a document and what stands there instead.
#[derive(Debug, Clone)]
pub(crate) struct Splice {
    pub(crate) lines: Range<usize>,
    pub(crate) new: Vec<u8>,
}

/// What is needed to take one change back. It can be stored as JSON.
///
/// It remembers the lines as they were, as they became, and their neighbours, by which it finds the place again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Step {
    /// The number of lines before the place.
    line: usize,
    /// The nearest neighbour first.
    before: Vec<Bytes>,
    after: Vec<Bytes>,
    was: Bytes,
    now: Bytes,
}

/// Bytes that are text in JSON wherever they are UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Bytes {
    Text(String),
    Raw(Vec<u8>),
}

impl Bytes {
    fn of(bytes: &[u8]) -> Self {
        match str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Raw(bytes.to_vec()),
        }
    }

    fn get(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Raw(bytes) => bytes,
        }
    }

    fn is_blank(&self) -> bool {
        self.get().trim_ascii().is_empty()
    }
}

/// The nearest lines: some of them, and more as long as none has text.
fn neighbours<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Vec<Bytes> {
    let (mut nearest, mut has_text) = (Vec::new(), false);
    for line in lines.map(Bytes::of) {
        if nearest.len() >= if has_text { CONTEXT } else { MOST } {
            break;
        }
        has_text |= !line.is_blank();
        nearest.push(line);
    }
    nearest
}

/// Says whether nothing stood beyond these neighbours: only then are they so few.
fn reach_the_edge(neighbours: &[Bytes]) -> bool {
    let has_text = !neighbours.iter().all(Bytes::is_blank);
    neighbours.len() < if has_text { CONTEXT } else { MOST }
}

impl Undo {
    pub(crate) fn of(document: &Document, splice: &Splice) -> Self {
        let lines = lines(document);
        let (bytes, place) = (document.bytes(), &splice.lines);
        let first = lines.partition_point(|line| line.start < place.start);
        let next = lines.partition_point(|line| line.start < place.end.max(place.start));
        let text = |line: &Range<usize>| bare(&bytes[line.clone()]);
        Self {
            steps: vec![Step {
                line: first,
                before: neighbours(lines[..first].iter().rev().map(text)),
                after: neighbours(lines[next..].iter().map(text)),
                was: Bytes::of(&bytes[place.clone()]),
                now: Bytes::of(&splice.new),
            }],
        }
    }

    /// Takes this back first, then the other.
    pub(crate) fn then(mut self, other: Self) -> Self {
        self.steps.extend(other.steps);
        self
    }
}

impl Document {
    /// Takes a change back. The document may have changed elsewhere; where the lines themselves have changed, or no
    /// neighbour is left to find their place by, it is [`ChangeError::Changed`].
    pub fn undo(&self, undo: &Undo) -> Result<Change, ChangeError> {
        let mut change: Option<Change> = None;
        for step in &undo.steps {
            let document = change.as_ref().map_or(self, |change| &change.document);
            let splice = step.splice(document).ok_or(ChangeError::Changed)?;
            let next = document.apply(splice)?;
            let redo = match change {
                Some(done) => next.undo.clone().then(done.undo),
                None => next.undo.clone(),
            };
            change = Some(Change { undo: redo, ..next });
        }
        change.ok_or(ChangeError::Changed)
    }
}

impl Step {
    /// The splice that takes this step back in a document that may have changed around it.
    fn splice(&self, document: &Document) -> Option<Splice> {
        let (bytes, lines) = (document.bytes(), lines(document));
        let now: Vec<&[u8]> = split(self.now.get());
        let stands_at = |at: usize| {
            lines.len() - at >= now.len()
                && now.iter().zip(&lines[at..]).all(|(now, line)| *now == bare(&bytes[line.clone()]))
        };
        // What speaks for a place. Blank lines are found everywhere; they support a place but do not make one.
        let near = |at: usize| {
            let line = |at: usize| lines.get(at).map(|line| bare(&bytes[line.clone()]));
            let end = at + now.len();
            let before = self.before.iter().zip((0..at).rev());
            let before: Vec<&Bytes> = equal(before.map(|(text, at)| (text, line(at)))).collect();
            let after = self.after.iter().zip(end..);
            let after: Vec<&Bytes> = equal(after.map(|(text, at)| (text, line(at)))).collect();
            let begins = before.len() == self.before.len() && at == before.len();
            let ends = after.len() == self.after.len() && end + after.len() == lines.len();
            let edges = usize::from(begins && reach_the_edge(&self.before))
                + usize::from(ends && reach_the_edge(&self.after));
            let blank = before.iter().chain(&after).filter(|text| text.is_blank()).count();
            (edges + before.len() + after.len() - blank, blank)
        };
        let places =
            (0..=lines.len()).filter(|at| stands_at(*at)).map(|at| (near(at), at.abs_diff(self.line), at));
        let ((signs, _), _, at) =
            places.max_by_key(|(near, distance, _)| (*near, std::cmp::Reverse(*distance)))?;
        if now.is_empty() && signs == 0 {
            return None;
        }
        let start = lines.get(at).map_or(bytes.len(), |line| line.start);
        let end = lines.get(at + now.len()).map_or(bytes.len(), |line| line.start);
        let mut new = self.was.get().to_vec();
        let is_ended = |bytes: &[u8]| bytes.is_empty() || bytes.ends_with(b"\n") || bytes.ends_with(b"\r");
        if end < bytes.len() && !is_ended(&new) {
            new.extend_from_slice(document.line_break().as_bytes());
        }
        if !new.is_empty() && !is_ended(&bytes[..start]) {
            new.splice(0..0, document.line_break().bytes());
        }
        Some(Splice { lines: start..end, new })
    }
}

/// The texts up to the first that is not the line found in its place.
fn equal<'a>(pairs: impl Iterator<Item = (&'a Bytes, Option<&'a [u8]>)>) -> impl Iterator<Item = &'a Bytes> {
    pairs.take_while(|(text, line)| *line == Some(text.get())).map(|(text, _)| text)
}

fn lines(document: &Document) -> Vec<Range<usize>> {
    let (text, mut at, mut lines) = (&document.text, 0, Vec::new());
    while at < text.len() {
        let end = line_end(text, at);
        lines.push(at..end);
        at = end;
    }
    lines
}

fn bare(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn split(bytes: &[u8]) -> Vec<&[u8]> {
    let (mut lines, mut start, mut at) = (Vec::new(), 0, 0);
    while at < bytes.len() {
        let length = match &bytes[at..] {
            [b'\r', b'\n', ..] => 2,
            [b'\r' | b'\n', ..] => 1,
            _ => 0,
        };
        at += length.max(1);
        if length > 0 {
            lines.push(bare(&bytes[start..at]));
            start = at;
        }
    }
    if start < bytes.len() {
        lines.push(&bytes[start..]);
    }
    lines
}
