use anyhow::Result;
use upshelf_store::{Link, ResourceId, Time};
use upshelf_testkit::contract;

use crate::fixture::Fixture;

fn link(resource_id: ResourceId, checked_at: Time) -> Link {
    Link {
        resource_id,
        url: "https://example.org/a".to_owned(),
        checked_at,
        seen: "it is there".to_owned(),
        gone_times: 0,
        gone_since: None,
        gone_last: None,
        moved_to: None,
        moved_times: 0,
        moved_since: None,
        told_gone: false,
        told_moved_to: None,
    }
}

contract! {
    parts { sqlite => Fixture::sqlite().await, postgres => Fixture::postgres().await }

    async fn what_is_known_of_a_link_is_kept_over_what_was_known(f: &Fixture) -> Result<()> {
        let a = f.resource("https://example.org/a", "A").await;
        let mut tx = f.write().await;
        assert_eq!(tx.find_link(a).await?, None);
        let first = link(a, f.now());
        tx.put_link(&first).await?;
        assert_eq!(tx.find_link(a).await?, Some(first.clone()));
        let now = f.pass(60);
        let second = Link {
            url: "https://example.org/b".to_owned(),
            checked_at: now,
            seen: "404 Not Found".to_owned(),
            gone_times: 2,
            gone_since: Some(first.checked_at),
            gone_last: Some(now),
            moved_to: Some("https://example.org/c".to_owned()),
            moved_times: 3,
            moved_since: Some(now),
            told_gone: true,
            told_moved_to: Some("https://example.org/d".to_owned()),
            ..first
        };
        tx.put_link(&second).await?;
        assert_eq!(tx.find_link(a).await?, Some(second));
        Ok(())
    }

    async fn links_that_wait_longest_are_due_first_and_removed_resources_never(f: &Fixture) -> Result<()> {
        let mut ids = Vec::new();
        for name in ["a", "b", "c", "gone"] {
            ids.push(f.resource(&format!("https://example.org/{name}"), name).await);
        }
        f.removed(ids[3]).await;
        let mut tx = f.write().await;
        let start = f.now();
        tx.put_link(&link(ids[0], start)).await?;
        let later = f.pass(60);
        tx.put_link(&link(ids[1], later)).await?;
        let due = async |tx: &mut upshelf_store::Tx, before, limit| {
            anyhow::Ok(tx.list_due_links(before, limit).await?.into_iter().map(|(id, _)| id).collect::<Vec<_>>())
        };
        assert_eq!(due(&mut tx, start, 9).await?, [ids[2]], "it was never looked at");
        assert_eq!(due(&mut tx, later, 9).await?, [ids[2], ids[0]]);
        assert_eq!(due(&mut tx, f.pass(60), 9).await?, [ids[2], ids[0], ids[1]]);
        assert_eq!(due(&mut tx, f.now(), 1).await?, [ids[2]]);
        assert_eq!(tx.list_due_links(f.now(), 1).await?[0].1, "https://example.org/c");
        Ok(())
    }

    async fn a_lease_is_held_by_one_until_it_ends(f: &Fixture) -> Result<()> {
        let mut tx = f.write().await;
        let (now, until) = (f.now(), f.now().after(std::time::Duration::from_secs(60)));
        assert!(tx.take_lease("walk", now, until).await?);
        assert!(!tx.take_lease("walk", now, until).await?);
        assert!(tx.take_lease("another", now, until).await?);
        assert!(tx.take_lease("walk", until, until.after(std::time::Duration::from_secs(60))).await?);
        tx.end_lease("walk").await?;
        assert!(tx.take_lease("walk", now, until).await?);
        Ok(())
    }

    async fn open_suggestions_about_a_resource_and_of_a_member_are_found(f: &Fixture) -> Result<()> {
        let (ada, bob) = (f.member("Ada").await, f.member("Bob").await);
        f.suggestion(ada).await;
        f.suggestion(ada).await;
        f.suggestion(bob).await;
        let mut tx = f.write().await;
        assert_eq!(tx.count_open_suggestions_by(ada).await?, 2);
        assert_eq!(tx.count_open_suggestions_by(f.clock.id()).await?, 0);
        assert!(tx.list_open_suggestions_about(f.clock.id()).await?.is_empty());
        Ok(())
    }

    async fn the_site_itself_is_a_member_whom_nobody_counts(f: &Fixture) -> Result<()> {
        f.member("Ada").await;
        let mut tx = f.write().await;
        let before = tx.count_members(upshelf_store::Role::Member).await?;
        tx.add_member(&upshelf_store::NewMember {
            id: upshelf_store::MemberId::LINK_CHECK,
            username: "link-check".into(),
            username_key: "link-check".into(),
            email: "link-check@upshelf.invalid".into(),
            email_key: "link-check@upshelf.invalid".into(),
            role: upshelf_store::Role::Member,
            password_hash: String::new(),
            joined_at: f.now(),
        })
        .await?;
        assert_eq!(tx.count_members(upshelf_store::Role::Member).await?, before);
        assert!(tx.find_member(upshelf_store::MemberId::LINK_CHECK).await?.is_some());
        Ok(())
    }
}
