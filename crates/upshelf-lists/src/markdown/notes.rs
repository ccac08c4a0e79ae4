//! What follows an entry's link: notes, a separator, the description, more notes.

use std::ops::Range;

/// How far a bracket may reach; a longer one is prose, and looking further would be quadratic.
const REACH: usize = 4096;

/// The parts of the text after a link, as byte ranges of the whole document.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Rest {
    /// From where notes end to where the description begins.
    pub(crate) separator: Range<usize>,
    /// Empty, at the place where one would be put, if there is none.
    pub(crate) description: Range<usize>,
    pub(crate) attributes: Vec<String>,
    /// Whether notes stand between the link and the separator.
    pub(crate) has_leading: bool,
}

/// Takes apart what stands between the end of a link and the end of its item.
pub(crate) fn split(text: &str, span: Range<usize>) -> Rest {
    let body = text[span.clone()].trim_end();
    let (mut attributes, mut at, mut first_code) = (Vec::new(), 0, None);
    let (notes_end, start) = loop {
        let next = skip_space(body, at);
        if let Some(end) = separator(body, at, next) {
            break (at, skip_space(body, end));
        }
        if next == body.len() {
            break (at, at);
        }
        if let Some((end, mut found)) = note(body, next) {
            if body[next..].starts_with('`') {
                first_code.get_or_insert((at, attributes.len()));
            }
            attributes.append(&mut found);
            at = end;
        } else if let Some(c) = body[next..].chars().next().filter(|c| is_mark(*c)) {
            at = next + c.len_utf8();
        } else {
            // Without a separator a code span is rather the first word of the description.
            if let Some((before, count)) = first_code {
                at = before;
                attributes.truncate(count);
            }
            break (at, skip_space(body, at));
        }
    };
    let has_leading = notes_end > 0;
    let mut end = body.len();
    let trailing = trailing(&body[start..], &mut end, start);
    let description = if end > start { start..end } else { notes_end..notes_end };
    let separator = if end > start { notes_end..start } else { notes_end..notes_end };
    attributes.extend(trailing);
    let place = |range: Range<usize>| span.start + range.start..span.start + range.end;
    Rest { separator: place(separator), description: place(description), attributes, has_leading }
}

/// Where a description ends for which trailing notes do not count: for putting a full stop there.
pub(crate) fn sentence_end(description: &str) -> usize {
    let mut end = description.trim_end().len();
    trailing(&description[..end], &mut end, 0);
    end
}

fn skip_space(text: &str, at: usize) -> usize {
    text.len() - text[at..].trim_start().len()
}

/// The end of a separator that begins at `next`, white space beginning at `at` before it.
fn separator(body: &str, at: usize, next: usize) -> Option<usize> {
    let rest = &body[next..];
    let length: usize = rest.chars().take_while(|c| is_dash(*c)).map(char::len_utf8).sum();
    if length > 0 {
        let after = rest[length..].chars().next();
        // A dash may lack the space on one side: `[a](b)- c`, `[a](b) –c`; but `-1` and `->` are words.
        let spaced =
            after.is_none_or(char::is_whitespace) || next > at && after.is_some_and(char::is_alphabetic);
        return spaced.then_some(next + length);
    }
    let after = rest.get(1..).and_then(|rest| rest.chars().next());
    match rest.chars().next()? {
        // `:rocket:` is an emoji.
        ':' => after.is_none_or(char::is_whitespace).then_some(next + 1),
        ',' | '|' if after.is_some_and(char::is_whitespace) => Some(next + 1),
        _ => None,
    }
}

fn is_dash(c: char) -> bool {
    matches!(c, '-' | '–' | '—' | '−' | '‒' | '―')
}

/// An emoji or another symbol beyond ASCII, which may stand between a link and its description.
pub(crate) fn is_mark(c: char) -> bool {
    !c.is_ascii() && !c.is_alphanumeric() && !c.is_whitespace() && !is_dash(c) && !"“”‘’«»„…".contains(c)
}

/// A note at this place: a code span, links in brackets, a badge; its end and what it says.
fn note(body: &str, at: usize) -> Option<(usize, Vec<String>)> {
    let rest = &body[at..];
    if rest.starts_with('`') {
        let ticks = rest.len() - rest.trim_start_matches('`').len();
        let inner = &rest[ticks..];
        let length = closing_ticks(inner, ticks)?;
        return Some((at + ticks + length + ticks, vec![inner[..length].trim().to_owned()]));
    }
    if rest.starts_with("![") || rest.starts_with("[![") {
        let label = balanced(body, at + usize::from(rest.starts_with('!')))?;
        return Some((balanced(body, label).unwrap_or(label), Vec::new()));
    }
    let end = rest.starts_with(['(', '[']).then(|| balanced(body, at)).flatten()?;
    // `[foo](bar)` without brackets around it is a second link, a part of the sentence.
    if rest.starts_with('[') && body[end..].starts_with(['(', '[']) {
        return None;
    }
    Some((end, links(&body[at + 1..end - 1])?))
}

fn closing_ticks(text: &str, ticks: usize) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = text[at..].find('`') {
        let start = at + found;
        let run = text[start..].len() - text[start..].trim_start_matches('`').len();
        if run == ticks {
            return Some(start);
        }
        at = start + run;
        if at > REACH {
            break;
        }
    }
    None
}

/// The end of the bracket that opens at this place.
pub(crate) fn balanced(text: &str, at: usize) -> Option<usize> {
    let open = *text.as_bytes().get(at)?;
    let close = match open {
        b'(' => b')',
        b'[' => b']',
        _ => return None,
    };
    let (mut depth, mut escaped) = (0_usize, false);
    for (offset, &byte) in text.as_bytes()[at..].iter().enumerate().take(REACH) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            _ if byte == open => depth += 1,
            _ if byte == close => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + offset + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// The start of the bracket that closes just before `end`.
fn opening(text: &str, end: usize) -> Option<usize> {
    let close = *text.as_bytes().get(end.checked_sub(1)?)?;
    let open = match close {
        b')' => b'(',
        b']' => b'[',
        _ => return None,
    };
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    for at in (end.saturating_sub(REACH)..end).rev() {
        let escaped = at > 0 && bytes[at - 1] == b'\\';
        match bytes[at] {
            _ if escaped => {}
            byte if byte == close => depth += 1,
            byte if byte == open => {
                // An escaped closing bracket at the very end leaves the depth at nought.
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The links of a bracket that holds nothing else but links and what separates them.
fn links(inner: &str) -> Option<Vec<String>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < inner.len() {
        let rest = &inner[at..];
        if rest.starts_with('[') {
            let end = balanced(inner, balanced(inner, at)?).filter(|&end| inner[..end].ends_with(')'))?;
            found.push(inner[at..end].to_owned());
            at = end;
        } else {
            at += rest.chars().next().filter(|c| c.is_whitespace() || ",;/|·•&+-".contains(*c))?.len_utf8();
        }
    }
    (!found.is_empty()).then_some(found)
}

/// Takes notes off the end of a description that begins at `start`; `end` moves to where it then ends.
fn trailing(description: &str, end: &mut usize, start: usize) -> Vec<String> {
    struct Note {
        start: usize,
        before: usize,
        is_code: bool,
        says: Vec<String>,
    }
    let mut notes = Vec::new();
    let mut rest = description.trim_end();
    while let Some((at, is_code, says)) = last_note(rest) {
        let before = rest.len();
        rest = rest[..at].trim_end();
        notes.push(Note { start: rest.len(), before, is_code, says });
    }
    // A code span that no sentence ends before belongs to the sentence: "a better `ls`".
    while let Some(note) = notes.last() {
        let ended = description[..note.start].ends_with(['.', '!', '?', '…', ')', ':']) || note.start == 0;
        if !note.is_code || ended {
            break;
        }
        rest = &description[..note.before];
        notes.pop();
    }
    *end = start + rest.len();
    notes.into_iter().rev().flat_map(|note| note.says).collect()
}

/// The note at the end of this text: where it begins, whether it is a code span, what it says.
fn last_note(text: &str) -> Option<(usize, bool, Vec<String>)> {
    if text.ends_with('`') {
        let ticks = text.len() - text.trim_end_matches('`').len();
        let inner = &text[..text.len() - ticks];
        let at = inner.rfind(&text[text.len() - ticks..])?;
        let clean =
            !inner[..at].ends_with('`') && !inner[at + ticks..].contains('`') && at + ticks < inner.len();
        return clean.then(|| (at, true, vec![inner[at + ticks..].trim().to_owned()]));
    }
    let at = opening(text, text.len())?;
    if text.ends_with(']') && text[..at].ends_with(']') {
        // `![badge][icon]`
        let label = opening(text, at)?;
        return text[..label].ends_with('!').then(|| (label - 1, false, Vec::new()));
    }
    if text.ends_with(']') {
        let inner = &text[at + 1..text.len() - 1];
        let says = match links(inner) {
            Some(links) => links,
            // `[MIT]`, as some lists write it.
            None if inner.len() <= 40 && !inner.is_empty() && !inner.contains(['[', ']', '^']) => {
                vec![inner.to_owned()]
            }
            None => return None,
        };
        return Some((at, true, says));
    }
    if text[..at].ends_with(']') {
        let label = opening(text, at)?;
        let image = text[label..].starts_with("[![");
        return match text[..label].ends_with('!') {
            true => Some((label - 1, false, Vec::new())),
            false => image.then(|| (label, false, Vec::new())),
        };
    }
    Some((at, false, links(&text[at + 1..text.len() - 1])?))
}
