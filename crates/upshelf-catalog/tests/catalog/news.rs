use anyhow::{Context as _, Result};
use upshelf_catalog::{Change, ChangeNews, News, StandingNews};
use upshelf_store::{Inbox, Role, Side};
use upshelf_testkit::contract;

use crate::fixture::Site;

contract! {
    parts { sqlite => Site::sqlite().await, postgres => Site::postgres().await }

    async fn an_inbox_tells_on_the_bus_what_it_tells_from_the_database(site: &Site) -> Result<()> {
        let (ada, curator) = (site.member("ada").await, site.officer("grace", Role::Curator).await);
        let shelf = site.shelve().await;
        let catalog = &site.catalog;
        let empty = catalog.inbox_news(ada.id, Some(0), 9).await?;
        assert_eq!((empty.seq, empty.told.len(), empty.life.is_empty()), (0, 0, false));
        let mut heard = catalog.hear_notices().await;
        for resource in [shelf[0], shelf[1]] {
            let suggestion = site.edit(&ada, resource).await;
            catalog.approve(&curator, suggestion.id, None).await?;
            site.deliver_all().await;
        }
        let Some(News::Notice { member, seq: 1, .. }) = heard.next().await else { panic!("the first notice") };
        assert_eq!(member, ada.id);
        let Some(News::Notice { seq: 2, json, .. }) = heard.next().await else { panic!("the second notice") };
        let read = catalog.inbox_news(ada.id, Some(1), 9).await?;
        let [(2, told)] = &read.told[..] else { panic!("{read:?}") };
        let same = |json: &[u8]| serde_json::from_slice::<serde_json::Value>(json);
        assert_eq!(same(told)?, same(&json)?);
        assert_eq!((read.seq, &read.life), (2, &empty.life));
        assert_eq!(catalog.inbox_news(ada.id, None, 9).await?.told.len(), 0);
        assert_eq!(catalog.inbox_news(ada.id, Some(0), 1).await?.told.len(), 1);
        assert_eq!((read.unread, catalog.inboxes(&[ada.id]).await?), (2, vec![(ada.id, Inbox { seq: 2, unread: 2 })]));
        catalog.read_notices(&ada, 1).await?;
        assert_eq!(heard.next().await, Some(News::Read(ada.id)));
        catalog.read_notices(&ada, 1).await?;
        catalog.read_notices(&ada, 2).await?;
        assert_eq!(heard.next().await, Some(News::Read(ada.id)), "what changes nothing is not told");
        assert_eq!(catalog.inboxes(&[ada.id]).await?, [(ada.id, Inbox { seq: 2, unread: 0 })]);
        Ok(())
    }

    async fn a_change_is_told_in_the_same_words_from_the_bus_and_from_the_log(site: &Site) -> Result<()> {
        let (ada, curator) = (site.member("ada").await, site.officer("grace", Role::Curator).await);
        let shelf = site.shelve().await;
        let catalog = &site.catalog;
        let mut heard = catalog.hear_changes().await;
        let suggestion = site.edit(&ada, shelf[0]).await;
        catalog.approve(&curator, suggestion.id, None).await?;
        let edited = ChangeNews { resource_id: shelf[0], change: Change::Edited, version: 2 };
        assert_eq!(heard.next().await, Some(News::Change(edited)));
        assert_eq!(catalog.changes_since(&[(shelf[0], 1), (shelf[1], 1)]).await?, [edited]);
        catalog.revert(&curator, shelf[0], 1, "it was fine".to_owned()).await?;
        let reverted = ChangeNews { resource_id: shelf[0], change: Change::Reverted, version: 3 };
        assert_eq!(heard.next().await, Some(News::Change(reverted)));
        assert_eq!(catalog.changes_since(&[(shelf[0], 2)]).await?, [reverted]);
        assert_eq!(catalog.changes_since(&[(shelf[0], 3)]).await?, []);
        assert_eq!(catalog.find_resource_version(shelf[0]).await?, Some(3));
        Ok(())
    }

    async fn a_standing_is_told_as_it_is_read(site: &Site) -> Result<()> {
        let (ada, bob) = (site.member("ada").await, site.member("bob").await);
        let shelf = site.shelve().await;
        let suggestion = site.edit(&ada, shelf[0]).await;
        let mut heard = site.catalog.hear_votes().await;
        site.catalog.vote(&bob, suggestion.id, Some(Side::Up), None).await?;
        let told = StandingNews { suggestion_id: suggestion.id, up: 1, down: 0, score: 1, version: 1 };
        assert_eq!(heard.next().await.context("it is told")?, News::Standing(told));
        assert_eq!(site.catalog.standings().await?, [told]);
        Ok(())
    }
}
