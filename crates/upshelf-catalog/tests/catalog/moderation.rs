use anyhow::Result;
use upshelf_catalog::Refusal;
use upshelf_store::{Action, LogFilter, PageRequest, Role, Side};
use upshelf_testkit::contract;

use crate::fixture::{Site, refusal};

contract! {
    parts { sqlite => Site::sqlite().await, postgres => Site::postgres().await }

    async fn only_admins_change_roles_and_the_log_says_so(site: &Site) -> Result<()> {
        let (admin, ada) = (site.officer("grace", Role::Admin).await, site.member("ada").await);
        assert_eq!(refusal(site.catalog.change_role(&ada, ada.id, Role::Admin).await), Refusal::NotAllowed("admin"));
        let curator = site.catalog.change_role(&admin, ada.id, Role::Curator).await?;
        assert_eq!(curator.role, Role::Curator);
        let log = site.catalog.store().read().await?.list_log(&LogFilter::default(), &PageRequest::first(9)).await?;
        let entry = log.items.first().expect("it is in the log");
        assert_eq!((entry.action, entry.member_id), (Action::RoleChanged, Some(admin.id)));
        let after = &entry.after.as_ref().expect("it says what changed").0;
        assert_eq!((after["username"].as_str(), after["role"].as_str()), (Some("ada"), Some("curator")));
        assert_eq!(site.deliver_all().await, 1);
        let notices = site.catalog.notices(&ada, false, &PageRequest::first(9)).await?.items;
        assert_eq!(notices[0].payload.text, "Your role is “curator” now.");
        Ok(())
    }

    async fn the_site_keeps_an_admin(site: &Site) -> Result<()> {
        let (ada, grace) = (site.officer("ada", Role::Admin).await, site.officer("grace", Role::Admin).await);
        let catalog = &site.catalog;
        let (one, other) = tokio::join!(
            catalog.change_role(&ada, grace.id, Role::Member),
            catalog.change_role(&grace, ada.id, Role::Member)
        );
        assert!(one.is_ok() != other.is_ok(), "of two admins who demote each other, one stays");
        let last = if one.is_ok() { site.again(ada.id).await } else { site.again(grace.id).await };
        assert_eq!(last.role, Role::Admin);
        assert_eq!(refusal(catalog.change_role(&last, last.id, Role::Curator).await), Refusal::LastAdmin);
        assert_eq!(refusal(catalog.ban(&last, last.id, "").await), Refusal::LastAdmin);
        Ok(())
    }

    async fn a_ban_voids_votes_and_letting_in_again_counts_them(site: &Site) -> Result<()> {
        let curator = site.officer("grace", Role::Curator).await;
        let (ada, eve) = (site.member("ada").await, site.member("eve").await);
        let shelf = site.shelve().await;
        let suggestion = site.edit(&ada, shelf[0]).await;
        site.catalog.vote(&eve, suggestion.id, Some(Side::Up), None).await?;
        let mut votes = site.catalog.bus().subscribe(upshelf_catalog::VOTES_CHANNEL).await;
        site.catalog.ban(&curator, eve.id, "spam").await?;
        let standing = site.catalog.standing(suggestion.id).await?;
        assert_eq!((standing.up, standing.score, standing.version), (0, 0, 2));
        let Some(upshelf_bus::Event::Message { payload, .. }) = votes.recv().await else { panic!("it is told") };
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&payload)?["up"], 0);
        let eve = site.again(eve.id).await;
        assert_eq!(refusal(site.catalog.vote(&eve, suggestion.id, Some(Side::Up), None).await), Refusal::Banned);
        assert_eq!(refusal(site.catalog.add_comment(&eve, suggestion.id, "but").await), Refusal::Banned);
        site.catalog.unban(&curator, eve.id).await?;
        assert_eq!(site.catalog.standing(suggestion.id).await?.up, 1);
        assert!(site.again(eve.id).await.banned_at.is_none());
        Ok(())
    }

    async fn curators_shut_out_members_only(site: &Site) -> Result<()> {
        let (ada, grace) = (site.officer("ada", Role::Curator).await, site.officer("grace", Role::Curator).await);
        let (admin, eve) = (site.officer("joan", Role::Admin).await, site.member("eve").await);
        for above in [grace.id, admin.id] {
            assert_eq!(refusal(site.catalog.ban(&ada, above, "").await), Refusal::NotAllowed("admin"));
        }
        assert_eq!(refusal(site.catalog.ban(&eve, ada.id, "").await), Refusal::NotAllowed("curator"));
        site.catalog.ban(&ada, eve.id, "").await?;
        site.catalog.ban(&admin, grace.id, "").await?;
        let grace = site.again(grace.id).await;
        assert_eq!(refusal(site.catalog.unban(&grace, eve.id).await), Refusal::Banned);
        Ok(())
    }
}
