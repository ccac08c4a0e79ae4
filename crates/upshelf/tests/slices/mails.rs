//! Mails of a site that runs: written into a folder, and switched off by their link.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use upshelf_testkit::{PostOffice, wait_until};

use crate::client::Client;
use crate::run::SMALL;
use crate::site::{Engine, PASSWORD, SETUP_CODE, Site, on};

const LIMIT: Duration = Duration::from_secs(30);

/// The mails in a folder, in the order in which they were written.
fn mails(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.expect("it is readable").path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "eml"));
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).expect("a mail is text")).collect()
}

/// An admin, a member who gets a mail for each comment, and where comments on her suggestion go.
async fn begin(site: &Site) -> (Client, Client, String) {
    let account = json!({ "code": SETUP_CODE, "username": "keeper", "email": "keeper@example.org", "password": PASSWORD });
    let mut keeper = site.anybody().register("/api/v1/setup", account).await;
    let import = "/api/v1/admin/import?format=markdown";
    keeper.send("POST", import, "text/markdown", SMALL.as_bytes()).await.expect("the site answers");
    let account = json!({ "username": "mia", "email": "mia@example.org", "password": PASSWORD });
    let mut mia = site.anybody().register("/api/v1/auth/register", account).await;
    let wishes = json!({ "items": [{ "kind": "commented", "inbox": true, "email": "instant" }] });
    assert_eq!(mia.ask("PUT", "/api/v1/notifications/preferences", Some(wishes)).await.status, 200);
    let resource = mia.get("/api/v1/resources").await["items"][0]["id"].clone();
    let edit =
        json!({ "kind": "edit", "resource_id": resource, "changes": { "description": "Other words." } });
    let suggestion = mia.post("/api/v1/suggestions", edit).await;
    let comments = format!("/api/v1/suggestions/{}/comments", suggestion["id"].as_str().expect("an id"));
    (keeper, mia, comments)
}

async fn story(engine: Engine) {
    let folder = upshelf_testkit::temp_dir();
    let dir = folder.path().join("mails");
    let settings = [
        ("UPSHELF_MAIL_DIR", dir.to_str().expect("a plain name")),
        ("UPSHELF_MAIL_FROM", "The shelf <shelf@example.org>"),
        ("UPSHELF_PUBLIC_URL", "https://shelf.example.org"),
    ];
    let site = Site::start(engine, &settings).await;
    let (mut keeper, mut mia, comments) = begin(&site).await;
    keeper.post(&comments, json!({ "body": "Why?" })).await;
    wait_until("the mail is written", LIMIT, async || mails(&dir).len() == 1).await;

    let mail = mails(&dir).remove(0);
    assert!(
        mail.contains("From: \"The shelf\" <shelf@example.org>\r\n")
            || mail.contains("From: The shelf <shelf@example.org>\r\n"),
        "{mail}"
    );
    assert!(mail.contains("To: mia@example.org\r\n"), "{mail}");
    assert!(mail.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"), "{mail}");
    let path = mail.split("<https://shelf.example.org").nth(1).and_then(|rest| rest.split('>').next());
    let path = path.expect("the mail names a link").to_owned();
    // As a mail provider does: nobody signed in, no cookies, and as often as it likes.
    let mut provider = site.anybody();
    assert_eq!(provider.ask("GET", &path, None).await.status, 200);
    for _ in 0..2 {
        let body = b"List-Unsubscribe=One-Click";
        let done = provider.send("POST", &path, "application/x-www-form-urlencoded", body).await;
        assert_eq!(done.expect("the site answers").status, 200);
    }
    keeper.post(&comments, json!({ "body": "And how?" })).await;
    wait_until("mia hears of it on the site", LIMIT, async || {
        mia.get("/api/v1/notifications/unread-count").await["unread"] == 2
    })
    .await;
    let email = keeper.get("/api/v1/admin/queues/email").await;
    assert_eq!((email["waiting"].clone(), email["failed"].clone()), (json!(0), json!(0)), "{email}");
    assert_eq!(mails(&dir).len(), 1, "no more mails of this kind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_becomes_a_file_and_is_switched_off_by_its_link_on_sqlite() {
    story(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_becomes_a_file_and_is_switched_off_by_its_link_on_postgresql() {
    story(Engine::Postgres).await;
}

/// Kills the program when the mail server has taken a mail, and before that can have been noted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_taken_when_the_program_was_killed_comes_once_more_under_the_same_message_id() {
    let office = PostOffice::open().await;
    let url = office.url();
    let settings = [
        ("UPSHELF_SMTP_URL", url.as_str()),
        ("UPSHELF_MAIL_FROM", "The shelf <shelf@example.org>"),
        ("UPSHELF_PUBLIC_URL", "https://shelf.example.org"),
    ];
    let mut site = Site::start(Engine::Sqlite, &settings).await;
    let (mut keeper, _, comments) = begin(&site).await;
    office.be_silent(true);
    keeper.post(&comments, json!({ "body": "Why?" })).await;
    wait_until("the mail is taken", LIMIT, async || office.taken().len() == 1).await;
    site.kill9();
    // As if ten minutes had passed, for which a worker may have a mail in hand.
    const PUT_DOWN: &str =
        "UPDATE mails SET held_until = NULL WHERE held_until IS NOT NULL RETURNING CAST(1 AS BIGINT)";
    let put_down: Vec<i64> = on!(&site.tables().await, db => sqlx::query_scalar(PUT_DOWN).fetch_all(db));
    assert_eq!(put_down.len(), 1, "it was in hand, and is not noted as sent");

    office.be_silent(false);
    site.restart().await;
    wait_until("the mail is taken again", LIMIT, async || office.taken().len() == 2).await;
    // What is noted as sent is not sent again, however often the program is killed.
    const UNSENT: &str = "SELECT count(*) FROM mails WHERE sent_at IS NULL";
    wait_until("it is noted", LIMIT, async || {
        let unsent: i64 = on!(&site.tables().await, db => sqlx::query_scalar(UNSENT).fetch_one(db));
        unsent == 0
    })
    .await;
    site.kill9();
    site.restart().await;
    site.holder_of(keeper.token()).post(&comments, json!({ "body": "And how?" })).await;
    wait_until("another mail is taken", LIMIT, async || office.taken().len() == 3).await;
    let ids: Vec<_> = office.taken().iter().map(|mail| message_id(mail)).collect();
    assert_eq!(ids[0], ids[1], "a reader can tell that it is the same mail");
    assert_ne!(ids[1], ids[2]);
}

fn message_id(mail: &str) -> String {
    let line = mail.lines().find(|line| line.starts_with("Message-ID: "));
    line.unwrap_or_else(|| panic!("no id in {mail}")).to_owned()
}
