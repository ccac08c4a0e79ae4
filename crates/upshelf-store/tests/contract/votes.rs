use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::Result;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;
use upshelf_store::{
    Ballots, Cast, Count, Decision, MemberId, Outcome, Side, Standing, SuggestionId, SuggestionStatus,
    Touched, Tx,
};
use upshelf_testkit::contract;

use crate::fixture::Fixture;

/// Remembers what it was told, and can refuse a batch.
#[derive(Default)]
struct Teller {
    batches: AtomicUsize,
    committed: Mutex<BTreeMap<SuggestionId, Standing>>,
    poison: Mutex<Option<SuggestionId>>,
}

impl Count for Teller {
    async fn counted(
        &self,
        _tx: &mut Tx,
        touched: &[Touched],
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.batches.fetch_add(1, Ordering::SeqCst);
        let poison = *self.poison.lock().expect("unpoisoned");
        if touched.iter().any(|touched| Some(touched.id) == poison) { Err("no".into()) } else { Ok(()) }
    }

    async fn committed(&self, touched: &[Touched]) {
        let mut committed = self.committed.lock().expect("unpoisoned");
        for touched in touched {
            let earlier = committed.insert(touched.id, touched.standing);
            assert!(earlier.is_none_or(|earlier| earlier.version < touched.standing.version));
        }
    }
}

struct Booth {
    ballots: Ballots,
    teller: Arc<Teller>,
    _tracker: TaskTracker,
}

fn booth(f: &Fixture) -> Booth {
    let (teller, tracker) = (Arc::new(Teller::default()), TaskTracker::new());
    let ballots = Ballots::open(f.store.clone(), teller.clone(), 100, &tracker);
    Booth { ballots, teller, _tracker: tracker }
}

impl Booth {
    async fn cast(
        &self,
        f: &Fixture,
        suggestion: SuggestionId,
        member: MemberId,
        side: Option<Side>,
    ) -> Outcome {
        let cast = Cast { suggestion, member, side, origin: Some(format!("net-{member}")), at: f.now() };
        self.ballots.cast(cast).await.expect("the database answers")
    }
}

fn counted(up: i64, down: i64, version: i64) -> Outcome {
    Outcome::Counted(Standing { up, down, score: up - down, version }, None)
}

contract! {
    parts { sqlite => Fixture::sqlite().await, postgres => Fixture::postgres().await }

    async fn a_second_vote_replaces_the_first_and_a_retracted_one_is_gone(f: &Fixture) -> Result<()> {
        let (ada, bob) = (f.member("ada").await, f.member("bob").await);
        let about = f.suggestion(ada).await;
        let booth = booth(f);
        assert_eq!(booth.cast(f, about, bob, Some(Side::Up)).await, counted(1, 0, 1));
        assert_eq!(booth.cast(f, about, bob, Some(Side::Up)).await, counted(1, 0, 1));
        assert_eq!(booth.cast(f, about, bob, Some(Side::Down)).await, counted(0, 1, 2));
        assert_eq!(f.read().await.find_vote(about, bob).await?, Some(Side::Down));
        assert_eq!(booth.cast(f, about, bob, None).await, counted(0, 0, 3));
        assert_eq!(booth.cast(f, about, bob, None).await, counted(0, 0, 3));
        assert_eq!(f.read().await.find_vote(about, bob).await?, None);
        Ok(())
    }

    async fn own_closed_and_missing_suggestions_take_no_votes(f: &Fixture) -> Result<()> {
        let (ada, bob) = (f.member("ada").await, f.member("bob").await);
        let (open, closed) = (f.suggestion(ada).await, f.suggestion(ada).await);
        let mut tx = f.write().await;
        let decision = Decision {
            status: SuggestionStatus::Rejected,
            resource_id: None,
            approving_until: None,
            decided_at: Some(f.now()),
            decided_by: Some(bob),
            reason: None,
        };
        tx.decide(closed, &decision).await?;
        tx.commit().await?;
        let booth = booth(f);
        assert_eq!(booth.cast(f, open, ada, Some(Side::Up)).await, Outcome::Own);
        assert_eq!(
            booth.cast(f, closed, bob, Some(Side::Up)).await,
            Outcome::Closed(SuggestionStatus::Rejected)
        );
        assert_eq!(booth.cast(f, f.clock.id(), bob, Some(Side::Up)).await, Outcome::Missing);
        assert_eq!(f.read().await.find_standing(open).await?, Some(Standing::default()));
        Ok(())
    }

    async fn racing_votes_share_commits_and_lose_nothing(f: &Fixture) -> Result<()> {
        let ada = f.member("ada").await;
        let mut members = Vec::new();
        for number in 0..20 {
            members.push(f.member(&format!("member{number}")).await);
        }
        let abouts = [f.suggestion(ada).await, f.suggestion(ada).await, f.suggestion(ada).await];
        let booth = booth(f);
        // Each member votes up, then down, then up on each suggestion, all at once: 180 votes.
        let mut racing = JoinSet::new();
        for member in &members {
            for about in abouts {
                let (ballots, member, at) = (booth.ballots.clone(), *member, f.now());
                racing.spawn(async move {
                    let mut seen = Vec::new();
                    for side in [Side::Up, Side::Down, Side::Up] {
                        let cast = Cast { suggestion: about, member, side: Some(side), origin: None, at };
                        match ballots.cast(cast).await.expect("the database answers") {
                            Outcome::Counted(standing, _) => seen.push((about, standing.version)),
                            other => panic!("{other:?}"),
                        }
                    }
                    seen
                });
            }
        }
        let versions: Vec<(SuggestionId, i64)> = racing.join_all().await.into_iter().flatten().collect();
        for about in abouts {
            let standing = f.read().await.find_standing(about).await?.expect("it is there");
            assert_eq!(standing, Standing { up: 20, down: 0, score: 20, version: 60 });
            // Every change of the standing was told to exactly one voter: the versions have no gap and no double.
            let told: BTreeSet<i64> =
                versions.iter().filter(|(id, _)| *id == about).map(|(_, version)| *version).collect();
            assert_eq!(told, (1..=60).collect());
            assert_eq!(booth.teller.committed.lock().expect("unpoisoned")[&about], standing);
            assert_eq!(f.read().await.list_voters(about).await?.len(), 20);
        }
        assert!(booth.teller.batches.load(Ordering::SeqCst) < 180, "no commit was shared");
        Ok(())
    }

    async fn a_vote_that_cannot_be_counted_takes_no_other_with_it(f: &Fixture) -> Result<()> {
        let (ada, bob, eve) = (f.member("ada").await, f.member("bob").await, f.member("eve").await);
        let (good, bad) = (f.suggestion(ada).await, f.suggestion(ada).await);
        let booth = booth(f);
        *booth.teller.poison.lock().expect("unpoisoned") = Some(bad);
        let at = f.now();
        let cast = |suggestion, member| Cast { suggestion, member, side: Some(Side::Up), origin: None, at };
        let (one, two, three) = tokio::join!(
            booth.ballots.cast(cast(good, bob)),
            booth.ballots.cast(cast(bad, bob)),
            booth.ballots.cast(cast(good, eve)),
        );
        assert!(matches!(one, Ok(Outcome::Counted(..))) && matches!(three, Ok(Outcome::Counted(..))));
        assert!(two.is_err());
        let mut tx = f.read().await;
        assert_eq!(tx.find_standing(good).await?.map(|standing| standing.up), Some(2));
        assert_eq!(tx.find_standing(bad).await?, Some(Standing::default()));
        assert_eq!(tx.find_vote(bad, bob).await?, None);
        Ok(())
    }

    async fn votes_of_the_banned_are_voided_and_counted_again_when_they_return(f: &Fixture) -> Result<()> {
        let (ada, bob, eve) = (f.member("ada").await, f.member("bob").await, f.member("eve").await);
        let about = f.suggestion(ada).await;
        let booth = booth(f);
        booth.cast(f, about, bob, Some(Side::Up)).await;
        booth.cast(f, about, eve, Some(Side::Up)).await;
        let mut tx = f.write().await;
        let touched = tx.void_votes(eve, true).await?;
        assert_eq!(touched, [(about, Standing { up: 1, down: 0, score: 1, version: 3 })]);
        assert!(tx.void_votes(eve, true).await?.is_empty(), "they are void already");
        let touched = tx.void_votes(eve, false).await?;
        assert_eq!(touched, [(about, Standing { up: 2, down: 0, score: 2, version: 4 })]);
        tx.commit().await?;
        Ok(())
    }

    async fn a_member_who_is_shut_out_casts_no_vote(f: &Fixture) -> Result<()> {
        let (ada, bob) = (f.member("ada").await, f.member("bob").await);
        let about = f.suggestion(ada).await;
        let mut tx = f.write().await;
        tx.change_ban(bob, Some(f.now())).await?;
        tx.commit().await?;
        assert_eq!(booth(f).cast(f, about, bob, Some(Side::Up)).await, Outcome::Banned);
        assert_eq!(f.read().await.find_standing(about).await?, Some(Standing::default()));
        Ok(())
    }

    async fn votes_from_one_network_are_told_from_those_of_several(f: &Fixture) -> Result<()> {
        let (ada, bob, eve) = (f.member("ada").await, f.member("bob").await, f.member("eve").await);
        let dan = f.member("dan").await;
        let about = f.suggestion(ada).await;
        let booth = booth(f);
        let cast = |member, origin: &str| Cast {
            suggestion: about,
            member,
            side: Some(Side::Up),
            origin: Some(origin.to_owned()),
            at: f.now(),
        };
        booth.ballots.cast(cast(bob, "home")).await?;
        booth.ballots.cast(cast(eve, "home")).await?;
        assert_eq!(f.read().await.count_origins(about).await?, 1);
        booth.ballots.cast(cast(dan, "work")).await?;
        assert_eq!(f.read().await.count_origins(about).await?, 2);
        Ok(())
    }

    async fn the_top_lists_votable_suggestions_by_score(f: &Fixture) -> Result<()> {
        let (ada, bob, eve) = (f.member("ada").await, f.member("bob").await, f.member("eve").await);
        let (low, high, mid) = (f.suggestion(ada).await, f.suggestion(ada).await, f.suggestion(ada).await);
        let booth = booth(f);
        booth.cast(f, low, bob, Some(Side::Down)).await;
        booth.cast(f, high, bob, Some(Side::Up)).await;
        booth.cast(f, high, eve, Some(Side::Up)).await;
        let mut tx = f.read().await;
        let top: Vec<_> = tx.list_top(10).await?.into_iter().map(|(id, _)| id).collect();
        assert_eq!(top, [high, mid, low]);
        assert_eq!(tx.list_top(1).await?.len(), 1);
        assert_eq!(tx.list_votes_of(bob, &[low, mid, high]).await?.len(), 2);
        assert_eq!(tx.list_votes_of(bob, &[]).await?.len(), 0);
        Ok(())
    }

    async fn a_recount_mends_a_standing(f: &Fixture) -> Result<()> {
        let (ada, bob) = (f.member("ada").await, f.member("bob").await);
        let about = f.suggestion(ada).await;
        booth(f).cast(f, about, bob, Some(Side::Up)).await;
        f.sabotage("UPDATE suggestions SET up = 40, score = 40").await;
        let mut tx = f.write().await;
        assert_eq!(tx.recount(about).await?, Standing { up: 1, down: 0, score: 1, version: 2 });
        Ok(())
    }
}
