//! Changes alter the lines they are about, in their section's style, and nothing else.

use upshelf_lists::{Change, ChangeError, Document, Edit, Entry, Target, UrlKey};

fn list(text: &str) -> Document {
    Document::parse(text.as_bytes().to_vec())
}

fn text(document: &Document) -> &str {
    str::from_utf8(document.bytes()).expect("these lists are UTF-8")
}

fn entry(path: &[&str], title: &str, url: &str, description: &str) -> Entry {
    Entry {
        section: path.iter().map(|name| (*name).to_owned()).collect(),
        description: description.to_owned(),
        ..Entry::new(title, url)
    }
}

fn target(url: &str) -> Target {
    Target::new(UrlKey::of(url).expect("it is an address"))
}

fn edit(title: Option<&str>, url: Option<&str>, description: Option<&str>) -> Edit {
    let own = |text: Option<&str>| text.map(str::to_owned);
    Edit { title: own(title), url: own(url), description: own(description) }
}

/// The lines that went and the lines that came.
fn difference(old: &Document, new: &Document) -> (Vec<String>, Vec<String>) {
    let lines =
        |document: &Document| text(document).split_inclusive('\n').map(str::to_owned).collect::<Vec<_>>();
    let (old, new) = (lines(old), lines(new));
    let start = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[start..], &new[start..]);
    let end = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    (old[..old.len() - end].to_vec(), new[..new.len() - end].to_vec())
}

fn added(document: &Document, entry: &Entry) -> String {
    let change = document.add(entry).expect("it can be added");
    let (gone, came) = difference(document, &change.document);
    assert_eq!(gone, [""; 0]);
    assert_eq!(came.len(), 1, "{came:?}");
    assert_undone(document, &change);
    came[0].clone()
}

fn assert_undone(document: &Document, change: &Change) {
    let stored = serde_json::to_string(&change.undo).expect("an undo is plain data");
    let undo = serde_json::from_str(&stored).expect("what was written is read");
    let back = change.document.undo(&undo).expect("nothing changed since");
    assert_eq!(text(&back.document), text(document));
    let again = back.document.undo(&back.undo).expect("an undo can be undone");
    assert_eq!(text(&again.document), text(&change.document));
}

const STYLES: &str = "# List\n\n## Sorted\n\n* [alpha](https://a.example) – First\n* [Bravo](https://b.example) – Second\n\
    * [delta](https://d.example) – Fourth\n* [echo](https://e.example) – Fifth\n\n## Loose\n\n\
    - [z](https://z.example): Last.\n\n- [y](https://y.example): Before.\n\n- [x](https://x.example): Earlier.\n\n\
    ## Bold\n\n1. **[one](https://one.example)** - A.\n2. **[two](https://two.example)** - B.\n\n\
    ## Table\n\n| API | Description | Auth |\n|---|---|---|\n| [m](https://m.example) | Em | No |\n| [n](https://n.example) | En | No |\n\n\
    ## Nested\n\n- Group\n\t- [g](https://g.example) - Gee.\n\t- [h](https://h.example) - Aitch.\n\n## License\n\n[CC0](https://cc.example)\n";

#[test]
fn an_addition_goes_to_its_alphabetical_place_in_its_sections_style() {
    let document = list(STYLES);
    let change =
        document.add(&entry(&["Sorted"], "Charlie", "https://c.example", "Third.")).expect("it can be added");
    let (_, came) = difference(&document, &change.document);
    assert_eq!(came, ["* [Charlie](https://c.example) – Third\n"]);
    let titles: Vec<_> = change.document.entries().iter().take(5).map(|entry| entry.title.as_str()).collect();
    assert_eq!(titles, ["alpha", "Bravo", "Charlie", "delta", "echo"]);
    assert_undone(&document, &change);
    let change =
        document.add(&entry(&["Sorted"], "AAA", "https://aaa.example", "")).expect("it can be added");
    assert_eq!(change.document.entries()[0].title, "AAA");
    assert_eq!(change.entry.expect("it was added").line, 5);
}

#[test]
fn an_addition_goes_to_the_end_where_nothing_is_sorted() {
    let document = list(STYLES);
    let change =
        document.add(&entry(&["Loose"], "a", "https://new.example", "New")).expect("it can be added");
    let (gone, came) = difference(&document, &change.document);
    assert!(gone.is_empty());
    assert_eq!(came, ["- [a](https://new.example): New.\n", "\n"]);
    assert_undone(&document, &change);
}

#[test]
fn an_addition_takes_numbers_emphasis_indent_and_cells_from_its_neighbours() {
    let document = list(STYLES);
    let bold = added(&document, &entry(&["Bold"], "zero", "https://zero.example", "C"));
    assert_eq!(bold, "3. **[zero](https://zero.example)** - C.\n");
    let nested = added(&document, &entry(&["Nested", "Group"], "i", "https://i.example", "Eye. `MIT`"));
    assert_eq!(nested, "\t- [i](https://i.example) - Eye. `MIT`\n");
    let row = added(&document, &entry(&["Table"], "o", "https://o.example/?a|b", "Oh | or"));
    assert_eq!(row, "| [o](https://o.example/?a%7Cb) | Oh \\| or |  |\n");
}

#[test]
fn a_missing_section_is_made_before_the_closing_ones() {
    let document = list(STYLES);
    let change =
        document.add(&entry(&["C #", "Sub"], "q", "https://q.example", "Q.")).expect("it can be added");
    let (gone, came) = difference(&document, &change.document);
    assert!(gone.is_empty());
    assert_eq!(came.concat(), "## C \\#\n\n### Sub\n\n* [q](https://q.example) - Q.\n\n");
    assert!(text(&change.document).ends_with("\n\n## License\n\n[CC0](https://cc.example)\n"));
    assert_undone(&document, &change);
    let below = document
        .add(&entry(&["Nested", "Group", "Deep"], "q", "https://q.example", "Q."))
        .expect("it can be added");
    assert_eq!(
        difference(&document, &below.document).1.concat(),
        "\t* Deep\n\t\t* [q](https://q.example) - Q.\n"
    );
}

#[test]
fn a_list_begins_with_its_first_entry() {
    for start in ["", "# List\n", "\u{FEFF}# List", "# List\r\n\r\n", "---\ntitle: x\n---\n"] {
        let document = list(start);
        let change = document.add(&entry(&["A"], "q", "https://q.example", "q")).expect(start);
        assert_eq!(change.entry.as_ref().expect("it was added").path(), ["A"]);
        assert!(text(&change.document).starts_with(start));
        assert_undone(&document, &change);
    }
    let document = list("# List\n\n- [a](https://a.example)");
    let change = document.add(&entry(&[], "b", "https://b.example", "")).expect("it can be added");
    assert_eq!(text(&change.document), "# List\n\n- [a](https://a.example)\n- [b](https://b.example)");
    assert_undone(&document, &change);
}

#[test]
fn an_edit_changes_what_it_says_and_nothing_else() {
    let document = list(
        "## S\r\n\r\n-   [a `b`](<https://a.example> \"A\")  —  Old text. ([Demo](https://d.example)) `MIT`  \r\n* [x][r]\r\n\r\n[r]: https://x.example\r\n",
    );
    let line = |edit: &Edit, url: &str| {
        let change = document.edit(&target(url), edit).expect("it can be edited");
        assert_undone(&document, &change);
        let (gone, came) = difference(&document, &change.document);
        assert_eq!((gone.len(), came.len()), (1, 1));
        came[0].clone()
    };
    let a = "https://a.example";
    assert_eq!(
        line(&edit(None, None, Some("New *text*")), a),
        "-   [a `b`](<https://a.example> \"A\")  —  New *text* ([Demo](https://d.example)) `MIT`  \r\n"
    );
    assert_eq!(
        line(&edit(Some("C"), Some("https://c.example"), Some("")), a),
        "-   [C](<https://c.example> \"A\") ([Demo](https://d.example)) `MIT`  \r\n"
    );
    assert_eq!(
        line(&edit(None, Some("https://y.example/"), None), "https://x.example"),
        "* [x](https://y.example/)\r\n"
    );
    assert_eq!(line(&edit(Some("Y"), None, None), "https://x.example"), "* [Y][r]\r\n");
    let added = line(&edit(None, None, Some("Words")), "https://x.example");
    assert_eq!(added, "* [x][r]  —  Words\r\n");
}

#[test]
fn an_edit_and_the_edit_back_give_the_same_bytes() {
    let document = list(STYLES);
    for old in document.entries() {
        let target = Target::at(UrlKey::of(&old.url).expect("entries have keys"), old.path());
        let change = document
            .edit(&target, &edit(Some("Other _name_"), Some("https://other.example/"), Some("Other.")))
            .expect(&old.title);
        let moved = Target::at(UrlKey::of("https://other.example").expect("it is an address"), old.path());
        let back = edit(Some(&old.title), Some(&old.url), Some(&old.description));
        let back = change.document.edit(&moved, &back).expect(&old.title);
        assert_eq!(text(&back.document), STYLES, "{}", old.title);
    }
}

#[test]
fn an_edit_that_says_what_is_there_changes_nothing() {
    let document = list(STYLES);
    let same = document
        .edit(&target("https://a.example"), &edit(Some("alpha"), None, Some("First")))
        .expect("it is there");
    assert_eq!(text(&same.document), STYLES);
}

#[test]
fn a_removal_takes_its_lines_and_can_be_undone_after_other_changes() {
    let document = list(STYLES);
    let removed = document.remove(&target("https://b.example")).expect("it is there");
    assert_eq!(
        difference(&document, &removed.document),
        (vec!["* [Bravo](https://b.example) – Second\n".into()], vec![])
    );
    let later = removed
        .document
        .edit(&target("https://a.example"), &edit(Some("Aleph"), None, None))
        .expect("it is there");
    let later =
        later.document.add(&entry(&["Loose"], "new", "https://new.example", "")).expect("it can be added");
    let back = later.document.undo(&removed.undo).expect("one neighbour is left");
    let titles: Vec<_> = back.document.entries().iter().take(3).map(|entry| entry.title.as_str()).collect();
    assert_eq!(titles, ["Aleph", "Bravo", "delta"]);
    let gone = removed.document.undo(&removed.undo).expect("it is undone").document;
    assert_eq!(text(&gone), STYLES);
}

#[test]
fn a_removal_leaves_one_blank_line_of_two_and_a_group_of_a_parent() {
    let document = list(STYLES);
    let loose = document.remove(&target("https://y.example")).expect("it is there");
    assert!(text(&loose.document).contains("Last.\n\n- [x]"));
    assert_undone(&document, &loose);
    let nested = list("- [p](https://p.example) - Parent.\n  - [c](https://c.example)\n");
    let change = nested.remove(&target("https://p.example")).expect("it is there");
    assert_eq!(text(&change.document), "- p\n  - [c](https://c.example)\n");
    assert_eq!(change.document.entries()[0].group, ["p"]);
    assert_undone(&nested, &change);
}

#[test]
fn a_removal_among_blank_lines_is_undone() {
    let entry = "- [a](https://a.example)\n";
    for [before, after] in [["", ""], ["\n", ""], ["", "\n"], ["\n", "  "], ["\n\n\n\n", "\n\n\n"]] {
        for [above, below] in [["", ""], ["# List\n", ""], ["# List\n", "## Other\n"]] {
            let document = list(&[above, before, entry, after, below].concat());
            let change = document.remove(&target("https://a.example")).expect("it is there");
            assert_undone(&document, &change);
        }
    }
    // Among more of them than are remembered nothing says where it stood.
    let blank = "\n".repeat(60);
    let document = list(&["# List\n", &blank, entry, &blank, "## Other\n"].concat());
    let change = document.remove(&target("https://a.example")).expect("it is there");
    assert_eq!(change.document.undo(&change.undo).expect_err("blank lines only"), ChangeError::Changed);
}

#[test]
fn an_undo_whose_lines_have_changed_is_refused() {
    let document = list(STYLES);
    let first =
        document.edit(&target("https://a.example"), &edit(None, None, Some("Second"))).expect("it is there");
    let second = first
        .document
        .edit(&target("https://a.example"), &edit(None, None, Some("Third")))
        .expect("it is there");
    assert_eq!(second.document.undo(&first.undo).expect_err("the line is another"), ChangeError::Changed);
}

#[test]
fn a_move_keeps_the_entry_as_it_is_written() {
    let document = list(
        "## A\n\n- [a](https://a.example) - Text.  ([Demo](https://d.example)) `MIT`\n- [b](https://b.example)\n\n## B\n\n  * [c](https://c.example)\n",
    );
    let change = document.move_to(&target("https://a.example"), &["B".to_owned()]).expect("it is there");
    assert_eq!(
        text(&change.document),
        "## A\n\n- [b](https://b.example)\n\n## B\n\n  * [c](https://c.example)\n  * [a](https://a.example) - Text.  ([Demo](https://d.example)) `MIT`\n"
    );
    assert_undone(&document, &change);
    assert_eq!(
        document.move_to(&target("https://a.example"), &["A".to_owned()]).expect_err("it is there"),
        ChangeError::Exists
    );
}

#[test]
fn items_that_are_no_entries_belong_to_the_one_above_them() {
    let document = list(
        "## A\n\n  * [a](https://a.example)\n    * 10 GB free\n\n      Really.\n  * [b](https://b.example)\n\n## B\n\n- [c](https://c.example)\n",
    );
    let removed = document.remove(&target("https://a.example")).expect("it is there");
    assert_eq!(
        text(&removed.document),
        "## A\n\n  * [b](https://b.example)\n\n## B\n\n- [c](https://c.example)\n"
    );
    assert_undone(&document, &removed);
    let moved = document.move_to(&target("https://a.example"), &["B".to_owned()]).expect("it is there");
    assert!(
        text(&moved.document)
            .ends_with("- [c](https://c.example)\n- [a](https://a.example)\n  * 10 GB free\n\n    Really.\n")
    );
    assert_undone(&document, &moved);
}

#[test]
fn one_placement_of_several_can_be_meant() {
    let document = list("## A\n- [a](https://a.example)\n## B\n- [a](https://a.example)\n");
    let key = UrlKey::of("https://a.example").expect("it is an address");
    let change = document.remove(&Target::at(key.clone(), ["B"])).expect("it is there");
    assert_eq!(text(&change.document), "## A\n- [a](https://a.example)\n## B\n");
    assert_eq!(document.remove(&Target::at(key, ["C"])).expect_err("it is not there"), ChangeError::NotFound);
    let again = entry(&["A"], "x", "http://a.example/", "");
    assert_eq!(document.add(&again).expect_err("it is there"), ChangeError::Exists);
}

#[test]
fn words_cannot_become_links_lines_or_html() {
    let document = list(STYLES);
    let title = "x](https://evil.example) [y\n\n## Z\n- [z](javascript:a) `a` <b> ![i](j) &copy;";
    let description = "a\n- [evil](https://evil.example)\n\n# H <script>x</script> [y](javascript:alert(1)) ![z](data:image/png) <javascript:x> [ok](https://ok.example)";
    let change = document
        .add(&entry(&["Sorted"], title, "https://new.example/a_(b)_[c]", description))
        .expect("it can be added");
    assert_eq!(change.document.entries().len(), document.entries().len() + 1);
    let added = change.entry.expect("it was added");
    assert_eq!(added.title, title.split_whitespace().collect::<Vec<_>>().join(" "));
    assert!(
        added.description.contains("\\<script>x\\</script>")
            && added.description.contains("\\[y](javascript:")
    );
    assert!(added.description.contains(" [ok](https://ok.example)"));
    for (title, url, want) in [
        ("a", "javascript:alert(1)", ChangeError::Url(upshelf_lists::UrlError::Scheme)),
        (" \n ", "https://new.example", ChangeError::Nameless),
    ] {
        assert_eq!(document.add(&entry(&["Sorted"], title, url, "")).expect_err(url), want);
    }
    let group = document.add(&entry(
        &["Nested", "Group", "# 1. [x](https://y.example)\n> z"],
        "q",
        "https://q.example",
        "",
    ));
    assert_eq!(group.expect("it can be added").document.entries().len(), document.entries().len() + 1);
}

#[test]
fn bytes_that_are_no_utf8_are_kept() {
    let bytes = b"## S\n\n- [a](https://a.example) - caf\xE9.\n- [b](https://b.example) - \xFF.\n".to_vec();
    let document = Document::parse(bytes.clone());
    assert_eq!(document.warnings().len(), 1);
    let change =
        document.edit(&target("https://a.example"), &edit(Some("A"), None, None)).expect("it is there");
    assert_eq!(
        change.document.bytes(),
        b"## S\n\n- [A](https://a.example) - caf\xE9.\n- [b](https://b.example) - \xFF.\n"
    );
    let removed = document.remove(&target("https://b.example")).expect("it is there");
    let stored = serde_json::to_string(&removed.undo).expect("an undo is plain data");
    let undo = serde_json::from_str(&stored).expect("what was written is read");
    assert_eq!(removed.document.undo(&undo).expect("nothing changed since").document.bytes(), bytes);
}
