//! The document: the newer file, with the changes that members made since the one before it.

use std::collections::{HashMap, HashSet};

use upshelf_lists::{Document, Edit, Entry, Target, UrlKey, Warning};
use upshelf_store::{Documents, Tx};

use super::{Import, Place, path_of, words};
use crate::Result;

impl Import<'_> {
    /// Keeps the file, and the file with the changes that members made since the one before it.
    pub(super) async fn put_documents(&mut self, tx: &mut Tx, placed: &[usize]) -> Result<()> {
        let documents = match (self.document.take(), self.earlier.document.take()) {
            (Some(new), None) => {
                let bytes = new.into_bytes();
                Documents { imported: Some(bytes.clone()), document: Some(bytes) }
            }
            (Some(new), Some(ours)) => {
                let imported = new.bytes().to_vec();
                let merged = self.merge(new, &Document::parse(ours));
                Documents { imported: Some(imported), document: Some(merged.into_bytes()) }
            }
            (None, Some(ours)) if !placed.is_empty() => {
                let mut document = Document::parse(ours);
                for at in placed {
                    match document.add(&self.report.entries[*at]) {
                        Ok(change) => document = change.document,
                        Err(error) => self.warn(*at, &format!("not written into the document: {error}")),
                    }
                }
                Documents { imported: self.earlier.imported.take(), document: Some(document.into_bytes()) }
            }
            (None, _) => return Ok(()),
        };
        Ok(tx.put_documents(self.list.id, &documents, self.now).await?)
    }

    /// Makes the changes that led from the imported file to our document in the newer file, too.
    fn merge(&mut self, mut new: Document, ours: &Document) -> Document {
        let ours = entries_by_place(ours, &self.title);
        let mut try_change =
            |new: &mut Document,
             line: usize,
             change: std::result::Result<upshelf_lists::Change, upshelf_lists::ChangeError>| {
                match change {
                    Ok(change) => *new = change.document,
                    Err(upshelf_lists::ChangeError::Exists | upshelf_lists::ChangeError::NotFound) => {}
                    Err(error) => self.report.warnings.push(Warning {
                        line,
                        what: format!("a change of members was not written again: {error}"),
                    }),
                }
            };
        for (place, entry) in &ours {
            match self.base.get(place) {
                None => {
                    let change = new.add(entry);
                    try_change(&mut new, 0, change);
                }
                Some(base) if words(base) != words(entry) => {
                    let differs = |ours: &str, base: &str| (ours != base).then(|| ours.to_owned());
                    let edit = Edit {
                        title: differs(&entry.title, &base.title),
                        url: differs(&entry.url, &base.url),
                        description: differs(&entry.description, &base.description),
                    };
                    let change = new.edit(&Target::at(place.0.clone(), entry.path()), &edit);
                    try_change(&mut new, entry.line, change);
                }
                Some(_) => {}
            }
        }
        let kept: HashSet<&Place> = ours.iter().map(|(place, _)| place).collect();
        for (place, entry) in self.base.iter().filter(|(place, _)| !kept.contains(place)) {
            let change = new.remove(&Target::at(place.0.clone(), entry.path()));
            try_change(&mut new, entry.line, change);
        }
        new
    }
}

pub(super) fn base_of(imported: Vec<u8>, title: &str) -> HashMap<Place, Entry> {
    entries_by_place(&Document::parse(imported), title).into_iter().collect()
}

/// A document's entries in order, each place once.
fn entries_by_place(document: &Document, title: &str) -> Vec<(Place, Entry)> {
    let mut seen = HashSet::new();
    document
        .entries()
        .iter()
        .filter_map(|entry| Some(((UrlKey::of(&entry.url).ok()?, path_of(entry, title)), entry.clone())))
        .filter(|(place, _)| seen.insert(place.clone()))
        .collect()
}
