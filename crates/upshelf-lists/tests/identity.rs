//! When two addresses are one resource.

use std::path::PathBuf;

use proptest::prelude::*;
use upshelf_lists::{Likeness, UrlError, UrlKey};

fn key(url: &str) -> UrlKey {
    UrlKey::of(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

#[test]
fn labelled_pairs_are_judged_as_people_judged_them() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/url-pairs.tsv");
    let pairs = std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("this test needs {}, labelled pairs of addresses: {error}", path.display())
    });
    let mut count = 0;
    for pair in pairs.lines().skip(1) {
        let fields: Vec<&str> = pair.split('\t').collect();
        let want = match fields[0] {
            "same" => Likeness::Same,
            "maybe" => Likeness::Maybe,
            _ => Likeness::Different,
        };
        assert_eq!(key(fields[1]).likeness(&key(fields[2])), want, "{pair}");
        assert_eq!(key(fields[2]).likeness(&key(fields[1])), want, "{pair}");
        count += 1;
    }
    assert!(count >= 18);
}

#[test]
fn what_does_not_distinguish_resources_does_not_count() {
    for (one, other) in [
        ("https://example.org", "http://EXAMPLE.org:80/"),
        ("https://example.org./a", "https://example.org/a"),
        ("https://example.org/%7euser/", "https://example.org/~user"),
        ("https://example.org/%e4", "https://example.org/%E4"),
        ("https://example.org/?a=1&utm_source=x&b=2", "https://example.org/?a=1&b=2"),
        ("https://example.org/?fbclid=abc#part", "https://example.org/#part"),
        ("https://github.com/Owner/Repo.git", "https://github.com/owner/repo/#readme"),
        ("https://gitlab.com/Group/Sub/Repo.git", "https://gitlab.com/group/sub/repo"),
        ("https://example.org/a_(b)?c|d", "https://example.org/a_%28b%29?c%7Cd"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
    ] {
        assert_eq!(key(one), key(other));
    }
}

#[test]
fn what_distinguishes_resources_counts() {
    for (one, other) in [
        ("https://example.org/a", "https://example.org/A"),
        ("https://example.org:8080/", "https://example.org/"),
        ("https://example.org/#readme", "https://example.org/"),
        ("https://github.com/o/r/blob/main/A.md", "https://github.com/o/r/blob/main/a.md"),
        ("https://github.com/o/r#install", "https://github.com/o/r"),
        ("https://example.com/", "https://example.net/"),
        ("https://example.org/%2F", "https://example.org/"),
    ] {
        assert_eq!(key(one).likeness(&key(other)), Likeness::Different, "{one} {other}");
    }
}

#[test]
fn only_the_web_is_accepted() {
    for url in [
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "ftp://example.org/",
        "mailto:a@b.c",
    ] {
        assert_eq!(UrlKey::of(url), Err(UrlError::Scheme), "{url}");
    }
    for url in ["", "/a", "#a", "example.org", "//example.org/", "https://", "http://[::1"] {
        assert_eq!(UrlKey::of(url), Err(UrlError::Unparsable), "{url}");
    }
    assert_eq!(UrlKey::of(&format!("https://example.org/{}", "a".repeat(9000))), Err(UrlError::TooLong));
}

proptest! {
    #[test]
    fn a_key_derived_from_itself_is_itself(
        host in "[a-zA-Z0-9]{1,8}\\.(com|org|io)|github\\.com|gitlab\\.com|\\[::1\\]",
        rest in "(/[^\\n]{0,20}){0,3}",
    ) {
        if let Ok(key) = UrlKey::of(&format!("https://{host}{rest}")) {
            prop_assert_eq!(UrlKey::try_from(String::from(key.clone())), Ok(key.clone()));
            let json = serde_json::to_string(&key).expect("a key is a string");
            prop_assert_eq!(serde_json::from_str::<UrlKey>(&json).expect("a key is read"), key);
        }
    }
}
