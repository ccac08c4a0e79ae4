//! What every [`Vault`] promises, as tests: [`vault_contract!`](crate::vault_contract) runs them on yours.

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::rows::{
    Device, Ending, KeyDocument, Previous, Reason, Rotation, RotationAttempt, Session, Target,
};
use crate::vault::Vault;

const SURE: &str = "the vault does not fail";
const START: Timestamp = Timestamp::constant(1_767_600_000, 123_456_000);

/// An empty vault, with two members who may have sessions in it.
pub struct Fixture<V> {
    /// The vault.
    pub vault: V,
    /// One member.
    pub ada: Uuid,
    /// Another one.
    pub bob: Uuid,
}

/// Runs the promises of a vault on each part: `vault_contract! { memory => Fixture { … }, … }`.
///
/// The calling crate needs `upshelf-testkit`, and `tokio` with `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! vault_contract {
    (@each [$($parts:tt)+] $($name:ident)+) => {
        upshelf_testkit::contract! {
            threads parts { $($parts)+ }
            $(async fn $name(fixture: $crate::contract::Fixture<impl $crate::Vault>) {
                $crate::contract::$name(fixture).await;
            })+
        }
    };
    ($($parts:tt)+) => {
        $crate::vault_contract! { @each [$($parts)+]
            what_is_stored_comes_back
            a_rotation_replaces_the_current_hash
            a_rotation_needs_the_current_hash_of_an_open_session
            one_of_many_rotations_at_once_is_done
            a_use_never_takes_time_back
            a_session_is_revoked_once
            a_revocation_reaches_its_target_and_no_other
            open_sessions_are_listed_last_used_first
            what_ended_before_is_purged
            a_key_ring_follows_the_one_before
        }
    };
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

fn session(number: u128, member_id: Uuid) -> Session {
    Session {
        id: Uuid::from_u128(number),
        member_id,
        created_at: START,
        auth_time: START,
        last_seen_at: START,
        expires_at: START + hours(48),
        idle_until: START + hours(24),
        device: Device::new(Some([192, 0, 2, 1].into()), Some("A browser")),
        current_hash: format!("hash {number}"),
        previous: None,
        revoked: None,
    }
}

async fn stored<V: Vault>(vault: &V, number: u128, member_id: Uuid) -> Session {
    let session = session(number, member_id);
    vault.insert(&session).await.expect(SURE);
    session
}

fn attempt(session: &Session, now: Timestamp) -> RotationAttempt {
    RotationAttempt {
        session_id: session.id,
        presented_hash: session.current_hash.clone(),
        successor_hash: "successor".to_owned(),
        sealed_successor: vec![0, 255, 7],
        device: Device::new(Some("2001:db8::1".parse().expect("an address")), None),
        now,
        idle_until: now + hours(24),
    }
}

fn ending(reason: Reason) -> Ending {
    Ending { at: START + hours(1), reason }
}

/// A session is found as it was stored, and one that was not stored is not found.
pub async fn what_is_stored_comes_back<V: Vault>(Fixture { vault, ada, .. }: Fixture<V>) {
    let mut full = session(1, ada);
    full.previous = Some(Previous { hash: "old".into(), rotated_at: START, sealed_successor: vec![1, 0, 2] });
    full.revoked = Some(ending(Reason::Password));
    let plain = Session { device: Device::default(), ..session(2, ada) };
    for session in [&full, &plain] {
        vault.insert(session).await.expect(SURE);
        assert_eq!(vault.find(session.id).await.expect(SURE).as_ref(), Some(session));
    }
    assert_eq!(vault.find(Uuid::from_u128(3)).await.expect(SURE), None);
}

/// A rotation changes what it says, and nothing else.
pub async fn a_rotation_replaces_the_current_hash<V: Vault>(Fixture { vault, ada, .. }: Fixture<V>) {
    let before = stored(&vault, 1, ada).await;
    let attempt = attempt(&before, START + hours(1));
    let after = Session {
        current_hash: attempt.successor_hash.clone(),
        previous: Some(Previous {
            hash: attempt.presented_hash.clone(),
            rotated_at: attempt.now,
            sealed_successor: attempt.sealed_successor.clone(),
        }),
        last_seen_at: attempt.now,
        idle_until: attempt.idle_until,
        device: attempt.device.clone(),
        ..before
    };
    assert_eq!(vault.rotate(&attempt).await.expect(SURE), Rotation::Done(after.clone()));
    assert_eq!(vault.find(after.id).await.expect(SURE), Some(after));
}

/// Another hash, an unknown session, or one that is over: refused, with the row, unchanged.
pub async fn a_rotation_needs_the_current_hash_of_an_open_session<V: Vault>(
    Fixture { vault, ada, .. }: Fixture<V>,
) {
    let open = stored(&vault, 1, ada).await;
    let wrong = RotationAttempt { presented_hash: "another".to_owned(), ..attempt(&open, START) };
    let idle = attempt(&open, open.idle_until);
    let expired = attempt(&open, open.expires_at);
    for attempt in [wrong, idle, expired] {
        assert_eq!(vault.rotate(&attempt).await.expect(SURE), Rotation::Refused(Some(open.clone())));
    }
    let unknown = attempt(&session(2, ada), START);
    assert_eq!(vault.rotate(&unknown).await.expect(SURE), Rotation::Refused(None));

    let ending = ending(Reason::Logout);
    vault.revoke(Target::Session(open.id), ending).await.expect(SURE);
    let revoked = Session { revoked: Some(ending), ..open };
    let rotation = vault.rotate(&attempt(&revoked, START)).await.expect(SURE);
    assert_eq!(rotation, Rotation::Refused(Some(revoked)));
}

/// Of attempts at once with one presented hash exactly one is done, and the others see it.
pub async fn one_of_many_rotations_at_once_is_done<V: Vault>(Fixture { vault, ada, .. }: Fixture<V>) {
    let vault = std::sync::Arc::new(vault);
    let before = stored(&vault, 1, ada).await;
    let mut attempts = tokio::task::JoinSet::new();
    for number in 0..20 {
        let attempt = RotationAttempt { successor_hash: number.to_string(), ..attempt(&before, START) };
        let vault = vault.clone();
        attempts.spawn(async move { (attempt.successor_hash.clone(), vault.rotate(&attempt).await) });
    }
    let (mut done, mut seen) = (Vec::new(), Vec::new());
    for (hash, rotation) in attempts.join_all().await {
        match rotation.expect(SURE) {
            Rotation::Done(session) => {
                assert_eq!(session.current_hash, hash);
                done.push(hash);
            }
            Rotation::Refused(session) => seen.push(session.expect("it is there").current_hash),
        }
    }
    assert_eq!(done.len(), 1);
    assert!(seen.iter().all(|hash| *hash == done[0]), "{seen:?} saw something else than {done:?}");
}

/// Uses may be noted in any order; the latest stands. A session that is over is not brought back.
pub async fn a_use_never_takes_time_back<V: Vault>(Fixture { vault, ada, .. }: Fixture<V>) {
    let (used, over) = (stored(&vault, 1, ada).await, stored(&vault, 2, ada).await);
    for hour in [2, 1] {
        let now = START + hours(hour);
        vault.touch(used.id, now, now + hours(24)).await.expect(SURE);
    }
    let found = vault.find(used.id).await.expect(SURE).expect("it is there");
    assert_eq!((found.last_seen_at, found.idle_until), (START + hours(2), START + hours(26)));

    vault.touch(over.id, over.idle_until, over.idle_until + hours(24)).await.expect(SURE);
    assert_eq!(vault.find(over.id).await.expect(SURE), Some(over));
    vault.touch(Uuid::from_u128(3), START, START).await.expect(SURE);
}

/// The first revocation keeps its time and reason, and only it returns the session.
pub async fn a_session_is_revoked_once<V: Vault>(Fixture { vault, ada, .. }: Fixture<V>) {
    let open = stored(&vault, 1, ada).await;
    let target = Target::Session(open.id);
    assert_eq!(vault.revoke(target, ending(Reason::Reuse)).await.expect(SURE), [open.id]);
    let later = Ending { at: START + hours(2), reason: Reason::Logout };
    assert!(vault.revoke(target, later).await.expect(SURE).is_empty());
    let found = vault.find(open.id).await.expect(SURE).expect("it is there");
    assert_eq!(found.revoked, Some(ending(Reason::Reuse)));
}

/// One of one member, all of one member, all but one: nobody else's.
pub async fn a_revocation_reaches_its_target_and_no_other<V: Vault>(Fixture { vault, ada, bob }: Fixture<V>) {
    let [first, second, third, bobs] = [
        stored(&vault, 1, ada).await,
        stored(&vault, 2, ada).await,
        stored(&vault, 3, ada).await,
        stored(&vault, 4, bob).await,
    ]
    .map(|session| session.id);
    let steps = [
        (Target::SessionOf { session_id: first, member_id: bob }, vec![]),
        (Target::SessionOf { session_id: first, member_id: ada }, vec![first]),
        (Target::Member { member_id: ada, except: Some(second) }, vec![third]),
        (Target::Member { member_id: ada, except: None }, vec![second]),
        (Target::Session(Uuid::from_u128(5)), vec![]),
        (Target::Session(bobs), vec![bobs]),
    ];
    for (target, ended) in steps {
        assert_eq!(vault.revoke(target, ending(Reason::Device)).await.expect(SURE), ended, "{target:?}");
    }
}

/// The list has a member's open sessions, last used first.
pub async fn open_sessions_are_listed_last_used_first<V: Vault>(Fixture { vault, ada, bob }: Fixture<V>) {
    let (old, new, ended) =
        (stored(&vault, 1, ada).await, stored(&vault, 2, ada).await, stored(&vault, 3, ada).await);
    stored(&vault, 4, bob).await;
    vault.touch(new.id, START + hours(1), START + hours(25)).await.expect(SURE);
    vault.revoke(Target::Session(ended.id), ending(Reason::Logout)).await.expect(SURE);

    let ids_at = async |now| {
        vault.list(ada, now).await.expect(SURE).iter().map(|session| session.id).collect::<Vec<_>>()
    };
    assert_eq!(ids_at(START + hours(2)).await, [new.id, old.id]);
    assert_eq!(ids_at(old.idle_until).await, [new.id]);
    vault.touch(new.id, START + hours(24), START + hours(72)).await.expect(SURE);
    assert!(ids_at(new.expires_at).await.is_empty());
}

/// What ended earlier than asked goes, by whatever it ended; what is open or ended later stays.
pub async fn what_ended_before_is_purged<V: Vault>(Fixture { vault, ada, .. }: Fixture<V>) {
    let (revoked, idle) = (stored(&vault, 1, ada).await, stored(&vault, 2, ada).await);
    let used = Session { idle_until: START + hours(100), ..session(3, ada) };
    vault.insert(&used).await.expect(SURE);
    let ending = ending(Reason::Logout);
    vault.revoke(Target::Session(revoked.id), ending).await.expect(SURE);

    let moment = SignedDuration::from_micros(1);
    for (id, end) in [(revoked.id, ending.at), (idle.id, idle.idle_until), (used.id, used.expires_at)] {
        assert_eq!(vault.purge(end).await.expect(SURE), 0);
        assert!(vault.find(id).await.expect(SURE).is_some());
        assert_eq!(vault.purge(end + moment).await.expect(SURE), 1);
        assert_eq!(vault.find(id).await.expect(SURE), None);
    }
}

/// A ring is stored once per version, each after the one before.
pub async fn a_key_ring_follows_the_one_before<V: Vault>(Fixture { vault, .. }: Fixture<V>) {
    let ring = |version, text: &str| KeyDocument { version, document: SecretString::from(text) };
    assert!(vault.load_keys().await.expect(SURE).is_none());
    assert!(!vault.store_keys(&ring(2, "too early")).await.expect(SURE));
    assert!(vault.store_keys(&ring(1, "first")).await.expect(SURE));
    assert!(!vault.store_keys(&ring(1, "another first")).await.expect(SURE));
    assert!(vault.store_keys(&ring(2, "second")).await.expect(SURE));
    let stored = vault.load_keys().await.expect(SURE).expect("it was stored");
    assert_eq!((stored.version, stored.document.expose_secret()), (2, "second"));

    let vault = std::sync::Arc::new(vault);
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..10 {
        let (vault, ring) = (vault.clone(), ring(3, &number.to_string()));
        writers.spawn(async move { vault.store_keys(&ring).await.expect(SURE) });
    }
    assert_eq!(writers.join_all().await.into_iter().filter(|stored| *stored).count(), 1);
}
