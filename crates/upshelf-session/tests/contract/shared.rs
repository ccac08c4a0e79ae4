//! Several processes at one Redis, and what befalls it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::task::JoinSet;
use tokio::time::Instant;
use upshelf_session::{Error, Reason, Tokens, Vault};
use upshelf_testkit::{Keep, RedisCluster, RedisSentinel, RedisServer, contract, wait_until};

use crate::house::{ADA, BOB, House, START, days, is, secs};
use crate::place::{PATIENCE, Place};

/// A server of the test's own, with two processes.
async fn two_at(server: &Arc<RedisServer>) -> [House; 2] {
    let one = House::at(Place::own(server)).await;
    let two = one.another_process(START).await;
    [one, two]
}

/// Waits until a process refuses a session that has ended. All checks are at one time, so that what a process remembers
/// for five seconds never ends by itself: it must hear of it.
async fn refuses(house: &House, tokens: &Tokens) {
    wait_until("the session to be refused", PATIENCE, async || {
        is!(house.check(tokens, START).await, Error::Revoked)
    })
    .await;
}

contract! {
    threads parts {
        server => House::at(Place::shared().await).await,
        cluster => House::at(Place::cluster().await).await,
    }

    async fn a_logout_is_heard_by_the_others(house: House) {
        let other = house.another_process(START).await;
        let (tokens, bobs) = (house.sign_in(ADA, START).await, house.sign_in(BOB, START).await);
        for tokens in [&tokens, &bobs] {
            other.check(tokens, START).await.expect("the session is open");
        }
        house.logout(&tokens, START).await;
        refuses(&other, &tokens).await;
        let third = house.another_process(START).await;
        assert!(is!(third.check(&tokens, START).await, Error::Revoked));
        other.check(&bobs, START).await.expect("it is somebody else's");
    }

    async fn every_end_is_heard_by_the_others(house: House) {
        let other = house.another_process(START).await;
        let all = [house.sign_in(ADA, START).await, house.sign_in(ADA, START).await, house.sign_in(ADA, START).await];
        for tokens in &all {
            other.check(tokens, START).await.expect("the session is open");
        }
        house.sessions.revoke(ADA, all[0].session_id, START).await.expect("memory does not fail");
        refuses(&other, &all[0]).await;
        house.refresh(&all[1], START).await.expect("it is the current token");
        assert!(is!(house.refresh(&all[1], START + secs(31)).await, Error::Reused { .. }));
        refuses(&other, &all[1]).await;
        let ended = house.sessions.logout_all(ADA, None, Reason::Password, START).await;
        assert_eq!(ended.expect("memory does not fail"), [all[2].session_id]);
        refuses(&other, &all[2]).await;
    }

    async fn an_end_in_one_process_is_heard_of_in_the_other(house: House) {
        let other = house.another_process(START).await;
        let tokens = house.sign_in(ADA, START).await;
        let known = other.check(&tokens, START).await.expect("the token is valid");
        let mut ends = other.sessions.ends();
        house.logout(&tokens, START).await;
        while other.sessions.is_open(&known, START).await.expect("memory does not fail") {
            tokio::time::timeout(PATIENCE, ends.next()).await.expect("it is told in time");
        }
    }

    async fn fifty_refreshes_over_two_processes_give_one_successor(house: House) {
        let other = Arc::new(house.another_process(START).await);
        let house = Arc::new(house);
        let first = house.sign_in(ADA, START).await;
        let mut tabs = JoinSet::new();
        for tab in 0..50 {
            let (house, first) = (if tab % 2 == 0 { house.clone() } else { other.clone() }, first.clone());
            tabs.spawn(async move { house.refresh(&first, START + secs(1)).await });
        }
        let successors: BTreeSet<String> = tabs
            .join_all()
            .await
            .into_iter()
            .map(|tokens| tokens.expect("every tab is served").refresh_token.expose_secret().to_owned())
            .collect();
        assert_eq!(successors.len(), 1);
        assert!(is!(other.refresh(&first, START + secs(32)).await, Error::Reused { .. }));
        refuses(&house, &first).await;
    }

    async fn what_another_life_of_the_server_brought_along_counts_for_nothing(house: House) {
        let other = house.another_process(START).await;
        let known = Mutex::new(None);
        // In a cluster, whose clocks may differ, Redis's word counts some seconds after a process came.
        wait_until("Redis to know a session", PATIENCE, async || {
            let tokens = house.sign_in(ADA, START).await;
            house.vault.purge(START + days(1_000)).await.expect("memory does not fail");
            let is_known = other.check(&tokens, START).await.is_ok();
            *known.lock().expect("nobody panics") = is_known.then_some(tokens);
            is_known
        })
        .await;
        let tokens = known.into_inner().expect("nobody panics").expect("it was just known");
        // The same with the marks of another life: what a dump has, however recent.
        let server = house.place.server();
        for key in server.keys(&house.place.prefix).await {
            match &*key.kind {
                "hash" => server.command(&["HSET", &key.name, "mark", "another:life"]).await,
                "string" if key.name.contains("session:mark:") => {
                    server.command(&["SET", &key.name, "another:life", "PX", "60000"]).await
                }
                _ => continue,
            };
        }
        assert!(is!(other.check(&tokens, START + secs(6)).await, Error::Invalid), "only the vault knows");
    }

    async fn keys_are_the_notes_all_end_and_hold_no_token(house: House) {
        let first = house.sign_in(ADA, START).await;
        house.check(&first, START).await.expect("the session is open");
        let second = house.refresh(&first, START).await.expect("it is the current token");
        let ended = house.sign_in(ADA, START).await;
        house.logout(&ended, START).await;
        let keys = house.place.server().keys(&house.place.prefix).await;
        let kinds: BTreeSet<_> = keys
            .iter()
            .map(|key| (key.name.trim_start_matches(&house.place.prefix).split(':').next().unwrap_or_default(), &*key.kind))
            .collect();
        let expected = [("refresh", "string"), ("session", "hash"), ("session", "string"), ("user", "zset")];
        assert_eq!(kinds.into_iter().collect::<Vec<_>>(), expected);
        let mut dump = String::new();
        for key in &keys {
            assert!(key.ttl.is_some(), "{} stays for ever", key.name);
            let words: &[&str] = match &*key.kind {
                "hash" => &["HGETALL", &key.name],
                "zset" => &["ZRANGE", &key.name, "0", "-1"],
                _ => &["GET", &key.name],
            };
            dump += &format!("{}\n{}\n", key.name, house.place.server().command(words).await);
        }
        for tokens in [first, second, ended] {
            let texts = [tokens.access_token.expose_secret(), tokens.refresh_token.expose_secret()];
            let secrets = texts.iter().flat_map(|text| text.split('.')).filter(|part| part.len() > 20);
            for secret in secrets {
                assert!(!dump.contains(secret), "{secret} stands in\n{dump}");
            }
            assert!(!dump.contains(&tokens.session_id.to_string()), "who knows a session can end it:\n{dump}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_process_knows_the_others_need_not_ask_the_vault() {
    let house = House::at(Place::shared().await).await;
    let other = house.another_process(START).await;
    // What was confirmed before a process came is none of its business.
    let before = house.sign_in(BOB, START).await;
    other.check(&before, START).await.expect("the session is open");
    let tokens = house.sign_in(ADA, START).await;
    house.vault.purge(START + secs(10_000_000_000)).await.expect("memory does not fail");
    assert_eq!(house.vault.find(tokens.session_id).await.expect("memory does not fail"), None);
    let identity = other.check(&tokens, START).await.expect("Redis knows it");
    assert_eq!((identity.member_id, identity.session_id), (ADA, tokens.session_id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_holds_up_nobody_and_ends_are_told_when_it_wakes() {
    let server = Arc::new(RedisServer::start().await);
    let [one, two] = two_at(&server).await;
    let (ended, open) = (one.sign_in(ADA, START).await, one.sign_in(BOB, START).await);
    two.check(&ended, START).await.expect("the session is open");
    server.pause();
    let begun = Instant::now();
    one.logout(&ended, START).await;
    assert!(is!(one.check(&ended, START).await, Error::Revoked));
    one.check(&open, START).await.expect("the vault knows it");
    one.refresh(&open, START).await.expect("the vault knows it");
    assert!(
        is!(two.check(&ended, START + secs(5)).await, Error::Revoked),
        "the vault knows it after five seconds"
    );
    // Twice the deadline of these tests for each, not for ever.
    assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
    server.resume();
    refuses(&two, &ended).await;
    let third = one.another_process(START).await;
    assert!(is!(third.check(&ended, START).await, Error::Revoked));
    third.check(&open, START).await.expect("the session is open");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_back_from_an_old_dump_revives_nothing() {
    let server = Arc::new(RedisServer::start().await);
    let [one, two] = two_at(&server).await;
    let (ended, open) = (one.sign_in(ADA, START).await, one.sign_in(ADA, START).await);
    for tokens in [&ended, &open] {
        two.check(tokens, START).await.expect("the session is open");
    }
    server.command(&["SAVE"]).await;
    one.logout(&ended, START).await;
    refuses(&two, &ended).await;
    server.kill9();
    server.restart(Keep::Data).await;
    let keys = server.keys(&one.place.prefix).await;
    assert!(keys.iter().filter(|key| key.kind == "hash").count() >= 2, "both are there again: {keys:?}");
    for house in [&one, &two, &one.another_process(START).await] {
        assert!(is!(house.check(&ended, START + secs(6)).await, Error::Revoked));
        house.check(&open, START + secs(6)).await.expect("the session is open");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_server_ends_no_session_and_revives_none() {
    let server = Arc::new(RedisServer::start().await);
    let [one, two] = two_at(&server).await;
    let (ended, open) = (one.sign_in(ADA, START).await, one.sign_in(ADA, START).await);
    two.check(&ended, START).await.expect("the session is open");
    one.logout(&ended, START).await;
    server.command(&["FLUSHALL"]).await;
    for house in [&one, &two, &one.another_process(START).await] {
        assert!(is!(house.check(&ended, START + secs(6)).await, Error::Revoked));
        house.check(&open, START + secs(6)).await.expect("the session is open");
        house.refresh(&open, START + secs(7)).await.expect("the session is open");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_was_cut_off_believes_nothing_of_before() {
    let one = House::at(Place::shared().await).await;
    let far = House::open(
        one.vault.clone(),
        Arc::new(one.place.behind_a_proxy().await),
        upshelf_session::Settings::default(),
        START,
    )
    .await;
    let tokens = one.sign_in(ADA, START).await;
    far.check(&tokens, START).await.expect("the session is open");
    far.place.proxy().cut();
    wait_until("the cut is noticed", PATIENCE, async || far.sessions.is_degraded()).await;
    one.logout(&tokens, START).await;
    far.place.proxy().restore();
    wait_until("it hears again", PATIENCE, async || !far.sessions.is_degraded()).await;
    refuses(&far, &tokens).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_in_a_process_that_was_cut_off_is_told_when_it_is_back() {
    let one = House::at(Place::shared().await).await;
    let far = House::open(
        one.vault.clone(),
        Arc::new(one.place.behind_a_proxy().await),
        upshelf_session::Settings::default(),
        START,
    )
    .await;
    let tokens = one.sign_in(ADA, START).await;
    one.check(&tokens, START).await.expect("the session is open");
    far.place.proxy().cut();
    wait_until("the cut is noticed", PATIENCE, async || far.sessions.is_degraded()).await;
    far.logout(&tokens, START).await;
    assert!(is!(far.check(&tokens, START).await, Error::Revoked));
    far.place.proxy().restore();
    refuses(&one, &tokens).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_survive_a_new_primary() {
    let sentinel = RedisSentinel::start().await;
    let one = House::at(Place::behind(&sentinel)).await;
    let two = one.another_process(START).await;
    let (ended, open) = (one.sign_in(ADA, START).await, one.sign_in(ADA, START).await);
    two.check(&ended, START).await.expect("the session is open");
    let begun = Instant::now();
    sentinel.kill_primary().await;
    one.logout(&ended, START).await;
    one.check(&open, START + secs(6)).await.expect("the session is open");
    wait_until("both are back", PATIENCE, async || {
        ![&one, &two].iter().any(|house| house.sessions.is_degraded())
    })
    .await;
    refuses(&two, &ended).await;
    two.check(&open, START + secs(6)).await.expect("the session is open");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_sent_nothing_across_its_slots() {
    let house = House::at(Place::cluster().await).await;
    let tokens = house.sign_in(ADA, START).await;
    house.check(&tokens, START).await.expect("the session is open");
    let second = house.refresh(&tokens, START).await.expect("it is the current token");
    house.logout(&second, START).await;
    let errors = RedisCluster::shared().await.errorstats().await;
    assert!(!errors.contains_key("CROSSSLOT"), "{errors:?}");
}
