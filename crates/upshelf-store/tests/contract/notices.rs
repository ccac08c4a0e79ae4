use anyhow::Result;
use serde_json::json;
use upshelf_store::{Delivery, EmailWish, Inbox, MemberId, NewNotice, NoticePreference, PageRequest};
use upshelf_testkit::contract;

use crate::fixture::{Fixture, pages};

fn notice(f: &Fixture, member_id: MemberId, event_key: &str) -> NewNotice {
    NewNotice {
        member_id,
        kind: "approved".to_owned(),
        event_key: event_key.to_owned(),
        group: None,
        payload: json!({"about": event_key}),
        at: f.now(),
    }
}

contract! {
    parts { sqlite => Fixture::sqlite().await, postgres => Fixture::postgres().await }

    async fn each_inbox_counts_its_own_notices_without_gap(f: &Fixture) -> Result<()> {
        let (ada, bob) = (f.member("Ada").await, f.member("Bob").await);
        let mut tx = f.write().await;
        let first = [notice(f, ada, "a"), notice(f, bob, "a"), notice(f, ada, "b")];
        let delivered = tx.add_notices(&first).await?;
        let delivery =
            |member_id, seq, unread, is_new| Delivery { member_id, seq, unread, is_new };
        assert_eq!(delivered, [delivery(ada, 1, 2, true), delivery(bob, 1, 1, true), delivery(ada, 2, 2, true)]);
        let delivered = tx.add_notices(&[notice(f, ada, "c")]).await?;
        assert_eq!(delivered, [delivery(ada, 3, 3, true)]);
        Ok(())
    }

    async fn the_same_event_is_told_once_and_found_again(f: &Fixture) -> Result<()> {
        let ada = f.member("Ada").await;
        let mut tx = f.write().await;
        tx.add_notices(&[notice(f, ada, "a")]).await?;
        let again = [notice(f, ada, "b"), notice(f, ada, "a"), notice(f, ada, "b"), notice(f, f.clock.id(), "a")];
        let delivered = tx.add_notices(&again).await?;
        let seen: Vec<_> = delivered.iter().map(|d| (d.seq, d.unread, d.is_new)).collect();
        assert_eq!(seen, [(2, 2, true), (1, 2, false), (2, 2, false)]);
        assert!(tx.add_notices(&[]).await?.is_empty());
        assert_eq!(tx.count_unread(ada).await?, 2);
        Ok(())
    }

    async fn of_a_groups_unread_notices_the_newest_stands_alone(f: &Fixture) -> Result<()> {
        let (ada, bob) = (f.member("Ada").await, f.member("Bob").await);
        let grouped = |member, key: &str| NewNotice { group: Some("votes".to_owned()), ..notice(f, member, key) };
        let mut tx = f.write().await;
        let first = [grouped(ada, "1"), notice(f, ada, "a"), grouped(bob, "1")];
        tx.add_notices(&first).await?;
        let delivered = tx.add_notices(&[grouped(ada, "2"), notice(f, ada, "b"), grouped(ada, "1")]).await?;
        let seen: Vec<_> = delivered.iter().map(|d| (d.seq, d.unread, d.is_new)).collect();
        assert_eq!(seen, [(3, 3, true), (4, 3, true), (1, 3, false)]);
        let seqs = async |tx: &mut upshelf_store::Tx, member| {
            let page = tx.list_notices(member, false, &PageRequest::first(9)).await.expect("an inbox opens");
            page.items.into_iter().map(|notice| notice.seq).collect::<Vec<_>>()
        };
        assert_eq!(seqs(&mut tx, ada).await, [4, 3, 2]);
        assert_eq!(seqs(&mut tx, bob).await, [1], "another's inbox is left alone");

        // What was read stays, and the next stands beside it.
        tx.read_notices(ada, 9, f.now()).await?;
        tx.add_notices(&[grouped(ada, "3")]).await?;
        assert_eq!(seqs(&mut tx, ada).await, [5, 4, 3, 2]);
        assert_eq!(tx.count_unread(ada).await?, 1);
        Ok(())
    }

    async fn thousands_of_inboxes_get_a_notice_at_once(f: &Fixture) -> Result<()> {
        let mut members = Vec::new();
        for i in 0..60 {
            members.push(f.member(&format!("m{i}")).await);
        }
        let notices: Vec<_> =
            (0..20).flat_map(|i| members.iter().map(move |m| (*m, i)))
                .map(|(m, i)| notice(f, m, &format!("e{i}"))).collect();
        let mut tx = f.write().await;
        assert_eq!(tx.add_notices(&notices).await?.len(), 1_200);
        for member in members {
            let seqs = pages(7, async |page| tx.list_notices(member, false, page).await).await;
            assert!(seqs.iter().map(|notice| notice.seq).eq((1..=20).rev()));
        }
        Ok(())
    }

    async fn two_batches_at_once_give_every_notice_its_own_number(f: &Fixture) -> Result<()> {
        let members = [f.member("Ada").await, f.member("Bob").await];
        let send = async |round: usize| {
            for i in 0..10 {
                let mut batch: Vec<_> = members.iter().map(|m| notice(f, *m, &format!("{round}-{i}"))).collect();
                if round == 1 {
                    batch.reverse();
                }
                let mut tx = f.store.write().await?;
                tx.add_notices(&batch).await?;
                tx.commit().await?;
            }
            anyhow::Ok(())
        };
        let (one, two) = tokio::join!(send(0), send(1));
        one.and(two)?;
        let mut tx = f.read().await;
        for member in members {
            let listed = tx.list_notices(member, false, &PageRequest::first(100)).await?.items;
            assert!(listed.iter().map(|notice| notice.seq).eq((1..=20).rev()));
        }
        Ok(())
    }

    async fn notices_are_read_up_to_a_number(f: &Fixture) -> Result<()> {
        let (ada, bob) = (f.member("Ada").await, f.member("Bob").await);
        let mut tx = f.write().await;
        let notices: Vec<_> = ["a", "b", "c"].iter().map(|key| notice(f, ada, key)).collect();
        tx.add_notices(&notices).await?;
        tx.add_notices(&[notice(f, bob, "a")]).await?;
        let later = f.pass(5);
        assert_eq!(tx.read_notices(ada, 2, later).await?, 2);
        assert_eq!(tx.read_notices(ada, 2, f.pass(5)).await?, 0, "they were read before");
        assert_eq!((tx.count_unread(ada).await?, tx.count_unread(bob).await?), (1, 1));
        let unread = tx.list_notices(ada, true, &PageRequest::first(9)).await?.items;
        assert_eq!(unread.iter().map(|notice| notice.seq).collect::<Vec<_>>(), [3]);
        assert_eq!(unread[0].payload.0, json!({"about": "c"}));
        assert_eq!(unread[0].kind, "approved");
        let all = tx.list_notices(ada, false, &PageRequest::first(9)).await?.items;
        assert_eq!(all[2].read_at, Some(later));
        Ok(())
    }

    async fn an_inbox_can_be_followed_by_number(f: &Fixture) -> Result<()> {
        let (ada, bob, nobody) = (f.member("Ada").await, f.member("Bob").await, f.clock.id());
        let mut tx = f.write().await;
        let notices: Vec<_> = (0..5).map(|i| notice(f, ada, &format!("e{i}"))).collect();
        tx.add_notices(&notices).await?;
        tx.read_notices(ada, 2, f.now()).await?;
        assert_eq!(tx.find_inbox(ada).await?, Some(Inbox { seq: 5, unread: 3 }));
        assert_eq!(tx.find_inbox(bob).await?, Some(Inbox { seq: 0, unread: 0 }));
        assert_eq!(tx.find_inbox(nobody).await?, None);
        let behind = tx.list_notices_behind(ada, 1, 3).await?;
        assert_eq!(behind.iter().map(|notice| notice.seq).collect::<Vec<_>>(), [2, 3, 4]);
        assert!(tx.list_notices_behind(ada, 5, 3).await?.is_empty());
        let mut inboxes = tx.list_inboxes(&[ada, bob, nobody]).await?;
        inboxes.sort_by_key(|(_, inbox)| inbox.seq);
        assert_eq!(inboxes, [(bob, Inbox { seq: 0, unread: 0 }), (ada, Inbox { seq: 5, unread: 3 })]);
        assert!(tx.list_inboxes(&[]).await?.is_empty());
        Ok(())
    }

    async fn a_library_has_one_life_until_it_is_replaced(f: &Fixture) -> Result<()> {
        let mut tx = f.write().await;
        assert_eq!(tx.find_life().await?, None);
        tx.begin_life("first").await?;
        let first = tx.find_life().await?.expect("it has begun");
        tx.begin_life("second").await?;
        assert_eq!(tx.find_life().await?.as_ref(), Some(&first));
        assert!(first.starts_with("first"), "{first}");
        Ok(())
    }

    async fn numbers_are_not_given_again_after_old_notices_are_deleted(f: &Fixture) -> Result<()> {
        let ada = f.member("Ada").await;
        let mut tx = f.write().await;
        tx.add_notices(&[notice(f, ada, "a"), notice(f, ada, "b")]).await?;
        assert_eq!(tx.delete_notices_before(f.now(), 9).await?, 0);
        let later = f.pass(1);
        assert_eq!(tx.delete_notices_before(later, 1).await?, 1);
        assert_eq!(tx.delete_notices_before(later, 9).await?, 1);
        assert_eq!(tx.add_notices(&[notice(f, ada, "c")]).await?[0].seq, 3);
        Ok(())
    }

    async fn the_last_wish_for_a_kind_counts(f: &Fixture) -> Result<()> {
        let (ada, bob) = (f.member("Ada").await, f.member("Bob").await);
        let wish = |kind: &str, inbox, email| NoticePreference { kind: kind.to_owned(), inbox, email };
        let mut tx = f.write().await;
        let first = [wish("approved", true, EmailWish::Instant), wish("comment", false, EmailWish::Off)];
        tx.put_notice_preferences(ada, &first).await?;
        tx.put_notice_preferences(ada, &[wish("approved", true, EmailWish::Digest)]).await?;
        tx.put_notice_preferences(bob, &[wish("approved", false, EmailWish::Off)]).await?;
        let kept = tx.list_notice_preferences(ada).await?;
        assert_eq!(kept, [wish("approved", true, EmailWish::Digest), wish("comment", false, EmailWish::Off)]);
        let mut of_both = tx.list_notice_preferences_of(&[ada, bob, f.clock.id()], "approved").await?;
        of_both.sort_by_key(|(member, _)| *member);
        let expected =
            [(ada, wish("approved", true, EmailWish::Digest)), (bob, wish("approved", false, EmailWish::Off))];
        assert_eq!(of_both, expected);
        Ok(())
    }

    async fn mails_are_switched_off_and_nothing_else(f: &Fixture) -> Result<()> {
        let (ada, bob) = (f.member("Ada").await, f.member("Bob").await);
        let wish = |kind: &str, inbox, email| NoticePreference { kind: kind.to_owned(), inbox, email };
        let wishes = [
            wish("approved", false, EmailWish::Instant),
            wish("commented", true, EmailWish::Digest),
            wish("rejected", false, EmailWish::Digest),
        ];
        let mut tx = f.write().await;
        for member in [ada, bob] {
            tx.put_notice_preferences(member, &wishes).await?;
        }
        tx.switch_mails_off(ada, "approved").await?;
        tx.switch_mails_off(ada, "stopped").await?;
        let mut expected = wishes.to_vec();
        expected[0].email = EmailWish::Off;
        expected.push(wish("stopped", true, EmailWish::Off));
        assert_eq!(tx.list_notice_preferences(ada).await?, expected);
        tx.switch_digests_off(ada).await?;
        for one in &mut expected {
            one.email = EmailWish::Off;
        }
        assert_eq!(tx.list_notice_preferences(ada).await?, expected);
        assert_eq!(tx.list_notice_preferences(bob).await?, wishes);
        Ok(())
    }
}
