//! Bookmark files: the Netscape format that every browser exports.

use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};
use jiff::Timestamp;

use crate::identity::without_credentials;
use crate::table::CREDENTIALS;
use crate::text::{decode, escape, fold, web_address};
use crate::{Entry, Reading, Reason, Skipped, UrlError, UrlKey, Warning};

/// How deep folders may nest; deeper ones are read as if they were the last.
const DEPTH: usize = 32;

/// Reads a bookmark file. Any bytes will do.
///
/// The format never closes `<DT>` and `<DD>`, and no two browsers nest them alike; so tags are taken one by one, as
/// browsers' importers do, instead of as a tree.
pub(crate) fn read(bytes: &[u8]) -> Reading {
    let mut warnings = Vec::new();
    let text = decode(bytes, &mut warnings);
    let tokenizer = Tokenizer::new(Sink(RefCell::new(State::default())), TokenizerOpts::default());
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(text));
    // It pauses for scripts and encodings only, of which the sink tells it nothing.
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    let mut state = tokenizer.sink.0.into_inner();
    state.settle();
    warnings.append(&mut state.warnings);
    Reading { entries: state.entries, skipped: state.skipped, warnings, document: None }
}

struct Sink(RefCell<State>);

#[derive(Default)]
struct State {
    /// The folders that are open; `None` for a list without a name of its own.
    folders: Vec<Option<String>>,
    too_deep: usize,
    /// The heading that names the next list.
    heading: Option<String>,
    part: Part,
    text: String,
    entries: Vec<Entry>,
    skipped: Vec<Skipped>,
    warnings: Vec<Warning>,
    /// The bookmark whose description may follow.
    last: Option<Entry>,
}

/// What the text that comes belongs to.
#[derive(Default, PartialEq)]
enum Part {
    #[default]
    Nothing,
    Heading,
    Link,
    Description,
}

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, line: u64) -> TokenSinkResult<()> {
        let mut state = self.0.borrow_mut();
        match token {
            Token::CharacterTokens(text) => state.hear(&text),
            Token::TagToken(tag) => return state.tag(&tag, usize::try_from(line).unwrap_or(usize::MAX)),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl State {
    fn hear(&mut self, text: &str) {
        if self.part != Part::Nothing {
            self.text.push_str(text);
        }
    }

    fn tag(&mut self, tag: &Tag, line: usize) -> TokenSinkResult<()> {
        match (tag.kind, &*tag.name) {
            // What a browser would not show as text is none here.
            (TagKind::StartTag, "title" | "textarea") => return TokenSinkResult::RawData(RawKind::Rcdata),
            (TagKind::StartTag, "style" | "script" | "iframe" | "noembed" | "noframes" | "xmp") => {
                return TokenSinkResult::RawData(RawKind::Rawtext);
            }
            (TagKind::StartTag, "h3") => {
                self.settle();
                self.part = Part::Heading;
            }
            (TagKind::EndTag, "h3") => self.settle(),
            // A link within a description is part of it.
            (TagKind::StartTag, "a") if self.part != Part::Description => {
                self.settle();
                self.link(tag, line);
            }
            (TagKind::EndTag, "a") if self.part == Part::Link => {
                let title = fold(&std::mem::take(&mut self.text)).into_owned();
                self.part = Part::Nothing;
                if let Some(entry) = self.last.as_mut().filter(|_| !title.is_empty()) {
                    entry.title = title;
                }
            }
            (TagKind::StartTag, "dd") => {
                self.close();
                self.part = Part::Description;
            }
            (TagKind::StartTag, "br") => self.hear(" "),
            (TagKind::StartTag, "dt" | "hr") | (TagKind::EndTag, "dd") => self.settle(),
            (TagKind::StartTag, "dl") => {
                self.settle();
                let name = self.heading.take();
                match self.folders.len() < DEPTH {
                    true => self.folders.push(name),
                    false => self.too_deep += 1,
                }
            }
            (TagKind::EndTag, "dl") => {
                self.settle();
                self.heading = None;
                match self.too_deep {
                    0 => drop(self.folders.pop()),
                    _ => self.too_deep -= 1,
                }
            }
            _ => {}
        }
        TokenSinkResult::Continue
    }

    fn link(&mut self, tag: &Tag, line: usize) {
        let value = |name: &str| {
            tag.attrs.iter().find(|attr| &*attr.name.local == name).map(|attr| attr.value.trim())
        };
        let Some(url) = value("href").map(web_address) else { return };
        if let Err(error) = UrlKey::of(&url) {
            let reason = match error {
                UrlError::Scheme => Reason::NotHttp,
                UrlError::Unparsable if !crate::text::has_scheme(&url) => Reason::Relative,
                _ => Reason::BadUrl,
            };
            self.skipped.push(Skipped { line, reason });
            return;
        }
        let bare = without_credentials(&url);
        if bare.is_some() {
            self.warnings.push(Warning { line, what: CREDENTIALS.into() });
        }
        let url = bare.unwrap_or(url);
        self.part = Part::Link;
        self.last = Some(Entry {
            line,
            section: self.folders.iter().flatten().cloned().collect(),
            tags: value("tags").map(tags).unwrap_or_default(),
            added: value("add_date").and_then(date),
            ..Entry::new(fold(&url), url.clone())
        });
    }

    /// Ends what is being read, but for the bookmark whose description may still follow.
    fn close(&mut self) {
        let text = std::mem::take(&mut self.text);
        match std::mem::take(&mut self.part) {
            Part::Heading => self.heading = Some(fold(&text).into_owned()).filter(|name| !name.is_empty()),
            Part::Link => {
                let title = fold(&text);
                if let Some(entry) = self.last.as_mut().filter(|_| !title.is_empty()) {
                    entry.title = title.into_owned();
                }
            }
            Part::Description => {
                if let Some(entry) = &mut self.last {
                    entry.description = escape(&text);
                }
            }
            Part::Nothing => {}
        }
    }

    fn settle(&mut self) {
        self.close();
        self.entries.extend(self.last.take());
    }
}

/// Tags are parted by commas, or, where there is none, by spaces.
fn tags(list: &str) -> Vec<String> {
    let parts: Vec<&str> = match list.contains(',') {
        true => list.split(',').collect(),
        false => list.split_whitespace().collect(),
    };
    let mut tags: Vec<String> = Vec::new();
    for tag in parts.into_iter().map(|tag| fold(tag).into_owned()).filter(|tag| !tag.is_empty()) {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

/// The seconds since 1970 that can be told from milliseconds: up to the year 5138, which in milliseconds is 1973.
pub(crate) const SECONDS: std::ops::Range<i64> = 1..100_000_000_000;

/// Seconds, milliseconds or microseconds since 1970, or since 1601 as Chromium once wrote, or a log file's date.
fn date(text: &str) -> Option<Timestamp> {
    const FROM_1601: i64 = 11_644_473_600;
    let date = match text.parse::<i64>() {
        Ok(number) => {
            let seconds = match number {
                ..100_000_000_000 => number,
                100_000_000_000..100_000_000_000_000 => number / 1_000,
                100_000_000_000_000..10_000_000_000_000_000 => number / 1_000_000,
                _ => number / 1_000_000 - FROM_1601,
            };
            Timestamp::from_second(seconds).ok()
        }
        Err(_) => jiff::fmt::strtime::parse("%d/%b/%Y:%H:%M:%S %z", text).ok()?.to_timestamp().ok(),
    };
    date.filter(|date| SECONDS.contains(&date.as_second()))
}
