//! How well real lists are read: the levels that any importer should reach, held on four of them.
//!
//! The rules are those of `tools/score.py`, which stands beside the lists.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use serde::Deserialize;
use upshelf_lists::{Document, Format, Writer, read};

const LISTS: [&str; 4] =
    ["awesome-nodejs", "awesome-rust", "awesome-selfhosted", "free-programming-books-langs"];

fn data(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("this test needs {}, a real list: {error}", path.display()))
}

#[derive(Deserialize)]
struct Expected {
    must: Vec<Placement>,
    #[serde(default)]
    may: Vec<Optional>,
}

#[derive(Deserialize)]
struct Placement {
    url: String,
    title: String,
    section: Vec<String>,
    #[serde(default)]
    group: Vec<String>,
}

#[derive(Deserialize)]
struct Optional {
    url: String,
}

fn address(url: &str) -> String {
    let url = url.trim().to_owned();
    let url = match url.split_once("://") {
        Some((scheme, rest)) if matches!(scheme.to_lowercase().as_str(), "http" | "https") => {
            let host = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            format!("{}://{}{}", scheme.to_lowercase(), rest[..host].to_lowercase(), &rest[host..])
        }
        _ => url,
    };
    match url.contains(['#', '?']) {
        true => url,
        false => url.trim_end_matches('/').to_owned(),
    }
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

struct Score {
    recall: f64,
    precision: f64,
    titles: f64,
    sections: f64,
}

fn score(list: &str) -> Score {
    let expected: Expected =
        serde_json::from_slice(&data(&format!("{list}.expected.json"))).expect("the expectation is JSON");
    let document = Document::parse(data(&format!("{list}.md")));
    let mut got: HashMap<String, Vec<(String, String)>> = HashMap::new();
    for entry in document.entries() {
        got.entry(address(&entry.url))
            .or_default()
            .push((words(&entry.title), words(&entry.path().join(" / "))));
    }
    let must: HashSet<String> = expected.must.iter().map(|one| address(&one.url)).collect();
    let may: HashSet<String> = expected.may.iter().map(|one| address(&one.url)).collect();
    let spurious = got.keys().filter(|url| !must.contains(*url) && !may.contains(*url)).count();
    let agree = |holds: &dyn Fn(&Placement, &(String, String)) -> bool| {
        let of = |one: &&Placement| {
            got.get(&address(&one.url)).is_some_and(|all| all.iter().any(|got| holds(one, got)))
        };
        expected.must.iter().filter(of).count() as f64 / expected.must.len() as f64
    };
    Score {
        recall: must.iter().filter(|url| got.contains_key(*url)).count() as f64 / must.len() as f64,
        precision: 1.0 - spurious as f64 / got.len().max(1) as f64,
        titles: agree(&|one, got| words(&one.title) == got.0),
        sections: agree(&|one, got| {
            let last = one.section.iter().chain(&one.group).next_back();
            [one.section.last(), last].into_iter().flatten().any(|name| got.1.contains(&words(name)))
        }),
    }
}

#[test]
fn real_lists_are_read_as_well_as_any_importer_should() {
    for list in LISTS {
        let score = score(list);
        assert!(score.recall >= 0.995, "{list}: recall {}", score.recall);
        assert!(score.precision >= 0.995, "{list}: precision {}", score.precision);
        assert!(score.titles >= 0.99, "{list}: titles {}", score.titles);
        assert!(score.sections >= 0.98, "{list}: sections {}", score.sections);
    }
}

#[test]
fn descriptions_and_notes_are_told_apart() {
    #[derive(Deserialize)]
    struct Fields {
        line: usize,
        description: String,
        licences: Vec<String>,
    }
    let fields: Vec<Fields> =
        serde_json::from_slice(&data("awesome-selfhosted.fields.json")).expect("fields are JSON");
    let document = Document::parse(data("awesome-selfhosted.md"));
    let entries: HashMap<usize, _> = document.entries().iter().map(|entry| (entry.line, entry)).collect();
    let agree = fields.iter().filter(|fields| {
        entries.get(&fields.line).is_some_and(|entry| {
            let notes: Vec<&str> = entry.attributes.iter().flat_map(|note| note.split('/')).collect();
            words(&entry.description) == words(&fields.description)
                && fields.licences.iter().all(|licence| licence.split('/').all(|one| notes.contains(&one)))
        })
    });
    assert!(agree.count() * 1000 >= fields.len() * 995);
}

#[test]
fn an_untouched_list_gives_its_bytes_back() {
    for list in LISTS {
        let bytes = data(&format!("{list}.md"));
        let document = Document::parse(bytes.clone());
        assert!(document.bytes() == bytes, "{list}");
        assert!(document.into_bytes() == bytes, "{list}");
    }
}

#[test]
fn any_entry_of_a_real_list_can_be_taken_out_and_put_back() {
    use upshelf_lists::{Target, UrlKey};
    for list in LISTS {
        let document = Document::parse(data(&format!("{list}.md")));
        for entry in document.entries().iter().step_by(151) {
            let key = UrlKey::of(&entry.url).expect("entries have keys");
            let change = document.remove(&Target::at(key, entry.path())).expect(&entry.title);
            let lines = |document: &Document| document.bytes().iter().filter(|&&byte| byte == b'\n').count();
            let nests = change.document.entries().iter().any(|other| other.group.contains(&entry.title));
            assert_eq!(
                lines(&document) - lines(&change.document),
                usize::from(!nests),
                "{list}:{}",
                entry.line
            );
            let back = change.document.undo(&change.undo).expect(&entry.title);
            assert!(back.document.bytes() == document.bytes(), "{list}:{}", entry.line);
        }
    }
}

#[test]
fn a_real_list_survives_every_other_format() {
    for list in LISTS {
        let document = Document::parse(data(&format!("{list}.md")));
        for format in [Format::Netscape, Format::Json, Format::Csv] {
            let mut writer = match format {
                Format::Netscape => Writer::netscape(Vec::new(), list),
                Format::Json => Writer::json(Vec::new()),
                _ => Writer::csv(Vec::new()),
            }
            .expect("a Vec takes everything");
            for entry in document.entries() {
                writer.entry(entry).expect("only the web is read");
            }
            let again = read(format, writer.finish().expect("a Vec takes everything"))
                .expect("what was written is read");
            assert_eq!(again.entries.len(), document.entries().len(), "{list} as {format}");
            assert!(again.skipped.is_empty());
            for (one, other) in document.entries().iter().zip(&again.entries) {
                assert_eq!(
                    (&one.title, &one.url, one.path()),
                    (&other.title, &other.url, other.path()),
                    "{list} as {format}"
                );
            }
        }
    }
}
