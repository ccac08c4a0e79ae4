//! Mails on their way out: to a server that refuses now and then, and into a folder.

use anyhow::Result;
use upshelf_catalog::{MailKind, NoticeKind, SendMail};
use upshelf_queue::Options;
use upshelf_store::{EmailWish, NoticePreference, PageRequest};
use upshelf_testkit::{PostOffice, contract};

use super::*;

contract! {
    parts { sqlite => Site::sqlite().await, postgres => Site::postgres().await }

    async fn each_mail_is_handed_over_once_also_after_the_server_was_away(site: &Site) -> Result<()> {
        let (ada, bob, eve) = (site.member("ada").await, site.member("bob").await, site.member("eve").await);
        let wish = NoticePreference { kind: "approved".to_owned(), inbox: true, email: EmailWish::Instant };
        site.catalog.put_preferences(&ada, &[wish]).await?;
        let shelved = site.shelve().await;
        // Without a server the mail waits in the outbox, and its job is done.
        let workers = site.work(None).await;
        let edit = site.edit(&ada, shelved[0]).await;
        for voter in [&bob, &eve] {
            site.catalog.vote(voter, edit.id, Some(Side::Up), None).await?;
        }
        wait_until("the mail is written", LIMIT, async || site.unsent().await == 1).await;
        site.idle().await;
        workers.close(LIMIT).await?;
        // With one that refuses twice for now, the mail leaves when it can.
        let office = PostOffice::open().await;
        office.refuse(2);
        let workers = site.work(Some(&office.url())).await;
        wait_until("the mail has left", LIMIT, async || site.unsent().await == 0).await;
        site.idle().await;
        workers.close(LIMIT).await?;
        let taken = office.taken();
        let [mail] = taken.as_slice() else { panic!("one mail: {taken:?}") };
        assert!(mail.contains("To: ada@example.org") && mail.contains("From: Shelf <shelf@example.org>"));
        assert!(mail.contains("text/plain") && mail.contains("text/html"));
        assert!(mail.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"), "{mail}");
        let token = mail.split("<https://shelf.example.org/unsubscribe/").nth(1).and_then(|rest| rest.split('>').next());
        let kind = site.catalog.unsubscribe(token.expect("the header names a link")).await?;
        assert_eq!(kind, Some(MailKind::Event(NoticeKind::Approved)));
        Ok(())
    }

    async fn two_jobs_for_one_mail_send_it_once(site: &Site) -> Result<()> {
        let ada = site.member("ada").await;
        for event in 0..20 {
            site.catalog.tell_of_security(ada.id, &event.to_string(), "A device signed in.").await?;
        }
        // As a job that was handed over, and then inserted again at the start of another process.
        let mut tx = site.catalog.store().read().await?;
        let mails = tx.list_waiting_mails(None, 99).await?;
        drop(tx);
        for mail in &mails {
            site.catalog.queue().push(&SendMail { mail: *mail }, Options::default()).await?;
        }
        let office = PostOffice::open().await;
        let workers = site.work(Some(&office.url())).await;
        wait_until("the mails have left", LIMIT, async || site.unsent().await == 0).await;
        wait_until("every job is done or waits for one that is", LIMIT, async || {
            let stats = site.catalog.queue().stats("email").await.expect("an answer");
            stats.waiting + stats.active + stats.prioritized == 0
        })
        .await;
        workers.close(LIMIT).await?;
        assert_eq!(office.taken().len(), 20);
        assert!(office.taken().iter().all(|mail| !mail.contains("List-Unsubscribe")), "these always come");
        Ok(())
    }

    async fn a_mail_that_is_refused_for_good_is_not_sent_again_and_again(site: &Site) -> Result<()> {
        let ada = site.member("ada").await;
        site.catalog.tell_of_security(ada.id, "one", "A device signed in.").await?;
        let office = PostOffice::open().await;
        office.reject(1);
        let workers = site.work(Some(&office.url())).await;
        wait_until("the job has failed", LIMIT, async || site.failed("email").await == 1).await;
        let jobs = site.catalog.queue().jobs("email", State::Failed, None, 9).await?.jobs;
        let error = jobs[0].error.clone().unwrap_or_default();
        assert!(jobs[0].attempt == 1 && error.contains("no such mailbox"), "{error}");
        workers.close(LIMIT).await?;
        let boss = site.officer("boss", Role::Admin).await;
        let mails = site.catalog.mails(&boss, &PageRequest::first(9)).await?.items;
        let refusal = mails[0].refusal.clone().unwrap_or_default();
        assert!(refusal.contains("no such mailbox"), "{refusal}");

        // Nor when the program starts again.
        let workers = site.work(Some(&office.url())).await;
        site.catalog.tell_of_security(ada.id, "two", "Another device signed in.").await?;
        wait_until("the other mail has left", LIMIT, async || !office.taken().is_empty()).await;
        assert_eq!((office.taken().len(), site.failed("email").await), (1, 1));
        assert!(office.taken()[0].contains("Another device"));
        // Who has mended the mailbox says so.
        site.catalog.queue().retry_failed("email").await?;
        wait_until("the mail has left", LIMIT, async || office.taken().len() == 2).await;
        workers.close(LIMIT).await?;
        let mails = site.catalog.mails(&boss, &PageRequest::first(9)).await?.items;
        assert!(mails.iter().all(|mail| mail.sent_at.is_some() && mail.refusal.is_none()));
        Ok(())
    }

    async fn without_a_server_each_mail_becomes_a_file(site: &Site) -> Result<()> {
        let (ada, place) = (site.member("ada").await, temp_dir());
        let folder = place.path().join("mails");
        let mail = Mail { folder: Some(folder.clone()), ..no_mail() };
        let workers = site.work_with(mail.clone()).await;
        for event in ["one", "two"] {
            site.catalog.tell_of_security(ada.id, event, "A device signed in.").await?;
        }
        wait_until("the mails are written", LIMIT, async || site.unsent().await == 0).await;
        workers.close(LIMIT).await?;
        // They are not written again when the program starts again, whoever took the files away.
        std::fs::remove_dir_all(&folder)?;
        let again = site.work_with(mail.clone()).await;
        site.catalog.tell_of_security(ada.id, "three", "A device signed in.").await?;
        wait_until("the mail is written", LIMIT, async || site.unsent().await == 0).await;
        again.close(LIMIT).await?;
        let files: Vec<_> = std::fs::read_dir(&folder)?.map(|entry| entry.expect("an entry").path()).collect();
        let [file] = files.as_slice() else { panic!("one file: {files:?}") };
        assert!(file.extension().is_some_and(|ending| ending == "eml"), "{files:?}");
        assert!(std::fs::read_to_string(file)?.contains("To: ada@example.org\r\n"));
        Ok(())
    }
}
