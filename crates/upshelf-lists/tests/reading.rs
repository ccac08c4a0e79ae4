//! What is an entry, what is not, and what is said of it.

use upshelf_lists::{Document, Entry, Reason};

fn list(text: &str) -> Document {
    Document::parse(text.as_bytes().to_vec())
}

fn only(text: &str) -> Entry {
    let document = list(text);
    assert_eq!(document.entries().len(), 1, "{text}: {:?}", document.entries());
    document.entries()[0].clone()
}

#[test]
fn separators_and_notes_are_told_from_descriptions() {
    for (item, description, attributes) in [
        ("[a](https://a.example)", "", &[][..]),
        ("[a](https://a.example) - Words.", "Words.", &[]),
        ("[a](https://a.example) – Words", "Words", &[]),
        ("[a](https://a.example) — *Words* and `code`", "*Words* and `code`", &[]),
        ("[a](https://a.example): Words", "Words", &[]),
        ("[a](https://a.example) Words", "Words", &[]),
        ("[a](https://a.example)- Words", "Words", &[]),
        ("[a](https://a.example) - Words. `MIT` `Go/Docker`", "Words.", &["MIT", "Go/Docker"]),
        (
            "[a](https://a.example) `⚠` - Words. ([Demo](https://d.example), [Code](https://c.example)) `MIT`",
            "Words.",
            &["⚠", "[Demo](https://d.example)", "[Code](https://c.example)", "MIT"],
        ),
        ("[a](https://a.example) [[b](https://b.example)] - Words", "Words", &["[b](https://b.example)"]),
        ("[a](https://a.example) `MIT`", "", &["MIT"]),
        ("[a](https://a.example) - A better `ls`", "A better `ls`", &[]),
        ("[a](https://a.example) - See [b](https://b.example)", "See [b](https://b.example)", &[]),
        ("[a](https://a.example) ![img](i.png) - Words [![b](i)](https://i.example)", "Words", &[]),
        ("[a](https://a.example) - Words. [![x][i]](https://x.example) ![y][i]", "Words.", &[]),
        ("[a](https://a.example) 🔥 - Words", "Words", &[]),
        ("[a](https://a.example) - Words. [MIT]", "Words.", &["MIT"]),
        ("[[a](https://a.example)] - Words", "Words", &[]),
        ("**[a](https://a.example)** - Words", "Words", &[]),
        ("[a](https://a.example) - Two\n  lines", "Two lines", &[]),
        ("[a](https://a.example)\n\n  Words", "Words", &[]),
        ("[![b](i.svg)](https://b.example) [a](https://a.example) - Words", "Words", &[]),
        ("[ ] :star: ⭐ [a](https://a.example) - Words", "Words", &[]),
        ("[a][ref] - Words\n\n[ref]: https://a.example", "Words", &[]),
        ("<a href=\"https://a.example\">a</a> - Words", "Words", &[]),
    ] {
        let text = format!("- {item}\n");
        let entry = only(&text);
        assert_eq!((entry.title.as_str(), entry.url.as_str()), ("a", "https://a.example"), "{item}");
        assert_eq!(
            (entry.description.as_str(), &entry.attributes[..]),
            (description, &attributes.iter().map(|&a| a.to_owned()).collect::<Vec<_>>()[..]),
            "{item}"
        );
    }
}

#[test]
fn a_bare_address_is_an_entry() {
    for (item, url) in [
        ("- https://a.example/x_y. Words", "https://a.example/x_y"),
        ("- <https://a.example/>: Words", "https://a.example/"),
    ] {
        let entry = only(item);
        assert_eq!((entry.url.as_str(), entry.title.as_str()), (url, url));
        assert!(entry.description.ends_with("Words"));
    }
}

#[test]
fn titles_and_addresses_are_shown_without_markup() {
    let entry = only("- [`a` *b* &amp; \\[c\\]](<https://a.example/?x=1&amp;y=(2)> \"t\")");
    assert_eq!((entry.title.as_str(), entry.url.as_str()), ("a b & [c]", "https://a.example/?x=1&y=(2)"));
}

#[test]
fn headings_make_the_tree() {
    let document = list(
        "# Awesome Things\n\n## <a id=\"c\"></a>C\\#\n- [a](https://a.example)\n### Tools 🔧\n- [b](https://b.example)\n\
         ## C++\n### Tools 🔧 [⬆](#top)\n- [c](https://c.example)\n\nSet\n===\n- [d](https://d.example)\n<h2 align=\"center\">Last &amp; least</h2>\n\n- [e](https://e.example)\n",
    );
    assert_eq!(document.title(), Some("Awesome Things"));
    let paths: Vec<String> = document.entries().iter().map(|entry| entry.path().join("/")).collect();
    assert_eq!(paths, ["C#", "C#/Tools 🔧", "C++/Tools 🔧 ⬆", "Set", "Set/Last & least"]);
    let sections: Vec<(String, usize)> =
        document.sections().iter().map(|section| (section.path.join("/"), section.entries)).collect();
    assert_eq!(sections[0], ("C#".to_owned(), 1));
    assert_eq!(sections[2], ("C++".to_owned(), 0));
}

#[test]
fn headings_of_the_first_level_are_categories_where_there_are_several() {
    let document = list("# One\n## Sub\n- [a](https://a.example)\n# Two\n- [b](https://b.example)\n");
    assert_eq!(document.title(), None);
    assert_eq!(document.entries()[0].path(), ["One", "Sub"]);
}

#[test]
fn front_matter_is_no_heading() {
    let document = list("---\ntitle: x\nlayout: y\n---\n# List\n## S\n- [a](https://a.example)\n");
    assert_eq!(document.title(), Some("List"));
    assert_eq!((document.entries()[0].path(), document.entries()[0].line), (vec!["S".to_owned()], 7));
    assert_eq!(list("---\n- [a](https://a.example)\n---\n").entries().len(), 1);
}

#[test]
fn groups_are_items_that_others_are_nested_in() {
    let document = list(
        "## S\n- Group\n  - [a](https://a.example)\n    - [b](https://b.example)\n- [c](https://c.example)\n",
    );
    let groups: Vec<_> = document.entries().iter().map(|entry| entry.group.join("/")).collect();
    assert_eq!(groups, ["Group", "Group/a", ""]);
    assert!(document.skipped().is_empty());
}

#[test]
fn table_rows_are_entries() {
    let document = list(
        "## Index\n* [Animals](#animals)\n### Animals\nAPI | Description | Auth | HTTPS |\n|---|:---|---|---|\n\
         | [Cat \\| Dog](https://c.example) | Facts about `cats` | `apiKey` | Yes |\n| No link | x | | |\n\n**[⬆ Back to Index](#index)**\n",
    );
    let entry = &document.entries()[0];
    assert_eq!(
        (entry.title.as_str(), entry.description.as_str(), entry.line),
        ("Cat | Dog", "Facts about `cats`", 6)
    );
    assert_eq!(entry.path(), ["Animals"]);
    assert_eq!(entry.attributes, ["Auth: apiKey", "HTTPS: Yes"]);
    let skipped: Vec<_> =
        document.skipped().iter().map(|skipped| (skipped.line, skipped.reason.clone())).collect();
    assert_eq!(skipped, [(2, Reason::InPage), (7, Reason::NoLink)]);
}

#[test]
fn everything_skipped_is_reported_with_line_and_reason() {
    let document = list(
        "# T\n\nSee [this](https://a.example).\n\n## Contents\n- [S](#s)\n- [S](https://github.com/o/r#s)\n\n## S\n- [x](other.md)\n\
         - [x](mailto:a@b.example)\n- Words [x](https://x.example)\n- Words\n- `MIT` - [x](https://x.example)\n- [x](http://)\n- ![x](https://x.example)\n\n## License\n- [CC0](https://cc.example)\n",
    );
    assert_eq!(document.entries(), []);
    let skipped: Vec<_> =
        document.skipped().iter().map(|skipped| (skipped.line, skipped.reason.clone())).collect();
    assert_eq!(
        skipped,
        [
            (3, Reason::Prose),
            (6, Reason::InPage),
            (7, Reason::InPage),
            (10, Reason::Relative),
            (11, Reason::NotHttp),
            (12, Reason::TextBeforeLink),
            (13, Reason::NoLink),
            (14, Reason::TextBeforeLink),
            (15, Reason::BadUrl),
            (19, Reason::AboutTheList("License".into())),
        ]
    );
}

#[test]
fn one_resource_may_stand_in_several_sections_but_twice_in_one_is_odd() {
    let document =
        list("## A\n- [a](https://a.example)\n- [a](http://a.example/)\n## B\n- [a](https://a.example)\n");
    assert_eq!(document.entries().len(), 3);
    assert_eq!(document.warnings().iter().map(|warning| warning.line).collect::<Vec<_>>(), [3]);
}

#[test]
fn a_section_of_campaign_links_is_advertising_unless_the_whole_list_is() {
    let tagged = |count| {
        (0..count).map(|at| format!("- [a](https://a{at}.example/?utm_source=x)\n")).collect::<String>()
    };
    let plain: String = (0..40).map(|at| format!("- [b](https://b{at}.example)\n")).collect();
    let document = list(&format!("## Partners\n{}\n## Tools\n{plain}", tagged(4)));
    assert_eq!(document.entries().len(), 40);
    assert!(document.skipped().iter().all(|skipped| skipped.reason == Reason::Sponsored));
    assert_eq!(list(&format!("## Tools\n{}", tagged(4))).entries().len(), 4);
}
