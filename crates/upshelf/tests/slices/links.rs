//! The check of links, as the program does it: off until it is asked for, and never inside.

use std::time::Duration;

use serde_json::json;
use upshelf_testkit::{HttpServer, wait_until};

use crate::site::{Engine, PASSWORD, SETUP_CODE, Site};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_are_checked_where_that_is_on_and_what_is_not_public_is_never_asked() {
    let inside = HttpServer::start(|_, _| "HTTP/1.1 404 X\r\ncontent-length: 0\r\n\r\n".to_owned()).await;
    let list = format!(
        "# Inside\n\n## All\n\n- [A]({}) - Is one.\n- [B](http://localhost:{}/b) - Is one.\n",
        inside.url("/a"),
        inside.address().port()
    );
    let site = Site::start(Engine::Sqlite, &[("UPSHELF_ROLE", "web")]).await;
    let account = json!({ "code": SETUP_CODE, "username": "keeper", "email": "keeper@example.org", "password": PASSWORD });
    let mut keeper = site.anybody().register("/api/v1/setup", account).await;
    let import = "/api/v1/admin/import?format=markdown";
    let imported = keeper.send("POST", import, "text/markdown", list.as_bytes()).await;
    assert_eq!(imported.expect("the site answers").json()["added"], 2);

    let on = [("UPSHELF_ROLE", "all"), ("UPSHELF_LINK_CHECK", "on"), ("UPSHELF_LINK_CHECK_PACE", "0s")];
    let _beside = site.beside(&on).await;
    wait_until("the links were looked at", Duration::from_secs(60), async || {
        let jobs = site.run(&["queue", "jobs", "cleanup", "--state", "completed", "--json"], "").ok().json();
        let jobs = jobs["items"].as_array().cloned().unwrap_or_default();
        let walk = jobs.iter().find(|job| job["name"] == "check-links");
        walk.is_some_and(|walk| walk["log"][0] == "0 links there, 0 gone, 2 unclear, 0 suggestions")
    })
    .await;
    assert_eq!(inside.asked(), 0);
}
