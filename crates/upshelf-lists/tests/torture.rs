//! Files nobody would write by hand are read without panic or hang.

use proptest::prelude::*;
use upshelf_lists::{Change, Document, Edit, Entry, Format, Target, UrlKey, read};

const MIB: usize = 1 << 20;

fn repeat(part: &str, bytes: usize) -> Vec<u8> {
    part.repeat(bytes / part.len()).into_bytes()
}

fn parsed(bytes: Vec<u8>) -> Document {
    let document = Document::parse(bytes.clone());
    assert!(document.bytes() == bytes);
    document
}

#[test]
fn one_line_of_ten_mebibytes_is_read() {
    assert_eq!(parsed(repeat("a", 10 * MIB)).entries().len(), 0);
    assert_eq!(parsed(repeat("word ", 10 * MIB)).entries().len(), 0);
    let mut line = b"- [a](https://a.example) - ".to_vec();
    line.extend(repeat("[x](https://x.example) `y` ", 2 * MIB));
    assert_eq!(parsed(line).entries().len(), 1);
}

#[test]
fn deep_nesting_is_read() {
    for part in [
        "- ",
        "> ",
        "* > ",
        "1. ",
        "[",
        "![",
        "(",
        "`",
        "*",
        "**a ",
        "~~",
        "<",
        "<a href=x>",
        "[a](",
        "|",
        "\\",
        "&amp;",
        "_a",
        ":",
    ] {
        parsed(repeat(part, MIB / 4));
        let mut item = b"- [a](https://a.example) ".to_vec();
        item.extend(repeat(part, MIB / 4));
        parsed(item);
    }
    let steps: String =
        (0..400).map(|depth| format!("{}- [a](https://a.example/{depth})\n", "  ".repeat(depth))).collect();
    let document = parsed(steps.into_bytes());
    assert!(document.entries().len() > 16 && document.skipped().len() == 1);
}

#[test]
fn many_small_things_are_read() {
    for part in [
        "-\n",
        "- a\n",
        "# a\n",
        "#\n",
        "|a|\n|-|\n|b|\n\n",
        "[a]: https://a.example\n",
        "a\n===\n",
        "<h2>a</h2>\n\n",
        "- [a](#b)\n",
        "\r",
        "- [a](https://a.example)\n\n",
    ] {
        parsed(repeat(part, MIB / 2));
    }
}

#[test]
fn odd_bytes_are_kept() {
    for bytes in [
        &b"\xEF\xBB\xBF# T\r\n\r\n- [a](https://a.example) - \0x\r\n"[..],
        b"\xFF\xFE- \0",
        b"- [a](https://a.example/\xFF)\r- [b](https://b.example)\r",
        b"\xC3",
        b"\0\0\0",
    ] {
        parsed(bytes.to_vec());
        for format in Format::ALL {
            let _ = read(format, bytes.to_vec());
        }
    }
    assert_eq!(
        parsed(b"\xEF\xBB\xBF# T\r\n\r\n- [a](https://a.example) - \0x\r\n".to_vec()).title(),
        Some("T")
    );
    assert_eq!(parsed(b"- [a](https://a.example)\r- [b](https://b.example)\r".to_vec()).entries()[1].line, 2);
}

#[test]
fn other_formats_are_read_however_deep() {
    for part in
        ["<DL><p>", "<DT><H3>", "<DD>", "<A HREF=\"https://a.example\">", "<", "&", "<!--", "<a ", "</DL>"]
    {
        read(Format::Netscape, repeat(part, MIB)).expect("bookmark files are never refused");
    }
    for part in ["[", "{\"entries\":", "[[]", "\"", "1,"] {
        assert!(read(Format::Json, repeat(part, MIB)).is_err());
    }
    for part in ["\"", ",", "url,\n", "\n"] {
        let _ = read(Format::Csv, [b"url\n".to_vec(), repeat(part, MIB)].concat());
    }
}

/// Text that often is Markdown.
fn markdown() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("- ".to_owned()),
        Just("  ".to_owned()),
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("\t".to_owned()),
        Just("# ".to_owned()),
        Just("## H\n".to_owned()),
        Just("[a](https://a.example)".to_owned()),
        Just("- [b](https://b.example/) - Bee. `MIT`\n".to_owned()),
        Just("| [c](https://c.example) | d |\n".to_owned()),
        Just("| A | B |\n|---|---|\n".to_owned()),
        Just("1. ".to_owned()),
        Just("> ".to_owned()),
        Just("**".to_owned()),
        Just("- [c][r]: x\n\n[r]: https://c.example\n".to_owned()),
        Just("`".to_owned()),
        Just("](".to_owned()),
        Just("<".to_owned()),
        "[ -~]{0,6}",
        "\\PC{0,3}",
    ];
    prop::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
}

fn taken_back(document: &Document, change: &Change) {
    let back = change.document.undo(&change.undo).expect("nothing changed since");
    assert_eq!(back.document.bytes(), document.bytes());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_come_back(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        parsed(bytes);
    }

    #[test]
    fn any_change_can_be_taken_back(text in markdown(), typed in "[ -~\\n]{1,24}", broken in any::<bool>()) {
        let mut bytes = text.into_bytes();
        if broken {
            bytes.push(0xFF);
        }
        let document = parsed(bytes);
        let new = Entry { description: typed.clone(), section: vec![typed.clone()], ..Entry::new(typed.clone(), "https://new.example/") };
        if let Ok(change) = document.add(&new) {
            prop_assert_eq!(change.document.entries().len(), document.entries().len() + 1);
            taken_back(&document, &change);
        }
        for entry in document.entries() {
            let target = Target::at(UrlKey::of(&entry.url).expect("entries have keys"), entry.path());
            if let Ok(change) = document.remove(&target) {
                prop_assert_eq!(change.document.entries().len() + 1, document.entries().len());
                taken_back(&document, &change);
            }
            let beside = Entry { section: entry.section.clone(), group: entry.group.clone(), ..new.clone() };
            if let Ok(change) = document.add(&beside) {
                taken_back(&document, &change);
            }
            let edit = Edit { title: Some(typed.clone()), description: Some(typed.clone()), url: None };
            if let Ok(change) = document.edit(&target, &edit) {
                taken_back(&document, &change);
                let lines = |document: &Document| document.bytes().iter().filter(|&&byte| byte == b'\n').count();
                prop_assert!(lines(&change.document) <= lines(&document));
            }
        }
    }

    #[test]
    fn an_ordinary_list_takes_every_change(
        names in prop::collection::btree_set("[a-z]{2,6}( [a-z]{1,5})?", 2..12), typed in "[A-Za-z][ -~]{0,20}[a-z]", crlf in any::<bool>(),
    ) {
        let items: String = names.iter().map(|name| format!("- [{name}](https://{}.example) - About {name}.\n", name.replace(' ', "-"))).collect();
        let text = format!("# List\n\n## Section\n\n{items}\n## Other\n\n- [o](https://o.example)\n");
        let document = parsed(if crlf { text.replace('\n', "\r\n") } else { text }.into_bytes());
        for entry in document.entries() {
            let target = Target::new(UrlKey::of(&entry.url).expect("entries have keys"));
            taken_back(&document, &document.remove(&target).expect("it is there"));
            taken_back(&document, &document.move_to(&target, &["New".to_owned()]).expect("it is there"));
            let edit = Edit { title: Some(typed.clone()), ..Edit::default() };
            let change = document.edit(&target, &edit).expect("it is there");
            let back = Edit { title: Some(entry.title.clone()), ..Edit::default() };
            let back = change.document.edit(&target, &back).expect("it is there");
            prop_assert_eq!(back.document.bytes(), document.bytes());
        }
        let new = Entry { description: typed.clone(), section: vec!["Section".into()], ..Entry::new(typed.clone(), "https://new.example/") };
        let change = document.add(&new).expect("the section is there");
        let mut lines = str::from_utf8(change.document.bytes()).expect("it is UTF-8").lines().collect::<Vec<_>>();
        let at = change.entry.expect("it was added").line - 1;
        lines.remove(at);
        prop_assert_eq!(lines, str::from_utf8(document.bytes()).expect("it is UTF-8").lines().collect::<Vec<_>>());
    }
}
