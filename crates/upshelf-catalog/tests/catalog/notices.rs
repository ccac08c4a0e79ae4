use std::time::Duration;

use anyhow::Result;
use upshelf_bus::Event;
use upshelf_catalog::{
    Catalog, Interest, MailKind, NoticeKind, Notify, NotifyComment, Refusal, Settings, Taking,
    notices_channel,
};
use upshelf_store::{EmailWish, Member, NoticePreference, PageRequest, Role, Side, WatchKind, WatchLevel};
use upshelf_testkit::contract;

use crate::fixture::{Site, refusal};

/// What a member's inbox says, newest first.
async fn inbox(catalog: &Catalog, member: &Member) -> Vec<(NoticeKind, Interest, String)> {
    let page = catalog.notices(member, false, &PageRequest::first(100)).await.expect("an inbox opens");
    page.items.into_iter().map(|notice| (notice.kind, notice.payload.interest, notice.payload.text)).collect()
}

fn wish(kind: NoticeKind, inbox: bool, email: EmailWish) -> NoticePreference {
    NoticePreference { kind: kind.as_str().to_owned(), inbox, email }
}

contract! {
    parts { sqlite => Site::sqlite().await, postgres => Site::postgres().await }

    async fn author_voters_and_watchers_are_told_and_the_actor_is_not(site: &Site) -> Result<()> {
        let (ada, curator) = (site.member("ada").await, site.officer("grace", Role::Curator).await);
        let (voter, watcher) = (site.member("vera").await, site.member("wes").await);
        let shelf = site.shelve().await;
        let catalog = &site.catalog;
        catalog.watch(&watcher, WatchKind::Resource, shelf[0].0, WatchLevel::Watching).await?;
        catalog.watch(&curator, WatchKind::Resource, shelf[0].0, WatchLevel::Watching).await?;
        let suggestion = site.edit(&ada, shelf[0]).await;
        catalog.vote(&voter, suggestion.id, Some(Side::Up), None).await?;
        assert_eq!(site.deliver_all().await, 2, "both who watch hear of the suggestion");
        let mut live = catalog.bus().subscribe(&notices_channel(ada.id)).await;
        catalog.approve(&curator, suggestion.id, None).await?;
        assert_eq!(site.deliver_all().await, 3);

        let author = inbox(catalog, &ada).await;
        let text = "Your suggestion to edit “Jacquard” was approved.".to_owned();
        assert_eq!(author, [(NoticeKind::Approved, Interest::Author, text)]);
        let voted = inbox(catalog, &voter).await;
        let text = "The suggestion to edit “Jacquard”, on which you voted, was approved.".to_owned();
        assert_eq!(voted, [(NoticeKind::Approved, Interest::Voter, text)]);
        let watched: Vec<_> = inbox(catalog, &watcher).await.into_iter().map(|(kind, ..)| kind).collect();
        assert_eq!(watched, [NoticeKind::Approved, NoticeKind::Suggested]);
        let acted: Vec<_> = inbox(catalog, &curator).await.into_iter().map(|(kind, ..)| kind).collect();
        assert_eq!(acted, [NoticeKind::Suggested]);

        let Some(Event::Message { payload, .. }) = live.recv().await else { panic!("it is published") };
        let told: serde_json::Value = serde_json::from_slice(&payload)?;
        assert_eq!((told["seq"].as_i64(), told["unread"].as_i64()), (Some(1), Some(1)));
        assert_eq!(told["notice"]["kind"], "approved");
        assert_eq!(told["notice"]["payload"]["suggestion"]["id"], suggestion.id.to_string());
        Ok(())
    }

    async fn an_entry_is_told_once_however_often_its_job_runs(site: &Site) -> Result<()> {
        let (ada, curator) = (site.member("ada").await, site.officer("grace", Role::Curator).await);
        let shelf = site.shelve().await;
        let suggestion = site.edit(&ada, shelf[0]).await;
        site.catalog.reject(&curator, suggestion.id, "No.".to_owned()).await?;
        let jobs = site.due("notifications").await;
        let job: Notify = serde_json::from_value(jobs.last().expect("there is a job").1.clone())?;
        assert_eq!(site.catalog.deliver(&job).await?, 1);
        assert_eq!(site.catalog.deliver(&job).await?, 0);
        assert_eq!(inbox(&site.catalog, &ada).await.len(), 1);
        let nowhere = Notify { log: site.catalog.clock().id(), after: None };
        assert_eq!(site.catalog.deliver(&nowhere).await?, 0, "an entry that is not there");
        Ok(())
    }

    async fn a_large_audience_is_told_in_parts_each_committed_with_the_job_for_the_rest(site: &Site) -> Result<()> {
        let (ada, curator) = (site.member("ada").await, site.officer("grace", Role::Curator).await);
        let shelf = site.shelve().await;
        let few = site.reopened(Settings { notices_per_commit: 3, ..Site::settings() });
        let mut watchers = Vec::new();
        for number in 0..10 {
            let watcher = site.member(&format!("watcher{number}")).await;
            few.watch(&watcher, WatchKind::Resource, shelf[0].0, WatchLevel::Watching).await?;
            watchers.push(watcher);
        }
        let suggestion = site.edit(&ada, shelf[0]).await;
        site.deliver_all().await;
        few.reject(&curator, suggestion.id, "No.".to_owned()).await?;
        let first: Notify = serde_json::from_value(site.due("notifications").await[0].1.clone())?;
        let mut parts = Vec::new();
        while let Some(new) = site.deliver_next(&few).await {
            assert!(site.due("notifications").await.len() <= 1, "there is one job for the rest");
            parts.push(new);
        }
        assert_eq!(parts, [3, 3, 3, 2], "the author and ten who watch");
        // A part whose job runs again, and the jobs that it leaves again, tell nobody twice.
        assert_eq!(few.deliver(&first).await?, 0);
        while let Some(new) = site.deliver_next(&few).await {
            assert_eq!(new, 0);
        }
        for watcher in &watchers {
            let kinds: Vec<_> = inbox(&few, watcher).await.into_iter().map(|(kind, ..)| kind).collect();
            assert_eq!(kinds, [NoticeKind::Rejected, NoticeKind::Suggested]);
        }
        Ok(())
    }

    async fn a_mail_is_switched_off_by_its_link_and_nothing_else_is(site: &Site) -> Result<()> {
        let (ada, bob) = (site.member("ada").await, site.member("bob").await);
        let admin = site.officer("grace", Role::Admin).await;
        let shelf = site.shelve().await;
        let catalog = &site.catalog;
        let wishes = [
            wish(NoticeKind::Approved, true, EmailWish::Instant),
            wish(NoticeKind::Commented, true, EmailWish::Instant),
            wish(NoticeKind::Rejected, false, EmailWish::Digest),
        ];
        catalog.put_preferences(&ada, &wishes).await?;
        let suggestion = site.edit(&ada, shelf[0]).await;
        catalog.add_comment(&bob, suggestion.id, "Why?").await?;
        catalog.tell_of_security(ada.id, "one", "A device signed in.").await?;
        site.deliver_all().await;
        let mails = catalog.mails(&admin, &PageRequest::first(9)).await?.items;
        let [comment, security] = mails.as_slice() else { panic!("two mails: {mails:?}") };
        assert_eq!(security.unsubscribe_url, None, "it cannot be switched off");
        let url = comment.unsubscribe_url.clone().expect("it can be switched off");
        assert!(comment.body.contains(&url) && comment.html.contains(&url));
        let token = url.strip_prefix("https://shelf.example.org/unsubscribe/").expect("a link of the site");

        let kind = Some(MailKind::Event(NoticeKind::Commented));
        assert_eq!(catalog.find_unsubscribe(token).await?, kind);
        assert!(catalog.preferences(&ada).await?.contains(&wishes[1]), "looking at the link does nothing");
        for _ in 0..2 {
            assert_eq!(catalog.unsubscribe(token).await?, kind);
        }
        let now = catalog.preferences(&ada).await?;
        assert!(now.contains(&wish(NoticeKind::Commented, true, EmailWish::Off)), "{now:?}");
        assert!(now.contains(&wishes[0]) && now.contains(&wishes[2]), "{now:?}");
        assert_eq!(catalog.unsubscribe(&token[1..]).await?, None);
        // Another process on the same library has the same key.
        assert_eq!(site.reopened(Site::settings()).find_unsubscribe(token).await?, kind);
        Ok(())
    }

    async fn what_concerns_the_safety_of_an_account_comes_by_mail_whatever_was_wished(site: &Site) -> Result<()> {
        let (ada, admin) = (site.member("ada").await, site.officer("grace", Role::Admin).await);
        let catalog = &site.catalog;
        for bad in [(true, EmailWish::Off), (true, EmailWish::Digest), (false, EmailWish::Instant)] {
            let wishes = [wish(NoticeKind::Security, bad.0, bad.1)];
            assert!(matches!(refusal(catalog.put_preferences(&ada, &wishes).await), Refusal::Invalid(_)));
        }
        // As an earlier version let members wish it.
        let mut tx = catalog.store().write().await?;
        tx.put_notice_preferences(ada.id, &[wish(NoticeKind::Security, false, EmailWish::Off)]).await?;
        tx.commit().await?;
        assert!(catalog.preferences(&ada).await?.contains(&wish(NoticeKind::Security, true, EmailWish::Instant)));
        assert_eq!(catalog.tell_of_security(ada.id, "one", "A device signed in.").await?, 1);
        assert_eq!(catalog.mails(&admin, &PageRequest::first(9)).await?.items.len(), 1);
        Ok(())
    }

    async fn one_worker_at_a_time_has_a_mail_in_hand(site: &Site) -> Result<()> {
        let ada = site.member("ada").await;
        let catalog = &site.catalog;
        catalog.tell_of_security(ada.id, "one", "A device signed in.").await?;
        let mail = site.due("email").await[0].1["mail"].as_str().expect("an id").parse()?;
        let Taking::Held(held) = catalog.take_mail(mail).await? else { panic!("nobody has it") };
        assert!(matches!(catalog.take_mail(mail).await?, Taking::Busy(_)));
        catalog.put_mail_down(&held).await?;
        let Taking::Held(_) = catalog.take_mail(mail).await? else { panic!("it was put down") };
        site.pass(Duration::from_secs(3_600));
        let Taking::Held(_) = catalog.take_mail(mail).await? else { panic!("that worker is gone") };
        catalog.mark_mail_sent(mail).await?;
        site.pass(Duration::from_secs(3_600));
        assert!(matches!(catalog.take_mail(mail).await?, Taking::Over));
        assert!(matches!(catalog.take_mail(catalog.clock().id()).await?, Taking::Over));
        Ok(())
    }

    async fn a_category_can_be_watched_and_muted_and_the_nearest_word_counts(site: &Site) -> Result<()> {
        let (ada, bob, eve) = (site.member("ada").await, site.member("bob").await, site.member("eve").await);
        let shelf = site.shelve().await;
        let catalog = &site.catalog;
        let looms = catalog.categories().await?[0].id;
        catalog.watch(&bob, WatchKind::Category, looms.0, WatchLevel::Watching).await?;
        catalog.watch(&eve, WatchKind::Category, looms.0, WatchLevel::Watching).await?;
        catalog.watch(&eve, WatchKind::Resource, shelf[0].0, WatchLevel::Muted).await?;
        site.edit(&ada, shelf[0]).await;
        site.deliver_all().await;
        assert_eq!(inbox(catalog, &bob).await.len(), 1);
        assert!(inbox(catalog, &eve).await.is_empty());
        catalog.unwatch(&eve, WatchKind::Resource, shelf[0].0).await?;
        assert_eq!(catalog.watches(&eve, &PageRequest::first(9)).await?.items.len(), 1);
        let level = catalog.watch_level(&eve, WatchKind::Category, looms.0).await?;
        assert_eq!(level, WatchLevel::Watching);
        site.edit(&bob, shelf[0]).await;
        site.deliver_all().await;
        assert_eq!(inbox(catalog, &eve).await.len(), 1);
        let nowhere = uuid::Uuid::nil();
        for kind in WatchKind::ALL {
            let refused = refusal(catalog.watch(&eve, *kind, nowhere, WatchLevel::Watching).await);
            assert_eq!(refused, Refusal::NotFound(kind.as_str()));
        }
        Ok(())
    }

    async fn a_comment_is_told_to_the_author_and_to_who_commented_before(site: &Site) -> Result<()> {
        let (ada, bob, eve) = (site.member("ada").await, site.member("bob").await, site.member("eve").await);
        let shelf = site.shelve().await;
        let catalog = &site.catalog;
        let suggestion = site.edit(&ada, shelf[0]).await;
        catalog.add_comment(&bob, suggestion.id, "Why?").await?;
        catalog.add_comment(&eve, suggestion.id, "Indeed.").await?;
        site.deliver_all().await;
        assert_eq!(inbox(catalog, &ada).await.len(), 2);
        assert_eq!(inbox(catalog, &bob).await[0].2, "eve commented on the suggestion to edit “Jacquard”.");
        assert!(inbox(catalog, &eve).await.is_empty());
        let comments = catalog.comments(suggestion.id, &PageRequest::first(9)).await?.items;
        let said: Vec<_> = comments.iter().map(|one| (one.author.username.as_str(), one.body.as_str())).collect();
        assert_eq!(said, [("bob", "Why?"), ("eve", "Indeed.")]);
        assert!(matches!(refusal(catalog.add_comment(&bob, suggestion.id, " \n").await), Refusal::Invalid(_)));
        let nowhere = catalog.clock().id();
        assert_eq!(refusal(catalog.add_comment(&bob, nowhere, "?").await), Refusal::NotFound("suggestion"));
        Ok(())
    }

    async fn reading_up_to_a_number_leaves_what_came_after(site: &Site) -> Result<()> {
        let ada = site.member("ada").await;
        for key in ["one", "two", "two", "three"] {
            site.catalog.tell_of_security(ada.id, key, "A device signed in.").await?;
        }
        assert_eq!(site.catalog.unread(&ada).await?, 3, "an event is told once");
        assert_eq!(site.catalog.read_notices(&ada, 2).await?, 1);
        let unread = site.catalog.notices(&ada, true, &PageRequest::first(9)).await?.items;
        assert_eq!(unread.iter().map(|notice| notice.seq).collect::<Vec<_>>(), [3]);
        assert_eq!(site.catalog.read_notices(&ada, 1).await?, 1);
        Ok(())
    }

    async fn wishes_decide_between_inbox_and_mail(site: &Site) -> Result<()> {
        let (ada, bob) = (site.member("ada").await, site.member("bob").await);
        let admin = site.officer("grace", Role::Admin).await;
        let shelf = site.shelve().await;
        let catalog = &site.catalog;
        assert_eq!(catalog.preferences(&ada).await?.len(), NoticeKind::ALL.len());
        let wishes = [wish(NoticeKind::Commented, false, EmailWish::Instant)];
        let all = catalog.put_preferences(&ada, &wishes).await?;
        assert!(all.contains(&wishes[0]) && all.len() == NoticeKind::ALL.len());
        let suggestion = site.edit(&ada, shelf[0]).await;
        let comment = catalog.add_comment(&bob, suggestion.id, "Why?").await?;
        site.deliver_all().await;
        catalog.deliver_comment(&NotifyComment { comment: comment.id, after: None }).await?;
        assert!(inbox(catalog, &ada).await.is_empty());
        let mails = catalog.mails(&admin, &PageRequest::first(9)).await?.items;
        let [mail] = mails.as_slice() else { panic!("one mail, though the job ran twice: {mails:?}") };
        assert_eq!(mail.recipient, "ada@example.org");
        assert_eq!(mail.subject, "bob commented on your suggestion to edit “Jacquard”.");
        assert!(mail.body.contains(&format!("https://shelf.example.org/suggestions/{}\n", suggestion.id)));
        let due = site.due("email").await;
        assert_eq!(due.len(), 1);
        assert_eq!(due[0].1["mail"], mail.id.to_string());
        catalog.mark_mail_sent(mail.id).await?;
        assert!(catalog.find_mail(mail.id).await?.expect("it is kept").sent_at.is_some());
        assert!(matches!(refusal(catalog.mails(&ada, &PageRequest::first(9)).await), Refusal::NotAllowed(_)));
        let bad = [wish(NoticeKind::Security, false, EmailWish::Off)];
        assert!(matches!(refusal(catalog.put_preferences(&ada, &bad).await), Refusal::Invalid(_)));
        Ok(())
    }

    async fn the_daily_mail_holds_what_is_unread_and_comes_once_a_day(site: &Site) -> Result<()> {
        let (ada, bob) = (site.member("ada").await, site.member("bob").await);
        let admin = site.officer("grace", Role::Admin).await;
        let shelf = site.shelve().await;
        let catalog = &site.catalog;
        catalog.put_preferences(&ada, &[wish(NoticeKind::Commented, true, EmailWish::Digest)]).await?;
        let suggestion = site.edit(&ada, shelf[0]).await;
        catalog.add_comment(&bob, suggestion.id, "<b>Why?</b>").await?;
        catalog.add_comment(&bob, suggestion.id, "And how?").await?;
        site.deliver_all().await;
        site.pass(Duration::from_secs(3_600));
        let now = catalog.clock().now();
        assert_eq!(catalog.write_digests(now).await?, 1);
        catalog.write_digests(now).await?;
        let mails = catalog.mails(&admin, &PageRequest::first(9)).await?.items;
        assert_eq!(mails.iter().map(|mail| mail.subject.as_str()).collect::<Vec<_>>(), ["2 pieces of news from the shelf"]);
        assert!(!mails[0].html.contains("<b>"));
        let url = mails[0].unsubscribe_url.clone().expect("it can be switched off");
        let token = url.rsplit('/').next().expect("a link has a token");
        assert_eq!(catalog.find_unsubscribe(token).await?, Some(MailKind::Digest));
        site.pass(Duration::from_secs(24 * 3_600));
        assert_eq!(catalog.write_digests(catalog.clock().now()).await?, 0, "nothing is new since");
        assert_eq!(catalog.unsubscribe(token).await?, Some(MailKind::Digest));
        catalog.add_comment(&bob, suggestion.id, "Once more?").await?;
        site.deliver_all().await;
        site.pass(Duration::from_secs(3_600));
        assert_eq!(catalog.write_digests(catalog.clock().now()).await?, 0, "they are switched off");
        assert!(catalog.preferences(&ada).await?.contains(&wish(NoticeKind::Commented, true, EmailWish::Off)));
        Ok(())
    }

    async fn votes_are_told_together_and_what_is_unread_is_brought_up_to_date(site: &Site) -> Result<()> {
        let (ada, wes) = (site.member("ada").await, site.member("wes").await);
        let shelf = site.shelve().await;
        let catalog = &site.catalog;
        let suggestion = site.edit(&ada, shelf[0]).await;
        site.deliver_all().await;
        assert_eq!(catalog.tell_of_votes().await?, 0, "nobody voted");
        catalog.watch(&wes, WatchKind::Suggestion, suggestion.id.0, WatchLevel::Watching).await?;
        let nearby = site.member("nell").await;
        catalog.watch(&nearby, WatchKind::Resource, shelf[0].0, WatchLevel::Watching).await?;
        let vote = async |name: &str, side| {
            let voter = site.member(name).await;
            catalog.vote(&voter, suggestion.id, Some(side), None).await.map(|_| voter)
        };
        let fickle = vote("vera", Side::Up).await?;
        vote("vito", Side::Down).await?;
        assert_eq!((catalog.tell_of_votes().await?, catalog.tell_of_votes().await?), (1, 0));
        let job = site.due("notifications").await.pop().expect("there is a job").1;
        assert_eq!(site.deliver_all().await, 2, "the author, and who watches just this");
        vote("vic", Side::Up).await?;
        assert_eq!(catalog.tell_of_votes().await?, 1);
        site.deliver_all().await;

        let text = "3 people voted on your suggestion to edit “Jacquard”: 2 for it, 1 against.";
        let told = inbox(catalog, &ada).await;
        assert_eq!(told, [(NoticeKind::Voted, Interest::Author, text.to_owned())]);
        assert_eq!(catalog.unread(&ada).await?, 1);
        assert_eq!(catalog.deliver_votes(&serde_json::from_value(job)?).await?, 0, "told before");
        assert_eq!(inbox(catalog, &wes).await.len(), 1);
        assert!(inbox(catalog, &nearby).await.is_empty());

        // What was read stays; who takes a vote back and gives it again is no news.
        catalog.read_notices(&ada, 9).await?;
        catalog.vote(&fickle, suggestion.id, None, None).await?;
        assert_eq!(catalog.tell_of_votes().await?, 0);
        catalog.vote(&fickle, suggestion.id, Some(Side::Down), None).await?;
        assert_eq!(catalog.tell_of_votes().await?, 0);
        vote("vince", Side::Up).await?;
        assert_eq!(catalog.tell_of_votes().await?, 1);
        site.deliver_all().await;
        assert_eq!(inbox(catalog, &ada).await.len(), 2);
        assert_eq!(catalog.unread(&ada).await?, 1);
        Ok(())
    }

    async fn who_is_shut_out_is_told_nothing(site: &Site) -> Result<()> {
        let (ada, curator) = (site.member("ada").await, site.officer("grace", Role::Curator).await);
        let shelf = site.shelve().await;
        let suggestion = site.edit(&ada, shelf[0]).await;
        site.catalog.ban(&curator, ada.id, "").await?;
        site.catalog.reject(&curator, suggestion.id, "No.".to_owned()).await?;
        assert_eq!(site.deliver_all().await, 0);
        Ok(())
    }
}
