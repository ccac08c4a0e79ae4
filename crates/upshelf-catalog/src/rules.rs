//! The rules of approval: one pure function that decides and explains itself.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use upshelf_store::{Standing, SuggestionKind, SuggestionStatus, Time};

/// What must hold for a suggestion to be approved without a curator.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// The score that an addition, edit or move needs.
    pub score: i64,
    /// The share of votes in favour that it needs, 0 to 1.
    pub share: f64,
    /// What the Wilson lower bound of that share must reach, 0 to 1.
    pub confidence: f64,
    /// How long it must have been open.
    pub min_open: Duration,
    /// How long a curator can stop it once a rule is met.
    pub delay: Duration,
    /// The score that a removal needs.
    pub removal_score: i64,
    /// How long a removal must have been open.
    pub removal_min_open: Duration,
    /// The score that a removal needs when a dead link was seen.
    pub dead_link_score: i64,
    /// How long after joining a member's votes begin to count.
    pub voting_age: Duration,
    /// The number of members from which one network alone cannot carry a suggestion.
    pub crowd: i64,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            score: 5,
            share: 0.7,
            confidence: 0.5,
            min_open: Duration::from_secs(3_600),
            delay: Duration::from_secs(600),
            removal_score: 3,
            removal_min_open: Duration::from_secs(24 * 3_600),
            dead_link_score: 1,
            voting_age: Duration::ZERO,
            crowd: 20,
        }
    }
}

/// Everything that the rules look at.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// What the suggestion asks for.
    pub kind: SuggestionKind,
    /// Where it stands.
    pub status: SuggestionStatus,
    /// Its votes, counted.
    pub standing: Standing,
    /// When it was proposed.
    pub opened_at: Time,
    /// Whether a dead link was seen.
    pub dead_link: bool,
    /// Whether a curator objects.
    pub objection: bool,
    /// Whether its URL is on the shelf by now.
    pub duplicate: bool,
    /// Whether all votes in favour came from one network, in a site with a crowd.
    pub one_network: bool,
}

/// What the rules say of a suggestion, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Verdict {
    /// The rule's name: `addition`, `edit`, `move`, `removal` or `dead_link`.
    pub rule: String,
    /// Whether everything it asks holds now.
    pub met: bool,
    /// Everything it asks, and whether it holds.
    pub conditions: Vec<Condition>,
    /// From when it holds if nothing but time is missing.
    pub met_from: Option<Time>,
    /// The same in a sentence: "4 of 5 votes, 80 % in favour, 20 min to go".
    pub summary: String,
}

/// One thing that a rule asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Condition {
    /// Which: `score`, `share`, `confidence`, `min_open`, `no_objection`, `not_duplicate`, `several_networks`.
    pub name: String,
    /// Whether it holds.
    pub met: bool,
    /// What is needed; seconds for `min_open`, a share for `share` and `confidence`.
    pub needed: Option<f64>,
    /// What there is, in the same unit.
    pub actual: Option<f64>,
}

/// z of a one-sided 90 % (two-sided 80 %) normal interval.
const Z: f64 = 1.2816;

/// The lower bound of the share of votes in favour that so many votes let us believe in.
///
/// Wilson's score interval (E. B. Wilson, "Probable inference", 1927) at 80 %, z = 1.2816. Zero without votes.
pub fn wilson_lower_bound(up: i64, down: i64) -> f64 {
    let n = (up + down) as f64;
    if n <= 0.0 {
        return 0.0;
    }
    let share = up as f64 / n;
    let z2 = Z * Z;
    let spread = Z * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    ((share + z2 / (2.0 * n) - spread) / (1.0 + z2 / n)).max(0.0)
}

impl Rules {
    /// Judges a suggestion at the time `now`.
    pub fn judge(&self, facts: &Facts, now: Time) -> Verdict {
        let (rule, score, min_open, needed_confidence) = match facts.kind {
            // One vote can never reach the bound (1 of 1: 0.38); what was seen of the link stands in for it.
            SuggestionKind::Remove if facts.dead_link => {
                ("dead_link", self.dead_link_score, self.removal_min_open, 0.0)
            }
            SuggestionKind::Remove => ("removal", self.removal_score, self.removal_min_open, self.confidence),
            SuggestionKind::Add => ("addition", self.score, self.min_open, self.confidence),
            SuggestionKind::Edit => ("edit", self.score, self.min_open, self.confidence),
            SuggestionKind::Move => ("move", self.score, self.min_open, self.confidence),
        };
        let Standing { up, down, .. } = facts.standing;
        let share = if up + down > 0 { up as f64 / (up + down) as f64 } else { 0.0 };
        let confidence = wilson_lower_bound(up, down);
        let open = now.since(facts.opened_at);
        let ripe_at = facts.opened_at.after(min_open);

        let amount = |name: &str, met, needed, actual| Condition {
            name: name.to_owned(),
            met,
            needed: Some(needed),
            actual: Some(actual),
        };
        let fact = |name: &str, met| Condition { name: name.to_owned(), met, needed: None, actual: None };
        let conditions = vec![
            amount("score", up - down >= score, score as f64, (up - down) as f64),
            amount("share", share >= self.share, self.share, share),
            amount("confidence", confidence >= needed_confidence, needed_confidence, confidence),
            amount("min_open", now >= ripe_at, min_open.as_secs_f64(), open.as_secs_f64()),
            fact("no_objection", !facts.objection),
            fact("not_duplicate", !facts.duplicate),
            fact("several_networks", !facts.one_network),
        ];
        let met = facts.status.is_votable() && conditions.iter().all(|condition| condition.met);
        let only_time_is_missing = facts.status.is_votable()
            && conditions.iter().all(|condition| condition.met || condition.name == "min_open");
        Verdict {
            rule: rule.to_owned(),
            met,
            met_from: only_time_is_missing.then_some(ripe_at),
            summary: summary(facts, score, share, now, ripe_at, &conditions),
            conditions,
        }
    }
}

fn summary(
    facts: &Facts,
    score: i64,
    share: f64,
    now: Time,
    ripe_at: Time,
    conditions: &[Condition],
) -> String {
    let held = facts.standing.up - facts.standing.down;
    let mut parts = vec![format!("{held} of {score} votes")];
    if facts.standing.up + facts.standing.down > 0 {
        parts.push(format!("{:.0} % in favour", share * 100.0));
    }
    let missing = |name: &str| conditions.iter().any(|condition| condition.name == name && !condition.met);
    // With the score reached and the share too low, the share says it; else few votes are the reason.
    if missing("confidence") && !missing("score") && !missing("share") {
        parts.push("too few votes to be sure".to_owned());
    }
    if now < ripe_at {
        parts.push(format!("{} to go", span(ripe_at.since(now))));
    }
    if missing("no_objection") {
        parts.push("a curator objects".to_owned());
    }
    if missing("not_duplicate") {
        parts.push("it is on the shelf already".to_owned());
    }
    if missing("several_networks") {
        parts.push("all votes in favour come from one network".to_owned());
    }
    parts.join(", ")
}

/// Says a duration in its largest sensible unit, rounded up: `20 min`, `3 h`, `2 d`.
fn span(duration: Duration) -> String {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    match seconds {
        0..=90 => format!("{seconds} s"),
        91..=5_400 => format!("{} min", seconds.div_ceil(60)),
        5_401..=172_800 => format!("{} h", seconds.div_ceil(3_600)),
        _ => format!("{} d", seconds.div_ceil(86_400)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn facts(kind: SuggestionKind, up: i64, down: i64) -> Facts {
        Facts {
            kind,
            status: SuggestionStatus::Open,
            standing: Standing { up, down, score: up - down, version: up + down },
            opened_at: Time::from_micros(1_800_000_000_000_000),
            dead_link: false,
            objection: false,
            duplicate: false,
            one_network: false,
        }
    }

    fn after(facts: &Facts, minutes: u64) -> Time {
        facts.opened_at.after(Duration::from_secs(minutes * 60))
    }

    #[test]
    fn the_wilson_bound_has_the_published_values() {
        // 5 of 5 and 7 of 10 at z = 1.2816, computed from the formula apart from this program.
        assert!((wilson_lower_bound(5, 0) - 0.752_729).abs() < 1e-5, "{}", wilson_lower_bound(5, 0));
        assert!((wilson_lower_bound(7, 3) - 0.497_364).abs() < 1e-5, "{}", wilson_lower_bound(7, 3));
        assert_eq!(wilson_lower_bound(0, 0), 0.0);
    }

    #[test]
    fn an_addition_passes_with_five_votes_after_an_hour() {
        let facts = facts(SuggestionKind::Add, 5, 0);
        assert!(!Rules::default().judge(&facts, after(&facts, 59)).met);
        assert!(Rules::default().judge(&facts, after(&facts, 60)).met);
    }

    #[test]
    fn a_removal_asks_less_score_and_more_time_and_a_dead_link_asks_one_vote() {
        let rules = Rules::default();
        let removal = facts(SuggestionKind::Remove, 3, 0);
        assert!(!rules.judge(&removal, after(&removal, 23 * 60)).met);
        assert!(rules.judge(&removal, after(&removal, 24 * 60)).met);
        let one = facts(SuggestionKind::Remove, 2, 1);
        assert!(!rules.judge(&one, after(&one, 24 * 60)).met);
        let dead = Facts { dead_link: true, ..facts(SuggestionKind::Remove, 1, 0) };
        assert_eq!(rules.judge(&dead, after(&dead, 24 * 60)).rule, "dead_link");
        assert!(rules.judge(&dead, after(&dead, 24 * 60)).met);
    }

    #[test]
    fn the_summary_says_what_is_missing() {
        let facts = facts(SuggestionKind::Add, 4, 1);
        let verdict = Rules { score: 5, ..Rules::default() }.judge(&facts, after(&facts, 40));
        assert_eq!(verdict.summary, "3 of 5 votes, 80 % in favour, 20 min to go");
    }

    fn any_facts() -> impl Strategy<Value = Facts> {
        (0..4_usize, 0..6_usize, 0..200_i64, 0..200_i64, any::<[bool; 4]>()).prop_map(
            |(kind, status, up, down, [dead_link, objection, duplicate, one_network])| Facts {
                status: SuggestionStatus::ALL[status],
                dead_link,
                objection,
                duplicate,
                one_network,
                ..facts(SuggestionKind::ALL[kind], up, down)
            },
        )
    }

    proptest! {
        #[test]
        fn a_rule_is_met_exactly_when_every_condition_is(facts in any_facts(), minutes in 0..3_000_u64) {
            let verdict = Rules::default().judge(&facts, after(&facts, minutes));
            let all = verdict.conditions.iter().all(|condition| condition.met);
            prop_assert_eq!(verdict.met, all && facts.status.is_votable());
            if verdict.met {
                prop_assert!(verdict.met_from.is_some_and(|from| from <= after(&facts, minutes)));
            }
        }

        #[test]
        fn more_votes_in_favour_and_more_time_never_hurt(facts in any_facts(), minutes in 0..3_000_u64) {
            let rules = Rules::default();
            let verdict = rules.judge(&facts, after(&facts, minutes));
            let mut better = facts.clone();
            better.standing.up += 1;
            better.standing.score += 1;
            prop_assert!(!verdict.met || rules.judge(&better, after(&facts, minutes)).met);
            prop_assert!(!verdict.met || rules.judge(&facts, after(&facts, minutes + 1)).met);
            prop_assert!(!verdict.met || facts.standing.up > facts.standing.down);
        }

        #[test]
        fn the_rule_is_met_from_the_time_it_names(facts in any_facts()) {
            let rules = Rules::default();
            if let Some(from) = rules.judge(&facts, facts.opened_at).met_from {
                prop_assert!(rules.judge(&facts, from).met);
                prop_assert!(!rules.judge(&facts, Time::from_micros(from.micros() - 1)).met);
            }
        }

        #[test]
        fn the_wilson_bound_lies_between_zero_and_the_share(up in 0..10_000_i64, down in 0..10_000_i64) {
            let bound = wilson_lower_bound(up, down);
            prop_assert!((0.0..=1.0).contains(&bound));
            prop_assert!(up + down == 0 || bound <= up as f64 / (up + down) as f64 + 1e-12);
        }
    }
}
