//! Lists in and out on the command line.

use std::path::Path;

use serde_json::Value;
use upshelf_testkit::temp_dir;

use crate::run::{Run, SMALL, path, real};

const LISTS: [&str; 4] =
    ["awesome-nodejs", "awesome-rust", "awesome-selfhosted", "free-programming-books-langs"];

#[test]
fn a_list_that_was_imported_is_exported_with_the_same_bytes_and_imported_again_adds_nothing() {
    let folder = temp_dir();
    for list in LISTS {
        let file = real(&format!("{list}.md"));
        let import = ["import", path(&file), "--list", list, "--json"];
        let first = Run::in_folder(folder.path(), &import).ok().json();
        assert!(first["added"].as_u64() > Some(100), "{list}: {}", first["added"]);

        let export = Run::in_folder(folder.path(), &["export", "--list", list]).ok();
        assert!(export.out == std::fs::read(&file).expect("the list is readable"), "{list} came out changed");

        let second = Run::in_folder(folder.path(), &import).ok().json();
        let changes = ["added", "placed", "changed", "removed"].map(|what| second[what].clone());
        assert_eq!(changes, [0, 0, 0, 0].map(Value::from), "{list}");
    }
}

#[test]
fn a_dry_run_reports_and_leaves_no_trace() {
    let folder = temp_dir();
    let data = folder.path().join("data");
    let file = real("awesome-nodejs.md");
    let import = ["import", path(&file), "--json"];
    let preview = Run::in_folder(&data, &[&import[..], &["--dry-run"]].concat()).ok().json();
    assert!(!data.exists(), "a preview made the data folder");
    let entry = &preview["entries"][0];
    for (field, is_right) in [
        ("line", entry["line"].is_u64()),
        ("title", entry["title"].is_string()),
        ("url", entry["url"].is_string()),
        ("section", entry["section"].is_array()),
        ("description", entry["description"].is_string()),
    ] {
        assert!(is_right, "{field} of {entry}");
    }
    let real = Run::in_folder(&data, &import).ok().json();
    assert_eq!((&preview["added"], &preview["skipped"]), (&real["added"], &real["skipped"]));

    let before = export(&data);
    let small = folder.path().join("small.md");
    std::fs::write(&small, SMALL).expect("the folder is ours");
    Run::in_folder(&data, &["import", path(&small), "--list", "small", "--dry-run"]).ok();
    assert!(export(&data) == before, "a preview changed the library");
}

#[test]
fn standard_input_is_imported_and_a_file_is_written_whole() {
    let folder = temp_dir();
    let data = [("UPSHELF_DATA_DIR", path(folder.path()))];
    let imported = Run::of(&data, ["import", "-", "--format", "markdown"], SMALL).ok();
    assert!(imported.text().contains("3 added"), "{}", imported.text());
    let file = folder.path().join("out.md");
    let written = Run::of(&data, ["export", "-o", path(&file)], "").ok();
    assert!(written.out.is_empty() && written.err.is_empty(), "{}{}", written.text(), written.err);
    assert_eq!(std::fs::read_to_string(&file).expect("it was written"), SMALL);
    for (format, begins) in [("netscape", "<!DOCTYPE NETSCAPE-Bookmark-file-1>"), ("json", "{"), ("csv", "")]
    {
        let text = Run::of(&data, ["export", "--format", format], "").ok().text();
        assert!(text.starts_with(begins) && text.contains("https://example.org/saw"), "{format}: {text}");
    }
}

fn export(data: &Path) -> Vec<u8> {
    Run::in_folder(data, &["export"]).ok().out
}
