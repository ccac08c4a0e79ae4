//! What a Redis that is slow, frozen or away costs, and what counts once it is back.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use upshelf_session::{Error, Settings, Vault};
use upshelf_testkit::wait_until;

use crate::house::{ADA, BOB, House, START, days, is, secs};
use crate::place::{PATIENCE, Place};

/// Another process at the same server, whose way there can be broken without breaking that of the others.
async fn another_behind_a_proxy(house: &House) -> House {
    let place = Arc::new(house.place.behind_a_proxy().await);
    House::open(house.vault.clone(), place, Settings::default(), START).await
}

async fn degraded(house: &House) {
    wait_until("the outage is noticed", PATIENCE, async || house.sessions.is_degraded()).await;
}

async fn back(house: &House) {
    wait_until("Redis is back", PATIENCE, async || !house.sessions.is_degraded()).await;
}

/// How long each kind of request takes once something has befallen Redis. Each is another process's first, so that none
/// knows better by then.
async fn waits_of(deadline: Duration, befall: impl Fn(&House)) -> Vec<(&'static str, Duration)> {
    let mut waits = Vec::new();
    for request in ["start", "check", "refresh", "logout", "reuse"] {
        let place = Place::shared().await.behind_a_proxy().await;
        let house = House::at(place.with_deadline(deadline)).await;
        let tokens = house.sign_in(ADA, START).await;
        if request == "reuse" {
            house.refresh(&tokens, START).await.expect("it is the current token");
        }
        befall(&house);
        let begun = Instant::now();
        match request {
            "start" => drop(house.sign_in(BOB, START).await),
            // Nothing that is remembered: it is long ago.
            "check" => drop(house.check(&tokens, START + secs(6)).await.expect("the session is open")),
            "refresh" => drop(house.refresh(&tokens, START).await.expect("it is the current token")),
            "logout" => house.logout(&tokens, START).await,
            _ => assert!(is!(house.refresh(&tokens, START + secs(31)).await, Error::Reused { .. })),
        }
        waits.push((request, begun.elapsed()));
    }
    waits
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_waits_for_a_frozen_redis_longer_than_the_deadline() {
    let deadline = Duration::from_millis(200);
    let waits = waits_of(deadline, |house| house.place.proxy().freeze()).await;
    assert!(waits.iter().any(|(_, wait)| *wait >= deadline / 2), "somebody did wait: {waits:?}");
    assert!(waits.iter().all(|(_, wait)| *wait < deadline + Duration::from_millis(400)), "{waits:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_waits_for_a_slow_redis_longer_than_the_deadline() {
    // A round trip fits into the deadline, two do not. A longer one would be taken for an outage.
    let (deadline, way) = (Duration::from_millis(600), Duration::from_millis(220));
    let waits = waits_of(deadline, |house| house.place.proxy().delay(way)).await;
    assert!(waits.iter().any(|(_, wait)| *wait >= way * 2), "somebody did wait: {waits:?}");
    assert!(waits.iter().all(|(_, wait)| *wait < deadline + Duration::from_millis(200)), "{waits:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_redis_knew_before_an_outage_is_asked_of_the_vault_again() {
    let here = House::at(Place::shared().await).await;
    let (one, two) = (another_behind_a_proxy(&here).await, another_behind_a_proxy(&here).await);
    let (ended, open) = (one.sign_in(ADA, START).await, one.sign_in(BOB, START).await);
    two.check(&ended, START).await.expect("the session is open");
    for house in [&one, &two] {
        house.place.proxy().cut();
        degraded(house).await;
    }
    one.logout(&ended, START).await;
    two.place.proxy().restore();
    back(&two).await;
    // The one that knows has not been able to tell, and Redis still says that the session is open.
    assert!(one.sessions.is_degraded());
    assert!(is!(two.check(&ended, START).await, Error::Revoked));
    two.check(&open, START).await.expect("the session is open");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_word_of_redis_counts_no_longer_than_it_may() {
    let confirm_every = secs(3_600);
    for (settings, is_believed) in [
        (Settings { confirm_every, ..Settings::default() }, true),
        // What this process remembers counts as well.
        (Settings { confirm_every, trust_ttl: confirm_every, ..Settings::default() }, false),
        (Settings { confirm_every: secs(0), ..Settings::default() }, false),
    ] {
        let house = House::at(Place::shared().await).await;
        let other = House::open(house.vault.clone(), house.place.clone(), settings, START).await;
        // The first answer after it came says since when answers count.
        let first = house.sign_in(BOB, START).await;
        other.check(&first, START).await.expect("the session is open");
        let tokens = house.sign_in(ADA, START).await;
        house.vault.purge(START + days(1_000)).await.expect("memory does not fail");
        let is_known = other.check(&tokens, START).await.is_ok();
        assert_eq!(is_known, is_believed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_end_of_a_long_outage_is_told() {
    let one = House::at(Place::shared().await).await;
    let far = another_behind_a_proxy(&one).await;
    let mut ended = Vec::new();
    for member in [ADA, BOB, ADA, BOB, ADA] {
        let tokens = one.sign_in(member, START).await;
        one.check(&tokens, START).await.expect("the session is open");
        ended.push(tokens);
    }
    far.place.proxy().cut();
    degraded(&far).await;
    for tokens in &ended {
        far.logout(tokens, START).await;
        assert!(is!(far.check(tokens, START).await, Error::Revoked));
    }
    far.place.proxy().restore();
    for tokens in &ended {
        wait_until("the end is heard", PATIENCE, async || {
            is!(one.check(tokens, START).await, Error::Revoked)
        })
        .await;
    }
}
