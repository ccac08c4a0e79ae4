//! The main job, from the set-up code to the list that goes back to its readers.

use std::time::Duration;

use serde_json::{Value, json};
use upshelf_testkit::{contract, wait_until};

use crate::client::Client;
use crate::difference::Difference;
use crate::run::{Run, real};
use crate::site::{Engine, PASSWORD, SETUP_CODE, Site, on};

/// Rules that three members can satisfy at once: the votes of two others carry a suggestion.
const SMALL_RULES: &[(&str, &str)] = &[
    ("UPSHELF_APPROVAL_SCORE", "2"),
    ("UPSHELF_APPROVAL_REMOVAL_SCORE", "2"),
    ("UPSHELF_APPROVAL_MIN_OPEN", "0s"),
    ("UPSHELF_APPROVAL_REMOVAL_MIN_OPEN", "0s"),
    ("UPSHELF_APPROVAL_DELAY", "0s"),
];

const ADDED_URL: &str = "https://example.org/a-shelf-of-one's-own";
const PATIENCE: Duration = Duration::from_secs(60);

contract! {
    threads parts {
        sqlite => Site::start(Engine::Sqlite, SMALL_RULES).await,
        postgres => Site::start(Engine::Postgres, SMALL_RULES).await,
        together => Site::together(SMALL_RULES).await,
        cut => Site::cut(SMALL_RULES).await,
    }

    async fn a_list_is_imported_curated_by_votes_and_given_back(site: Site) {
        tell(site).await;
    }
}

async fn tell(mut site: Site) {
    let imported = std::fs::read(real("awesome-nodejs.md")).expect("the list is readable");
    let mut admin = set_up(&site).await;
    import(&mut admin, &imported).await;
    let (ada, [mut ben, mut cleo]) = register_three(&site).await;
    let mut ada = ada;

    let plan = Plan::of(&mut ada, &imported).await;
    let suggested = plan.suggest(&mut ada).await;
    site.cut_redis();
    for suggestion in &suggested {
        let own = ada.ask("PUT", &vote_of(suggestion), Some(json!({ "value": 1 }))).await;
        assert_eq!((own.status, own.code().as_str()), (403, "own_suggestion"));
        let first = ben.put(&vote_of(suggestion), json!({ "value": 1 })).await;
        assert_eq!((&first["up"], &first["score"], &first["version"]), (&json!(1), &json!(1), &json!(1)));
        let second = cleo.put(&vote_of(suggestion), json!({ "value": 1 })).await;
        assert_eq!(
            (&second["up"], &second["version"], &second["my_vote"]),
            (&json!(2), &json!(2), &json!(1))
        );
    }
    // What the votes made necessary was committed with them, and waits for Redis where that is away.
    site.restore_redis().await;
    for suggestion in &suggested {
        wait_for_status(&mut ben, suggestion, "approved").await;
    }

    let exported = export(&mut admin).await;
    let difference = Difference::between(&imported, &exported);
    let Difference { gone, new, rest_is_equal } = &difference;
    assert!(rest_is_equal, "lines moved: {difference:?}");
    let removed: Vec<&str> = gone.iter().copied().filter(|line| line.contains(&plan.removed_url)).collect();
    let before: Vec<&str> = gone.iter().copied().filter(|line| line.contains(&plan.edited_url)).collect();
    let after: Vec<&str> = new.iter().copied().filter(|line| line.contains(&plan.edited_url)).collect();
    let added: Vec<&str> = new.iter().copied().filter(|line| line.contains(ADDED_URL)).collect();
    assert_eq!((removed.len(), before.len(), after.len(), added.len()), (1, 1, 1, 1), "{difference:?}");
    assert_eq!((gone.len(), new.len()), (2, 2), "{difference:?}");
    assert!(after[0].contains("as its members know it"), "{difference:?}");

    the_log_shows_rule_and_standing(&mut site.anybody(), &suggested).await;
    inboxes_hold_notices(&mut ada, &mut ben, &suggested).await;
    a_curator_takes_the_edit_back(&mut admin, &mut ben, &mut cleo, &plan).await;

    let exported = export(&mut admin).await;
    let Difference { gone, new, rest_is_equal } = Difference::between(&imported, &exported);
    assert!(rest_is_equal && gone == removed && new == added, "gone {gone:?}, new {new:?}");

    let page = site.anybody().ask("GET", "/", None).await;
    assert_eq!((page.status, page.content_type.starts_with("text/html")), (200, true));
    assert!(page.text().contains("</html>"));

    site.close().await;
    the_doctor_finds_and_mends_a_wrong_standing(&site).await;
}

async fn set_up(site: &Site) -> Client {
    let mut anybody = site.anybody();
    let account = |code: &str, name: &str| json!({ "code": code, "username": name, "email": format!("{name}@example.org"), "password": PASSWORD });
    let wrong = anybody.ask("POST", "/api/v1/setup", Some(account("another code", "mallory"))).await;
    assert_eq!(wrong.status, 403, "{}", wrong.text());
    let admin = anybody.register("/api/v1/setup", account(SETUP_CODE, "keeper")).await;
    let again = anybody.ask("POST", "/api/v1/setup", Some(account(SETUP_CODE, "mallory"))).await;
    assert_eq!(again.status, 403, "{}", again.text());
    admin
}

async fn import(admin: &mut Client, list: &[u8]) {
    let path = "/api/v1/admin/import?format=markdown";
    let before = admin.send("POST", &format!("{path}&dry_run=true"), "text/markdown", list).await;
    let before = before.expect("the site answers").json();
    let reply = admin.send("POST", path, "text/markdown", list).await.expect("the site answers");
    assert_eq!(reply.status, 200, "{}", reply.text());
    let report = reply.json();
    assert_eq!((&before["added"], &before["placed"]), (&report["added"], &report["placed"]));
    assert!(report["added"].as_u64() > Some(500), "{}", report["added"]);
    assert!(export(admin).await == list, "an untouched export has the bytes of the import");
}

async fn register_three(site: &Site) -> (Client, [Client; 2]) {
    let mut members = Vec::new();
    for name in ["ada", "ben", "cleo"] {
        let account =
            json!({ "username": name, "email": format!("{name}@example.org"), "password": PASSWORD });
        members.push(site.anybody().register("/api/v1/auth/register", account).await);
    }
    let [ada, ben, cleo]: [Client; 3] = members.try_into().map_err(|_| "three").expect("three registered");
    (ada, [ben, cleo])
}

/// What the members will change.
struct Plan {
    category: Value,
    edited: Value,
    edited_url: String,
    removed: Value,
    removed_url: String,
}

impl Plan {
    /// Chooses resources whose address stands once in the list, so that the lines to look at are certain.
    async fn of(member: &mut Client, list: &[u8]) -> Plan {
        let list = String::from_utf8_lossy(list);
        let found = member.all("/api/v1/resources?sort=name&limit=100").await;
        let mut once = found.into_iter().filter(|resource| {
            let url = resource["url"].as_str().expect("every resource has an address");
            resource["categories"].as_array().is_some_and(|places| places.len() == 1)
                && list.matches(url).count() == 1
        });
        let mut next = || once.next().expect("the list has many entries");
        let (category, edited, removed) = (next()["categories"][0]["id"].clone(), next(), next());
        let url =
            |resource: &Value| resource["url"].as_str().expect("every resource has an address").to_owned();
        Plan { category, edited_url: url(&edited), removed_url: url(&removed), edited, removed }
    }

    async fn suggest(&self, member: &mut Client) -> [Value; 3] {
        let addition = json!({
            "kind": "add",
            "changes": {
                "url": ADDED_URL,
                "title": "A shelf of one's own",
                "description": "Where members keep what they read.",
                "category_ids": [self.category],
            },
            "reason": "It was missing.",
        });
        let edit = json!({
            "kind": "edit",
            "resource_id": self.edited["id"],
            "base_version": self.edited["version"],
            "changes": { "description": "The thing itself, as its members know it." },
        });
        let removal =
            json!({ "kind": "remove", "resource_id": self.removed["id"], "reason": "Nobody keeps it." });
        let addition_again = addition.clone();
        let suggested = [
            member.post("/api/v1/suggestions", addition).await,
            member.post("/api/v1/suggestions", edit).await,
            member.post("/api/v1/suggestions", removal).await,
        ];
        let twice = member.ask("POST", "/api/v1/suggestions", Some(addition_again)).await;
        assert_eq!((twice.status, twice.code().as_str()), (409, "duplicate_suggestion"));
        suggested
    }
}

fn id_of(thing: &Value) -> &str {
    thing["id"].as_str().expect("everything has an id")
}

fn vote_of(suggestion: &Value) -> String {
    format!("/api/v1/suggestions/{}/vote", id_of(suggestion))
}

async fn wait_for_status(member: &mut Client, suggestion: &Value, status: &str) {
    let path = format!("/api/v1/suggestions/{}", id_of(suggestion));
    wait_until(&format!("{path} to be {status}"), PATIENCE, async || {
        member.get(&path).await["status"] == status
    })
    .await;
}

async fn export(admin: &mut Client) -> Vec<u8> {
    let reply = admin.ask("GET", "/api/v1/admin/export?format=markdown", None).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.body
}

async fn the_log_shows_rule_and_standing(anybody: &mut Client, suggested: &[Value; 3]) {
    for (suggestion, rule) in suggested.iter().zip(["addition", "edit", "removal"]) {
        let log = anybody.all(&format!("/api/v1/log?limit=100&suggestion={}", id_of(suggestion))).await;
        let actions: Vec<&str> = log.iter().rev().filter_map(|entry| entry["action"].as_str()).collect();
        assert_eq!(actions, ["suggested", "approving", "approved"]);
        let approved = &log[0];
        assert_eq!((&approved["actor"], &approved["member_id"]), (&json!("rule"), &Value::Null));
        assert_eq!((&approved["rule"]["rule"], &approved["rule"]["met"]), (&json!(rule), &json!(true)));
        let standing = &approved["standing"];
        assert_eq!(
            (&standing["up"], &standing["down"], &standing["score"]),
            (&json!(2), &json!(0), &json!(2))
        );
        assert_eq!(approved["before"].is_null(), rule == "addition", "{approved}");
        assert!(approved["after"].is_object(), "{approved}");
    }
}

async fn inboxes_hold_notices(author: &mut Client, voter: &mut Client, suggested: &[Value; 3]) {
    for member in [author, voter] {
        let about = async |member: &mut Client, suggestion: &Value| {
            let notices = member.all("/api/v1/notifications?limit=100").await;
            let approvals = notices.iter().filter(|notice| {
                notice["kind"] == "approved" && notice["payload"]["suggestion"]["id"] == suggestion["id"]
            });
            approvals.count()
        };
        for suggestion in suggested {
            wait_until("the notice of an approval", PATIENCE, async || about(member, suggestion).await == 1)
                .await;
        }
        let unread = member.get("/api/v1/notifications/unread-count").await["unread"].as_u64();
        assert!(unread >= Some(3), "{unread:?}");
    }
}

async fn a_curator_takes_the_edit_back(admin: &mut Client, ben: &mut Client, cleo: &mut Client, plan: &Plan) {
    let path = format!("/api/v1/resources/{}/revert", id_of(&plan.edited));
    let body = json!({ "to_version": plan.edited["version"], "reason": "The old words were better." });
    let refused = ben.ask("POST", &path, Some(body.clone())).await;
    assert_eq!(refused.status, 403, "{}", refused.text());

    let me = cleo.get("/api/v1/auth/me").await;
    let role =
        admin.put(&format!("/api/v1/admin/members/{}/role", id_of(&me)), json!({ "role": "curator" })).await;
    assert_eq!(role["role"], "curator");
    let reverted = cleo.post(&path, body).await;
    assert_eq!(reverted["description"], plan.edited["description"]);
    assert!(reverted["version"].as_i64() > plan.edited["version"].as_i64());
    let log = cleo.get(&format!("/api/v1/log?resource={}", id_of(&plan.edited))).await;
    let entry = &log["items"][0];
    assert_eq!((&entry["action"], &entry["username"]), (&json!("reverted"), &json!("cleo")));
    assert_eq!(entry["reason"], "The old words were better.");
}

async fn the_doctor_finds_and_mends_a_wrong_standing(site: &Site) {
    // Words that only the edited and the removed entry had may be left over; that does no harm.
    let faults = self::faults(&site.run(&["doctor", "--json"], ""));
    assert!(faults.iter().all(|fault| fault["what"] == "words that no text has"), "{faults:?}");
    site.run(&["doctor", "--repair"], "").ok();
    site.run(&["doctor"], "").ok();

    let tables = site.tables().await;
    const SPOIL: &str = "UPDATE suggestions SET up = up + 3, score = score + 3 WHERE kind = 'edit'";
    on!(&tables, db => async { sqlx::query(SPOIL).execute(db).await.map(drop) });
    let found = site.run(&["doctor", "--json"], "");
    assert_eq!(found.code, Some(1), "{}", found.err);
    let faults = self::faults(&found);
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!((&faults[0]["count"], &faults[0]["repaired"]), (&json!(1), &json!(false)));
    site.run(&["doctor", "--repair"], "").ok();
    site.run(&["doctor"], "").ok();
    const SQL: &str = "SELECT up, score FROM suggestions WHERE kind = 'edit'";
    let standing: (i64, i64) = on!(&tables, db => sqlx::query_as(SQL).fetch_one(db));
    assert_eq!(standing, (2, 2));
}

/// What the doctor found to be wrong.
fn faults(run: &Run) -> Vec<Value> {
    let findings = run.json();
    findings.as_array().expect("a list").iter().filter(|finding| finding["count"] != 0).cloned().collect()
}
