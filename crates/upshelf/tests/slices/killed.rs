//! A power cut amid votes, again and again: what was acknowledged is there, and nothing happened twice.

mod checks;
mod election;

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sqlx::types::Uuid;
use tokio::task::JoinSet;
use upshelf_testkit::{contract, wait_until};

use crate::client::Client;
use crate::site::{Engine, PASSWORD, SETUP_CODE, Site};
use checks::Checks;
use election::{Election, VOTES};

const MEMBERS: usize = 50;
const SUGGESTIONS: usize = 200;
const CONNECTIONS: usize = 64;
/// How many votes are acknowledged when the power is cut.
const CUTS: [usize; 3] = [2_500, 5_000, 7_500];
const PATIENCE: Duration = Duration::from_secs(120);

/// Every second suggestion reaches its rule with the 40th of 50 votes, amid the others.
const SETTINGS: &[(&str, &str)] = &[
    ("UPSHELF_APPROVAL_SCORE", "40"),
    ("UPSHELF_APPROVAL_MIN_OPEN", "0s"),
    ("UPSHELF_APPROVAL_DELAY", "0s"),
    // All voters come from the loopback address.
    ("UPSHELF_APPROVAL_CROWD", "1000"),
    ("UPSHELF_QUEUE_RATE", "1000/s"),
];

const LIST: &str = "# A shelf\n\n## Entries\n\n- [Zero](https://example.org/zero) - What was there before.\n";

contract! {
    threads parts {
        sqlite => Site::start(Engine::Sqlite, SETTINGS).await,
        postgres => Site::start(Engine::Postgres, SETTINGS).await,
    }

    async fn no_acknowledged_vote_is_lost_and_nothing_is_approved_twice(site: Site) {
        survive(site).await;
    }
}

/// Everybody who takes part.
struct People {
    admin: Client,
    author: Client,
    author_id: Uuid,
    voters: Vec<Voter>,
}

struct Voter {
    id: Uuid,
    token: String,
}

async fn survive(mut site: Site) {
    let mut people = People::gather(&site).await;
    let suggestions = suggest(&mut people).await;
    let election = Arc::new(Election::of(&people.voters, &suggestions));
    let checks = Checks { election: &election, people: &people, suggestions: &suggestions };
    for cut in CUTS {
        let voting = begin(&site, &election);
        wait_until("votes", PATIENCE, async || election.counted() >= cut).await;
        site.kill9();
        voting.join_all().await;
        assert!(election.in_doubt() > 0, "no vote was in flight at the cut");
        site.restart().await;
        checks.acknowledged_votes_are_there(&site.tables().await).await;
    }
    begin(&site, &election).join_all().await;
    assert!(election.counted() >= VOTES, "only {} votes were counted", election.counted());

    let tables = site.tables().await;
    checks.acknowledged_votes_are_there(&tables).await;
    checks.standings_agree_with_votes_and_replies(&tables).await;
    checks.approvals_happened_once(&tables).await;
    checks.the_api_says_the_same(&site, &tables).await;
    let export = site.holder_of(people.admin.token()).ask("GET", "/api/v1/admin/export", None).await.text();
    for number in 0..SUGGESTIONS {
        let times = export.matches(&format!("({})", url(number))).count();
        assert_eq!(times, usize::from(is_popular(number)), "{}", url(number));
    }
    site.close().await;
    site.run(&["doctor"], "").ok();
}

/// Has the members vote over many connections, until all have voted or the power is cut.
fn begin(site: &Site, election: &Arc<Election>) -> JoinSet<()> {
    let mut voting = JoinSet::new();
    for _ in 0..CONNECTIONS {
        voting.spawn(Arc::clone(election).vote(site.anybody()));
    }
    voting
}

fn url(number: usize) -> String {
    format!("https://example.org/entry-{number}")
}

/// Whether everybody is in favour of it.
fn is_popular(number: usize) -> bool {
    number.is_multiple_of(2)
}

impl People {
    async fn gather(site: &Site) -> People {
        let account = |name: &str| json!({ "username": name, "email": format!("{name}@example.org"), "password": PASSWORD });
        let mut first = account("keeper");
        first["code"] = json!(SETUP_CODE);
        let mut anybody = site.anybody();
        let admin = anybody.register("/api/v1/setup", first).await;
        let mut author = anybody.register("/api/v1/auth/register", account("author")).await;
        let mut voters = Vec::with_capacity(MEMBERS);
        for number in 0..MEMBERS {
            let mut voter =
                anybody.register("/api/v1/auth/register", account(&format!("voter-{number}"))).await;
            voters.push(Voter { id: id_of(&mut voter).await, token: voter.token().to_owned() });
        }
        People { admin, author_id: id_of(&mut author).await, author, voters }
    }
}

async fn id_of(member: &mut Client) -> Uuid {
    let me = member.get("/api/v1/auth/me").await;
    me["id"].as_str().and_then(|id| id.parse().ok()).expect("a member has an id")
}

async fn suggest(people: &mut People) -> Vec<Uuid> {
    let path = "/api/v1/admin/import?format=markdown";
    let import = people.admin.send("POST", path, "text/markdown", LIST.as_bytes()).await;
    assert_eq!(import.expect("the site answers").status, 200);
    let category = people.author.get("/api/v1/resources").await["items"][0]["categories"][0]["id"].clone();
    let mut suggestions = Vec::with_capacity(SUGGESTIONS);
    for number in 0..SUGGESTIONS {
        let changes =
            json!({ "url": url(number), "title": format!("Entry {number}"), "category_ids": [category] });
        let made =
            people.author.post("/api/v1/suggestions", json!({ "kind": "add", "changes": changes })).await;
        suggestions.push(made["id"].as_str().and_then(|id| id.parse().ok()).expect("a suggestion has an id"));
    }
    suggestions
}
