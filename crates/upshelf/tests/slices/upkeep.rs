//! Looking after a site from the command line.

use std::time::Duration;

use serde_json::json;
use upshelf_testkit::{Program, temp_dir};

use crate::run::{SMALL, UPSHELF, path};
use crate::site::{Engine, PASSWORD, SETUP_CODE, Site};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_made_while_the_site_runs_is_a_whole_library() {
    let mut site = Site::start(Engine::Sqlite, &[]).await;
    let account = json!({ "code": SETUP_CODE, "username": "keeper", "email": "keeper@example.org", "password": PASSWORD });
    let mut admin = site.anybody().register("/api/v1/setup", account).await;
    let path_of_import = "/api/v1/admin/import?format=markdown";
    let import = admin.send("POST", path_of_import, "text/markdown", SMALL.as_bytes()).await;
    assert_eq!(import.expect("the site answers").status, 200);

    let copy = site.folder().join("copy.db");
    site.run(&["backup", path(&copy)], "").ok();
    let again = site.run(&["backup", path(&copy)], "");
    assert_eq!(again.code, Some(1), "a backup replaced another");
    let in_use = site.run(&["restore", path(&copy), "--force"], "");
    assert_eq!(in_use.code, Some(1), "a library in use was replaced");

    let later = json!({ "username": "late", "email": "late@example.org", "password": PASSWORD });
    site.anybody().register("/api/v1/auth/register", later).await;
    site.close().await;
    let unasked = site.run(&["restore", path(&copy)], "");
    assert_eq!(unasked.code, Some(1), "a library was replaced unasked");
    site.run(&["restore", path(&copy), "--force"], "").ok();
    site.run(&["doctor"], "").ok();
    assert_eq!(site.run(&["export"], "").ok().text(), SMALL);

    site.restart().await;
    let sign_in = async |name: &str| {
        let credentials = json!({ "login": name, "password": PASSWORD });
        site.anybody().ask("POST", "/api/v1/auth/login", Some(credentials)).await.status
    };
    assert_eq!((sign_in("keeper").await, sign_in("late").await), (200, 401));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_made_on_the_command_line_can_sign_in() {
    let site = Site::start(Engine::Sqlite, &[]).await;
    let create = |name: &str, password: &str| {
        let email = format!("{name}@example.org");
        let args = [
            "member",
            "create",
            "--role",
            "admin",
            "--username",
            name,
            "--email",
            &email,
            "--password-stdin",
        ];
        site.run(&args, &format!("{password}\n"))
    };
    let made = create("ada", PASSWORD).ok().text();
    assert!(made.trim_end().ends_with("ada admin"), "{made}");
    let twice = create("ada", PASSWORD);
    assert_eq!(twice.code, Some(1), "{}", twice.err);
    let weak = create("ben", "password");
    assert_eq!((weak.code, weak.err.trim_end().lines().count()), (Some(1), 1), "{}", weak.err);
    assert!(weak.err.contains("password"), "{}", weak.err);

    let credentials = json!({ "login": "ada@example.org", "password": PASSWORD });
    let mut ada = site.anybody().register("/api/v1/auth/login", credentials).await;
    assert_eq!(ada.get("/api/v1/auth/me").await["role"], "admin");
    // There is an admin now, so the set-up code is worth nothing.
    let account =
        json!({ "code": SETUP_CODE, "username": "eve", "email": "eve@example.org", "password": PASSWORD });
    assert_eq!(site.anybody().ask("POST", "/api/v1/setup", Some(account)).await.status, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_fills_an_empty_library_and_no_other() {
    let mut site = Site::start(Engine::Sqlite, &[]).await;
    site.run(&["demo"], "").ok();
    let again = site.run(&["demo"], "");
    assert_eq!(again.code, Some(1), "{}", again.err);
    assert!(again.err.contains("not empty"), "{}", again.err);
    let mut anybody = site.anybody();
    let open = anybody.all("/api/v1/suggestions?limit=100").await;
    assert!(open.len() >= 5 && open.iter().any(|suggestion| suggestion["standing"]["up"] != 0), "{open:?}");
    assert!(anybody.all("/api/v1/resources?limit=100").await.len() >= 10);
    site.close().await;
    site.run(&["doctor"], "").ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_any_setting_it_makes_its_data_folder_and_nothing_else() {
    let folder = temp_dir();
    let args = ["-C", path(folder.path()), UPSHELF, "--addr", "127.0.0.1:0"];
    let mut program = Program::start("/usr/bin/env", args, &[]);
    program.wait_for("listening on http://127.0.0.1:", Duration::from_secs(60)).await;
    let banner = program.lines().join("\n");
    assert!(banner.contains("set-up code") && banner.contains("upshelf-data"), "{banner}");
    let ended = program.terminate(Duration::from_secs(30)).await;
    assert_eq!(ended.code(), Some(0));
    let made: Vec<_> = std::fs::read_dir(folder.path())
        .expect("the folder is ours")
        .map(|entry| entry.expect("it is readable").file_name())
        .collect();
    assert_eq!(made, ["upshelf-data"]);
}
