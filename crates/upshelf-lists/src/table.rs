//! Records: JSON and CSV.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::identity::without_credentials;
use crate::text::{decode, fold, one_line, split, web_address};
use crate::{Entry, Reading, Reason, Skipped, Unreadable, UrlError, UrlKey, Warning};

/// What parts the names of a path in one CSV field.
pub(crate) const PATH_MARK: char = '>';

/// Said of an address that held a user's name or password.
pub(crate) const CREDENTIALS: &str = "the address held a user name or password; they were left out";

/// What a spreadsheet takes for the beginning of a formula.
const FORMULA: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\n'];

/// Keeps a spreadsheet from running a field as a formula: an apostrophe before it, which [`bare`] takes away.
pub(crate) fn inert(field: &str) -> String {
    let is_formula = field.trim_start_matches('\'').starts_with(FORMULA);
    if is_formula { format!("'{field}") } else { field.to_owned() }
}

/// Undoes [`inert`].
fn bare(field: &str) -> &str {
    match field.strip_prefix('\'') {
        Some(rest) if rest.trim_start_matches('\'').starts_with(FORMULA) => rest,
        _ => field,
    }
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow, alias = "items", alias = "resources")]
    entries: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Record {
    url: String,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    section: Names,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    attributes: Vec<String>,
    #[serde(default)]
    tags: Names,
    #[serde(default)]
    added: Option<jiff::Timestamp>,
}

/// One name, or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    One(Option<String>),
    Many(Vec<String>),
}

impl Default for Names {
    fn default() -> Self {
        Self::One(None)
    }
}

impl From<Names> for Vec<String> {
    fn from(names: Names) -> Self {
        let names = match names {
            Names::One(one) => one.into_iter().collect(),
            Names::Many(many) => many,
        };
        names.iter().map(|name| fold(name).into_owned()).filter(|name| !name.is_empty()).collect()
    }
}

/// Reads an array of records, or an object that holds one as `entries`.
pub(crate) fn read_json(bytes: &[u8]) -> Result<Reading, Unreadable> {
    let mut warnings = Vec::new();
    let text = decode(bytes, &mut warnings);
    let unreadable =
        |error: serde_json::Error| Unreadable { line: error.line().max(1), what: error.to_string() };
    let named = text.trim_start().starts_with('{');
    let records: Vec<&RawValue> = match named {
        true => serde_json::from_str::<Named<'_>>(&text).map_err(unreadable)?.entries,
        false => serde_json::from_str(&text).map_err(unreadable)?,
    };
    let mut reading = Reading { warnings, ..Reading::default() };
    let (mut line, mut counted) = (1, 0);
    for record in records {
        // The record is a part of the text, so the distance of the two is its place.
        let at = (record.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize).min(text.len());
        line += text.as_bytes()[counted..at].iter().filter(|&&byte| byte == b'\n').count();
        counted = at;
        match serde_json::from_str::<Record>(record.get()) {
            Ok(record) => reading.take(Entry {
                line,
                title: record.title.unwrap_or_default(),
                section: record.section.into(),
                description: one_line(&record.description.unwrap_or_default()).into_owned(),
                attributes: record.attributes,
                tags: record.tags.into(),
                added: record.added,
                ..Entry::new("", web_address(&record.url))
            }),
            Err(error) => reading.skipped.push(Skipped { line, reason: Reason::Malformed(reason(&error)) }),
        }
    }
    Ok(reading)
}

/// What is wrong with a record, without the place within it, which would mislead.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

/// The columns of a CSV file.
#[derive(Default)]
struct Columns {
    url: Option<usize>,
    title: Option<usize>,
    section: Option<usize>,
    description: Option<usize>,
    tags: Option<usize>,
    added: Option<usize>,
}

impl Columns {
    fn of(header: &csv::StringRecord) -> Self {
        let mut columns = Self::default();
        for (at, name) in header.iter().enumerate() {
            let column = match name.trim().to_lowercase().as_str() {
                "url" | "link" | "href" | "address" => &mut columns.url,
                "title" | "name" => &mut columns.title,
                "section" | "category" | "folder" | "path" => &mut columns.section,
                "description" | "excerpt" | "note" | "notes" | "summary" => &mut columns.description,
                "tags" | "labels" | "keywords" => &mut columns.tags,
                "added" | "created" | "date" => &mut columns.added,
                _ => continue,
            };
            column.get_or_insert(at);
        }
        columns
    }
}

/// Reads comma-, semicolon- or tab-separated records with a header that names at least `url`.
pub(crate) fn read_csv(bytes: &[u8]) -> Result<Reading, Unreadable> {
    let mut warnings = Vec::new();
    let text = decode(bytes, &mut warnings);
    let first = text.lines().next().unwrap_or_default();
    let count = |mark: char| first.matches(mark).count();
    let delimiter = [',', ';', '\t'].into_iter().rev().max_by_key(|mark| count(*mark)).unwrap_or(',');
    let mut rows = csv::ReaderBuilder::new()
        .flexible(true)
        .delimiter(u8::try_from(delimiter).unwrap_or(b','))
        .from_reader(text.as_bytes());
    let unreadable =
        |error: csv::Error| Unreadable { line: line_of(error.position()), what: error.to_string() };
    let columns = Columns::of(rows.headers().map_err(unreadable)?);
    if columns.url.is_none() {
        return Err(Unreadable { line: 1, what: "the first line names no column \"url\"".into() });
    }
    let mut reading = Reading { warnings, ..Reading::default() };
    for row in rows.records() {
        let row = row.map_err(unreadable)?;
        let field = |column: Option<usize>| column.and_then(|at| row.get(at)).map(bare).unwrap_or_default();
        let line = line_of(row.position());
        if row.iter().all(|field| field.trim().is_empty()) {
            continue;
        }
        let added = field(columns.added);
        let entry = Entry {
            line,
            title: field(columns.title).to_owned(),
            section: split(field(columns.section), PATH_MARK),
            description: one_line(field(columns.description)).into_owned(),
            tags: split(field(columns.tags), ','),
            added: added.parse().ok(),
            ..Entry::new("", web_address(field(columns.url)))
        };
        if entry.added.is_none() && !added.is_empty() {
            reading.warnings.push(Warning { line, what: "not a date; left out".into() });
        }
        reading.take(entry);
    }
    Ok(reading)
}

fn line_of(position: Option<&csv::Position>) -> usize {
    position.map_or(1, |position| usize::try_from(position.line()).unwrap_or(usize::MAX))
}

impl Reading {
    /// Takes an entry in, or reports why not; one without a title is called by its address.
    fn take(&mut self, mut entry: Entry) {
        let reason = match UrlKey::of(&entry.url) {
            Ok(_) => {
                if let Some(bare) = without_credentials(&entry.url) {
                    self.warnings.push(Warning { line: entry.line, what: CREDENTIALS.into() });
                    entry.url = bare;
                }
                entry.title = fold(&entry.title).into_owned();
                if entry.title.is_empty() {
                    entry.title = fold(&entry.url).into_owned();
                }
                return self.entries.push(entry);
            }
            Err(UrlError::Scheme) => Reason::NotHttp,
            Err(_) => Reason::BadUrl,
        };
        self.skipped.push(Skipped { line: entry.line, reason });
    }
}
