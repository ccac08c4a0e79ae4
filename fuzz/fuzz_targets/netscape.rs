//! Any bytes are a bookmark file; what was read is written and read again as the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use upshelf_lists::{Format, Writer, plain, read};

fuzz_target!(|bytes: &[u8]| {
    let reading = read(Format::Netscape, bytes.to_vec()).expect("bookmark files are never refused");
    let mut writer = Writer::netscape(Vec::new(), "Bookmarks").expect("a Vec takes everything");
    for entry in &reading.entries {
        writer.entry(entry).expect("only the web is read");
    }
    let again = read(Format::Netscape, writer.finish().expect("a Vec takes everything")).expect("never refused");
    assert_eq!(again.entries.len(), reading.entries.len());
    assert!(again.skipped.is_empty());
    for (one, other) in reading.entries.iter().zip(&again.entries) {
        assert_eq!((&one.title, &one.url, &one.section, &one.tags), (&other.title, &other.url, &other.section, &other.tags));
        assert_eq!((plain(&one.description), one.added), (plain(&other.description), other.added));
    }
});
