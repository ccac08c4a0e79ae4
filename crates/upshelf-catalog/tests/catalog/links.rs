use std::time::Duration;

use anyhow::Result;
use upshelf_catalog::{ImportRequest, LinkNoted, LinkSight, Refusal};
use upshelf_store::{
    Changes, LogFilter, MemberId, PageRequest, ResourceFilter, ResourceId, ResourceSort, Role,
    SuggestionKind, SuggestionStatus, WatchKind, WatchLevel,
};
use upshelf_testkit::contract;

use crate::fixture::{PASSWORD, Site, account, refusal};

const DAY: Duration = Duration::from_secs(86_400);

fn gone() -> LinkSight {
    LinkSight::Gone("404 Not Found".to_owned())
}

/// Sees the same of a resource's link on three days of eight; gives what the last look led to.
async fn seen_for_a_week(site: &Site, links: &[(ResourceId, String)], sight: &LinkSight) -> Vec<LinkNoted> {
    let mut noted = Vec::new();
    for days in [0, 4, 4] {
        site.pass(days * DAY);
        noted.clear();
        for (id, url) in links {
            noted.push(site.catalog.note_link(*id, url, sight).await.expect("it is noted"));
        }
    }
    noted
}

/// The resources with their addresses.
async fn links(site: &Site) -> Vec<(ResourceId, String)> {
    site.catalog.due_links(Duration::ZERO, 1_000).await.expect("a list")
}

fn suggested(noted: &[LinkNoted]) -> usize {
    noted.iter().filter(|one| matches!(one, LinkNoted::Suggested(_))).count()
}

contract! {
    parts { sqlite => Site::sqlite().await, postgres => Site::postgres().await }

    async fn the_site_suggests_in_its_own_name_and_tells_who_watches(site: &Site) -> Result<()> {
        let (wes, catalog) = (site.member("wes").await, &site.catalog);
        let shelf = site.shelve().await;
        site.pass(DAY);
        catalog.watch(&wes, WatchKind::Resource, shelf[0].0, WatchLevel::Watching).await?;
        let link = (shelf[0], catalog.resource(shelf[0]).await?.url);
        let noted = seen_for_a_week(site, &[link], &gone()).await;
        let [LinkNoted::Suggested(id)] = noted[..] else { panic!("it is suggested: {noted:?}") };
        let suggestion = catalog.suggestion(id, None).await?;
        assert_eq!((suggestion.kind, suggestion.author.username.as_str()), (SuggestionKind::Remove, "link-check"));
        assert_eq!(site.deliver_all().await, 1, "who watches, and nobody else");
        let told = catalog.notices(&wes, false, &PageRequest::first(9)).await?.items;
        assert_eq!(told[0].payload.text, "The site suggests to remove “Jacquard”.");
        let log = catalog.log(&LogFilter { suggestion: Some(id), ..LogFilter::default() }, &PageRequest::first(9)).await?;
        assert_eq!((log.items[0].actor.as_str(), log.items[0].member_id), ("system", None));
        // It is no person: nobody can sign in as it, register under its name, or count it.
        assert!(catalog.login("link-check", PASSWORD).await?.is_none());
        assert!(catalog.login("link-check", "").await?.is_none());
        assert!(matches!(refusal(catalog.register(account("link-check")).await), Refusal::Invalid(_)));
        assert_eq!(catalog.analytics(1).await?.members, 1);
        // What is decided is told to its author, which is nobody.
        let grace = site.officer("grace", Role::Curator).await;
        catalog.reject(&grace, id, "No.".to_owned()).await?;
        assert_eq!(site.deliver_all().await, 1);
        Ok(())
    }

    async fn what_people_suggest_does_not_drown(site: &Site) -> Result<()> {
        let entries: String = (0..60).map(|n| format!("- [R{n}](https://r{n}.example/a) - Is one.\n")).collect();
        let list = format!("# Many\n\n## All\n\n{entries}");
        site.catalog.import(list.into_bytes(), &ImportRequest::default()).await?;
        site.pass(DAY);
        let all = links(site).await;
        assert_eq!(all.len(), 60);
        let noted = seen_for_a_week(site, &all, &gone()).await;
        assert_eq!(suggested(&noted), 50);
        let first = noted.iter().find_map(|one| match one {
            LinkNoted::Suggested(id) => Some(*id),
            _ => None,
        });
        let grace = site.officer("grace", Role::Curator).await;
        site.catalog.approve(&grace, first.expect("there are fifty"), None).await?;
        let mut more = Vec::new();
        for (id, url) in &all {
            more.push(site.catalog.note_link(*id, url, &gone()).await?);
        }
        assert_eq!(suggested(&more), 1, "one was decided");
        Ok(())
    }

    async fn who_shuts_the_site_out_hears_nothing_of_it(site: &Site) -> Result<()> {
        let grace = site.officer("grace", Role::Curator).await;
        site.shelve().await;
        site.pass(DAY);
        let all = links(site).await;
        assert_eq!(suggested(&seen_for_a_week(site, &all[..1], &gone()).await), 1);
        site.catalog.ban(&grace, MemberId::LINK_CHECK, "Enough.").await?;
        assert_eq!(suggested(&seen_for_a_week(site, &all[1..], &gone()).await), 0);
        site.catalog.unban(&grace, MemberId::LINK_CHECK).await?;
        for (id, url) in &all[1..] {
            let noted = site.catalog.note_link(*id, url, &gone()).await?;
            assert_eq!(suggested(&[noted]), 1, "what was found is not forgotten");
        }
        Ok(())
    }

    async fn a_page_that_moved_onto_the_shelf_is_left_alone_and_others_are_followed(site: &Site) -> Result<()> {
        let ids = site.shelve().await;
        site.pass(DAY);
        let url = async |id| anyhow::Ok(site.catalog.resource(id).await?.url);
        let there = LinkSight::Alive { moved_to: Some(url(ids[1]).await?) };
        let link = (ids[0], url(ids[0]).await?);
        assert_eq!(suggested(&seen_for_a_week(site, std::slice::from_ref(&link), &there).await), 0);
        let new = "https://new.example.org/jacquard".to_owned();
        let there = LinkSight::Alive { moved_to: Some(new.clone()) };
        let noted = seen_for_a_week(site, std::slice::from_ref(&link), &there).await;
        let [LinkNoted::Suggested(id)] = noted[..] else { panic!("it is suggested: {noted:?}") };
        let grace = site.officer("grace", Role::Curator).await;
        site.catalog.approve(&grace, id, None).await?;
        assert_eq!(url(ids[0]).await?, new);
        // A look at the old address that comes late says nothing about the new one.
        assert_eq!(site.catalog.note_link(ids[0], &link.1, &gone()).await?, LinkNoted::Seen);
        assert_eq!(site.catalog.find_link(ids[0]).await?.expect("it is known").gone_times, 0);
        site.catalog.note_link(ids[0], &new, &gone()).await?;
        assert_eq!(site.catalog.find_link(ids[0]).await?.expect("it is known").url, new);
        Ok(())
    }

    async fn an_edit_that_somebody_has_suggested_is_not_suggested_again(site: &Site) -> Result<()> {
        let (ada, shelf) = (site.member("ada").await, site.shelve().await);
        site.pass(DAY);
        let new = upshelf_catalog::NewSuggestion {
            kind: SuggestionKind::Edit,
            resource_id: Some(shelf[0]),
            base_version: None,
            changes: Changes { url: Some("https://new.example.org/a".to_owned()), ..Changes::default() },
            reason: String::new(),
        };
        let open = site.catalog.propose(&ada, new).await?;
        let there = LinkSight::Alive { moved_to: Some("https://NEW.example.org:443/a".to_owned()) };
        let link = (shelf[0], site.catalog.resource(shelf[0]).await?.url);
        assert_eq!(seen_for_a_week(site, &[link], &there).await, [LinkNoted::Seen]);
        assert_eq!(site.catalog.suggestion(open.id, None).await?.status, SuggestionStatus::Open);
        let all = site.catalog.resources(&ResourceFilter::default(), ResourceSort::Name, &PageRequest::first(9)).await?;
        assert_eq!(all.items.len(), 3);
        Ok(())
    }
}
