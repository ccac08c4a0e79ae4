//! Holds the arrows of ARCHITECTURE.md: which crate may know which, and who may know SQL, HTTP and the reasons of a dependency.

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// Every crate of the workspace, with the crates of ours that its product code may use. A crate that is not here fails
/// the test: a new one needs a place in the picture first.
const MAY_USE: &[(&str, &[&str])] = &[
    // The six services and the lists know nothing of Upshelf; what all processes share, they share through Redis.
    ("upshelf-bus", &["upshelf-redis"]),
    ("upshelf-cache", &["upshelf-redis"]),
    ("upshelf-lists", &[]),
    // It is handed what is heard, and knows no bus.
    ("upshelf-live", &[]),
    ("upshelf-probe", &[]),
    ("upshelf-queue", &["upshelf-redis"]),
    ("upshelf-redis", &[]),
    ("upshelf-session", &["upshelf-redis"]),
    ("upshelf-tally", &["upshelf-redis"]),
    ("upshelf-throttle", &["upshelf-redis"]),
    // Tests need it; it needs nobody.
    ("upshelf-testkit", &[]),
    // It implements `session::Vault`, and that is all it knows of a service.
    ("upshelf-store", &["upshelf-session"]),
    (
        "upshelf-catalog",
        &["upshelf-bus", "upshelf-cache", "upshelf-lists", "upshelf-queue", "upshelf-store", "upshelf-tally"],
    ),
    // The two doors: requests and jobs. Neither knows the other.
    (
        "upshelf-web",
        &[
            "upshelf-catalog",
            "upshelf-lists",
            "upshelf-live",
            // Only for the admins' operations on queues.
            "upshelf-queue",
            "upshelf-session",
            "upshelf-store",
            "upshelf-throttle",
        ],
    ),
    (
        "upshelf-worker",
        &["upshelf-catalog", "upshelf-probe", "upshelf-queue", "upshelf-session", "upshelf-store"],
    ),
    // The program wires everything, but for what only tests need.
    (
        "upshelf",
        &[
            "upshelf-bus",
            "upshelf-cache",
            "upshelf-catalog",
            "upshelf-lists",
            "upshelf-probe",
            "upshelf-queue",
            "upshelf-redis",
            "upshelf-session",
            "upshelf-store",
            "upshelf-tally",
            "upshelf-throttle",
            "upshelf-web",
            "upshelf-worker",
        ],
    ),
];

/// What belongs to few: the crate from outside, and those of ours whose product code may use it.
const RESERVED: &[(&str, &[&str])] = &[
    ("axum", &["upshelf-web"]),
    ("tokio-tungstenite", &["upshelf-live"]),
    ("hickory-resolver", &["upshelf-probe"]),
    ("hyper", &["upshelf-live", "upshelf-probe", "upshelf-web"]),
    ("tower-http", &["upshelf-web"]),
    ("redis", &["upshelf-redis", "upshelf-testkit"]),
    ("bullmq-official", &["upshelf-queue"]),
    ("riverqueue", &["upshelf-queue"]),
    ("sqlx", &["upshelf-queue", "upshelf-store", "upshelf-testkit"]),
];

fn workspace() -> Metadata {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec()
        .expect("cargo metadata reads the workspace that this test was built from")
}

/// The names of what a package's product code depends on; build scripts count, tests do not.
fn dependencies(package: &Package) -> impl Iterator<Item = &str> {
    package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development).map(|d| d.name.as_str())
}

fn is_ours(name: &str) -> bool {
    name == "upshelf" || name.starts_with("upshelf-")
}

/// Each dependency that no arrow allows, as a sentence.
fn broken_arrows(package: &str, dependencies: &[&str]) -> Vec<String> {
    let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == package) else {
        return vec![format!(
            "{package} has no line in MAY_USE: give it a place in ARCHITECTURE.md's picture first"
        )];
    };
    let ours = dependencies
        .iter()
        .filter(|d| is_ours(d) && !allowed.contains(d))
        .map(|d| format!("{package} depends on {d}, but may only use [{}]", allowed.join(", ")));
    let reserved =
        RESERVED.iter().filter(|(what, who)| dependencies.contains(what) && !who.contains(&package));
    ours.chain(
        reserved.map(|(what, who)| {
            format!("{package} depends on {what}, which is for [{}] only", who.join(", "))
        }),
    )
    .collect()
}

/// The lines of `[workspace.dependencies]` that bring in something from outside without a reason behind a `#`.
fn without_reason(manifest: &str) -> Vec<&str> {
    manifest
        .lines()
        .skip_while(|line| line.trim() != "[workspace.dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| line.contains('=') && !line.contains("path = \"crates/"))
        .filter(|line| line.rsplit_once('#').is_none_or(|(_, reason)| reason.trim().len() < 3))
        .collect()
}

#[test]
fn every_dependency_follows_an_arrow() {
    let workspace = workspace();
    let broken: Vec<String> = workspace
        .workspace_packages()
        .into_iter()
        .flat_map(|package| broken_arrows(&package.name, &dependencies(package).collect::<Vec<_>>()))
        .collect();
    assert!(
        broken.is_empty(),
        "dependencies against the arrows of ARCHITECTURE.md:\n  {}\nTake the dependency out, ask for what is needed \
         through a small trait, or change the picture and this table together.",
        broken.join("\n  ")
    );
}

#[test]
fn the_table_names_only_crates_that_exist() {
    let workspace = workspace();
    let names: Vec<&str> = workspace.workspace_packages().iter().map(|p| p.name.as_str()).collect();
    for (package, allowed) in MAY_USE {
        for name in allowed.iter().chain([package]) {
            assert!(names.contains(name), "{name} stands in MAY_USE but is no crate of the workspace");
        }
    }
}

#[test]
fn arrows_point_down_only() {
    // Taking away what depends on nobody that is left empties a table without circles.
    let mut left: Vec<_> = MAY_USE.to_vec();
    while !left.is_empty() {
        let names: Vec<&str> = left.iter().map(|(name, _)| *name).collect();
        let before = left.len();
        left.retain(|(_, allowed)| allowed.iter().any(|name| names.contains(name)));
        assert!(left.len() < before, "these use each other in a circle: {names:?}");
    }
}

#[test]
fn a_dependency_against_an_arrow_is_named() {
    assert_eq!(
        broken_arrows("upshelf-bus", &["serde", "upshelf-cache", "axum"]),
        [
            "upshelf-bus depends on upshelf-cache, but may only use [upshelf-redis]",
            "upshelf-bus depends on axum, which is for [upshelf-web] only",
        ]
    );
    assert_eq!(broken_arrows("upshelf-store", &["sqlx", "upshelf-session"]), [""; 0]);
    assert_eq!(broken_arrows("upshelf-common", &[]).len(), 1);
}

#[test]
fn every_dependency_from_outside_has_a_reason() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");
    let manifest = std::fs::read_to_string(path).expect("the workspace's Cargo.toml is readable");
    assert!(manifest.contains("\nserde = "), "[workspace.dependencies] is not where this test looks for it");
    let bare = without_reason(&manifest);
    assert!(bare.is_empty(), "give each a one-line reason behind a #:\n  {}", bare.join("\n  "));

    let bad = "[workspace.dependencies]\na = \"1\"\nb = \"1\" # why\nc = { path = \"crates/c\" }\n[profile]\nd = 1\n";
    assert_eq!(without_reason(bad), ["a = \"1\""]);
}

#[test]
fn members_take_every_version_from_the_workspace() {
    for package in workspace().workspace_packages() {
        let manifest =
            std::fs::read_to_string(&package.manifest_path).expect("a member's Cargo.toml is readable");
        let own: Vec<&str> = manifest
            .lines()
            .scan(false, |inside, line| {
                if line.starts_with('[') {
                    *inside = line.trim_end().ends_with("dependencies]");
                }
                Some((*inside, line))
            })
            .filter(|(inside, line)| *inside && !line.starts_with('[') && line.contains('='))
            .filter(|(_, line)| !line.contains("workspace = true"))
            .map(|(_, line)| line)
            .collect();
        assert!(own.is_empty(), "{}: move the version to [workspace.dependencies]: {own:?}", package.name);
    }
}
