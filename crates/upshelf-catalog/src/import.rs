//! Bringing a list into the library: all of it in one transaction, or none.

mod begin;
mod categories;
mod documents;
mod resources;

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use serde_json::json;
use upshelf_cache::Inv;
use upshelf_lists::{Document, Entry, Format, Skipped, UrlKey, Warning};
use upshelf_store::{
    Action, Actor, CategoryId, Documents, List, LogId, MemberId, NewLogEntry, ResourceId, ResourceStatus,
    Time, Tx,
};

use crate::proposal::MAX_URL;
use crate::slugs::slugify;
use crate::{Catalog, Refusal, Result};

/// How a list is to be brought in.
#[derive(Clone, Debug, Default)]
pub struct ImportRequest {
    /// The file's format; guessed without it.
    pub format: Option<Format>,
    /// The file's name, to guess from.
    pub file_name: String,
    /// The list's slug; without it, the one list there is, or a new one named as the document is.
    pub list: Option<String>,
    /// Who imports; nobody on the command line.
    pub by: Option<MemberId>,
    /// Whether to report only, and change nothing.
    pub dry_run: bool,
}

/// What an import did, or would do.
#[derive(Clone, Debug, Default, Serialize, utoipa::ToSchema)]
pub struct ImportReport {
    /// The list's slug.
    pub list: String,
    /// The format it was read as: `markdown`, `netscape`, `json`, `csv`.
    pub format: String,
    /// The entries read: `{line, title, url, section, description, attributes}`.
    #[schema(value_type = Vec<Object>)]
    pub entries: Vec<Entry>,
    /// Resources that are new on the shelf.
    pub added: usize,
    /// Resources of the shelf that got one more place.
    pub placed: usize,
    /// Entries that were there already.
    pub unchanged: usize,
    /// Resources that got other words or another address, as the newer file has them.
    pub changed: usize,
    /// Places that the newer file no longer has.
    pub removed: usize,
    /// What is no entry, `{line, reason}`.
    #[schema(value_type = Vec<Object>)]
    pub skipped: Vec<Skipped>,
    /// What is odd, `{line, what}`; line 0 is about the whole.
    #[schema(value_type = Vec<Object>)]
    pub warnings: Vec<Warning>,
}

/// The most levels of the tree of categories; what a file nests deeper stands in the last one. Markdown has fewer.
const DEEPEST: usize = 32;

/// Where an entry stands: its resource and its path.
type Place = (UrlKey, Vec<String>);

/// A file, read.
struct Incoming {
    report: ImportReport,
    document: Option<Document>,
    title: String,
    /// The entries with a usable address, in order, each place once.
    places: Vec<(Place, usize)>,
}

impl Incoming {
    fn read(bytes: Vec<u8>, request: &ImportRequest) -> Result<Incoming, Refusal> {
        let format = request.format.unwrap_or_else(|| Format::guess(&request.file_name, &bytes));
        let reading = upshelf_lists::read(format, bytes)
            .map_err(|error| Refusal::invalid("file", format!("It is not {format}: {error}.")))?;
        let title = match &reading.document {
            Some(document) => document.title().unwrap_or("Library").to_owned(),
            None => "Bookmarks".to_owned(),
        };
        let mut report = ImportReport {
            format: format.name().to_owned(),
            skipped: reading.skipped,
            warnings: reading.warnings,
            ..ImportReport::default()
        };
        let mut seen = HashSet::new();
        let mut places = Vec::with_capacity(reading.entries.len());
        for (at, entry) in reading.entries.iter().enumerate() {
            // Every entry has an address that can be used: the readers report the others as skipped.
            let Ok(key) = UrlKey::of(&entry.url) else { continue };
            if entry.url.len() > MAX_URL {
                let what = format!("its address has more than {MAX_URL} characters; it is not taken");
                report.warnings.push(Warning { line: entry.line, what });
                continue;
            }
            let place = (key, path_of(entry, &title));
            if seen.insert(place.clone()) {
                places.push((place, at));
            } else {
                report.unchanged += 1;
            }
        }
        report.entries = reading.entries;
        Ok(Incoming { report, document: reading.document, title, places })
    }
}

/// An entry's path; one above all headings stands in a category named like the list.
fn path_of(entry: &Entry, title: &str) -> Vec<String> {
    let mut path = entry.path();
    path.truncate(DEEPEST);
    if path.is_empty() { vec![title.to_owned()] } else { path }
}

/// Reports what an import into an empty library would do. It touches nothing.
///
/// # Errors
/// [`Refusal::Invalid`] when the file is not in its format at all.
pub fn preview(bytes: Vec<u8>, request: &ImportRequest) -> Result<ImportReport, Refusal> {
    let Incoming { mut report, title, places, .. } = Incoming::read(bytes, request)?;
    let resources: HashSet<&UrlKey> = places.iter().map(|((key, _), _)| key).collect();
    report.added = resources.len();
    report.placed = places.len() - resources.len();
    report.list = request.list.clone().unwrap_or_else(|| slugify(&title));
    Ok(report)
}

impl Catalog {
    /// Brings a list into the library, or only what is new of it: nothing that members changed meanwhile is lost.
    ///
    /// The file is compared with the one that was imported before it; the differences between the two are made here,
    /// and the changes that members made stay, in the library and in the document.
    ///
    /// # Errors
    /// A [`Refusal`] when the file is not in its format, or when it is not clear which list is meant.
    pub async fn import(&self, bytes: Vec<u8>, request: &ImportRequest) -> Result<ImportReport> {
        let incoming = Incoming::read(bytes, request)?;
        let now = self.clock().now();
        let mut tx = self.store().write().await?;
        let import = Import::begin(self, &mut tx, incoming, request, now).await?;
        let report = import.run(&mut tx).await?;
        if request.dry_run {
            return Ok(report);
        }
        let stale = self.stale(&mut tx, vec![Inv::all()]).await?;
        self.commit(tx).await?;
        self.forget(stale).await;
        Ok(report)
    }
}

/// One import on its way.
struct Import<'c> {
    catalog: &'c Catalog,
    now: Time,
    by: Option<MemberId>,
    log: LogId,
    list: List,
    report: ImportReport,
    document: Option<Document>,
    places: Vec<(Place, usize)>,
    title: String,
    /// The documents as they were before this import.
    earlier: Documents,
    /// The entries of the file that was imported before.
    base: HashMap<Place, Entry>,
    categories: HashMap<Vec<String>, CategoryId>,
    slugs: HashSet<String>,
    resources: HashMap<String, (ResourceId, ResourceStatus)>,
    /// Resources whose words and versions are to be written at the end.
    touched: Vec<ResourceId>,
}

impl Import<'_> {
    async fn run(mut self, tx: &mut Tx) -> Result<ImportReport> {
        if self.document.as_ref().is_some_and(|new| self.earlier.imported.as_deref() == Some(new.bytes())) {
            self.report.unchanged += self.places.len();
            return Ok(self.report);
        }
        tx.add_log(&NewLogEntry {
            id: self.log,
            at: self.now,
            actor: if self.by.is_some() { Actor::Member } else { Actor::System },
            member_id: self.by,
            action: Action::Imported,
            suggestion_id: None,
            resource_id: None,
            rule: None,
            standing: None,
            before: None,
            after: Some(json!({ "list": self.list.slug, "entries": self.places.len() })),
            reason: None,
        })
        .await?;
        self.add_categories(tx).await?;
        let placed = self.take_in(tx).await?;
        self.take_changes(tx).await?;
        self.take_out(tx).await?;
        tx.put_texts(&self.touched).await?;
        self.put_documents(tx, &placed).await?;
        if self.document.is_some() {
            self.order_categories(tx).await?;
        }
        Ok(self.report)
    }

    fn warn(&mut self, at: usize, what: &str) {
        let line = self.report.entries[at].line;
        self.report.warnings.push(Warning { line, what: what.to_owned() });
    }
}

/// The words of an entry that a resource takes over.
fn words(entry: &Entry) -> (&str, &str, &str) {
    (&entry.title, &entry.url, &entry.description)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_counts_resources_and_further_places() {
        let list = b"# Some list\n\n## One\n\n- [A](https://a.example)\n- [B](https://b.example)\n\n## Two\n\n- [A](https://a.example/)\n".to_vec();
        let report = preview(list, &ImportRequest::default()).expect("it is a list");
        assert_eq!((report.added, report.placed, report.unchanged), (2, 1, 0));
        assert_eq!(report.list, "some-list");
    }
}
