//! Any bytes are a document; untouched it gives its bytes back, and every change can be taken back exactly.

#![no_main]

use libfuzzer_sys::fuzz_target;
use upshelf_lists::{ChangeError, Document, Edit, Entry, Target, Undo, UrlKey};

fuzz_target!(|bytes: &[u8]| {
    // The first line is what people type; the rest is the list.
    let cut = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(0);
    let (typed, bytes) = (String::from_utf8_lossy(&bytes[..cut]).into_owned(), &bytes[cut..]);
    let document = Document::parse(bytes.to_vec());
    assert_eq!(document.bytes(), bytes);
    for entry in document.entries() {
        assert!(UrlKey::of(&entry.url).is_ok() && !entry.title.contains('\n') && !entry.description.contains('\n'));
    }
    let undone = |undo: &Undo, changed: &Document| {
        let stored = serde_json::to_string(undo).expect("an undo is plain data");
        let undo: Undo = serde_json::from_str(&stored).expect("what was written is read");
        assert_eq!(changed.undo(&undo).expect("nothing changed since").document.bytes(), bytes);
    };
    let mut new = Entry { description: typed.clone(), ..Entry::new(typed.clone(), "https://new.example/one") };
    new.section = document.entries().first().map(Entry::path).unwrap_or_default();
    if let Ok(change) = document.add(&new) {
        assert_eq!(change.document.entries().len(), document.entries().len() + 1);
        undone(&change.undo, &change.document);
    }
    new.section = vec![typed.clone()];
    if let Ok(change) = document.add(&new) {
        undone(&change.undo, &change.document);
    }
    let Some(entry) = document.entries().last() else { return };
    let target = Target::at(UrlKey::of(&entry.url).expect("entries have keys"), entry.path());
    let edit = Edit { title: Some(typed.clone()), description: Some(typed.clone()), url: None };
    match document.edit(&target, &edit) {
        Ok(change) => undone(&change.undo, &change.document),
        Err(error) => assert_ne!(error, ChangeError::NotFound),
    }
    match document.remove(&target) {
        Ok(change) => undone(&change.undo, &change.document),
        Err(error) => assert_ne!(error, ChangeError::NotFound),
    }
    if let Ok(change) = document.move_to(&target, &[typed]) {
        assert_eq!(change.document.entries().len(), document.entries().len());
        undone(&change.undo, &change.document);
    }
});
