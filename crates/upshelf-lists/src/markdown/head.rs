//! What a list item or a table cell begins with.

use std::ops::Range;

use pulldown_cmark::{Event, LinkType, Tag, TagEnd};

use super::link::{anchor, bare, is_bare, is_close, label, target};
use super::notes::{self, Rest};
use crate::text::{fold, has_scheme, web_address};
use crate::{Reason, UrlError, UrlKey};

/// Inline events with their places in the document.
pub(crate) type Run<'a> = Vec<(Event<'a>, Range<usize>)>;

/// The link that makes an item an entry, and where its parts stand.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    pub(crate) title: String,
    pub(crate) url: String,
    pub(crate) key: UrlKey,
    /// The whole link, `[title](url)`.
    pub(crate) link: Range<usize>,
    /// What stands between `[` and `]`, where it is written so.
    pub(crate) label: Option<Range<usize>>,
    /// The address between `(` and `)`, where it is written so.
    pub(crate) target: Option<Range<usize>>,
    /// The end of the link and of emphasis that closes right after it.
    pub(crate) after: usize,
    pub(crate) rest: Rest,
}

/// What the beginning of an item says.
#[derive(Debug)]
pub(crate) enum Head {
    Entry(Box<Found>),
    /// No entry; its name as a group, and why.
    Other(String, Reason),
    /// Nothing but marks: numbers, emoji, images.
    Marks,
}

/// A candidate: the first link that shows text.
struct Link {
    title: String,
    url: String,
    span: Range<usize>,
    label: Option<Range<usize>>,
    is_inline: bool,
    /// Events of the run before it, and up to its end.
    events: Range<usize>,
}

/// Reads the beginning of an item from its first run of inline events.
pub(crate) fn read(text: &str, run: &[(Event<'_>, Range<usize>)]) -> Head {
    let Some(last) = run.last().map(|(_, range)| range.end) else { return Head::Marks };
    let link = first_link(text, run);
    let before = link.as_ref().map_or(run, |link| &run[..link.events.start]);
    let (name, has_code) = said(before);
    let speaks = has_words(&name) && (!has_code || has_separator(&name));
    let link = match link {
        None if has_words(&name) => return Head::Other(name, Reason::NoLink),
        None => return Head::Marks,
        Some(link) => link,
    };
    let name =
        if speaks { name.trim_end_matches(['[', '(', ' ', ':', '-']).to_owned() } else { link.title.clone() };
    if speaks {
        return Head::Other(name, Reason::TextBeforeLink);
    }
    let key = match UrlKey::of(&link.url) {
        Ok(key) => key,
        Err(error) => return Head::Other(name, refusal(&link.url, &error)),
    };
    let after = close_emphasis(run, &link);
    let end = run.iter().map(|(_, range)| range.end).fold(last, usize::max).max(after);
    // In `[[title](url)] - text` the outer bracket is decoration.
    let bracketed = text[after..end].starts_with(']') && text[..link.span.start].ends_with('[');
    let after = after + usize::from(bracketed);
    let rest = notes::split(text, after..end);
    let target = link
        .label
        .as_ref()
        .filter(|_| link.is_inline)
        .and_then(|label| target(text, label.end, link.span.end));
    Head::Entry(Box::new(Found {
        title: link.title,
        url: link.url,
        key,
        link: link.span,
        label: link.label,
        target,
        after,
        rest,
    }))
}

/// Why an address makes no entry.
fn refusal(url: &str, error: &UrlError) -> Reason {
    match error {
        UrlError::Scheme => Reason::NotHttp,
        _ if url.starts_with('#') => Reason::InPage,
        UrlError::Unparsable if !has_scheme(url) && !url.is_empty() => Reason::Relative,
        _ => Reason::BadUrl,
    }
}

fn first_link(text: &str, run: &[(Event<'_>, Range<usize>)]) -> Option<Link> {
    let mut at = 0;
    while let Some((event, range)) = run.get(at) {
        match event {
            Event::Start(Tag::Image { .. }) => {
                at = end_of(run, at, TagEnd::Image);
            }
            Event::Start(Tag::Link { link_type, dest_url, .. }) => {
                let end = end_of(run, at, TagEnd::Link);
                let inner = &run[at + 1..end.min(run.len())];
                let (title, _) = said(inner);
                if !title.is_empty() {
                    let label = inner
                        .first()
                        .zip(inner.last())
                        .and_then(|((_, first), (_, last))| label(text, first.start, last.end, range));
                    return Some(Link {
                        title,
                        url: web_address(dest_url),
                        span: range.clone(),
                        // In `[text]` and `[text][]` the text is the address as well.
                        label: label.filter(|_| matches!(link_type, LinkType::Inline | LinkType::Reference)),
                        is_inline: *link_type == LinkType::Inline,
                        events: at..end + 1,
                    });
                }
                at = end;
            }
            Event::InlineHtml(tag) => {
                if let Some(url) = anchor(tag) {
                    let end = (at..run.len())
                        .find(|&end| matches!(&run[end].0, Event::InlineHtml(tag) if is_close(tag)));
                    let end = end.unwrap_or(run.len() - 1);
                    let (title, _) = said(&run[at + 1..end]);
                    if !title.is_empty() {
                        let span = range.start..run[end].1.end;
                        return Some(Link {
                            title,
                            url,
                            span,
                            label: None,
                            is_inline: false,
                            events: at..end + 1,
                        });
                    }
                    at = end;
                }
            }
            Event::Text(words) if is_bare(words) => {
                let end = run.last().map_or(range.end, |(_, range)| range.end).max(range.end);
                let url = bare(&text[range.start..end]);
                let span = range.start..range.start + url.len();
                let next = (at..run.len()).find(|&next| run[next].1.start >= span.end).unwrap_or(run.len());
                return Some(Link {
                    title: url.to_owned(),
                    url: url.to_owned(),
                    span,
                    label: None,
                    is_inline: false,
                    events: at..next,
                });
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// The index of the event that closes what opens at `at`.
fn end_of(run: &[(Event<'_>, Range<usize>)], at: usize, tag: TagEnd) -> usize {
    let mut depth = 0_usize;
    for (index, (event, _)) in run.iter().enumerate().skip(at) {
        match event {
            Event::Start(start) if start.to_end() == tag => depth += 1,
            Event::End(end) if *end == tag => {
                depth -= 1;
                if depth == 0 {
                    return index;
                }
            }
            _ => {}
        }
    }
    run.len()
}

/// The text that these events show, and whether code is among it; images and HTML show none.
fn said(run: &[(Event<'_>, Range<usize>)]) -> (String, bool) {
    let (mut text, mut has_code, mut images) = (String::new(), false, 0_usize);
    for (event, _) in run {
        match event {
            Event::Start(Tag::Image { .. }) => images += 1,
            Event::End(TagEnd::Image) => images = images.saturating_sub(1),
            Event::Text(part) if images == 0 => text.push_str(part),
            Event::Code(part) if images == 0 => {
                has_code = true;
                text.push_str(part);
            }
            Event::SoftBreak | Event::HardBreak => text.push(' '),
            _ => {}
        }
    }
    (fold(&text).into_owned(), has_code)
}

/// The plain text of a heading, a group or a cell.
pub(crate) fn name(run: &[(Event<'_>, Range<usize>)]) -> String {
    said(run).0
}

/// Whether text says something, rather than being numbers, emoji (`:fire:` too) and punctuation.
fn has_words(text: &str) -> bool {
    let mut text = text;
    while let Some(start) = text.find(':') {
        if text[..start].chars().any(char::is_alphabetic) {
            return true;
        }
        let rest = &text[start + 1..];
        match rest.find(':').filter(|&end| {
            end > 0 && rest[..end].chars().all(|c| c.is_ascii_alphanumeric() || "_+-".contains(c))
        }) {
            Some(end) => text = &rest[end + 1..],
            None => text = rest,
        }
    }
    text.chars().any(char::is_alphabetic)
}

fn has_separator(name: &str) -> bool {
    name.trim_end().ends_with(['-', '–', '—', ':', '='])
}

/// The end of the link, or of emphasis that holds nothing after it.
fn close_emphasis(run: &[(Event<'_>, Range<usize>)], link: &Link) -> usize {
    let mut after = link.span.end;
    for (event, range) in &run[link.events.end.min(run.len())..] {
        match event {
            Event::End(TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough) => {
                after = after.max(range.end)
            }
            _ => break,
        }
    }
    after
}
