//! Records never panic, and what was read is written and read again as the same; no field begins a formula.

#![no_main]

use libfuzzer_sys::fuzz_target;
use upshelf_lists::{Format, Writer, read};

fuzz_target!(|bytes: &[u8]| {
    let _ = Format::guess("", bytes);
    for format in [Format::Csv, Format::Json] {
        let Ok(reading) = read(format, bytes.to_vec()) else { continue };
        let mut csv = Writer::csv(Vec::new()).expect("a Vec takes everything");
        let mut json = Writer::json(Vec::new()).expect("a Vec takes everything");
        for entry in &reading.entries {
            csv.entry(entry).expect("only the web is read");
            json.entry(entry).expect("only the web is read");
        }
        let csv = csv.finish().expect("a Vec takes everything");
        let json = json.finish().expect("a Vec takes everything");
        for (format, bytes) in [(Format::Csv, csv), (Format::Json, json)] {
            let again = read(format, bytes).expect("what was written is read");
            assert_eq!(again.entries.len(), reading.entries.len());
            for (one, other) in reading.entries.iter().zip(&again.entries) {
                assert_eq!((&one.title, &one.url, one.path()), (&other.title, &other.url, other.path()));
                assert_eq!((&one.description, &one.tags, one.added), (&other.description, &other.tags, other.added));
            }
        }
    }
});
