use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use upshelf_session::{
    Device, Ending, KeyDocument, Previous, Reason, Rotation, RotationAttempt, Session, Target, Vault,
};
use upshelf_store::MemberId;
use upshelf_testkit::contract;
use uuid::Uuid;

use crate::fixture::Fixture;

const DAY: Duration = Duration::from_secs(86_400);

fn later(f: &Fixture, by: Duration) -> Timestamp {
    f.hand.now() + by
}

async fn session(f: &Fixture, member: MemberId) -> Session {
    let now = f.hand.now();
    let session = Session {
        id: f.clock.id(),
        member_id: member.0,
        created_at: now,
        auth_time: now,
        last_seen_at: now,
        expires_at: later(f, 30 * DAY),
        idle_until: later(f, 14 * DAY),
        device: Device::new("2001:db8::1".parse().ok(), Some("Firefox")),
        current_hash: "h0".to_owned(),
        previous: None,
        revoked: None,
    };
    f.store.insert(&session).await.expect("a session is stored");
    session
}

fn attempt(f: &Fixture, session: &Session, presented: &str, successor: &str) -> RotationAttempt {
    RotationAttempt {
        session_id: session.id,
        presented_hash: presented.to_owned(),
        successor_hash: successor.to_owned(),
        sealed_successor: vec![0, 1, 255],
        device: Device::new("192.0.2.7".parse().ok(), None),
        now: f.hand.now(),
        idle_until: later(f, 14 * DAY),
    }
}

fn ending(f: &Fixture, reason: Reason) -> Ending {
    Ending { at: f.hand.now(), reason }
}

contract! {
    parts { sqlite => Fixture::sqlite().await, postgres => Fixture::postgres().await }

    async fn a_session_is_found_as_it_was_stored(f: &Fixture) -> Result<()> {
        let mut stored = session(f, f.member("Ada").await).await;
        assert_eq!(f.store.find(stored.id).await?, Some(stored.clone()));
        assert_eq!(f.store.find(f.clock.id()).await?, None);
        stored.id = f.clock.id();
        stored.device = Device::default();
        stored.previous =
            Some(Previous { hash: "p".into(), rotated_at: f.hand.now(), sealed_successor: vec![0, 7] });
        stored.revoked = Some(ending(f, Reason::LogoutAll));
        f.store.insert(&stored).await?;
        assert_eq!(f.store.find(stored.id).await?, Some(stored));
        Ok(())
    }

    async fn a_token_is_replaced_once(f: &Fixture) -> Result<()> {
        let stored = session(f, f.member("Ada").await).await;
        f.pass(60);
        let first = attempt(f, &stored, "h0", "h1");
        let expected = Session {
            current_hash: "h1".into(),
            previous: Some(Previous { hash: "h0".into(), rotated_at: first.now, sealed_successor: vec![0, 1, 255] }),
            device: first.device.clone(),
            last_seen_at: first.now,
            idle_until: first.idle_until,
            ..stored.clone()
        };
        assert_eq!(f.store.rotate(&first).await?, Rotation::Done(expected.clone()));
        let second = attempt(f, &stored, "h0", "h2");
        assert_eq!(f.store.rotate(&second).await?, Rotation::Refused(Some(expected)));
        let nobody = RotationAttempt { session_id: f.clock.id(), ..first };
        assert_eq!(f.store.rotate(&nobody).await?, Rotation::Refused(None));
        Ok(())
    }

    async fn of_many_rotations_at_once_one_is_done(f: &Fixture) -> Result<()> {
        let stored = session(f, f.member("Ada").await).await;
        let attempts: Vec<_> = (1..=5).map(|i| attempt(f, &stored, "h0", &format!("h{i}"))).collect();
        let [a, b, c, d, e] = &attempts[..] else { unreachable!("there are five") };
        let (a, b, c, d, e) = tokio::join!(
            f.store.rotate(a), f.store.rotate(b), f.store.rotate(c), f.store.rotate(d), f.store.rotate(e),
        );
        let mut winner = None;
        let mut refused = Vec::new();
        for rotation in [a?, b?, c?, d?, e?] {
            match rotation {
                Rotation::Done(session) => assert!(winner.replace(session).is_none(), "two were done"),
                Rotation::Refused(session) => refused.push(session),
            }
        }
        assert!(winner.is_some() && refused.len() == 4);
        assert!(refused.iter().all(|session| *session == winner), "they see what the one did");
        Ok(())
    }

    async fn an_ended_session_is_not_rotated_or_touched(f: &Fixture) -> Result<()> {
        let ada = f.member("Ada").await;
        let (revoked, idle, expired) = (session(f, ada).await, session(f, ada).await, session(f, ada).await);
        f.store.revoke(Target::Session(revoked.id), ending(f, Reason::Logout)).await?;
        f.store.touch(expired.id, f.hand.now(), later(f, 90 * DAY)).await?;
        f.hand.advance(14 * DAY);
        for session in [&revoked, &idle] {
            assert!(matches!(f.store.rotate(&attempt(f, session, "h0", "h1")).await?, Rotation::Refused(Some(_))));
            let before = f.store.find(session.id).await?;
            f.store.touch(session.id, f.hand.now(), later(f, 14 * DAY)).await?;
            assert_eq!(f.store.find(session.id).await?, before);
        }
        assert!(matches!(f.store.rotate(&attempt(f, &expired, "h0", "h1")).await?, Rotation::Done(_)));
        f.hand.advance(16 * DAY);
        assert!(matches!(f.store.rotate(&attempt(f, &expired, "h1", "h2")).await?, Rotation::Refused(Some(_))));
        Ok(())
    }

    async fn a_touch_never_goes_back(f: &Fixture) -> Result<()> {
        let stored = session(f, f.member("Ada").await).await;
        let (seen, idle) = (later(f, DAY), later(f, 20 * DAY));
        f.store.touch(stored.id, seen, idle).await?;
        f.store.touch(stored.id, f.hand.now(), later(f, DAY)).await?;
        let found = f.store.find(stored.id).await?.expect("it is there");
        assert_eq!((found.last_seen_at, found.idle_until), (seen, idle));
        Ok(())
    }

    async fn revoking_ends_what_it_names_and_nothing_twice(f: &Fixture) -> Result<()> {
        let (ada, bob) = (f.member("Ada").await, f.member("Bob").await);
        let (one, two, three) = (session(f, ada).await, session(f, ada).await, session(f, ada).await);
        let other = session(f, bob).await;
        let foreign = Target::SessionOf { session_id: one.id, member_id: bob.0 };
        assert_eq!(f.store.revoke(foreign, ending(f, Reason::Device)).await?, [] as [Uuid; 0]);
        let own = Target::SessionOf { session_id: one.id, member_id: ada.0 };
        let first = ending(f, Reason::Device);
        assert_eq!(f.store.revoke(own, first).await?, [one.id]);
        f.pass(1);
        let others = Target::Member { member_id: ada.0, except: Some(three.id) };
        assert_eq!(f.store.revoke(others, ending(f, Reason::Password)).await?, [two.id]);
        assert_eq!(f.store.find(one.id).await?.and_then(|found| found.revoked), Some(first));
        let all = Target::Member { member_id: ada.0, except: None };
        assert_eq!(f.store.revoke(all, ending(f, Reason::LogoutAll)).await?, [three.id]);
        assert_eq!(f.store.find(other.id).await?.and_then(|found| found.revoked), None);
        Ok(())
    }

    async fn open_sessions_are_listed_last_used_first_and_ended_ones_purged(f: &Fixture) -> Result<()> {
        let (ada, bob) = (f.member("Ada").await, f.member("Bob").await);
        let (one, two, three) = (session(f, ada).await, session(f, ada).await, session(f, ada).await);
        session(f, bob).await;
        f.store.touch(one.id, later(f, DAY), later(f, 20 * DAY)).await?;
        f.store.revoke(Target::Session(three.id), ending(f, Reason::Logout)).await?;
        let listed = async || {
            anyhow::Ok(f.store.list(ada.0, f.hand.now()).await?.iter().map(|s| s.id).collect::<Vec<_>>())
        };
        assert_eq!(listed().await?, [one.id, two.id]);
        assert_eq!(f.store.purge(f.hand.now()).await?, 0);
        assert_eq!(f.store.purge(later(f, Duration::from_micros(1))).await?, 1, "the one that was revoked");
        f.hand.advance(15 * DAY);
        assert_eq!(listed().await?, [one.id]);
        assert_eq!(f.store.purge(f.hand.now()).await?, 2, "idle ones, Bob's too");
        assert_eq!(f.store.find(two.id).await?, None);
        assert!(f.store.find(one.id).await?.is_some());
        Ok(())
    }

    async fn the_key_ring_is_replaced_by_its_next_version_only(f: &Fixture) -> Result<()> {
        let keys = |version, document: &str| KeyDocument { version, document: SecretString::from(document) };
        assert!(f.store.load_keys().await?.is_none());
        assert!(!f.store.store_keys(&keys(2, "too early")).await?);
        let (first, second) = (keys(1, "one"), keys(1, "other"));
        let (a, b) = tokio::join!(f.store.store_keys(&first), f.store.store_keys(&second));
        assert!(a? != b?, "one of two is stored");
        assert!(f.store.store_keys(&keys(2, "two")).await?);
        assert!(!f.store.store_keys(&keys(2, "late")).await?);
        assert!(!f.store.store_keys(&keys(1, "late")).await?);
        let stored = f.store.load_keys().await?.expect("a ring was stored");
        assert_eq!((stored.version, stored.document.expose_secret()), (2, "two"));
        Ok(())
    }
}
