//! Hashing passwords: argon2id, a few at a time, so that a crowd at the door takes neither the machine nor its memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::rand;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::{Error, Result};

/// How passwords are hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordSettings {
    /// Memory in KiB (argon2's m).
    pub memory: u32,
    /// Passes over the memory (argon2's t).
    pub passes: u32,
    /// How many are hashed at the same time.
    pub at_once: usize,
    /// How many may wait; who comes then is turned away.
    pub waiting: usize,
}

/// OWASP's first choice for argon2id (Password Storage Cheat Sheet), with one lane.
impl Default for PasswordSettings {
    fn default() -> PasswordSettings {
        PasswordSettings { memory: 19_456, passes: 2, at_once: 2, waiting: 32 }
    }
}

/// What came of comparing a password with a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    /// It is another password.
    Wrong,
    /// It is the password.
    Right,
    /// It is the password, and its hash is weaker than those made now.
    RightButWeak,
}

/// The place where passwords are hashed.
pub(crate) struct Passwords {
    argon2: Argon2<'static>,
    seats: Arc<Semaphore>,
    present: AtomicUsize,
    most: usize,
    tracker: TaskTracker,
}

/// Leaves the place again, however the work ends.
struct Present<'a>(&'a AtomicUsize);

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Passwords {
    pub(crate) fn new(settings: PasswordSettings, tracker: TaskTracker) -> Passwords {
        let memory = settings.memory.max(Params::MIN_M_COST);
        let params = Params::new(memory, settings.passes.max(1), 1, None)
            .expect("both costs are at least the least that argon2 takes, and so is one lane");
        let at_once = settings.at_once.clamp(1, 64);
        Passwords {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            seats: Arc::new(Semaphore::new(at_once)),
            present: AtomicUsize::new(0),
            most: at_once.saturating_add(settings.waiting),
            tracker,
        }
    }

    /// Hashes a password with a new salt, in PHC format.
    ///
    /// # Errors
    /// [`Error::Busy`] when too many wait.
    pub(crate) async fn hash(&self, password: &[u8]) -> Result<String> {
        let (argon2, password) = (self.argon2.clone(), password.to_vec());
        self.seated(move || {
            let mut salt = [0; 16];
            rand::fill(&mut salt).expect("the system's randomness does not run out");
            argon2
                .hash_password_with_salt(&password, &salt)
                .expect("a salt of 16 bytes and checked costs are all it asks for")
                .to_string()
        })
        .await
    }

    /// Compares a password with a hash. Without a hash (there is no such member) it takes the same time.
    ///
    /// # Errors
    /// [`Error::Busy`] when too many wait.
    pub(crate) async fn verify(&self, password: &[u8], hash: Option<&str>) -> Result<Match> {
        let (argon2, password, hash) = (self.argon2.clone(), password.to_vec(), hash.map(str::to_owned));
        self.seated(move || {
            let Some(hash) = hash.as_deref().and_then(|hash| PasswordHash::new(hash).ok()) else {
                // Work of the same size as a comparison; only its time matters.
                let _ = argon2.hash_password_with_salt(&password, b"nobody's salt 16");
                return Match::Wrong;
            };
            if argon2.verify_password(&password, &hash).is_err() {
                Match::Wrong
            } else if is_weak(&hash, argon2.params()) {
                Match::RightButWeak
            } else {
                Match::Right
            }
        })
        .await
    }

    /// Runs work on a thread of its own when a seat is free.
    async fn seated<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        if self.present.fetch_add(1, Ordering::AcqRel) >= self.most {
            self.present.fetch_sub(1, Ordering::AcqRel);
            return Err(Error::Busy);
        }
        let _present = Present(&self.present);
        let seat = Arc::clone(&self.seats).acquire_owned().await.expect("nobody closes the semaphore");
        // The seat goes along: a request that is dropped leaves its thread running, and that still takes memory.
        let done = self.tracker.spawn_blocking(move || {
            let value = work();
            drop(seat);
            value
        });
        match done.await {
            Ok(value) => Ok(value),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime is shutting down.
            Err(_) => Err(Error::Busy),
        }
    }
}

/// Whether a hash costs a guesser less than one made now.
fn is_weak(hash: &PasswordHash, now: &Params) -> bool {
    let Ok(then) = Params::try_from(hash) else { return true };
    hash.algorithm != Algorithm::Argon2id.ident()
        || hash.version != Some(Version::V0x13.into())
        || then.m_cost() < now.m_cost()
        || then.t_cost() < now.t_cost()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIGHT: PasswordSettings = PasswordSettings { memory: 64, passes: 1, at_once: 1, waiting: 1 };

    fn passwords(settings: PasswordSettings) -> Passwords {
        Passwords::new(settings, TaskTracker::new())
    }

    #[tokio::test]
    async fn a_password_matches_its_own_hash_and_no_other() {
        let passwords = passwords(LIGHT);
        let hash = passwords.hash(b"fjord-anvil-93").await.expect("there is a seat");
        assert_eq!(passwords.verify(b"fjord-anvil-93", Some(&hash)).await.expect("a seat"), Match::Right);
        assert_eq!(passwords.verify(b"fjord-anvil-94", Some(&hash)).await.expect("a seat"), Match::Wrong);
        assert_eq!(passwords.verify(b"fjord-anvil-93", None).await.expect("a seat"), Match::Wrong);
        assert_eq!(passwords.verify(b"fjord-anvil-93", Some("no hash")).await.expect("a seat"), Match::Wrong);
        assert_ne!(
            hash,
            passwords.hash(b"fjord-anvil-93").await.expect("a seat"),
            "the salt is new each time"
        );
    }

    #[tokio::test]
    async fn hashes_are_argon2id_with_the_costs_that_security_md_names() {
        let hash = passwords(PasswordSettings::default()).hash(b"fjord-anvil-93").await.expect("a seat");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    }

    #[tokio::test]
    async fn a_hash_with_lower_costs_is_weak_and_one_with_higher_costs_is_not() {
        let light = passwords(LIGHT).hash(b"fjord-anvil-93").await.expect("a seat");
        let heavy = passwords(PasswordSettings { passes: 2, ..LIGHT });
        assert_eq!(heavy.verify(b"fjord-anvil-93", Some(&light)).await.expect("a seat"), Match::RightButWeak);
        let hash = heavy.hash(b"fjord-anvil-93").await.expect("a seat");
        assert_eq!(
            passwords(LIGHT).verify(b"fjord-anvil-93", Some(&hash)).await.expect("a seat"),
            Match::Right
        );
    }

    #[tokio::test]
    async fn who_comes_when_all_seats_and_the_queue_are_full_is_turned_away_and_later_let_in() {
        let passwords = passwords(LIGHT);
        let seat = Arc::clone(&passwords.seats).acquire_owned().await.expect("it is free");
        let mut waiting: Vec<_> = (0..2).map(|_| Box::pin(passwords.hash(b"fjord-anvil-93"))).collect();
        for hash in &mut waiting {
            assert!(poll_once(hash.as_mut()).is_none(), "it waits for the seat");
        }
        assert!(matches!(passwords.hash(b"fjord-anvil-93").await, Err(Error::Busy)));
        drop(seat);
        for hash in waiting {
            assert!(hash.await.is_ok());
        }
        assert!(passwords.hash(b"fjord-anvil-93").await.is_ok(), "who left made room");
    }

    /// Polls once.
    fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match future.poll(&mut context) {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        }
    }
}
