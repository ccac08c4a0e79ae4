//! Who votes how, and what the voters remember of it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard};

use serde_json::json;
use sqlx::types::Uuid;

use super::{Voter, is_popular};
use crate::client::{Client, Reply};

/// At least so many votes are cast and counted.
pub(super) const VOTES: usize = 10_000;

/// Suggestions that are voted on at the same time.
const WAVE: usize = 10;

/// A side: 1, -1, or none when the vote is taken back.
pub(super) type Side = Option<i64>;

/// What one member will do about one suggestion, step by step: each step changes the vote.
struct Ballot {
    member: usize,
    suggestion: usize,
    sides: &'static [Side],
    /// Steps that were answered.
    done: usize,
    /// Whether the next step was sent before and nobody knows what became of it.
    in_doubt: bool,
}

/// A step that was answered.
pub(super) struct Step {
    pub(super) member: usize,
    pub(super) suggestion: usize,
    pub(super) before: Side,
    pub(super) side: Side,
    /// Whether it had been sent before.
    pub(super) resent: bool,
    /// The standing as it was told; none where the suggestion had been decided.
    pub(super) told: Option<Told>,
}

#[derive(Clone, Copy)]
pub(super) struct Told {
    pub(super) up: i64,
    pub(super) down: i64,
    pub(super) version: i64,
}

/// What a member's vote may be by all that was answered.
#[derive(Default)]
pub(super) struct Expected {
    pub(super) acknowledged: Side,
    pub(super) in_doubt: Option<Side>,
}

pub(super) struct Election {
    tokens: Vec<String>,
    suggestions: Vec<Uuid>,
    waiting: Mutex<VecDeque<Ballot>>,
    steps: Mutex<Vec<Step>>,
}

impl Election {
    pub(super) fn of(voters: &[Voter], suggestions: &[Uuid]) -> Election {
        let mut ballots: Vec<Ballot> = (0..suggestions.len())
            .flat_map(|suggestion| (0..voters.len()).map(move |member| (member, suggestion)))
            .map(|(member, suggestion)| {
                let sides = sides(member, suggestion);
                Ballot { member, suggestion, sides, done: 0, in_doubt: false }
            })
            .collect();
        // Wave after wave, so that decisions happen all the time; in a wave, everything at once.
        ballots.sort_by_key(|ballot| {
            (ballot.suggestion / WAVE, (ballot.member * 7_919 + ballot.suggestion * 104_729) % 1_009)
        });
        Election {
            tokens: voters.iter().map(|voter| voter.token.clone()).collect(),
            suggestions: suggestions.to_vec(),
            waiting: Mutex::new(ballots.into()),
            steps: Mutex::default(),
        }
    }

    /// Votes until nobody waits any more, or the site is gone.
    pub(super) async fn vote(self: std::sync::Arc<Self>, mut client: Client) {
        while let Some(mut ballot) = self.next() {
            while let Some(side) = ballot.sides.get(ballot.done).copied() {
                if client.connect().await.is_err() {
                    return self.put_back(ballot);
                }
                match self.cast(&mut client, &ballot, side).await {
                    Ok(reply) => self.note(&mut ballot, side, &reply),
                    Err(_) => {
                        ballot.in_doubt = true;
                        return self.put_back(ballot);
                    }
                }
            }
        }
    }

    async fn cast(&self, client: &mut Client, ballot: &Ballot, side: Side) -> std::io::Result<Reply> {
        let token = Some(self.tokens[ballot.member].as_str());
        let path = format!("/api/v1/suggestions/{}/vote", self.suggestions[ballot.suggestion]);
        match side {
            Some(value) => {
                let body = json!({ "value": value }).to_string();
                client.send_as(token, "PUT", &path, "application/json", body.as_bytes()).await
            }
            None => client.send_as(token, "DELETE", &path, "", b"").await,
        }
    }

    fn note(&self, ballot: &mut Ballot, side: Side, reply: &Reply) {
        let json = reply.json();
        let told = match reply.status {
            200 => {
                assert_eq!(json["my_vote"].as_i64(), side, "{json}");
                let number = |name: &str| json[name].as_i64().expect("a standing is made of numbers");
                assert_eq!(number("score"), number("up") - number("down"), "{json}");
                Some(Told { up: number("up"), down: number("down"), version: number("version") })
            }
            409 => {
                assert_eq!(reply.code(), "suggestion_closed", "{json}");
                assert!(is_popular(ballot.suggestion), "nobody decided about a contested one");
                None
            }
            status => panic!("a vote was answered with {status}: {json}"),
        };
        let before = ballot.done.checked_sub(1).and_then(|earlier| ballot.sides[earlier]);
        let Ballot { member, suggestion, in_doubt: resent, .. } = *ballot;
        lock(&self.steps).push(Step { member, suggestion, before, side, resent, told });
        ballot.done += 1;
        ballot.in_doubt = false;
    }

    fn next(&self) -> Option<Ballot> {
        lock(&self.waiting).pop_front()
    }

    fn put_back(&self, ballot: Ballot) {
        lock(&self.waiting).push_front(ballot);
    }

    /// How many votes were acknowledged.
    pub(super) fn counted(&self) -> usize {
        self.steps().iter().filter(|step| step.told.is_some()).count()
    }

    /// How many votes were sent and not answered.
    pub(super) fn in_doubt(&self) -> usize {
        lock(&self.waiting).iter().filter(|ballot| ballot.in_doubt).count()
    }

    pub(super) fn steps(&self) -> MutexGuard<'_, Vec<Step>> {
        lock(&self.steps)
    }

    /// What each member's vote on each suggestion may be, for every pair that has voted.
    pub(super) fn expected(&self) -> HashMap<(usize, usize), Expected> {
        let mut expected: HashMap<(usize, usize), Expected> = HashMap::new();
        for step in self.steps().iter() {
            let vote = expected.entry((step.member, step.suggestion)).or_default();
            match step.told {
                Some(_) => vote.acknowledged = step.side,
                // The first attempt may have been counted before the suggestion was decided.
                None if step.resent => vote.in_doubt = Some(step.side),
                None => {}
            }
        }
        for ballot in lock(&self.waiting).iter().filter(|ballot| ballot.in_doubt) {
            let vote = expected.entry((ballot.member, ballot.suggestion)).or_default();
            vote.in_doubt = Some(ballot.sides[ballot.done]);
        }
        expected
    }
}

/// Everybody is in favour of what is popular; about the rest some change their minds, and it never comes near its rule.
fn sides(member: usize, suggestion: usize) -> &'static [Side] {
    if is_popular(suggestion) {
        return &[Some(1)];
    }
    match (member + suggestion) % 8 {
        0 => &[Some(1), Some(-1)],
        1 => &[Some(1), None],
        2 => &[Some(-1), None, Some(-1)],
        3 | 4 => &[Some(-1)],
        _ => &[Some(1)],
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no voter panics while holding it")
}
