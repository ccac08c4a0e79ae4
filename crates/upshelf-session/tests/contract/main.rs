//! What sessions promise, on each set-up.

mod deaths;
mod house;
mod outages;
mod place;
mod shared;
mod tokens;
mod vault;

use std::sync::Arc;

use house::{ADA, BOB, House, START, days, is, phone, secs};
use jiff::SignedDuration;
use place::{PATIENCE, Place};
use secrecy::ExposeSecret;
use tokio::task::JoinSet;
use upshelf_session::{Error, Reason, Settings, Vault};
use upshelf_testkit::wait_until;

/// A process after an outage during which sessions were started, used and ended.
async fn after_an_outage() -> House {
    let house = House::at(Place::shared().await.behind_a_proxy().await).await;
    let (open, ended) = (house.sign_in(ADA, START).await, house.sign_in(ADA, START).await);
    house.place.proxy().cut();
    house.check(&open, START).await.expect("the vault knows it");
    house.logout(&ended, START).await;
    house.refresh(&open, START).await.expect("the vault knows it");
    let later = house.sign_in(BOB, START).await;
    house.place.proxy().restore();
    house.place.wait_until_all_listen().await;
    wait_until("Redis is back", PATIENCE, async || !house.sessions.is_degraded()).await;
    assert!(is!(house.check(&ended, START).await, Error::Revoked));
    for tokens in [open, later] {
        house.logout(&tokens, START).await;
    }
    house.vault.purge(START + days(1_000)).await.expect("memory does not fail");
    house
}

upshelf_testkit::contract! {
    threads parts {
        local => House::new(Settings::default()).await,
        shared => House::at(Place::shared().await).await,
        cluster => House::at(Place::cluster().await).await,
        degraded => House::at(Place::degraded().await).await,
        restored => after_an_outage().await,
    }

    async fn a_token_identifies_its_member_until_it_expires(house: House) {
        let tokens = house.sign_in(ADA, START).await;
        let last = tokens.access_expires_at - SignedDuration::from_nanos(1);
        for now in [START, last] {
            let identity = house.check(&tokens, now).await.expect("the token is valid");
            assert_eq!((identity.member_id, identity.session_id), (ADA, tokens.session_id));
            assert_eq!(identity.auth_time, START);
        }
        assert_eq!(tokens.access_expires_at, START + days(7));
        assert!(is!(house.check(&tokens, tokens.access_expires_at).await, Error::Expired));
    }

    async fn who_stays_connected_hears_of_the_end(house: House) {
        let (ended, other) = (house.sign_in(ADA, START).await, house.sign_in(ADA, START).await);
        let known = house.check(&ended, START).await.expect("the token is valid");
        let spared = house.check(&other, START).await.expect("the token is valid");
        let mut ends = house.sessions.ends();
        assert!(house.sessions.is_open(&known, START).await.expect("memory does not fail"));
        house.logout(&ended, START).await;
        loop {
            let heard = tokio::time::timeout(PATIENCE, ends.next()).await.expect("it is told in time");
            if heard.expect("the sessions are open").includes(known.session_id) {
                break;
            }
        }
        assert!(!house.sessions.is_open(&known, START).await.expect("memory does not fail"));
        assert!(house.sessions.is_open(&spared, START).await.expect("memory does not fail"));
        assert!(!house.sessions.is_open(&spared, START + days(30)).await.expect("memory does not fail"));
        drop(house);
        while ends.next().await.is_some() {}
    }

    async fn a_refresh_keeps_the_session_and_replaces_the_token(house: House) {
        let first = house.sign_in(ADA, START).await;
        let second = house.refresh(&first, START + days(1)).await.expect("it is the current token");
        assert_eq!(second.session_id, first.session_id);
        assert_ne!(second.refresh_token.expose_secret(), first.refresh_token.expose_secret());
        assert_eq!(second.refresh_expires_at, START + days(30));
        let identity = house.check(&second, START + days(1)).await.expect("the token is valid");
        assert_eq!(identity.auth_time, START, "a refresh is not a sign-in");
        house.refresh(&second, START + days(2)).await.expect("the successor is the current token now");
    }

    async fn fifty_refreshes_at_once_give_one_successor(house: House) {
        let house = Arc::new(house);
        let first = house.sign_in(ADA, START).await;
        let mut tabs = JoinSet::new();
        for _ in 0..50 {
            let (house, first) = (house.clone(), first.clone());
            tabs.spawn(async move { house.refresh(&first, START + secs(1)).await });
        }
        let mut successors = tabs.join_all().await.into_iter().map(|tokens| {
            tokens.expect("every tab is served").refresh_token.expose_secret().to_owned()
        }).collect::<Vec<_>>();
        successors.sort();
        successors.dedup();
        assert_eq!(successors.len(), 1);
    }

    async fn a_replaced_token_gives_the_same_successor_for_thirty_seconds(house: House) {
        let first = house.sign_in(ADA, START).await;
        let second = house.refresh(&first, START).await.expect("it is the current token");
        let again = house.refresh(&first, START + secs(30)).await.expect("it was replaced 30 s ago");
        assert_eq!(again.refresh_token.expose_secret(), second.refresh_token.expose_secret());
        house.refresh(&again, START + secs(31)).await.expect("there is one live chain");
    }

    async fn a_token_replaced_long_ago_ends_the_session_and_says_so_once(house: House) {
        let first = house.sign_in(ADA, START).await;
        let second = house.refresh(&first, START).await.expect("it is the current token");
        house.check(&second, START + secs(31)).await.expect("the session is open");
        let stolen = house.refresh(&first, START + secs(31)).await;
        assert!(
            matches!(stolen, Err(Error::Reused { member_id: ADA, session_id }) if session_id == first.session_id)
        );
        assert!(is!(house.refresh(&first, START + secs(31)).await, Error::Revoked));
        assert!(is!(house.refresh(&second, START + secs(31)).await, Error::Revoked));
        assert!(is!(house.check(&second, START + secs(31)).await, Error::Revoked));
    }

    async fn a_token_before_the_replaced_one_ends_the_session_even_at_once(house: House) {
        let first = house.sign_in(ADA, START).await;
        let second = house.refresh(&first, START).await.expect("it is the current token");
        house.refresh(&second, START + secs(1)).await.expect("it is the current token");
        assert!(is!(house.refresh(&first, START + secs(2)).await, Error::Reused { .. }));
    }

    async fn a_stolen_token_ends_one_session_and_no_other(house: House) {
        let (first, other) = (house.sign_in(ADA, START).await, house.sign_in(ADA, START).await);
        house.refresh(&first, START).await.expect("it is the current token");
        assert!(is!(house.refresh(&first, START + secs(31)).await, Error::Reused { .. }));
        house.check(&other, START + secs(31)).await.expect("the other device goes on");
        house.refresh(&other, START + secs(31)).await.expect("the other device goes on");
    }

    async fn signing_out_is_seen_by_the_next_request(house: House) {
        let tokens = house.sign_in(ADA, START).await;
        house.check(&tokens, START).await.expect("the session is open");
        assert!(house.sessions.logout(tokens.session_id, START).await.expect("memory does not fail"));
        assert!(is!(house.check(&tokens, START).await, Error::Revoked));
        assert!(is!(house.refresh(&tokens, START).await, Error::Revoked));
        assert!(!house.sessions.logout(tokens.session_id, START).await.expect("memory does not fail"));
    }

    async fn another_process_sees_the_end_of_a_session_within_five_seconds(house: House) {
        let other = house.another_process(START).await;
        let tokens = house.sign_in(ADA, START).await;
        other.check(&tokens, START).await.expect("the session is open");
        house.sessions.logout(tokens.session_id, START).await.expect("memory does not fail");
        assert!(is!(other.check(&tokens, START + secs(5)).await, Error::Revoked));
    }

    async fn a_strict_check_and_news_of_an_end_do_not_wait_five_seconds(house: House) {
        let other = house.another_process(START).await;
        let tokens = house.sign_in(ADA, START).await;
        other.check(&tokens, START).await.expect("the session is open");
        house.sessions.logout(tokens.session_id, START).await.expect("memory does not fail");
        let strict = other.sessions.check_strictly(tokens.access_token.expose_secret(), START).await;
        assert!(is!(strict, Error::Revoked));
        let third = house.another_process(START).await;
        third.sessions.forget(tokens.session_id);
        assert!(is!(third.check(&tokens, START).await, Error::Revoked));
    }

    async fn signing_out_everywhere_spares_the_session_that_asks(house: House) {
        let (here, there, bobs) =
            (house.sign_in(ADA, START).await, house.sign_in(ADA, START).await, house.sign_in(BOB, START).await);
        let ended = house
            .sessions
            .logout_all(ADA, Some(here.session_id), Reason::Password, START)
            .await
            .expect("memory does not fail");
        assert_eq!(ended, [there.session_id]);
        house.check(&here, START).await.expect("it was excepted");
        house.check(&bobs, START).await.expect("it is somebody else's");
        assert!(is!(house.check(&there, START).await, Error::Revoked));
        let rest = house.sessions.logout_all(ADA, None, Reason::LogoutAll, START).await;
        assert_eq!(rest.expect("memory does not fail"), [here.session_id]);
    }

    async fn a_member_ends_own_sessions_only(house: House) {
        let tokens = house.sign_in(ADA, START).await;
        assert!(!house.sessions.revoke(BOB, tokens.session_id, START).await.expect("memory does not fail"));
        house.check(&tokens, START).await.expect("Bob has no say in it");
        assert!(house.sessions.revoke(ADA, tokens.session_id, START).await.expect("memory does not fail"));
        assert!(is!(house.check(&tokens, START).await, Error::Revoked));
    }

    async fn the_list_of_devices_shows_open_sessions_last_used_first(house: House) {
        let old = house.sign_in(ADA, START).await;
        let new = house.sign_in(ADA, START + secs(1)).await;
        let ended = house.sign_in(ADA, START + secs(2)).await;
        house.sign_in(BOB, START).await;
        house.sessions.logout(ended.session_id, START + secs(2)).await.expect("memory does not fail");
        house.refresh(&old, START + secs(3)).await.expect("it is the current token");
        let listed = house.sessions.list(ADA, START + secs(3)).await.expect("memory does not fail");
        let ids: Vec<_> = listed.iter().map(|open| open.session_id).collect();
        assert_eq!(ids, [old.session_id, new.session_id]);
        assert_eq!(listed[0].device, phone());
        assert_eq!(listed[0].last_seen_at, START + secs(3));
    }

    async fn a_session_ends_thirty_days_after_the_sign_in_however_often_it_is_refreshed(house: House) {
        let mut tokens = house.sign_in(ADA, START).await;
        for day in (5..30).step_by(5) {
            tokens = house.refresh(&tokens, START + days(day)).await.expect("it is the current token");
        }
        assert_eq!(tokens.access_expires_at, START + days(30), "no access token outlives its session");
        assert!(is!(house.refresh(&tokens, START + days(30)).await, Error::Expired));
        assert!(is!(house.check(&tokens, START + days(30)).await, Error::Expired));
    }

    async fn a_session_that_is_not_used_for_fourteen_days_ends(house: House) {
        let tokens = house.sign_in(ADA, START).await;
        assert!(is!(house.refresh(&tokens, START + days(14)).await, Error::Expired));
        assert_eq!(house.sessions.list(ADA, START + days(14)).await.expect("memory does not fail"), []);
    }

    async fn using_a_session_keeps_it_from_idling_out(house: House) {
        let tokens = house.sign_in(ADA, START).await;
        house.check(&tokens, START + days(6)).await.expect("the session is open");
        house.refresh(&tokens, START + days(19)).await.expect("it was used 13 days ago");
    }

    async fn rubbish_is_not_a_token(house: House) {
        let tokens = house.sign_in(ADA, START).await;
        let refresh = tokens.refresh_token.expose_secret();
        let nobodys = refresh.replacen(&tokens.session_id.to_string(), &ADA.to_string(), 1);
        for rubbish in ["", ".", "..", "rt1", "rt1..", "a.b.c", &"x".repeat(100_000), "\0", "é.é.é", &nobodys] {
            assert!(is!(house.sessions.check(rubbish, START).await, Error::Invalid), "{rubbish}");
            assert!(is!(house.sessions.refresh(rubbish, &phone(), START).await, Error::Invalid), "{rubbish}");
        }
        let access = tokens.access_token.expose_secret();
        assert!(is!(house.sessions.check(refresh, START).await, Error::Invalid));
        assert!(is!(house.sessions.refresh(access, &phone(), START).await, Error::Invalid));
        house.refresh(&tokens, START).await.expect("rubbish ended nothing");
    }

    async fn no_token_stands_in_the_vault_or_in_debug_output(house: House) {
        let first = house.sign_in(ADA, START).await;
        let second = house.refresh(&first, START).await.expect("it is the current token");
        let printed = format!("{:?} {first:?} {second:?}", house.vault);
        assert!(printed.contains(&first.session_id.to_string()), "the vault was printed");
        for tokens in [first, second] {
            for token in [&tokens.access_token, &tokens.refresh_token] {
                let (_, secret) = token.expose_secret().rsplit_once('.').expect("tokens have dots");
                assert!(!printed.contains(secret), "a token can be read");
            }
        }
    }

    async fn sessions_that_ended_long_ago_are_deleted(house: House) {
        let (gone, open) = (house.sign_in(ADA, START).await, house.sign_in(ADA, START + days(1)).await);
        house.sessions.logout(gone.session_id, START + secs(1)).await.expect("memory does not fail");
        assert_eq!(house.sessions.purge(START + secs(1)).await.expect("memory does not fail"), 0);
        assert_eq!(house.sessions.purge(START + secs(2)).await.expect("memory does not fail"), 1);
        house.check(&open, START + days(1)).await.expect("the session is open");
    }

    async fn settings_of_thousands_of_years_do_no_harm(house: House) {
        let ages = SignedDuration::MAX;
        let settings = Settings { access_ttl: ages, refresh_ttl: ages, idle_ttl: ages, ..Settings::default() };
        let house = house.with(settings).await;
        let tokens = house.sign_in(ADA, START).await;
        house.check(&tokens, START + days(365_000)).await.expect("the session is open");
        house.sessions.rotate_keys(START).await.expect("memory does not fail");
        house.refresh(&tokens, START + days(365_000)).await.expect("the session is open");
    }

    async fn the_hardened_profile_gives_access_for_fifteen_minutes(house: House) {
        let house = house.with(Settings::hardened()).await;
        let tokens = house.sign_in(ADA, START).await;
        assert_eq!(tokens.access_expires_at, START + SignedDuration::from_mins(15));
        assert_eq!(tokens.refresh_expires_at, START + days(30));
    }
}
