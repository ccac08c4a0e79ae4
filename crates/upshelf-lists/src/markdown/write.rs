//! Entries as text.

use super::lines::line_end;
use super::scan::Node;
use super::style::Style;
use super::{ChangeError, rows};
use crate::text::{escape, fold, tame};
use crate::{Entry, UrlKey};

/// What is put at a place.
pub(crate) enum Content<'a> {
    /// An entry to be written in the section's style.
    New(&'a Entry),
    /// An entry from elsewhere, with its lines as they were written, unless it was a table row.
    Moved { entry: &'a Entry, written: Option<Vec<String>> },
}

impl Content<'_> {
    pub(crate) fn entry(&self) -> &Entry {
        match self {
            Self::New(entry) | Self::Moved { entry, .. } => entry,
        }
    }

    /// The item's lines, with this before the first.
    pub(crate) fn item(&self, prefix: &str, style: &Style) -> Result<Vec<String>, ChangeError> {
        if let Self::Moved { written: Some(written), .. } = self {
            let indent = &prefix[..prefix.len() - prefix.trim_start().len()];
            let before = std::iter::once(prefix).chain(std::iter::repeat(indent));
            return Ok(before
                .zip(written)
                .map(|(before, line)| format!("{before}{line}").trim_end().to_owned())
                .collect());
        }
        let (Self::New(entry) | Self::Moved { entry, .. }) = self;
        let emphasis = &style.emphasis;
        let mut line = format!(
            "{prefix}{emphasis}[{}]({}){emphasis}",
            escape(&entry.title),
            address(&entry.url, false)?
        );
        let text = description(&entry.description, false);
        if !text.is_empty() {
            line.push_str(&style.separator);
            line.push_str(&style.finish(&text));
        }
        Ok(vec![line])
    }

    /// A table row laid out as this one of the same table.
    pub(crate) fn row(
        &self,
        text: &str,
        like: &Node,
        layout: &rows::Row,
        style: &Style,
    ) -> Result<String, ChangeError> {
        let entry = self.entry();
        let range = like.start..line_end(text, like.start);
        let line = text[range.clone()].trim_end();
        let mut cells = vec![String::new(); rows::split(text, range).len()];
        let count = cells.len();
        let emphasis = &style.emphasis;
        let link = format!("[{}]({})", cell(&escape(&entry.title), true), address(&entry.url, true)?);
        *cells.get_mut(layout.link).ok_or(ChangeError::Unwritable)? = format!("{emphasis}{link}{emphasis}");
        if let Some(place) = layout.description.filter(|at| *at < count) {
            cells[place] = style.finish(&description(&entry.description, true));
        }
        let space = if line.trim_start_matches('|').starts_with(' ') { " " } else { "" };
        let row = cells.iter().map(|cell| format!("{space}{cell}{space}")).collect::<Vec<_>>().join("|");
        let row = if line.starts_with('|') { format!("|{row}") } else { row.trim_start().to_owned() };
        let indent = &text[like.own.start..like.start];
        Ok(format!(
            "{indent}{}",
            if line.ends_with('|') { format!("{row}|") } else { row.trim_end().to_owned() }
        ))
    }
}

/// The address of a link as it stands between `(` and `)`.
pub(crate) fn address(url: &str, in_row: bool) -> Result<String, ChangeError> {
    let url = url.trim();
    UrlKey::of(url)?;
    let mut depth = 0_i32;
    let unbalanced = url.chars().any(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth < 0
    }) || depth != 0
        || url.matches('(').count() > 16;
    let mut safe = String::with_capacity(url.len());
    let mut rest = url.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '(' | ')' if unbalanced => safe.push_str(if c == '(' { "%28" } else { "%29" }),
            '|' if !in_row => safe.push(c),
            // A backtick or an angle bracket could pair with one that follows the link.
            '<' | '>' | '`' | '\\' | '|' | ' ' | '"' => safe.push_str(&format!("%{:02X}", u32::from(c))),
            '&' if rest.peek().is_some_and(|next| next.is_ascii_alphanumeric() || *next == '#')
                && is_entity(rest.clone()) =>
            {
                safe.push_str("&amp;");
            }
            // The parser of addresses drops line breaks and tabs as well.
            c if c.is_control() => {}
            c if c.is_whitespace() => safe.extend(c.to_string().bytes().map(|byte| format!("%{byte:02X}"))),
            c => safe.push(c),
        }
    }
    Ok(safe)
}

fn is_entity(rest: impl Iterator<Item = char>) -> bool {
    rest.skip(1).find(|c| !c.is_ascii_alphanumeric() && *c != '#') == Some(';')
}

/// A description as it is written: one line, tame.
pub(crate) fn description(markdown: &str, in_row: bool) -> String {
    cell(&tame(markdown), in_row)
}

/// Text for a table cell: a bar would end it, even in code.
pub(crate) fn cell(markdown: &str, in_row: bool) -> String {
    if !in_row || !markdown.contains('|') {
        return markdown.to_owned();
    }
    let mut safe = String::with_capacity(markdown.len() + 4);
    let mut escaped = false;
    for c in markdown.chars() {
        if c == '|' && !escaped {
            safe.push('\\');
        }
        escaped = c == '\\' && !escaped;
        safe.push(c);
    }
    safe
}

/// A group's name after its bullet: it begins no other block there and ends with no closing sequence.
pub(crate) fn group(name: &str) -> String {
    let safe = escape(name);
    let digits = safe.len() - safe.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if digits > 0 && safe[digits..].starts_with(['.', ')']) {
        return format!("{}\\{}", &safe[..digits], &safe[digits..]);
    }
    match safe.starts_with(['#', '>', '-', '+', '=', '|', ':']) {
        true => format!("\\{safe}"),
        false => safe,
    }
}

/// A heading's name after its `#`s.
pub(crate) fn heading(name: &str) -> String {
    let safe = escape(name);
    match safe.strip_suffix('#') {
        Some(rest) => format!("{rest}\\#"),
        None => safe,
    }
}

/// All that an entry says besides its title.
pub(crate) fn all_of(entry: &Entry) -> String {
    let notes = entry.attributes.iter().map(|note| fold(note).into_owned());
    std::iter::once(entry.description.clone()).chain(notes).collect::<Vec<_>>().join(" ")
}
