use anyhow::Result;
use upshelf_store::{WatchKind, WatchLevel};
use upshelf_testkit::contract;
use uuid::Uuid;

use crate::fixture::{Fixture, pages};

contract! {
    parts { sqlite => Fixture::sqlite().await, postgres => Fixture::postgres().await }

    async fn watchers_are_found_by_level(f: &Fixture) -> Result<()> {
        let (ada, bob) = (f.member("Ada").await, f.member("Bob").await);
        let target: Uuid = f.clock.id();
        let mut tx = f.write().await;
        tx.put_watch(ada, WatchKind::Resource, target, WatchLevel::Watching, f.now()).await?;
        tx.put_watch(bob, WatchKind::Resource, target, WatchLevel::Normal, f.now()).await?;
        let everybody = [WatchLevel::Watching, WatchLevel::Normal];
        assert_eq!(tx.list_watchers(WatchKind::Resource, target, &everybody).await?, [ada, bob]);
        assert_eq!(tx.list_watchers(WatchKind::Resource, target, &[WatchLevel::Watching]).await?, [ada]);
        assert!(tx.list_watchers(WatchKind::Category, target, &everybody).await?.is_empty());
        assert!(tx.list_watchers(WatchKind::Resource, target, &[]).await?.is_empty());

        tx.put_watch(bob, WatchKind::Resource, target, WatchLevel::Muted, f.now()).await?;
        assert_eq!(tx.list_watchers(WatchKind::Resource, target, &everybody).await?, [ada]);
        let level = tx.find_watch_level(bob, WatchKind::Resource, target).await?;
        assert_eq!(level, Some(WatchLevel::Muted));
        Ok(())
    }

    async fn a_member_lists_and_ends_what_they_watch(f: &Fixture) -> Result<()> {
        let ada = f.member("Ada").await;
        let mut tx = f.write().await;
        let mut expected = Vec::new();
        for kind in [WatchKind::Category, WatchKind::Resource, WatchKind::Suggestion] {
            for _ in 0..3 {
                let target: Uuid = f.clock.id();
                tx.put_watch(ada, kind, target, WatchLevel::Watching, f.now()).await?;
                expected.push((kind, target));
            }
        }
        let listed = pages(2, async |page| tx.list_watches(ada, page).await).await;
        assert_eq!(listed.iter().map(|watch| (watch.kind, watch.target_id)).collect::<Vec<_>>(), expected);
        let (kind, target) = expected[4];
        assert!(tx.remove_watch(ada, kind, target).await?);
        assert!(!tx.remove_watch(ada, kind, target).await?);
        assert_eq!(tx.find_watch_level(ada, kind, target).await?, None);
        assert_eq!(pages(4, async |page| tx.list_watches(ada, page).await).await.len(), 8);
        Ok(())
    }
}
