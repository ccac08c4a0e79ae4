//! Bookmark files, JSON and CSV.

use std::path::PathBuf;

use proptest::prelude::*;
use upshelf_lists::{Entry, Format, Reading, Reason, Writer, escape, plain, read};

fn bookmarks(name: &str) -> Reading {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/bookmarks").join(name);
    let bytes = std::fs::read(&path)
        .unwrap_or_else(|error| panic!("this test needs {}, a browser's export: {error}", path.display()));
    assert_eq!(Format::guess("", &bytes), Format::Netscape);
    read(Format::Netscape, bytes).expect("bookmark files are never refused")
}

#[test]
fn exports_of_browsers_are_read_whole() {
    for (name, entries, skipped) in [
        ("netscape_basic.htm", 2, 0),
        ("netscape_extended.htm", 1, 0),
        ("netscape_nested.htm", 8, 0),
        ("safari_folded.htm", 3, 0),
        ("shaarli.htm", 5, 1),
    ] {
        let reading = bookmarks(name);
        assert_eq!((reading.entries.len(), reading.skipped.len()), (entries, skipped), "{name}");
    }
    for name in ["chromium_nested.htm", "firefox_flat.htm", "firefox_nested.htm", "generated-nodejs.html"] {
        let reading = bookmarks(name);
        assert!(reading.entries.len() > 5, "{name}");
        assert!(reading.entries.iter().all(|entry| !entry.title.is_empty()), "{name}");
    }
    let odd = bookmarks("generated-nodejs.html");
    assert_eq!((odd.entries.len(), odd.skipped.len(), odd.warnings.len()), (622, 4, 1));
    assert!(odd.entries.iter().any(|entry| entry.url == "https://example.org/private"));
    assert!(odd.entries.iter().any(|entry| entry.title == "No closing tag"));
}

#[test]
fn folders_tags_dates_and_descriptions_are_kept() {
    let reading = bookmarks("netscape_nested.htm");
    let entry = |url: &str| reading.entries.iter().find(|entry| entry.url == url).expect(url);
    assert_eq!(entry("http://nest.ed/1").section, [""; 0]);
    assert_eq!(entry("http://nest.ed/1").tags, ["tag1", "tag2", "multi word"]);
    assert_eq!(entry("http://nest.ed/1-1").section, ["Folder1, the first,folder to encounter"]);
    assert_eq!(entry("http://nest.ed/2-2").description, "Second link of the second section");
    assert_eq!(entry("http://nest.ed/3-2").section, ["Folder3", "Folder3-1"]);
    assert_eq!(entry("http://nest.ed/2").section, [""; 0]);
    let basic = bookmarks("netscape_basic.htm");
    assert_eq!(basic.entries[0].added.expect("a log file's date").to_string(), "2000-10-10T10:55:36Z");
    assert_eq!(basic.entries[1].tags, ["public", "hello", "world"]);
    assert_eq!(bookmarks("safari_folded.htm").entries[2].section, ["Autre Divers", "doc"]);
}

#[test]
fn dates_are_read_in_every_unit_and_nonsense_is_left_out() {
    for (date, read_as) in [
        ("1456433748", Some("2016-02-25T20:55:48Z")),
        ("1456433748000", Some("2016-02-25T20:55:48Z")),
        ("1456433748000000", Some("2016-02-25T20:55:48Z")),
        ("13100907348000000", Some("2016-02-25T20:55:48Z")),
        ("10/Oct/6633:13:55:36 +0300", None),
        ("0", None),
        ("-1", None),
        ("99999999999999999999", None),
        ("notanumber", None),
    ] {
        let file = format!("<DL><DT><A HREF=\"https://a.example/\" ADD_DATE=\"{date}\">a</A></DL>");
        let reading = read(Format::Netscape, file.into()).expect("bookmark files are never refused");
        assert_eq!(reading.entries[0].added.map(|added| added.to_string()).as_deref(), read_as, "{date}");
    }
}

#[test]
fn what_is_not_the_web_is_reported_with_its_line() {
    let file = "<DL><p>\n<DT><A HREF=\"javascript:alert(1)\">x</A>\n<DT><A HREF=\"place:sort=8\">x</A>\n\
                <DT><A HREF=\"file:///etc\">x</A>\n<DT><A HREF=\"data:text/html,x\">x</A>\n<DT><A HREF=\"?abc\">x</A>\n</DL>";
    let reading = read(Format::Netscape, file.into()).expect("bookmark files are never refused");
    assert!(reading.entries.is_empty());
    let skipped: Vec<_> =
        reading.skipped.iter().map(|skipped| (skipped.line, skipped.reason.clone())).collect();
    let not_http = |line| (line, Reason::NotHttp);
    assert_eq!(skipped, [not_http(2), not_http(3), not_http(4), not_http(5), (6, Reason::Relative)]);
}

#[test]
fn html_in_bookmarks_is_inert() {
    let file = "<DL><DT><A HREF=\"https://a.example/\">A<script>alert(1)</script> &lt;b&gt;</A>\n<DD>x &lt;img onerror=1&gt; [y](javascript:z)";
    let reading = read(Format::Netscape, file.into()).expect("bookmark files are never refused");
    assert_eq!(reading.entries[0].description, "x \\<img onerror=1> \\[y\\](javascript:z)");
    assert_eq!(plain(&reading.entries[0].description), "x <img onerror=1> [y](javascript:z)");
    let mut writer = Writer::netscape(Vec::new(), "<script>").expect("a Vec takes everything");
    writer.entry(&reading.entries[0]).expect("it is of the web");
    let text = String::from_utf8(writer.finish().expect("a Vec takes everything")).expect("it is UTF-8");
    assert!(!text.contains("<script>") && !text.contains("<img"), "{text}");
}

#[test]
fn what_is_not_the_web_is_not_written() {
    let mut writer = Writer::json(Vec::new()).expect("a Vec takes everything");
    assert!(writer.entry(&Entry::new("x", "javascript:alert(1)")).is_err());
}

#[test]
fn a_bad_record_is_reported_and_the_rest_is_read() {
    let json =
        "[\n{\"url\": \"https://a.example\"},\n{\"title\": \"b\"},\n{\"url\": \"ftp://c.example\"},\n17]";
    let reading = read(Format::Json, json.into()).expect("it is JSON");
    assert_eq!(reading.entries[0].title, "https://a.example");
    assert_eq!(reading.skipped.iter().map(|skipped| skipped.line).collect::<Vec<_>>(), [3, 4, 5]);
    assert_eq!(reading.skipped[0].reason.to_string(), "missing field `url`");
}

#[test]
fn a_file_that_is_not_in_its_format_is_refused_with_a_line() {
    assert_eq!(read(Format::Json, "[\n{".into()).expect_err("it is broken").line, 2);
    assert_eq!(read(Format::Json, vec![b'['; 1 << 20]).expect_err("it is broken").line, 1);
    assert_eq!(read(Format::Csv, "a,b\n1,2\n".into()).expect_err("no url").line, 1);
}

#[test]
fn exports_of_other_programs_are_understood() {
    let csv = "id;title;note;url;folder;tags\n1;A;;https://a.example;Work;\"x, y\"\n";
    let reading = read(Format::Csv, csv.into()).expect("it names a url");
    assert_eq!(reading.entries[0].section, ["Work"]);
    assert_eq!(reading.entries[0].tags, ["x", "y"]);
    let json = "{\"entries\": [{\"url\": \"https://a.example\", \"section\": \"Work\", \"tags\": null}]}";
    assert_eq!(read(Format::Json, json.into()).expect("it is JSON").entries[0].section, ["Work"]);
}

#[test]
fn a_spreadsheet_runs_no_field_as_a_formula() {
    for title in ["=1+1", "+1", "-1", "@SUM(A1)", "'=1", "''+2", "'quoted"] {
        let mut writer = Writer::csv(Vec::new()).expect("a Vec takes everything");
        writer.entry(&Entry::new(title, "https://a.example")).expect("it is of the web");
        let bytes = writer.finish().expect("a Vec takes everything");
        let text = String::from_utf8(bytes.clone()).expect("it is UTF-8");
        let field = text.lines().nth(1).and_then(|row| row.split(',').nth(1)).expect("there is a title");
        assert!(!field.trim_start_matches('"').starts_with(['=', '+', '-', '@']), "{field}");
        assert_eq!(read(Format::Csv, bytes).expect("it names a url").entries[0].title, title);
    }
}

#[test]
fn formats_are_told_by_name_or_by_content() {
    assert_eq!(Format::guess("README.md", b"[]"), Format::Markdown);
    assert_eq!(Format::guess("-", b"# Awesome\n"), Format::Markdown);
    assert_eq!(Format::guess("-", b"[A link](https://a.example)"), Format::Markdown);
    assert_eq!(Format::guess("-", b"\xEF\xBB\xBF [ {\"url\""), Format::Json);
    assert_eq!(Format::guess("-", b"title,url\n"), Format::Csv);
    for format in Format::ALL {
        assert_eq!(format.to_string().parse(), Ok(format));
    }
}

proptest! {
    #[test]
    fn escaped_text_shows_as_it_was(text in "[ -~äß€🎨]{0,40}") {
        let folded = text.split_whitespace().collect::<Vec<_>>().join(" ");
        prop_assert_eq!(plain(&escape(&text)), folded);
    }

    #[test]
    fn records_survive_json_and_csv(
        title in "[ -~ä]{1,20}", names in prop::collection::vec("[!-~ä]([ -~]{0,8}[!-~])?", 0..4),
        tags in prop::collection::vec("[!-~]{1,8}", 0..3), description in "[!-~]([ -~\\t]{0,20}[!-~])?",
    ) {
        let fold = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        prop_assume!(!fold(&title).is_empty());
        let entry = Entry {
            section: names.iter().map(|name| fold(name)).collect(), tags, description: fold(&description),
            ..Entry::new(fold(&title), "https://a.example/")
        };
        for format in [Format::Json, Format::Csv] {
            let writer = match format {
                Format::Json => Writer::json(Vec::new()),
                _ => Writer::csv(Vec::new()),
            };
            let mut writer = writer.expect("a Vec takes everything");
            writer.entry(&entry).expect("it is of the web");
            let again = read(format, writer.finish().expect("a Vec takes everything")).expect("it is read");
            prop_assert_eq!(&Entry { line: 0, ..again.entries[0].clone() }, &entry);
        }
    }
}
