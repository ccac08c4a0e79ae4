use std::collections::BTreeSet;

use anyhow::Result;
use upshelf_store::{
    Changes, Decision, Json, Standing, Suggestion, SuggestionFilter, SuggestionId, SuggestionKind,
    SuggestionSort, SuggestionStatus,
};
use upshelf_testkit::contract;

use crate::fixture::{Fixture, pages};

fn rejected(f: &Fixture) -> Decision {
    Decision {
        status: SuggestionStatus::Rejected,
        resource_id: None,
        approving_until: None,
        decided_at: Some(f.now()),
        decided_by: None,
        reason: Some("no".to_owned()),
    }
}

contract! {
    parts { sqlite => Fixture::sqlite().await, postgres => Fixture::postgres().await }

    async fn a_suggestion_comes_back_as_it_was_added(f: &Fixture) -> Result<()> {
        let ada = f.member("ada").await;
        let resource = f.resource("https://a.example", "A").await;
        let new = Suggestion {
            id: f.clock.id(),
            kind: SuggestionKind::Edit,
            status: SuggestionStatus::Open,
            author_id: ada,
            resource_id: Some(resource),
            base_version: Some(1),
            url_key: Some("b.example".to_owned()),
            changes: Json(Changes { title: Some("Ä \"quoted\"".into()), ..Changes::default() }),
            before: Json(Changes { title: Some("A".into()), ..Changes::default() }),
            reason: "because".into(),
            evidence: Some("404".into()),
            standing: Standing::default(),
            objection: None,
            objection_by: None,
            opened_at: f.now(),
            approving_until: None,
            decided_at: None,
            decided_by: None,
            decision_reason: None,
        };
        let mut tx = f.write().await;
        tx.add_suggestion(&new).await?;
        let found = tx.lock_suggestion(new.id).await?.expect("it was added");
        assert_eq!((found.kind, found.status, found.base_version), (new.kind, new.status, new.base_version));
        assert_eq!((&found.changes, &found.before, &found.evidence), (&new.changes, &new.before, &new.evidence));
        assert_eq!(tx.count_open_suggestions_of(&[resource]).await?, [(resource, 1)]);
        assert_eq!(tx.count_open_suggestions_of(&[]).await?, []);
        tx.put_objection(new.id, Some("spam"), Some(ada)).await?;
        tx.put_evidence(new.id, None).await?;
        let found = tx.find_suggestion(new.id).await?.expect("it is there");
        assert_eq!((found.objection.as_deref(), found.objection_by, found.evidence), (Some("spam"), Some(ada), None));
        assert!(tx.find_suggestion(f.clock.id()).await?.is_none());
        Ok(())
    }

    async fn a_decision_closes_a_suggestion(f: &Fixture) -> Result<()> {
        let ada = f.member("ada").await;
        let about = f.suggestion(ada).await;
        let mut tx = f.write().await;
        tx.decide(about, &rejected(f)).await?;
        let found = tx.find_suggestion(about).await?.expect("it is there");
        assert_eq!((found.status, found.decision_reason.as_deref()), (SuggestionStatus::Rejected, Some("no")));
        assert_eq!(tx.count_suggestions().await?, [(SuggestionStatus::Rejected, 1)]);
        Ok(())
    }

    async fn what_a_rule_may_be_about_is_listed_best_first(f: &Fixture) -> Result<()> {
        let ada = f.member("ada").await;
        let (low, high, due) = (f.suggestion(ada).await, f.suggestion(ada).await, f.suggestion(ada).await);
        let (later, closed) = (f.suggestion(ada).await, f.suggestion(ada).await);
        f.sabotage("UPDATE suggestions SET up = 5, score = 5").await;
        let mut tx = f.write().await;
        tx.recount(low).await?;
        let approving = |until| Decision {
            status: SuggestionStatus::Approving,
            approving_until: Some(until),
            decided_at: None,
            reason: None,
            ..rejected(f)
        };
        tx.decide(due, &approving(f.now())).await?;
        tx.decide(later, &approving(f.now().after(std::time::Duration::from_secs(1)))).await?;
        tx.decide(closed, &rejected(f)).await?;
        let ripe = tx.list_ripe_suggestions(1, f.now(), 10).await?;
        assert_eq!(ripe.iter().map(|one| one.id).collect::<Vec<_>>(), [high, due]);
        assert_eq!(tx.list_ripe_suggestions(0, f.now(), 1).await?.len(), 1);
        Ok(())
    }

    async fn only_open_additions_count_as_duplicates(f: &Fixture) -> Result<()> {
        let ada = f.member("ada").await;
        f.suggestion(ada).await;
        f.sabotage("UPDATE suggestions SET url_key = 'a.example'").await;
        let mut tx = f.write().await;
        let found = tx.find_open_addition("a.example").await?.expect("it is open");
        tx.decide(found, &rejected(f)).await?;
        assert_eq!(tx.find_open_addition("a.example").await?, None);
        Ok(())
    }

    async fn every_order_shows_each_suggestion_once(f: &Fixture) -> Result<()> {
        let (ada, bob) = (f.member("ada").await, f.member("bob").await);
        let mut ids: Vec<SuggestionId> = Vec::new();
        for number in 0..11 {
            f.pass(60);
            ids.push(f.suggestion(if number % 2 == 0 { ada } else { bob }).await);
        }
        f.sabotage("UPDATE suggestions SET score = 3, up = 4, down = 1, controversy = 0.5").await;
        let all: BTreeSet<_> = ids.iter().copied().collect();
        let mut tx = f.read().await;
        for sort in SuggestionSort::ALL {
            let listed = pages(3, async |page| {
                tx.list_suggestions(&SuggestionFilter::default(), *sort, page).await
            })
            .await;
            let listed: Vec<_> = listed.iter().map(|one| one.id).collect();
            assert_eq!(listed.len(), ids.len(), "{sort}");
            assert_eq!(listed.iter().copied().collect::<BTreeSet<_>>(), all, "{sort}");
            assert_eq!(listed.first(), ids.last(), "{sort}: equals stand youngest first");
        }
        let of_bob = SuggestionFilter { author: Some(bob), ..SuggestionFilter::default() };
        let listed = pages(2, async |page| tx.list_suggestions(&of_bob, SuggestionSort::New, page).await).await;
        assert!(listed.len() == 5 && listed.iter().all(|one| one.author_id == bob));
        assert_eq!(tx.list_suggestions_of(&ids[..2]).await?.len(), 2);
        Ok(())
    }

    async fn lists_are_narrowed_by_status_kind_and_resource(f: &Fixture) -> Result<()> {
        let ada = f.member("ada").await;
        let (open, closed) = (f.suggestion(ada).await, f.suggestion(ada).await);
        let mut tx = f.write().await;
        tx.decide(closed, &rejected(f)).await?;
        let mut listed = async |filter: SuggestionFilter| {
            let all = pages(9, async |page| tx.list_suggestions(&filter, SuggestionSort::New, page).await).await;
            all.iter().map(|one| one.id).collect::<Vec<_>>()
        };
        assert_eq!(listed(SuggestionFilter::default()).await, [open]);
        let status = Some(SuggestionStatus::Rejected);
        assert_eq!(listed(SuggestionFilter { status, ..SuggestionFilter::default() }).await, [closed]);
        let kind = Some(SuggestionKind::Move);
        assert!(listed(SuggestionFilter { kind, ..SuggestionFilter::default() }).await.is_empty());
        let resource = Some(f.clock.id());
        assert!(listed(SuggestionFilter { resource, ..SuggestionFilter::default() }).await.is_empty());
        let author = Some(ada);
        assert_eq!(listed(SuggestionFilter { author, ..SuggestionFilter::default() }).await, [closed, open]);
        Ok(())
    }
}
