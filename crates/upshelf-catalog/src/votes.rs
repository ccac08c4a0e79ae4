//! Voting: who may, and what happens around the shared commit.

use serde::Serialize;
use upshelf_store::{
    Cast, Count, Member, Outcome, Side, Standing, SuggestionId, SuggestionStatus, Time, Touched, Tx,
};
use upshelf_tally::Counts;

use crate::approval::advance;
use crate::news::{StandingNews, VOTES_CHANNEL};
use crate::{Catalog, Facts, Refusal, Result, Rules, Services};

/// The answer to a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct VoteView {
    /// What was voted on.
    pub suggestion_id: SuggestionId,
    /// Votes in favour, right after this one.
    pub up: i64,
    /// Votes against, right after this one.
    pub down: i64,
    /// `up` − `down`.
    pub score: i64,
    /// Grows by one with every change of the standing.
    pub version: i64,
    /// The member's own vote: 1, -1, or `null` for none.
    pub my_vote: Option<i64>,
}

/// Says whether a member's vote would count at the time `now`.
pub fn may_vote(member: &Member, rules: &Rules, now: Time) -> Result<(), Refusal> {
    if member.banned_at.is_some() {
        return Err(Refusal::Banned);
    }
    let from = member.joined_at.after(rules.voting_age);
    if now < from { Err(Refusal::TooYoung(from)) } else { Ok(()) }
}

impl Catalog {
    /// Casts a member's vote on a suggestion, or takes it back, and waits until it is committed.
    ///
    /// # Errors
    /// A [`Refusal`] when there is no such suggestion, when it is closed or the member's own, or when their votes do
    /// not count.
    pub async fn vote(
        &self,
        member: &Member,
        suggestion: SuggestionId,
        side: Option<Side>,
        origin: Option<String>,
    ) -> Result<VoteView> {
        let now = self.clock().now();
        may_vote(member, &self.settings().rules, now)?;
        let cast = Cast { suggestion, member: member.id, side, origin, at: now };
        match self.inner.ballots.cast(cast).await? {
            Outcome::Counted(Standing { up, down, score, version }, resource) => {
                if let (Some(resource), Some(_)) = (resource, side) {
                    self.count_vote(resource);
                }
                let my_vote = side.map(i64::from);
                Ok(VoteView { suggestion_id: suggestion, up, down, score, version, my_vote })
            }
            Outcome::Missing => Err(Refusal::NotFound("suggestion").into()),
            Outcome::Closed(status) => Err(Refusal::SuggestionClosed(status).into()),
            Outcome::Own => Err(Refusal::OwnSuggestion.into()),
            Outcome::Banned => Err(Refusal::Banned.into()),
        }
    }

    /// Gives a member's own vote on a suggestion.
    pub async fn my_vote(&self, member: &Member, suggestion: SuggestionId) -> Result<Option<Side>> {
        let mut tx = self.store().read().await?;
        if tx.find_standing(suggestion).await?.is_none() {
            return Err(Refusal::NotFound("suggestion").into());
        }
        Ok(tx.find_vote(suggestion, member.id).await?)
    }

    /// Gives a suggestion's standing, from the tally.
    pub async fn standing(&self, suggestion: SuggestionId) -> Result<Standing> {
        if !self.settings().alone && !self.is_shared() {
            let found = self.store().read().await?.find_standing(suggestion).await?;
            return Ok(found.ok_or(Refusal::NotFound("suggestion"))?);
        }
        let load = async |missing: Vec<SuggestionId>| {
            let mut tx = self.store().read().await?;
            let mut found = Vec::with_capacity(missing.len());
            for id in missing {
                found.extend(tx.find_standing(id).await?.map(|standing| (id, counts(standing))));
            }
            Ok::<_, upshelf_store::Error>(found)
        };
        let found = self.tally().counts(&[suggestion], load).await?;
        let counts = found.into_iter().flatten().next().ok_or(Refusal::NotFound("suggestion"))?;
        Ok(Standing {
            up: i64::from(counts.up),
            down: i64::from(counts.down),
            score: counts.score(),
            version: counts.version.cast_signed(),
        })
    }

    /// Tells the tally and the bus about standings that changed outside of voting.
    pub(crate) async fn publish_standings(&self, standings: &[(SuggestionId, Standing)]) {
        for (id, standing) in standings {
            self.inner.services.publish_standing(*id, *standing).await;
        }
    }
}

impl Services {
    async fn publish_standing(&self, id: SuggestionId, standing: Standing) {
        self.tally.record(id, counts(standing)).await;
        let news = StandingNews::of(id, standing);
        self.bus.publish_json(VOTES_CHANNEL, &news).await.expect("a standing is plain JSON");
    }
}

/// A standing as the tally keeps it.
pub(crate) fn counts(standing: Standing) -> Counts {
    Counts {
        up: u32::try_from(standing.up).unwrap_or(u32::MAX),
        down: u32::try_from(standing.down).unwrap_or(u32::MAX),
        version: standing.version.cast_unsigned(),
    }
}

/// Applies the rules inside the shared commit of votes, and tells of it after.
pub(crate) struct Teller {
    pub(crate) services: Services,
    pub(crate) rules: Rules,
}

impl Count for Teller {
    async fn counted(
        &self,
        tx: &mut Tx,
        touched: &[Touched],
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let now = self.services.clock.now();
        for touched in touched.iter().filter(|touched| touched.status == SuggestionStatus::Open) {
            // Most votes change nothing for the rules; only a candidate is worth another query.
            let facts = Facts::from(touched);
            let verdict = self.rules.judge(&facts, now);
            let before = self.rules.judge(&Facts { standing: touched.before, ..facts }, now);
            // One that was a candidate before, and is not ripe yet, has its job already.
            if verdict.met_from.is_none() || (!verdict.met && before.met_from.is_some()) {
                continue;
            }
            if let Some(suggestion) = tx.find_suggestion(touched.id).await? {
                advance(&self.services, &self.rules, tx, &suggestion, now).await?;
            }
        }
        Ok(())
    }

    async fn committed(&self, touched: &[Touched]) {
        for touched in touched {
            self.services.publish_standing(touched.id, touched.standing).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use upshelf_store::Role;

    use super::*;

    #[test]
    fn votes_count_from_the_voting_age() {
        let joined_at = Time::from_micros(1_800_000_000_000_000);
        let rules = Rules { voting_age: Duration::from_secs(60), ..Rules::default() };
        let member = Member {
            id: uuid::Uuid::nil().into(),
            username: "ada".into(),
            email: "ada@example.org".into(),
            display_name: "Ada".into(),
            bio: String::new(),
            role: Role::Member,
            joined_at,
            banned_at: None,
        };
        let from = joined_at.after(Duration::from_secs(60));
        assert_eq!(may_vote(&member, &rules, joined_at), Err(Refusal::TooYoung(from)));
        assert_eq!(may_vote(&member, &rules, from), Ok(()));
        let banned = Member { banned_at: Some(from), ..member };
        assert_eq!(may_vote(&banned, &rules, from), Err(Refusal::Banned));
    }
}
