//! Made-up libraries, the same on every run, and the people in them.

use std::fmt::Write as _;
use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::lab::SETUP_CODE;
use crate::load::{CONNECTIONS, Connection, Script, request};

const PASSWORD: &str = "seven shelves of unread books";
/// How many suggestions are open.
const SUGGESTIONS: usize = 200;
/// How many words there are to choose from.
const WORDS: u64 = 4_000;

/// Numbers by chance, always the same ones (SplitMix64).
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new() -> Chance {
        Chance(20_261_123)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    /// A word; as in real texts, some come again and again and most are rare.
    pub(crate) fn word(&mut self) -> String {
        let rank = self.below(WORDS).min(self.below(WORDS)).min(self.below(WORDS));
        word(rank)
    }

    fn words(&mut self, count: u64) -> String {
        (0..count).map(|_| self.word()).collect::<Vec<_>>().join(" ")
    }
}

/// The word of this rank: two to four syllables.
fn word(rank: u64) -> String {
    const SYLLABLES: [&str; 20] = [
        "ba", "cor", "del", "fi", "gan", "hu", "ja", "kel", "lo", "mir", "né", "or", "pas", "qui", "ro",
        "sta", "tun", "ve", "wil", "zo",
    ];
    let mut rest = rank + 20;
    let mut word = String::new();
    while rest > 0 {
        word += SYLLABLES[usize::try_from(rest % 20).expect("less than twenty")];
        rest /= 20;
    }
    word
}

/// A JSON file of so many resources.
pub(crate) fn json_list(count: u64) -> String {
    let mut chance = Chance::new();
    let entries: Vec<Value> = (0..count)
        .map(|number| {
            json!({
                "title": format!("{} {number}", chance.words(2)),
                "url": format!("https://example.org/{number}/{}", chance.word()),
                "description": chance.words(9) + ".",
                "section": [format!("Part {}", number % 12), format!("Chapter {}", number % 60)],
            })
        })
        .collect();
    Value::from(entries).to_string()
}

/// A Markdown list of so many resources.
pub(crate) fn markdown_list(count: u64) -> String {
    let mut chance = Chance::new();
    let mut list = String::from("# A long list\n");
    for number in 0..count {
        if number.is_multiple_of(50) {
            let _ = write!(list, "\n## Chapter {}\n\n", number / 50);
        }
        let (title, description) = (chance.words(2), chance.words(9));
        let _ = writeln!(list, "- [{title} {number}](https://example.org/{number}) - {description}.");
    }
    list
}

/// Has one member for each connection register, and somebody suggest what they all vote on. Gives what each will ask:
/// a vote in favour of everything, then one against everything, and so on, so that each is a change.
pub(crate) async fn voters(at: SocketAddr) -> Result<Vec<Script>> {
    let mut connection = Connection::open(at).await?;
    let author = register(&mut connection, "author").await?;
    let resources = connection.json(&request("GET", "/api/v1/resources?limit=1", None, None)).await?;
    let category = &resources["items"][0]["categories"][0]["id"];
    let mut votes = Vec::with_capacity(2 * SUGGESTIONS);
    for number in 0..SUGGESTIONS {
        let changes = json!({
            "url": format!("https://example.org/suggested/{number}"),
            "title": format!("Suggested {number}"),
            "category_ids": [category],
        });
        let suggestion = json!({ "kind": "add", "changes": changes });
        let made = connection
            .json(&request("POST", "/api/v1/suggestions", Some(&author), Some(&suggestion)))
            .await?;
        votes.push(format!("/api/v1/suggestions/{}/vote", made["id"].as_str().context("no id")?));
    }
    let mut scripts = Vec::with_capacity(CONNECTIONS);
    for number in 0..CONNECTIONS {
        let token = register(&mut connection, &format!("voter-{number}")).await?;
        let vote = |value: i64| {
            let (token, body) = (token.clone(), json!({ "value": value }));
            // Each begins somewhere else, so that they meet on a suggestion only now and then.
            let places = votes.iter().cycle().skip(number * 3).take(votes.len());
            places.map(move |path| request("PUT", path, Some(&token), Some(&body)))
        };
        scripts.push(Script::of(vote(1).chain(vote(-1)).collect()));
    }
    Ok(scripts)
}

/// Adds up the versions of all standings: how many votes the site has counted.
pub(crate) async fn votes_counted(at: SocketAddr) -> Result<u64> {
    let mut connection = Connection::open(at).await?;
    let mut path = "/api/v1/suggestions?sort=new&limit=100".to_owned();
    let mut counted = 0;
    loop {
        let page = connection.json(&request("GET", &path, None, None)).await?;
        for suggestion in page["items"].as_array().context("no items")? {
            counted += suggestion["standing"]["version"].as_u64().context("no version")?;
        }
        let Some(cursor) = page["next_cursor"].as_str() else { return Ok(counted) };
        path = format!("/api/v1/suggestions?sort=new&limit=100&cursor={cursor}");
    }
}

/// Makes the first admin, as a real site has one.
pub(crate) async fn set_up(at: SocketAddr) -> Result<()> {
    let account = json!({
        "code": SETUP_CODE, "username": "keeper", "email": "keeper@example.org", "password": PASSWORD,
    });
    Connection::open(at).await?.json(&request("POST", "/api/v1/setup", None, Some(&account))).await?;
    Ok(())
}

async fn register(connection: &mut Connection, name: &str) -> Result<String> {
    let account = json!({ "username": name, "email": format!("{name}@example.org"), "password": PASSWORD });
    let signed_in = connection.json(&request("POST", "/api/v1/auth/register", None, Some(&account))).await?;
    Ok(signed_in["access_token"].as_str().context("no token")?.to_owned())
}
