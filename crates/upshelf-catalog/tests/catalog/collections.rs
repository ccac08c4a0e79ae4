use anyhow::Result;
use upshelf_catalog::{CollectionWish, CollectionsOf, MAX_COLLECTIONS, ProfileChanges, Refusal};
use upshelf_store::{Changes, PageRequest, Role, SuggestionKind};
use upshelf_testkit::contract;

use crate::fixture::{Site, refusal};

const MISSING: Refusal = Refusal::NotFound("collection");

fn wish(title: &str, public: bool) -> CollectionWish {
    CollectionWish { title: Some(title.to_owned()), public: Some(public), ..CollectionWish::default() }
}

contract! {
    parts { sqlite => Site::sqlite().await, postgres => Site::postgres().await }

    async fn a_private_collection_does_not_exist_for_others(site: &Site) -> Result<()> {
        let (ada, eve) = (site.member("ada").await, site.member("eve").await);
        let shelf = site.shelve().await;
        let catalog = &site.catalog;
        let secret = catalog.add_collection(&ada, &wish("Secret", false)).await?;
        let page = PageRequest::first(9);
        for viewer in [None, Some(&eve)] {
            assert_eq!(refusal(catalog.collection(viewer, secret.id).await), MISSING);
            assert_eq!(refusal(catalog.collection_resources(viewer, secret.id, &page).await), MISSING);
            assert!(catalog.collections(viewer, CollectionsOf::Member(ada.id), &page).await?.items.is_empty());
        }
        assert_eq!(refusal(catalog.change_collection(&eve, secret.id, &wish("Mine", true)).await), MISSING);
        assert_eq!(refusal(catalog.put_in_collection(&eve, secret.id, shelf[0]).await), MISSING);
        assert_eq!(refusal(catalog.take_from_collection(&eve, secret.id, shelf[0]).await), MISSING);
        assert_eq!(refusal(catalog.remove_collection(&eve, secret.id).await), MISSING);
        assert_eq!(catalog.collection(Some(&ada), secret.id).await?.collection, secret);
        assert_eq!(catalog.collections(Some(&ada), CollectionsOf::Viewer, &page).await?.items, [secret]);
        Ok(())
    }

    async fn making_a_collection_public_or_private_is_seen_at_once(site: &Site) -> Result<()> {
        let (ada, eve) = (site.member("ada").await, site.member("eve").await);
        let catalog = &site.catalog;
        let id = catalog.add_collection(&ada, &wish("Looms", true)).await?.id;
        assert_eq!(catalog.profile("ada").await?.collections, 1);
        assert_eq!(catalog.collection(Some(&eve), id).await?.collection.title, "Looms");
        catalog.change_collection(&ada, id, &CollectionWish { public: Some(false), ..Default::default() }).await?;
        assert_eq!(refusal(catalog.collection(Some(&eve), id).await), MISSING);
        assert_eq!(catalog.profile("ada").await?.collections, 0);
        catalog.remove_collection(&ada, id).await?;
        assert_eq!(refusal(catalog.collection(Some(&ada), id).await), MISSING);
        Ok(())
    }

    async fn beside_other_processes_a_collection_made_private_is_gone_for_others_at_once(
        site: &Site,
    ) -> Result<()> {
        let ada = site.member("ada").await;
        let shared = upshelf_catalog::Settings { alone: false, ..Site::settings() };
        let elsewhere = site.reopened(shared);
        let id = site.catalog.add_collection(&ada, &wish("Looms", true)).await?.id;
        assert_eq!(elsewhere.collection(None, id).await?.collection.title, "Looms");
        assert_eq!(elsewhere.profile("ada").await?.collections, 1);
        let private = CollectionWish { public: Some(false), ..CollectionWish::default() };
        site.catalog.change_collection(&ada, id, &private).await?;
        assert_eq!(refusal(elsewhere.collection(None, id).await), MISSING);
        assert_eq!(elsewhere.profile("ada").await?.collections, 0);
        Ok(())
    }

    async fn a_collection_keeps_its_order_and_follows_its_resources(site: &Site) -> Result<()> {
        let (ada, curator) = (site.member("ada").await, site.officer("grace", Role::Curator).await);
        let shelf = site.shelve().await;
        let catalog = &site.catalog;
        let id = catalog.add_collection(&ada, &wish("Looms", true)).await?.id;
        for resource in [shelf[2], shelf[0], shelf[2]] {
            catalog.put_in_collection(&ada, id, resource).await?;
        }
        let held = async || {
            let page = catalog.collection(None, id).await?;
            let words = page.resources.items.iter().map(|one| format!("{}: {}", one.title, one.description));
            anyhow::Ok((words.collect::<Vec<_>>(), page.collection.items))
        };
        let (before, items) = held().await?;
        assert_eq!(before, ["Merino: Soft.", "Jacquard: Patterns from punched cards."]);
        assert_eq!(items, 2);

        let edit = site.edit(&ada, shelf[0]).await;
        catalog.approve(&curator, edit.id, None).await?;
        assert_eq!(held().await?.0[1], "Jacquard: Patterns.");

        let removal = upshelf_catalog::NewSuggestion {
            kind: SuggestionKind::Remove,
            resource_id: Some(shelf[2]),
            base_version: None,
            changes: Changes::default(),
            reason: "It is gone.".to_owned(),
        };
        let removal = catalog.propose(&ada, removal).await?;
        catalog.approve(&curator, removal.id, None).await?;
        assert_eq!(held().await?, (vec!["Jacquard: Patterns.".to_owned()], 1));
        let gone = catalog.put_in_collection(&ada, id, shelf[2]).await;
        assert_eq!(refusal(gone), Refusal::NotFound("resource"));
        catalog.revert(&curator, shelf[2], 1, "It is back.".to_owned()).await?;
        assert_eq!(held().await?.1, 2, "a collection from which it was missing is told, too");

        catalog.take_from_collection(&ada, id, shelf[0]).await?;
        assert_eq!(held().await?.0, ["Merino: Soft."]);
        Ok(())
    }

    async fn a_member_has_a_hundred_collections_at_most(site: &Site) -> Result<()> {
        let ada = site.member("ada").await;
        for number in 0..MAX_COLLECTIONS {
            site.catalog.add_collection(&ada, &wish(&format!("Number {number}"), false)).await?;
        }
        let more = site.catalog.add_collection(&ada, &wish("One more", false)).await;
        assert!(matches!(refusal(more), Refusal::Invalid(_)));
        assert!(matches!(
            refusal(site.catalog.add_collection(&ada, &CollectionWish::default()).await),
            Refusal::Invalid(_)
        ));
        Ok(())
    }

    async fn a_changed_profile_is_seen_at_once(site: &Site) -> Result<()> {
        let ada = site.member("Ada").await;
        let before = site.catalog.profile("ADA").await?;
        assert_eq!((before.display_name.as_str(), before.bio.as_str()), ("Ada", ""));
        let changes = ProfileChanges { bio: Some("I count.".to_owned()), display_name: None };
        site.catalog.change_profile(&ada, &changes).await?;
        let after = site.catalog.profile("ada").await?;
        assert_eq!((after.display_name.as_str(), after.bio.as_str()), ("Ada", "I count."));
        assert_eq!(site.again(ada.id).await.bio, "I count.");
        let bad = ProfileChanges { display_name: Some(" ".to_owned()), bio: Some("\0".to_owned()) };
        let Refusal::Invalid(faults) = refusal(site.catalog.change_profile(&ada, &bad).await) else {
            panic!("both are bad")
        };
        assert_eq!(faults.len(), 2);
        Ok(())
    }
}
