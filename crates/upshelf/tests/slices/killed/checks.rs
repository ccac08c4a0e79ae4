//! What must hold, read from the database itself.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};
use sqlx::types::Uuid;
use upshelf_testkit::wait_until;

use super::election::{Election, Step, Told};
use super::{PATIENCE, People, is_popular, url};
use crate::site::{Site, Tables, on};

pub(super) struct Checks<'c> {
    pub(super) election: &'c Election,
    pub(super) people: &'c People,
    pub(super) suggestions: &'c [Uuid],
}

/// A suggestion's row.
#[derive(Clone, Debug, sqlx::FromRow)]
struct Row {
    id: Uuid,
    status: String,
    up: i64,
    down: i64,
    score: i64,
    version: i64,
}

type Votes = HashMap<(Uuid, Uuid), i64>;

impl Checks<'_> {
    /// Every acknowledged vote is in the database, one for each member and suggestion, and no other.
    pub(super) async fn acknowledged_votes_are_there(&self, tables: &Tables) {
        let votes = votes(tables).await;
        let mut expected = self.election.expected();
        for (number, suggestion) in self.suggestions.iter().enumerate() {
            for (member, voter) in self.people.voters.iter().enumerate() {
                let found = votes.get(&(*suggestion, voter.id)).copied();
                let expected = expected.remove(&(member, number)).unwrap_or_default();
                let is_right = found == expected.acknowledged || expected.in_doubt == Some(found);
                assert!(
                    is_right,
                    "voter {member} on suggestion {number}: acknowledged {:?}, in doubt {:?}, found {found:?}",
                    expected.acknowledged, expected.in_doubt,
                );
            }
        }
        let all = self.suggestions.len() * self.people.voters.len();
        assert!(votes.len() <= all, "somebody else has voted");
    }

    /// The counts are those of the votes; versions grew by one with each change; each reply told the truth.
    pub(super) async fn standings_agree_with_votes_and_replies(&self, tables: &Tables) {
        let votes = votes(tables).await;
        let rows = rows(tables).await;
        let steps = self.election.steps();
        for (number, suggestion) in self.suggestions.iter().enumerate() {
            let row = &rows[suggestion];
            let count = |side: i64| {
                let found =
                    votes.iter().filter(|((id, _), value)| id == suggestion && **value == side).count();
                i64::try_from(found).expect("fifty at most")
            };
            assert_eq!((row.up, row.down, row.score), (count(1), count(-1), count(1) - count(-1)), "{row:?}");
            let steps: Vec<&Step> = steps.iter().filter(|step| step.suggestion == number).collect();
            versions_have_no_gap(row, &steps);
        }
    }

    /// Each popular suggestion was approved once, and left one of everything.
    pub(super) async fn approvals_happened_once(&self, tables: &Tables) {
        let popular = || self.suggestions.iter().enumerate().filter(|(number, _)| is_popular(*number));
        wait_until("every popular suggestion to be approved", PATIENCE, async || {
            let rows = rows(tables).await;
            popular().all(|(_, id)| rows[id].status == "approved")
        })
        .await;

        const LOG: &str = "SELECT suggestion_id, action, COUNT(*) FROM log WHERE suggestion_id IS NOT NULL
            GROUP BY suggestion_id, action";
        let mut log: HashMap<Uuid, BTreeMap<String, i64>> = HashMap::new();
        let entries: Vec<(Uuid, String, i64)> = on!(tables, db => sqlx::query_as(LOG).fetch_all(db));
        for (suggestion, action, count) in entries {
            log.entry(suggestion).or_default().insert(action, count);
        }
        let rows = rows(tables).await;
        for (number, suggestion) in self.suggestions.iter().enumerate() {
            let (status, actions): (_, &[&str]) = match is_popular(number) {
                true => ("approved", &["approved", "approving", "suggested"]),
                false => ("open", &["suggested"]),
            };
            assert_eq!(rows[suggestion].status, status, "suggestion {number}");
            let once: BTreeMap<String, i64> =
                actions.iter().map(|action| ((*action).to_owned(), 1)).collect();
            assert_eq!(log[suggestion], once, "suggestion {number}");
        }

        const SHELF: &str = "SELECT url, (SELECT COUNT(*) FROM placements p WHERE p.resource_id = r.id),
                (SELECT COUNT(*) FROM resource_versions v WHERE v.resource_id = r.id)
            FROM resources r WHERE added_by IS NOT NULL";
        let mut shelf: Vec<(String, i64, i64)> = on!(tables, db => sqlx::query_as(SHELF).fetch_all(db));
        let mut once: Vec<_> = popular().map(|(number, _)| (url(number), 1, 1)).collect();
        shelf.sort();
        once.sort();
        assert_eq!(shelf, once);

        self.author_has_one_notice_of_each(tables, popular().map(|(_, id)| *id).collect()).await;
    }

    async fn author_has_one_notice_of_each(&self, tables: &Tables, approved: Vec<Uuid>) {
        let told = async || {
            const NOTICES: &str = "SELECT payload FROM notices WHERE member_id = $1 AND kind = 'approved'";
            let author = self.people.author_id;
            let notices: Vec<String> =
                on!(tables, db => sqlx::query_scalar(NOTICES).bind(author).fetch_all(db));
            let mut told: HashMap<Uuid, usize> = HashMap::new();
            for notice in notices {
                let notice: Value = serde_json::from_str(&notice).expect("a notice is JSON");
                let id = notice["suggestion"]["id"].as_str().and_then(|id| id.parse().ok());
                *told.entry(id.expect("an approval is about a suggestion")).or_default() += 1;
            }
            told
        };
        wait_until("the author to be told", PATIENCE, async || told().await.len() == approved.len()).await;
        let once: HashMap<Uuid, usize> = approved.into_iter().map(|id| (id, 1)).collect();
        assert_eq!(told().await, once);
    }

    /// What the API tells is what the database holds.
    pub(super) async fn the_api_says_the_same(&self, site: &Site, tables: &Tables) {
        let votes = votes(tables).await;
        let rows = rows(tables).await;
        for (number, suggestion) in self.suggestions.iter().enumerate() {
            let voter = &self.people.voters[number % self.people.voters.len()];
            let mut client = site.holder_of(&voter.token);
            let Row { up, down, score, version, status, .. } = &rows[suggestion];
            let standing = json!({ "up": up, "down": down, "score": score, "version": version });
            assert_eq!(client.get(&format!("/api/v1/suggestions/{suggestion}/votes")).await, standing);
            let view = client.get(&format!("/api/v1/suggestions/{suggestion}")).await;
            let mine = json!(votes.get(&(*suggestion, voter.id)));
            assert_eq!(
                (&view["standing"], &view["status"], &view["my_vote"]),
                (&standing, &json!(status), &mine),
                "suggestion {number}"
            );
        }
    }
}

/// Every change of a standing has the next version, and the reply that told of it told that change.
fn versions_have_no_gap(row: &Row, steps: &[&Step]) {
    let counted = steps.iter().filter_map(|step| Some((step, step.told?)));
    let mut told: BTreeMap<i64, (&Step, Told)> = BTreeMap::new();
    let mut changes = 0;
    for (step, standing) in counted {
        changes += 1;
        assert!((1..=row.version).contains(&standing.version), "version {} of {row:?}", standing.version);
        // A step sent again may change nothing, and then tells the version of somebody else's.
        if !step.resent {
            let twice = told.insert(standing.version, (step, standing));
            assert!(twice.is_none(), "version {} was told of two changes of {row:?}", standing.version);
        }
    }
    let perhaps = steps.iter().filter(|step| step.told.is_none() && step.resent).count();
    let most = changes + i64::try_from(perhaps).expect("fifty at most");
    assert!((changes..=most).contains(&row.version), "{changes} to {most} changes of {row:?}");

    let mut last = (0, Told { up: 0, down: 0, version: 0 });
    for (version, (step, now)) in told {
        let (last_version, before) = std::mem::replace(&mut last, (version, now));
        if version == last_version + 1 {
            let of = |side: i64| i64::from(step.side == Some(side)) - i64::from(step.before == Some(side));
            assert_eq!(
                (now.up - before.up, now.down - before.down),
                (of(1), of(-1)),
                "version {version} of {row:?}"
            );
        }
    }
}

async fn votes(tables: &Tables) -> Votes {
    const SQL: &str = "SELECT suggestion_id, member_id, value FROM votes WHERE NOT void";
    let rows: Vec<(Uuid, Uuid, i64)> = on!(tables, db => sqlx::query_as(SQL).fetch_all(db));
    let count = rows.len();
    let votes: Votes =
        rows.into_iter().map(|(suggestion, member, value)| ((suggestion, member), value)).collect();
    assert_eq!(votes.len(), count, "a member has two votes on one suggestion");
    votes
}

async fn rows(tables: &Tables) -> HashMap<Uuid, Row> {
    const SQL: &str = "SELECT id, status, up, down, score, version FROM suggestions";
    let rows: Vec<Row> = on!(tables, db => sqlx::query_as(SQL).fetch_all(db));
    rows.into_iter().map(|row| (row.id, row)).collect()
}
