//! A list made from a library that never was one.

use upshelf_lists::{Document, Entry, fresh};

fn entry(path: &[&str], title: &str, url: &str, description: &str) -> Entry {
    Entry {
        section: path.iter().map(|name| (*name).to_owned()).collect(),
        description: description.to_owned(),
        ..Entry::new(title, url)
    }
}

#[test]
fn a_fresh_list_is_as_awesome_lint_wants_it() {
    let list = fresh(
        "Awesome Shelf",
        [
            entry(&["Tools"], "Hammer", "https://hammer.example", "drives nails"),
            entry(&["Tools", "Power tools"], "Drill [v2]", "https://drill.example", "eBPF's own. `MIT`"),
            entry(&["Books", "Power tools"], "Manual", "https://manual.example", ""),
            entry(
                &["Tools", "Power tools", "Old & odd", "C #"],
                "Steam",
                "https://steam.example",
                "Runs on coal!",
            ),
            entry(&["Books"], "Hammer again", "http://hammer.example/", "The same"),
            entry(&["Books"], "Bad", "javascript:alert(1)", "Never"),
            entry(&["Tools"], "Saw", "https://saw.example", "well-made:\n# C++ -"),
        ],
    );
    let want = "# Awesome Shelf [![Awesome](https://awesome.re/badge.svg)](https://awesome.re)

## Contents

- [Tools](#tools)
  - [Power tools](#power-tools)
- [Books](#books)
  - [Power tools](#power-tools-1)

## Tools

- [Hammer](https://hammer.example) - Drives nails.
- [Saw](https://saw.example) - Well-made: # C++.

### Power tools

- [Drill \\[v2\\]](https://drill.example) - eBPF's own. `MIT`

#### Old & odd

##### C \\#

- [Steam](https://steam.example) - Runs on coal!

## Books

### Power tools

- [Manual](https://manual.example)
";
    assert_eq!(String::from_utf8(list).expect("it is UTF-8"), want);
}

#[test]
fn a_fresh_list_is_read_as_it_was_meant() {
    let entries = vec![
        entry(&["A"], "x_y *z*", "https://x.example/?a=1&copy;=2", "See <b> and [y](https://y.example)."),
        entry(&["A", "B"], "`c`", "https://c.example/a_(b)", "Sea."),
    ];
    let document = Document::parse(fresh("", entries.clone()));
    assert_eq!(document.title(), Some("Awesome List"));
    for (one, other) in entries.iter().zip(document.entries()) {
        assert_eq!((&one.title, &one.url, one.path()), (&other.title, &other.url, other.path()));
    }
    assert_eq!(document.entries()[0].description, "See \\<b> and [y](https://y.example).");
    assert_eq!(
        fresh("Awesome Shelf", []),
        b"# Awesome Shelf [![Awesome](https://awesome.re/badge.svg)](https://awesome.re)\n"
    );
}
