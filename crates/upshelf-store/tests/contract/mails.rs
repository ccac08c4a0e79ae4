use std::time::Duration;

use anyhow::Result;
use upshelf_store::NewMail;
use upshelf_testkit::contract;

use crate::fixture::{Fixture, pages};

fn mail(f: &Fixture, message_key: &str) -> NewMail {
    NewMail {
        id: f.clock.id(),
        message_key: message_key.to_owned(),
        recipient: "ada@example.org".to_owned(),
        subject: "S".to_owned(),
        body: "B".to_owned(),
        html: "<p>B</p>".to_owned(),
        unsubscribe_url: Some("https://shelf.example.org/unsubscribe/x".to_owned()),
        created_at: f.now(),
    }
}

contract! {
    parts { sqlite => Fixture::sqlite().await, postgres => Fixture::postgres().await }

    async fn one_cause_has_one_mail(f: &Fixture) -> Result<()> {
        let (first, second) = (mail(f, "cause"), mail(f, "cause"));
        let mut tx = f.write().await;
        assert_eq!(tx.add_mail(&first).await?, first.id);
        assert_eq!(tx.add_mail(&second).await?, first.id);
        let found = tx.find_mail(first.id).await?.expect("it is there");
        assert_eq!((found.recipient.as_str(), found.html.as_str()), ("ada@example.org", "<p>B</p>"));
        assert_eq!(found.unsubscribe_url, first.unsubscribe_url);
        assert_eq!(tx.find_mail(second.id).await?, None);
        Ok(())
    }

    async fn a_mail_waits_until_it_is_noted(f: &Fixture) -> Result<()> {
        let (first, second) = (mail(f, "one"), mail(f, "two"));
        let mut tx = f.write().await;
        tx.add_mail(&first).await?;
        tx.add_mail(&second).await?;
        assert_eq!(tx.list_waiting_mails(None, 1).await?, [first.id]);
        assert_eq!(tx.list_waiting_mails(Some(first.id), 9).await?, [second.id]);
        let later = f.pass(5);
        assert!(tx.mark_mail_sent(first.id, later).await?);
        assert!(!tx.mark_mail_sent(first.id, f.pass(5)).await?);
        assert_eq!(tx.list_waiting_mails(None, 9).await?, [second.id]);
        assert_eq!(tx.find_mail(first.id).await?.and_then(|mail| mail.sent_at), Some(later));
        Ok(())
    }

    async fn a_mail_that_was_refused_waits_no_more_and_can_be_tried_again(f: &Fixture) -> Result<()> {
        let first = mail(f, "one");
        let mut tx = f.write().await;
        tx.add_mail(&first).await?;
        let (now, until) = (f.now(), f.now().after(Duration::from_secs(60)));
        assert!(tx.hold_mail(first.id, now, until).await?);
        tx.mark_mail_refused(first.id, now, "not mine").await?;
        assert_eq!(tx.list_waiting_mails(None, 9).await?, [first.id], "only who holds it can say so");
        tx.mark_mail_refused(first.id, until, "550 no such mailbox").await?;
        assert!(tx.list_waiting_mails(None, 9).await?.is_empty());
        let refusal = tx.find_mail(first.id).await?.and_then(|mail| mail.refusal);
        assert_eq!(refusal.as_deref(), Some("550 no such mailbox"));
        assert!(tx.hold_mail(first.id, now, until).await?, "an admin may want another try");
        assert!(tx.mark_mail_sent(first.id, f.now()).await?);
        assert_eq!(tx.find_mail(first.id).await?.and_then(|mail| mail.refusal), None);
        Ok(())
    }

    async fn one_worker_at_a_time_has_a_mail_in_hand(f: &Fixture) -> Result<()> {
        let first = mail(f, "one");
        let mut tx = f.write().await;
        tx.add_mail(&first).await?;
        let (now, until) = (f.now(), f.now().after(Duration::from_secs(60)));
        assert!(tx.hold_mail(first.id, now, until).await?);
        assert!(!tx.hold_mail(first.id, now, until).await?, "another worker has it");
        tx.release_mail(first.id, now).await?;
        assert!(!tx.hold_mail(first.id, now, until).await?, "only who holds it puts it down");
        tx.release_mail(first.id, until).await?;
        assert!(tx.hold_mail(first.id, now, until).await?);
        assert!(tx.hold_mail(first.id, until, until.after(Duration::from_secs(60))).await?, "its time is over");
        tx.mark_mail_sent(first.id, f.now()).await?;
        assert!(!tx.hold_mail(first.id, f.pass(600), until).await?, "it was sent");
        assert!(!tx.hold_mail(f.clock.id(), now, until).await?);
        Ok(())
    }

    async fn mails_are_listed_newest_first_and_deleted_when_old(f: &Fixture) -> Result<()> {
        let mut tx = f.write().await;
        let mut expected = Vec::new();
        for i in 0..5 {
            f.pass(1);
            expected.insert(0, tx.add_mail(&mail(f, &i.to_string())).await?);
        }
        let listed = pages(2, async |page| tx.list_mails(page).await).await;
        assert_eq!(listed.iter().map(|mail| mail.id).collect::<Vec<_>>(), expected);
        assert_eq!(tx.delete_mails_before(f.now(), 3).await?, 3);
        assert_eq!(tx.delete_mails_before(f.now(), 3).await?, 1);
        assert_eq!(pages(2, async |page| tx.list_mails(page).await).await.len(), 1);
        Ok(())
    }
}
