//! The parts of a link, and links that Markdown does not know as such.

use std::ops::Range;

use crate::text::web_address;

/// The inside of `[…]`, from the events in it.
pub(crate) fn label(text: &str, first: usize, last: usize, link: &Range<usize>) -> Option<Range<usize>> {
    let start = link.start + 1;
    let end = last + text.get(last..link.end)?.find(']')?;
    let opens = text[..first].get(link.start..).is_some_and(|mark| mark.starts_with('['));
    (opens && text[last..end].trim_matches(|c: char| c.is_whitespace() || c == '\\').is_empty())
        .then_some(start..end)
}

/// The address inside `](…)`.
pub(crate) fn target(text: &str, label_end: usize, link_end: usize) -> Option<Range<usize>> {
    let inside = text.get(label_end + 2..link_end.checked_sub(1)?)?;
    if !text[label_end..].starts_with("](") {
        return None;
    }
    let start = label_end + 2 + (inside.len() - inside.trim_start().len());
    let rest = &text[start..link_end - 1];
    if let Some(angled) = rest.strip_prefix('<') {
        return Some(start + 1..start + 1 + angled.find('>')?);
    }
    Some(start..start + rest.find(char::is_whitespace).unwrap_or(rest.len()))
}

pub(crate) fn is_bare(words: &str) -> bool {
    words.starts_with("https://") || words.starts_with("http://")
}

/// The address at the start of this text, as GitHub links it: without closing punctuation.
pub(crate) fn bare(text: &str) -> &str {
    let mut url = &text[..text.find(|c: char| c.is_whitespace() || c == '<').unwrap_or(text.len())];
    loop {
        let shorter = url.trim_end_matches(['?', '!', '.', ',', ':', '*', '_', '~', '\'', '"', ']', '`']);
        let shorter = match shorter.strip_suffix(')') {
            Some(rest) if !rest.contains('(') => rest,
            _ => shorter,
        };
        if shorter.len() == url.len() {
            return url;
        }
        url = shorter;
    }
}

/// The address of an `<a href="…">`.
pub(crate) fn anchor(tag: &str) -> Option<String> {
    let rest = tag.strip_prefix("<a").or_else(|| tag.strip_prefix("<A"))?;
    let lower = rest.to_ascii_lowercase();
    let at = lower.find("href")?;
    let value = rest[at + 4..].trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next()?;
    let url = match quote {
        '"' | '\'' => value[1..].split(quote).next()?,
        _ => value.split(|c: char| c.is_whitespace() || c == '>').next()?,
    };
    Some(web_address(&url.replace("&amp;", "&")))
}

pub(crate) fn is_close(tag: &str) -> bool {
    tag.eq_ignore_ascii_case("</a>")
}
