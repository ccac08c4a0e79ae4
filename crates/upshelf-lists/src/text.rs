//! Text on its way into Markdown and out of it.

use std::borrow::Cow;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::{UrlError, UrlKey, Warning};

/// The dialect that is read: CommonMark with GitHub's tables, task lists, strike-through and footnotes.
pub(crate) const DIALECT: Options = Options::ENABLE_TABLES
    .union(Options::ENABLE_TASKLISTS)
    .union(Options::ENABLE_STRIKETHROUGH)
    .union(Options::ENABLE_FOOTNOTES);

/// Reads bytes as UTF-8, or as UTF-16 where a byte order mark says so, or else as Latin-1.
pub(crate) fn decode(bytes: &[u8], warnings: &mut Vec<Warning>) -> String {
    let wide = |unit: fn([u8; 2]) -> u16| {
        let units = bytes[2..].chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    };
    match bytes {
        [0xFF, 0xFE, ..] => wide(u16::from_le_bytes),
        [0xFE, 0xFF, ..] => wide(u16::from_be_bytes),
        _ => match str::from_utf8(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)) {
            Ok(text) => text.to_owned(),
            Err(error) => {
                let line = 1 + bytes[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count();
                warnings.push(Warning { line, what: "not UTF-8; read as Latin-1".into() });
                bytes.iter().map(|&byte| char::from(byte)).collect()
            }
        },
    }
}

/// Puts text on one line: white space becomes single spaces, control characters go.
///
/// Characters that reorder the text around them go too: they make a line show what it does not say.
pub(crate) fn fold(text: &str) -> Cow<'_, str> {
    let is_plain = |text: &str| {
        !text.starts_with(' ')
            && !text.ends_with(' ')
            && !text.contains("  ")
            && !text.chars().any(|c| c != ' ' && (c.is_whitespace() || c.is_control() || reorders(c)))
    };
    if is_plain(text) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace()) {
        let word: String = word.chars().filter(|&c| !c.is_control() && !reorders(c)).collect();
        if !word.is_empty() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&word);
        }
    }
    Cow::Owned(line)
}

/// Puts text on one line, and leaves it otherwise as it is written.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    match text.contains(|c: char| c.is_control() || reorders(c) || matches!(c, '\u{2028}' | '\u{2029}')) {
        false => Cow::Borrowed(text),
        true => fold(text),
    }
}

fn reorders(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// An address without the control characters and outer white space that browsers drop as well.
pub(crate) fn web_address(url: &str) -> String {
    url.chars().filter(|c| !c.is_control()).collect::<String>().trim().to_owned()
}

/// Escapes plain text so that Markdown shows it as it is, on one line.
pub fn escape(text: &str) -> String {
    let text = fold(text);
    let mut safe = String::with_capacity(text.len());
    let strikes = text.matches('~').count() > 1;
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let after = rest.peek().copied().unwrap_or(' ');
        let special = match c {
            '\\' | '[' | ']' | '`' | '*' | '<' => true,
            // Between letters an underscore is a letter.
            '_' => !(before.is_alphanumeric() && after.is_alphanumeric()),
            // One alone strikes nothing through.
            '~' => strikes,
            '&' => after == '#' || after.is_ascii_alphabetic(),
            '!' => after == '[',
            _ => false,
        };
        if special {
            safe.push('\\');
        }
        safe.push(c);
        before = c;
    }
    safe
}

/// The text that inline Markdown shows, without markup, on one line.
pub fn plain(markdown: &str) -> String {
    let mut text = String::with_capacity(markdown.len());
    // A word before it keeps what looks like a block at its start (`- `, `# `, four spaces) inline.
    let source = format!("x {}", fold(markdown));
    let mut images = 0_usize;
    for event in Parser::new_ext(&source, DIALECT) {
        match event {
            Event::Start(Tag::Image { .. }) => images += 1,
            Event::End(TagEnd::Image) => images -= 1,
            Event::Text(part) | Event::Code(part) if images == 0 => text.push_str(&part),
            Event::SoftBreak | Event::HardBreak => text.push(' '),
            _ => {}
        }
    }
    fold(text.strip_prefix("x").unwrap_or(&text)).into_owned()
}

/// Makes inline Markdown from people safe to stand in a list: one line, no HTML, no link to anything but the web.
pub(crate) fn tame(markdown: &str) -> String {
    let mut line = one_line(markdown).into_owned();
    // Each round escapes at least one character, and only the outermost offenders are found in one.
    for _ in 0..8 {
        let source = format!("x {line}");
        let mut offenders = Vec::new();
        for (event, range) in Parser::new_ext(&source, DIALECT).into_offset_iter() {
            match event {
                Event::InlineHtml(_) | Event::Html(_) => offenders.push(range.start),
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. })
                    if !is_web(&dest_url) =>
                {
                    offenders.push(range.start);
                }
                _ => {}
            }
        }
        if offenders.is_empty() {
            return line;
        }
        offenders.dedup();
        for at in offenders.into_iter().rev() {
            let at = at - "x ".len();
            // An image begins with `!`, which escaped would leave the link; its bracket has to go.
            line.insert(if line[at..].starts_with("![") { at + 1 } else { at }, '\\');
        }
    }
    escape(&plain(&line))
}

/// Whether a link may lead there: the web, a mailbox, or a place in or beside the document.
fn is_web(address: &str) -> bool {
    match UrlKey::of(address) {
        Ok(_) => true,
        Err(UrlError::Unparsable | UrlError::TooLong) => !has_scheme(address),
        Err(UrlError::Scheme) => address.trim().to_ascii_lowercase().starts_with("mailto:"),
    }
}

pub(crate) fn has_scheme(address: &str) -> bool {
    address.split_once(':').is_some_and(|(scheme, _)| {
        let mut name = scheme.trim_start().chars();
        name.next().is_some_and(|c| c.is_ascii_alphabetic())
            && name.all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c) || c.is_control())
    })
}

/// Joins names into one field, so that [`split`] gives them back.
pub(crate) fn join<'a>(names: impl IntoIterator<Item = &'a String>, mark: char) -> String {
    let mut field = String::new();
    for (at, name) in names.into_iter().enumerate() {
        if at > 0 {
            field.push_str(&if mark == ',' { ", ".to_owned() } else { format!(" {mark} ") });
        }
        for c in name.chars() {
            if c == mark || c == '\\' {
                field.push('\\');
            }
            field.push(c);
        }
    }
    field
}

/// Splits a field at unescaped marks; names are trimmed, empty ones dropped.
pub(crate) fn split(field: &str, mark: char) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut chars = field.chars();
    while let Some(c) = chars.next() {
        let current = names.last_mut().expect("there is always a name being read");
        match c {
            '\\' => match chars.next() {
                Some(next) if next == mark || next == '\\' => current.push(next),
                next => current.extend(['\\'].into_iter().chain(next)),
            },
            c if c == mark => names.push(String::new()),
            c => current.push(c),
        }
    }
    names.iter().map(|name| fold(name).into_owned()).filter(|name| !name.is_empty()).collect()
}
