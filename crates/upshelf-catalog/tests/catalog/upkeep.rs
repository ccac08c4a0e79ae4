use std::time::Duration;

use anyhow::Result;
use upshelf_catalog::{CleanedUp, CountUse};
use upshelf_queue::Broker;
use upshelf_store::{EmailWish, NoticePreference, Role};
use upshelf_testkit::contract;

use crate::fixture::Site;

contract! {
    parts { sqlite => Site::sqlite().await, postgres => Site::postgres().await }

    async fn use_is_counted_once_per_batch_and_makes_popular(site: &Site) -> Result<()> {
        let shelf = site.shelve().await;
        let catalog = &site.catalog;
        let first = catalog.popular(1).await?[0].id;
        let other = *shelf.iter().find(|id| **id != first).expect("there are three");
        catalog.count_view(other);
        catalog.count_view(other);
        catalog.count_save(other);
        catalog.count_vote(first);
        catalog.count_view(catalog.clock().id());
        assert_eq!(catalog.flush_counts().await?, 3);
        assert_eq!(catalog.flush_counts().await?, 0);
        let due = site.due("analytics").await;
        let [(_, payload)] = due.as_slice() else { panic!("one batch") };
        let job: CountUse = serde_json::from_value(payload.clone())?;
        catalog.add_use(&job).await?;
        catalog.add_use(&job).await?;

        let analytics = catalog.analytics(7).await?;
        assert_eq!((analytics.resources, analytics.days.len()), (3, 7));
        let today = &analytics.days[0];
        assert_eq!((today.date.as_str(), today.views, today.saves, today.votes), ("2026-01-05", 2, 1, 1));
        assert_eq!(analytics.top[0].resource.id, other);
        assert_eq!(analytics.top.len(), 2);

        assert_eq!(catalog.recount_popularity().await?, 2);
        assert_eq!(catalog.popular(1).await?[0].id, other, "the cached answer is gone");
        assert_eq!(catalog.recount_popularity().await?, 0);
        Ok(())
    }

    async fn counts_that_cannot_be_handed_over_are_kept(site: &Site) -> Result<()> {
        let shelf = site.shelve().await;
        site.catalog.count_view(shelf[0]);
        site.catalog.store().close().await;
        assert!(site.catalog.flush_counts().await.is_err());
        site.catalog.count_view(shelf[0]);
        assert!(site.catalog.flush_counts().await.is_err(), "there still is something to hand over");
        Ok(())
    }

    async fn what_is_too_old_is_put_away_and_the_rest_stays(site: &Site) -> Result<()> {
        let (ada, admin) = (site.member("ada").await, site.officer("grace", Role::Admin).await);
        let catalog = &site.catalog;
        let mail = NoticePreference { kind: "security".to_owned(), inbox: true, email: EmailWish::Instant };
        catalog.put_preferences(&ada, &[mail]).await?;
        catalog.tell_of_security(ada.id, "one", "A device signed in.").await?;
        assert_eq!(catalog.clean_up().await?, CleanedUp::default());
        site.pass(Duration::from_secs(31 * 86_400));
        assert_eq!(catalog.clean_up().await?, CleanedUp { mails: 1, ..CleanedUp::default() });
        site.pass(Duration::from_secs(150 * 86_400));
        assert_eq!(catalog.clean_up().await?, CleanedUp { notices: 1, ..CleanedUp::default() });
        assert_eq!(catalog.unread(&ada).await?, 0);
        assert!(catalog.mails(&admin, &upshelf_store::PageRequest::first(9)).await?.items.is_empty());
        Ok(())
    }

    async fn every_job_is_committed_with_its_cause(site: &Site) -> Result<()> {
        let ada = site.member("ada").await;
        let shelf = site.shelve().await;
        let before = site.catalog.queue().stats("notifications").await?.waiting;
        let suggestion = site.edit(&ada, shelf[0]).await;
        site.catalog.add_comment(&ada, suggestion.id, "Look.").await?;
        assert_eq!(site.catalog.queue().stats("notifications").await?.waiting, before + 2);
        Ok(())
    }
}
