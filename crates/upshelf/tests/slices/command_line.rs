//! What scripts rely on: commands, settings, exit codes, and what goes to which stream.

use std::net::TcpListener;

use upshelf_testkit::temp_dir;

use crate::run::{Run, path};

#[test]
fn a_wrong_setting_ends_with_one_line_that_names_it_its_value_and_what_is_allowed() {
    for (setting, value, allowed) in [
        ("UPSHELF_ADDR", "everywhere", "an IP address and a port"),
        ("UPSHELF_PUBLIC_URL", "shelf.example.org", "http:// or https://"),
        ("UPSHELF_DATABASE_URL", "mysql://db/shelf", "sqlite: or postgres://"),
        ("UPSHELF_ROLE", "boss", "all, web, worker"),
        ("UPSHELF_TRUSTED_PROXIES", "proxy", "10.0.0.0/8"),
        ("UPSHELF_LIMITS", "maybe", "on, shadow, off"),
        ("UPSHELF_LIMIT_VOTE", "often", "60/min"),
        ("UPSHELF_APPROVAL_SCORE", "0", "1"),
        ("UPSHELF_APPROVAL_SHARE", "1.5", "0 to 1"),
        ("UPSHELF_APPROVAL_DELAY", "soon", "10min"),
        ("UPSHELF_VOTING_AGE", "-1h", "length of time"),
        ("UPSHELF_SESSION_PROFILE", "lax", "standard, hardened"),
        ("UPSHELF_QUEUE_RATE", "10/s,mail=1/s", "auto-approval"),
        ("UPSHELF_VOTES_PER_COMMIT", "0", "1"),
        ("UPSHELF_LOG_FORMAT", "xml", "text, json"),
        ("UPSHELF_REDIS_URL", "http://h", "redis+sentinel://HOST,HOST/NAME"),
        ("UPSHELF_REDIS_PREFIX", "a{b}", "letters, digits"),
        ("UPSHELF_REDIS_LANES", "0", "from 1 on"),
        ("UPSHELF_PROCESSES", "none", "from 1 on"),
        ("UPSHELF_LINK_CHECK", "maybe", "on, off"),
        ("UPSHELF_LINK_CHECK_PACE", "slowly", "length of time"),
    ] {
        let folder = temp_dir();
        let data = folder.path().join("data");
        let run = Run::of(&[("UPSHELF_DATA_DIR", path(&data)), (setting, value)], ["serve"], "");
        assert_eq!((run.code, run.text().as_str()), (Some(2), ""), "{setting}: {}", run.err);
        assert_eq!(run.err.trim_end().lines().count(), 1, "{setting}: {}", run.err);
        for part in [setting, value, allowed] {
            assert!(run.err.contains(part), "{setting}: no {part:?} in {:?}", run.err);
        }
        assert!(!data.exists(), "{setting}: a start that was refused made the data folder");
    }
    let secret = Run::of(&[("UPSHELF_REDIS_URL", "redis+sentinel://:secret@h")], ["serve"], "");
    assert_eq!(secret.code, Some(2));
    assert!(secret.err.contains("@h") && !secret.err.contains("secret"), "{}", secret.err);
    let both = [("UPSHELF_SMTP_URL", "smtp://mail.example.org"), ("UPSHELF_MAIL_DIR", "mails")];
    let both = Run::of(&both, ["serve"], "");
    assert_eq!(both.code, Some(2), "mails have one way out");
    assert!(both.err.contains("--smtp-url") && both.err.contains("--mail-dir"), "{}", both.err);
    let flag = Run::of(&[], ["--limits", "maybe"], "");
    assert_eq!(flag.code, Some(2));
    assert!(flag.err.contains("--limits") && flag.err.contains("maybe"), "{}", flag.err);
}

#[test]
fn every_command_explains_itself_with_an_example() {
    let commands: [&[&str]; 16] = [
        &[],
        &["serve"],
        &["worker"],
        &["import"],
        &["export"],
        &["doctor"],
        &["backup"],
        &["restore"],
        &["config"],
        &["queue"],
        &["queue", "list"],
        &["queue", "jobs"],
        &["queue", "promote"],
        &["member"],
        &["member", "create"],
        &["demo"],
    ];
    for command in commands {
        let help = Run::of(&[], command.iter().chain(&["--help"]), "").ok();
        assert!(
            help.text().contains("Usage: upshelf") && help.err.is_empty(),
            "{command:?}: {}",
            help.text()
        );
        // What has commands of its own leaves the examples to them.
        assert!(
            matches!(command, ["member"] | ["queue"]) || help.text().contains("Example"),
            "{command:?}: {}",
            help.text()
        );
    }
    for wrong in [&["fly"][..], &["import"], &["serve", "--fly"], &["member", "create", "--username", "ada"]]
    {
        assert_eq!(Run::of(&[], wrong, "").code, Some(2), "{wrong:?}");
    }
}

#[test]
fn what_fails_says_so_in_one_line() {
    let folder = temp_dir();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let addr = taken.local_addr().expect("it is bound").to_string();
    let commands: [(&[&str], &str); 5] = [
        (&["import", "no-such-file.md"], "no-such-file.md"),
        (&["export"], "no library"),
        (&["doctor"], "no library"),
        (&["restore", "no-such-file.db"], "no-such-file.db"),
        (&["serve", "--addr", &addr], &addr),
    ];
    for (command, named) in commands {
        let run = Run::in_folder(&folder.path().join("data"), command);
        assert_eq!((run.code, run.text().as_str()), (Some(1), ""), "{command:?}: {}", run.err);
        assert!(run.err.contains(named), "{command:?}: {}", run.err);
        assert_eq!(run.err.trim_end().lines().count(), 1, "{command:?}: {}", run.err);
    }
}

#[test]
fn config_says_where_each_setting_comes_from_and_hides_secrets() {
    let settings = [
        ("UPSHELF_LIMITS", "shadow"),
        ("UPSHELF_SETUP_CODE", "open sesame"),
        ("UPSHELF_DATABASE_URL", "postgres://ada:secret@db/shelf"),
        ("UPSHELF_SMTP_URL", "smtps://ada:secret@mail.example.org"),
    ];
    let text = Run::of(&settings, ["config", "--addr", "127.0.0.1:8800"], "").ok().text();
    let line = |name: &str| {
        let found = text.lines().find(|line| line.split_whitespace().next() == Some(name));
        found.unwrap_or_else(|| panic!("no {name} in\n{text}")).to_owned()
    };
    for (name, value, source) in [
        ("UPSHELF_ADDR", "127.0.0.1:8800", "[flag]"),
        ("UPSHELF_LIMITS", "shadow", "[environment]"),
        ("UPSHELF_APPROVAL_SCORE", "5", "[default]"),
        ("UPSHELF_SETUP_CODE", "********", "[environment]"),
        ("UPSHELF_DATABASE_URL", "********", "[environment]"),
        ("UPSHELF_PUBLIC_URL", "(none)", "[default]"),
    ] {
        let line = line(name);
        assert!(line.contains(value) && line.ends_with(source), "{line}");
    }
    assert!(!text.contains("secret") && !text.contains("sesame"), "{text}");
}

#[test]
fn a_setting_that_does_not_exist_is_named() {
    let run = Run::of(&[("UPSHELF_ADRR", "127.0.0.1:8800")], ["config"], "").ok();
    assert_eq!(run.err.trim_end(), "upshelf: UPSHELF_ADRR is no setting");
}
