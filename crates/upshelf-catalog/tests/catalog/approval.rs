use std::time::Duration;

use anyhow::Result;
use upshelf_catalog::{
    Catalog, Error, NewSuggestion, ProfileChanges, Refusal, Rules, Settings, SuggestionView,
};
use upshelf_lists::Format;
use upshelf_queue::{Broker, State};
use upshelf_store::{
    Action, Actor, Changes, LogFilter, Member, PageRequest, ResourceId, ResourceStatus, Role, Side, Standing,
    SuggestionKind, SuggestionStatus,
};
use upshelf_testkit::contract;

use crate::fixture::Site;

const HOUR: Duration = Duration::from_secs(3_600);

/// The votes that additions, edits and moves need here.
fn three() -> Rules {
    Rules { score: 3, removal_score: 2, ..Rules::default() }
}

async fn crowd(site: &Site, size: usize) -> Vec<Member> {
    let mut members = Vec::with_capacity(size);
    for number in 0..size {
        members.push(site.member(&format!("voter{number}")).await);
    }
    members
}

async fn vote(catalog: &Catalog, voters: &[Member], about: &SuggestionView) {
    for voter in voters {
        let origin = Some(format!("net-{}", voter.id));
        catalog.vote(voter, about.id, Some(Side::Up), origin).await.expect("it counts");
    }
}

/// The times at which looks at suggestions are due, soonest first.
async fn looks(catalog: &Catalog) -> usize {
    let delayed =
        catalog.queue().jobs("auto-approval", State::Delayed, None, 100).await.expect("a page").jobs.len();
    let waiting =
        catalog.queue().jobs("auto-approval", State::Waiting, None, 100).await.expect("a page").jobs.len();
    delayed + waiting
}

async fn status(catalog: &Catalog, about: &SuggestionView) -> SuggestionStatus {
    catalog.suggestion(about.id, None).await.expect("it is there").status
}

async fn actions(catalog: &Catalog, about: &SuggestionView) -> Vec<Action> {
    let filter = LogFilter { suggestion: Some(about.id), resource: None };
    let mut log = catalog.log(&filter, &PageRequest::first(100)).await.expect("a page").items;
    log.reverse();
    log.into_iter().map(|entry| entry.action).collect()
}

async fn document(catalog: &Catalog) -> String {
    let export = catalog.export(Format::Markdown, Some("weaving")).await.expect("the list is there");
    String::from_utf8(export.bytes).expect("it is text")
}

fn removal(resource: ResourceId) -> NewSuggestion {
    NewSuggestion {
        kind: SuggestionKind::Remove,
        resource_id: Some(resource),
        base_version: None,
        changes: Changes::default(),
        reason: "It is gone.".to_owned(),
    }
}

contract! {
    parts { sqlite => Site::sqlite().await, postgres => Site::postgres().await }

    async fn a_met_rule_waits_out_its_delay_and_is_applied_once(site: &Site) -> Result<()> {
        let catalog = site.reopened(Settings { rules: three(), ..Site::settings() });
        let shelved = site.shelve().await;
        let (author, voters) = (site.member("ada").await, crowd(site, 3).await);
        let before = document(&catalog).await;
        let edit = site.edit(&author, shelved[0]).await;
        vote(&catalog, &voters, &edit).await;
        // The votes suffice, the hour has not passed: a look is due when it has.
        assert_eq!(status(&catalog, &edit).await, SuggestionStatus::Open);
        assert_eq!(looks(&catalog).await, 1);
        catalog.approve_by_rule(edit.id).await?;
        assert_eq!(status(&catalog, &edit).await, SuggestionStatus::Open);
        site.hand.advance(HOUR);
        catalog.approve_by_rule(edit.id).await?;
        assert_eq!(status(&catalog, &edit).await, SuggestionStatus::Approving);
        catalog.approve_by_rule(edit.id).await?;
        assert_eq!(status(&catalog, &edit).await, SuggestionStatus::Approving, "the delay runs");
        site.hand.advance(Duration::from_secs(600));
        catalog.approve_by_rule(edit.id).await?;
        catalog.approve_by_rule(edit.id).await?;
        assert_eq!(status(&catalog, &edit).await, SuggestionStatus::Approved);
        assert_eq!(actions(&catalog, &edit).await, [Action::Suggested, Action::Approving, Action::Approved]);
        let resource = catalog.resource(shelved[0]).await?;
        assert_eq!((resource.description.as_str(), resource.version), ("Patterns.", 2));
        assert_eq!(document(&catalog).await, before.replace("Patterns from punched cards.", "Patterns."));
        let filter = LogFilter { suggestion: Some(edit.id), resource: None };
        let log = catalog.log(&filter, &PageRequest::first(1)).await?.items.remove(0);
        assert_eq!(log.actor, Actor::Rule);
        assert_eq!(log.rule.expect("it says which").0["rule"], "edit");
        let standing: Standing = serde_json::from_value(log.standing.expect("it says how").0)?;
        assert_eq!((standing.up, standing.down), (3, 0));
        // A vote that arrives late gets a friendly answer.
        let late = catalog.vote(&voters[0], edit.id, Some(Side::Down), None).await;
        assert!(matches!(late, Err(Error::Refused(Refusal::SuggestionClosed(SuggestionStatus::Approved)))));
        Ok(())
    }

    async fn a_rule_that_no_longer_holds_opens_the_suggestion_again(site: &Site) -> Result<()> {
        let rules = Rules { min_open: Duration::ZERO, ..three() };
        let catalog = site.reopened(Settings { rules, ..Site::settings() });
        let shelved = site.shelve().await;
        let (author, voters) = (site.member("ada").await, crowd(site, 3).await);
        let edit = site.edit(&author, shelved[0]).await;
        vote(&catalog, &voters, &edit).await;
        assert_eq!(status(&catalog, &edit).await, SuggestionStatus::Approving);
        catalog.vote(&voters[0], edit.id, Some(Side::Down), None).await?;
        site.hand.advance(Duration::from_secs(600));
        catalog.approve_by_rule(edit.id).await?;
        assert_eq!(status(&catalog, &edit).await, SuggestionStatus::Open);
        assert_eq!(catalog.resource(shelved[0]).await?.version, 1);
        assert_eq!(actions(&catalog, &edit).await, [Action::Suggested, Action::Approving, Action::Reopened]);
        // And the vote that makes it hold again starts the delay anew.
        catalog.vote(&voters[0], edit.id, Some(Side::Up), None).await?;
        assert_eq!(status(&catalog, &edit).await, SuggestionStatus::Approving);
        Ok(())
    }

    async fn a_suggestion_whose_job_is_lost_is_found_by_the_sweep(site: &Site) -> Result<()> {
        let catalog = site.reopened(Settings { rules: three(), ..Site::settings() });
        let shelved = site.shelve().await;
        let (author, voters) = (site.member("ada").await, crowd(site, 3).await);
        let edit = site.edit(&author, shelved[0]).await;
        vote(&catalog, &voters, &edit).await;
        catalog.queue().drain("auto-approval").await?;
        assert_eq!(catalog.sweep_approvals().await?, 0, "the hour has not passed");
        site.hand.advance(HOUR);
        assert_eq!(catalog.sweep_approvals().await?, 1);
        assert_eq!(status(&catalog, &edit).await, SuggestionStatus::Approving);
        catalog.queue().drain("auto-approval").await?;
        site.hand.advance(Duration::from_secs(600));
        assert_eq!(catalog.sweep_approvals().await?, 1);
        assert_eq!(status(&catalog, &edit).await, SuggestionStatus::Approved);
        assert_eq!(catalog.sweep_approvals().await?, 0);
        Ok(())
    }

    async fn another_process_forgets_what_is_changed_here(site: &Site) -> Result<()> {
        let shelved = site.shelve().await;
        let (ada, curator) = (site.member("ada").await, site.officer("maren", Role::Curator).await);
        let other = site.reopened(Settings { alone: false, ..Site::settings() });
        other.notice_others().await?;
        assert_eq!(other.popular(10).await?.len(), 3);
        let gone = site.catalog.propose(&ada, removal(shelved[0])).await?;
        site.catalog.approve(&curator, gone.id, None).await?;
        other.notice_others().await?;
        assert_eq!(other.popular(10).await?.len(), 2);
        Ok(())
    }

    async fn a_process_that_changes_something_itself_still_notices_what_another_changed_before(
        site: &Site,
    ) -> Result<()> {
        let shelved = site.shelve().await;
        let (ada, curator) = (site.member("ada").await, site.officer("maren", Role::Curator).await);
        let other = site.reopened(Settings { alone: false, ..Site::settings() });
        other.notice_others().await?;
        assert_eq!(other.popular(10).await?.len(), 3);
        let gone = site.catalog.propose(&ada, removal(shelved[0])).await?;
        site.catalog.approve(&curator, gone.id, None).await?;
        let bio = ProfileChanges { bio: Some("Weaves.".into()), ..ProfileChanges::default() };
        other.change_profile(&ada, &bio).await?;
        other.notice_others().await?;
        assert_eq!(other.popular(10).await?.len(), 2);
        Ok(())
    }

    async fn what_shows_open_suggestions_follows_each_one(site: &Site) -> Result<()> {
        let shelved = site.shelve().await;
        let (ada, curator) = (site.member("ada").await, site.officer("maren", Role::Curator).await);
        let catalog = &site.catalog;
        let shown = async || {
            let popular = catalog.popular(10).await?;
            let open = popular.iter().find(|one| one.id == shelved[0]).map(|one| one.open_suggestions);
            anyhow::Ok((open, catalog.profile("ada").await?.suggestions))
        };
        assert_eq!(shown().await?, (Some(0), 0));
        let edit = site.edit(&ada, shelved[0]).await;
        assert_eq!(shown().await?, (Some(1), 1));
        catalog.reject(&curator, edit.id, "Not better.".into()).await?;
        assert_eq!(shown().await?, (Some(0), 1));
        Ok(())
    }

    async fn a_stopped_suggestion_waits_for_a_curator(site: &Site) -> Result<()> {
        let rules = Rules { min_open: Duration::ZERO, delay: Duration::ZERO, ..three() };
        let catalog = site.reopened(Settings { rules, ..Site::settings() });
        let shelved = site.shelve().await;
        let (author, voters) = (site.member("ada").await, crowd(site, 3).await);
        let curator = site.officer("maren", Role::Curator).await;
        let edit = site.edit(&author, shelved[0]).await;
        assert!(matches!(
            catalog.stop(&author, edit.id, "no".into()).await,
            Err(Error::Refused(Refusal::NotAllowed("curator")))
        ));
        catalog.stop(&curator, edit.id, "Ask the author first.".into()).await?;
        vote(&catalog, &voters, &edit).await;
        catalog.approve_by_rule(edit.id).await?;
        let view = catalog.suggestion(edit.id, None).await?;
        assert_eq!((view.status, view.rule.met), (SuggestionStatus::Open, false));
        assert!(view.rule.summary.contains("a curator objects"), "{}", view.rule.summary);
        let approved = catalog.approve(&curator, edit.id, Some("Fine now.".into())).await?;
        assert_eq!(approved.status, SuggestionStatus::Approved);
        assert_eq!(approved.decided_by.map(|by| by.username), Some("maren".to_owned()));
        Ok(())
    }

    async fn an_addition_a_removal_and_their_reverts_touch_one_line_each(site: &Site) -> Result<()> {
        let rules = Rules {
            min_open: Duration::ZERO,
            removal_min_open: Duration::ZERO,
            delay: Duration::ZERO,
            ..three()
        };
        let catalog = site.reopened(Settings { rules, ..Site::settings() });
        let shelved = site.shelve().await;
        let (author, voters) = (site.member("ada").await, crowd(site, 3).await);
        let curator = site.officer("maren", Role::Curator).await;
        let imported = document(&catalog).await;
        let looms = catalog.resource(shelved[0]).await?.categories[0].id;
        let addition = NewSuggestion {
            kind: SuggestionKind::Add,
            resource_id: None,
            base_version: None,
            changes: Changes {
                url: Some("https://loom.example.org".into()),
                title: Some("Power [loom]".into()),
                description: Some("Runs on *water*".into()),
                category_ids: Some(vec![looms]),
                tags: Some(vec!["steam".into()]),
            },
            reason: String::new(),
        };
        let added = catalog.propose(&author, addition.clone()).await?;
        vote(&catalog, &voters, &added).await;
        catalog.approve_by_rule(added.id).await?;
        let added = catalog.suggestion(added.id, None).await?;
        assert_eq!(added.status, SuggestionStatus::Approved);
        let resource = catalog.resource(added.resource_id.expect("it became one")).await?;
        assert_eq!((resource.version, resource.tags.as_slice()), (1, &["steam".to_owned()][..]));
        assert_eq!(resource.added_by.map(|by| by.username), Some("ada".to_owned()));
        let line = "- [Power \\[loom\\]](https://loom.example.org) - Runs on *water*.\n";
        let with_line = imported.replace("at once.\n", &format!("at once.\n{line}"));
        assert_eq!(document(&catalog).await, with_line);
        let found = catalog.search("power loom", 5).await?;
        assert_eq!(found.first().map(|found| found.id), Some(resource.id));
        assert!(matches!(
            catalog.propose(&author, addition).await,
            Err(Error::Refused(Refusal::DuplicateResource(id))) if id == resource.id
        ));

        let gone = catalog.propose(&author, removal(shelved[0])).await?;
        vote(&catalog, &voters, &gone).await;
        catalog.approve_by_rule(gone.id).await?;
        let jacquard = "- [Jacquard](https://jacquard.example.org) - Patterns from punched cards.\n";
        assert_eq!(document(&catalog).await, with_line.replace(jacquard, ""));
        assert!(catalog.search("jacquard", 5).await?.is_empty());
        assert!(matches!(
            catalog.propose(&author, removal(shelved[0])).await,
            Err(Error::Refused(Refusal::Invalid(_)))
        ));

        let back = catalog.revert(&curator, shelved[0], 1, "It is alive.".into()).await?;
        assert_eq!((back.status, back.version), (ResourceStatus::Live, 3));
        assert_eq!(back.categories[0].id, looms);
        assert_eq!(document(&catalog).await, with_line);
        assert_eq!(catalog.search("jacquard", 5).await?.len(), 1);
        Ok(())
    }

    async fn edits_of_the_same_field_conflict_and_of_others_do_not(site: &Site) -> Result<()> {
        let shelved = site.shelve().await;
        let (ada, curator) = (site.member("ada").await, site.officer("maren", Role::Curator).await);
        let catalog = &site.catalog;
        let propose = async |changes| {
            let new = NewSuggestion {
                kind: SuggestionKind::Edit,
                resource_id: Some(shelved[0]),
                base_version: Some(1),
                changes,
                reason: String::new(),
            };
            catalog.propose(&ada, new).await
        };
        let description = |text: &str| Changes { description: Some(text.into()), ..Changes::default() };
        let title = Changes { title: Some("Jacquard machine".into()), ..Changes::default() };
        let (first, second) = (propose(description("One.")).await?, propose(description("Two.")).await?);
        let third = propose(title).await?;
        catalog.approve(&curator, first.id, None).await?;
        let conflict = catalog.approve(&curator, second.id, None).await;
        assert!(matches!(conflict, Err(Error::Refused(Refusal::Conflict))));
        assert_eq!(status(catalog, &second).await, SuggestionStatus::Conflict);
        assert_eq!(actions(catalog, &second).await, [Action::Suggested, Action::Conflicted]);
        catalog.approve(&curator, third.id, None).await?;
        let resource = catalog.resource(shelved[0]).await?;
        assert_eq!((resource.title.as_str(), resource.description.as_str()), ("Jacquard machine", "One."));
        assert!(matches!(
            propose(description("Three.")).await,
            Err(Error::Refused(Refusal::OutOfDate(3)))
        ));
        Ok(())
    }

    async fn rejecting_and_withdrawing_close_a_suggestion_for_good(site: &Site) -> Result<()> {
        let shelved = site.shelve().await;
        let (ada, eve) = (site.member("ada").await, site.member("eve").await);
        let curator = site.officer("maren", Role::Curator).await;
        let (one, two) = (site.edit(&ada, shelved[0]).await, site.edit(&ada, shelved[1]).await);
        let catalog = &site.catalog;
        assert!(matches!(catalog.withdraw(&eve, one.id).await, Err(Error::Refused(Refusal::NotAllowed(_)))));
        assert_eq!(catalog.withdraw(&ada, one.id).await?.status, SuggestionStatus::Withdrawn);
        let rejected = catalog.reject(&curator, two.id, "Not better.".into()).await?;
        assert_eq!(rejected.decision_reason.as_deref(), Some("Not better."));
        assert!(matches!(
            catalog.approve(&curator, two.id, None).await,
            Err(Error::Refused(Refusal::SuggestionClosed(SuggestionStatus::Rejected)))
        ));
        assert!(catalog.top_suggestions(10, None).await?.is_empty());
        Ok(())
    }

    async fn one_network_alone_cannot_carry_a_suggestion_in_a_crowd(site: &Site) -> Result<()> {
        let rules = Rules { min_open: Duration::ZERO, crowd: 4, ..three() };
        let catalog = site.reopened(Settings { rules, ..Site::settings() });
        let shelved = site.shelve().await;
        let (author, voters) = (site.member("ada").await, crowd(site, 4).await);
        let edit = site.edit(&author, shelved[0]).await;
        for voter in &voters[..3] {
            catalog.vote(voter, edit.id, Some(Side::Up), Some("home".into())).await?;
        }
        let view = catalog.suggestion(edit.id, None).await?;
        assert_eq!(view.status, SuggestionStatus::Open);
        assert!(view.rule.summary.contains("one network"), "{}", view.rule.summary);
        catalog.vote(&voters[3], edit.id, Some(Side::Up), Some("work".into())).await?;
        assert_eq!(status(&catalog, &edit).await, SuggestionStatus::Approving);
        Ok(())
    }

    async fn the_standing_and_the_top_come_from_the_tally_and_agree_with_the_votes(site: &Site) -> Result<()> {
        let shelved = site.shelve().await;
        let (ada, voters) = (site.member("ada").await, crowd(site, 2).await);
        let (one, two) = (site.edit(&ada, shelved[0]).await, site.edit(&ada, shelved[1]).await);
        let catalog = &site.catalog;
        vote(catalog, &voters, &two).await;
        assert_eq!(catalog.standing(two.id).await?, Standing { up: 2, down: 0, score: 2, version: 2 });
        let top: Vec<_> = catalog.top_suggestions(10, None).await?.iter().map(|one| one.id).collect();
        assert_eq!(top, [two.id, one.id]);
        // Another process, with an empty tally, reads the same.
        let other = site.reopened(Site::settings());
        assert_eq!(other.standing(two.id).await?, catalog.standing(two.id).await?);
        assert_eq!(other.my_vote(&voters[0], two.id).await?, Some(Side::Up));
        assert!(matches!(
            other.vote(&ada, two.id, Some(Side::Up), None).await,
            Err(Error::Refused(Refusal::OwnSuggestion))
        ));
        Ok(())
    }
}
