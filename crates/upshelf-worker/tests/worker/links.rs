//! Looking at the links of the shelf: real requests to a server of this machine, on days that the test sets.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;
use upshelf_probe::{Guard, Names, Probe};
use upshelf_store::{MemberId, SuggestionFilter, SuggestionSort};
use upshelf_testkit::{HttpServer, contract};
use upshelf_worker::{LinkCheck, Walked};

use super::*;

/// Asks 127.0.0.1 without a pause, once a day.
fn links() -> LinkCheck {
    links_at(Duration::ZERO)
}

/// The same with a pause between two requests.
fn links_at(pace: Duration) -> LinkCheck {
    let settings = upshelf_probe::Settings {
        guard: Guard::from_fn(|address| address == IpAddr::V4(Ipv4Addr::LOCALHOST)),
        names: Names::at("127.0.0.1:1".parse().expect("an address")).expect("it is not asked"),
        roots: rustls::RootCertStore::empty(),
        time: Arc::new(rustls::time_provider::DefaultTimeProvider),
        agent: "Upshelf/0 (link check)".to_owned(),
        timeout: Duration::from_secs(10),
        pace,
    };
    let probe = Probe::new(settings).expect("TLS can be set up");
    LinkCheck { every: Duration::from_secs(86_400), probe }
}

fn status(status: u16) -> String {
    format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n")
}

impl Site {
    /// Puts a resource for each of these paths onto the shelf, named by its path.
    async fn shelve_links(&self, server: &HttpServer, paths: &[&str]) -> Vec<ResourceId> {
        let entries: Vec<_> =
            paths.iter().map(|path| format!("- [{path}]({})\n", server.url(path))).collect();
        let list = format!("# Links\n\n## All\n\n{}", entries.concat());
        self.catalog.import(list.into_bytes(), &ImportRequest::default()).await.expect("the list is good");
        let filter = ResourceFilter::default();
        let found = self.catalog.resources(&filter, ResourceSort::Name, &PageRequest::first(100)).await;
        let found = found.expect("a list").items;
        paths
            .iter()
            .map(|path| found.iter().find(|one| one.title == *path).expect("it is there").id)
            .collect()
    }

    async fn pass_days(&self, days: u32) {
        self.hand.as_ref().expect("the test sets the time").advance(days * Duration::from_secs(86_400));
    }

    /// What is open about a resource.
    async fn open_about(&self, resource: ResourceId) -> Vec<SuggestionView> {
        let filter = SuggestionFilter { resource: Some(resource), ..SuggestionFilter::default() };
        let page = PageRequest::first(100);
        let found = self.catalog.suggestions(&filter, SuggestionSort::New, &page, None).await;
        let is_open = |one: &SuggestionView| one.status == SuggestionStatus::Open;
        found.expect("a list").items.into_iter().filter(is_open).collect()
    }
}

contract! {
    parts { sqlite => Site::sqlite_by_hand().await, postgres => Site::postgres_by_hand().await }

    async fn what_is_dead_or_has_moved_is_suggested_once_with_what_was_seen(site: &Site) -> Result<()> {
        let server = HttpServer::start(|path, _| match path {
            "/dead" | "/doubted" => status(404),
            "/gone" => status(410),
            "/moved" => "HTTP/1.1 301 X\r\nlocation: /new\r\n\r\n".to_owned(),
            "/busy" => status(503),
            "/closed" => status(403),
            "/hasty" => "HTTP/1.1 429 X\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n".to_owned(),
            _ => status(200),
        })
        .await;
        let paths = ["/alive", "/dead", "/gone", "/moved", "/busy", "/closed", "/hasty", "/doubted"];
        let ids = site.shelve_links(&server, &paths).await;
        let [alive, dead, gone, moved, busy, closed, hasty, doubted] = ids[..] else { panic!("eight") };
        // Somebody has doubts about one of them already.
        let ada = site.member("ada").await;
        let doubt = NewSuggestion {
            kind: SuggestionKind::Remove,
            resource_id: Some(doubted),
            base_version: None,
            changes: Changes::default(),
            reason: "It is dull.".to_owned(),
        };
        let doubt = site.catalog.propose(&ada, doubt).await?;
        let links = links_at(Duration::from_millis(1));
        for (days, suggested) in [(0, 0), (4, 0), (3, 4), (1, 0), (10, 0)] {
            site.pass_days(days).await;
            assert_eq!(links.walk(&site.catalog).await?.suggested, suggested, "{days} days later");
        }

        let one = |mut open: Vec<SuggestionView>| {
            assert_eq!(open.len(), 1, "{open:?}");
            open.remove(0)
        };
        let removal = one(site.open_about(dead).await);
        assert_eq!((removal.kind, removal.author.id), (SuggestionKind::Remove, MemberId::LINK_CHECK));
        assert_eq!(removal.author.username, "link-check");
        let evidence = removal.evidence.clone().expect("what was seen stands with it");
        assert_eq!(evidence, "404 Not Found, seen 3 times from 2026-01-05 to 2026-01-12");
        assert!(removal.reason.contains("404 Not Found") && removal.reason.contains("3 times"), "{}", removal.reason);
        assert_eq!(removal.rule.rule, "dead_link");
        assert!(one(site.open_about(gone).await).evidence.is_some_and(|evidence| evidence.starts_with("410 Gone")));
        let edit = one(site.open_about(moved).await);
        assert_eq!((edit.kind, edit.changes.url), (SuggestionKind::Edit, Some(server.url("/new"))));
        assert!(edit.reason.contains(&server.url("/new")), "{}", edit.reason);
        let backed = one(site.open_about(doubted).await);
        assert_eq!((backed.id, backed.author.id), (doubt.id, ada.id));
        assert!(backed.evidence.is_some_and(|evidence| evidence.starts_with("404")), "the doubt is backed");
        for nothing in [alive, busy, closed, hasty] {
            assert!(site.open_about(nothing).await.is_empty());
        }

        // What was declined is not suggested anew, unless the page came back and went away again.
        let grace = site.officer("grace", Role::Curator).await;
        site.catalog.reject(&grace, removal.id, "It comes back.".to_owned()).await?;
        for _ in 0..4 {
            site.pass_days(4).await;
            assert_eq!(links.walk(&site.catalog).await?.suggested, 0);
        }
        assert!(site.open_about(dead).await.is_empty());
        Ok(())
    }

    async fn a_page_that_comes_back_begins_anew(site: &Site) -> Result<()> {
        let is_there = Arc::new(AtomicBool::new(false));
        let seen = is_there.clone();
        let server =
            HttpServer::start(move |_, _| status(if seen.load(Ordering::SeqCst) { 200 } else { 404 })).await;
        let ids = site.shelve_links(&server, &["/a"]).await;
        for (there, times) in [(false, 1), (false, 2), (true, 0), (false, 1), (false, 2)] {
            is_there.store(there, Ordering::SeqCst);
            links().walk(&site.catalog).await?;
            assert_eq!(site.catalog.find_link(ids[0]).await?.expect("it was looked at").gone_times, times);
            site.pass_days(4).await;
        }
        assert_eq!(links().walk(&site.catalog).await?.suggested, 1);
        // The removal takes one vote and a day; nobody need look again.
        let removal = site.open_about(ids[0]).await.remove(0);
        let ada = site.member("ada").await;
        site.catalog.vote(&ada, removal.id, Some(Side::Up), None).await?;
        site.pass_days(2).await;
        site.catalog.approve_by_rule(removal.id).await?;
        site.catalog.approve_by_rule(removal.id).await?;
        assert_eq!(site.catalog.suggestion(removal.id, None).await?.status, SuggestionStatus::Approved);
        assert_eq!(links().walk(&site.catalog).await?, Walked::default(), "what left the shelf is left in peace");
        Ok(())
    }

    async fn each_link_is_looked_at_once_a_day_and_a_host_is_given_time(site: &Site) -> Result<()> {
        let times = Arc::new(Mutex::new(Vec::new()));
        let seen = times.clone();
        let server = HttpServer::start(move |path, _| {
            seen.lock().expect("unpoisoned").push(Instant::now());
            status(if path == "/dead" { 404 } else { 200 })
        })
        .await;
        site.shelve_links(&server, &["/a", "/b", "/dead"]).await;
        let pace = Duration::from_millis(150);
        let patient = links_at(pace);
        let walked = patient.walk(&site.catalog).await?;
        assert_eq!(walked, Walked { alive: 2, gone: 1, unclear: 0, suggested: 0 });
        assert_eq!(patient.walk(&site.catalog).await?, Walked::default(), "it was looked at today");
        let times = times.lock().expect("unpoisoned").clone();
        assert_eq!(times.len(), 4, "the dead one is looked at twice");
        for pair in times.windows(2) {
            let apart = pair[1] - pair[0];
            assert!(apart >= pace - Duration::from_millis(5), "{apart:?}");
        }
        site.pass_days(2).await;
        assert_eq!(links().walk(&site.catalog).await?.alive, 2);
        Ok(())
    }

    async fn a_server_that_asks_for_peace_is_left_alone_and_its_other_links_stay_due(site: &Site) -> Result<()> {
        let server = HttpServer::start(|path, _| match path {
            "/busy" => "HTTP/1.1 503 X\r\nretry-after: 3600\r\ncontent-length: 0\r\n\r\n".to_owned(),
            _ => status(200),
        })
        .await;
        site.shelve_links(&server, &["/busy", "/then"]).await;
        let links = links();
        let busy = Walked { unclear: 1, ..Walked::default() };
        assert_eq!((links.walk(&site.catalog).await?, server.asked()), (busy, 1), "once, and no other link");
        assert_eq!((links.walk(&site.catalog).await?, server.asked()), (Walked::default(), 1));
        // Who knows nothing of it takes it that the time has passed.
        let later = links_at(Duration::ZERO).walk(&site.catalog).await?;
        assert_eq!((later, server.asked()), (Walked { alive: 1, ..Walked::default() }, 2));
        Ok(())
    }

    async fn a_link_that_leads_to_a_server_that_wants_peace_is_not_asked_for_twice(site: &Site) -> Result<()> {
        let server = HttpServer::start(|path, _| match path {
            "/leads" => "HTTP/1.1 302 X\r\nlocation: /hasty\r\n\r\n".to_owned(),
            _ => "HTTP/1.1 429 X\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n".to_owned(),
        })
        .await;
        site.shelve_links(&server, &["/leads"]).await;
        assert_eq!(links().walk(&site.catalog).await?, Walked { unclear: 1, ..Walked::default() });
        assert_eq!(server.asked(), 2, "the link, and where it leads");
        Ok(())
    }

    async fn a_walk_holds_up_no_closing_and_leaves_the_way_free(site: &Site) -> Result<()> {
        // Whoever asks this server waits for an answer.
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let list = format!("# Links\n\n## All\n\n- [A](http://{}/a) - Is one.\n", silent.local_addr()?);
        site.catalog.import(list.into_bytes(), &ImportRequest::default()).await?;
        let workers = site.work_on(no_mail(), Some(links())).await;
        let (_connection, _) = silent.accept().await?;
        let begun = Instant::now();
        workers.close(LIMIT).await?;
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        assert!(site.catalog.begin_link_walk(Duration::from_secs(60)).await?, "the walk has ended");
        Ok(())
    }

    async fn one_process_walks_at_a_time(site: &Site) -> Result<()> {
        let most = Duration::from_secs(600);
        assert!(site.catalog.begin_link_walk(most).await?);
        assert!(!site.catalog.begin_link_walk(most).await?);
        site.catalog.end_link_walk().await?;
        assert!(site.catalog.begin_link_walk(most).await?);
        site.pass_days(1).await;
        assert!(site.catalog.begin_link_walk(most).await?, "whoever walked was killed");
        Ok(())
    }

    async fn links_are_looked_at_by_the_clock_and_only_where_that_is_on(site: &Site) -> Result<()> {
        let server = HttpServer::start(|_, _| status(200)).await;
        let ids = site.shelve_links(&server, &["/a"]).await;
        let workers = site.work(None).await;
        site.idle().await;
        workers.close(LIMIT).await?;
        assert_eq!((site.catalog.find_link(ids[0]).await?, server.asked()), (None, 0), "it is off");
        let workers = site.work_on(no_mail(), Some(links())).await;
        wait_until("the link was looked at", LIMIT, async || {
            site.catalog.find_link(ids[0]).await.expect("an answer").is_some()
        })
        .await;
        site.idle().await;
        assert_eq!((site.failed("cleanup").await, server.asked()), (0, 1));
        workers.close(LIMIT).await
    }
}
