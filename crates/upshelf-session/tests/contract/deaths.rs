//! Processes that die, and vaults that fail or are late, while a session ends.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use secrecy::ExposeSecret;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use upshelf_session::{
    Ending, Error, KeyDocument, MemoryVault, Rotation, RotationAttempt, Session, Sessions, Settings, Target,
    Tokens, Vault,
};
use upshelf_testkit::wait_until;
use uuid::Uuid;

use crate::house::{ADA, House, START, is, secs};
use crate::place::{PATIENCE, Place};

/// A vault whose ends can be held up, before and after they are done; and if it is to be, its answers after they are found.
#[derive(Clone)]
struct Slow {
    inner: Arc<MemoryVault>,
    before: Arc<Semaphore>,
    after: Arc<Semaphore>,
    begun: Arc<AtomicUsize>,
    done: Arc<AtomicUsize>,
    is_late: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("the vault is closed")]
struct Closed;

async fn pass(gate: &Semaphore) -> Result<(), Closed> {
    gate.acquire().await.map_err(|_| Closed)?.forget();
    Ok(())
}

impl Slow {
    fn on(inner: &Arc<MemoryVault>) -> Self {
        let gate = || Arc::new(Semaphore::new(0));
        Self {
            inner: Arc::clone(inner),
            before: gate(),
            after: gate(),
            begun: Arc::default(),
            done: Arc::default(),
            is_late: false,
        }
    }
}

const SURE: &str = "memory does not fail";

impl Vault for Slow {
    type Error = Closed;

    async fn revoke(&self, target: Target, ending: Ending) -> Result<Vec<Uuid>, Closed> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        pass(&self.before).await?;
        let ended = self.inner.revoke(target, ending).await.expect(SURE);
        self.done.fetch_add(1, Ordering::SeqCst);
        pass(&self.after).await?;
        Ok(ended)
    }

    async fn insert(&self, session: &Session) -> Result<(), Closed> {
        self.inner.insert(session).await.expect(SURE);
        Ok(())
    }

    async fn find(&self, session_id: Uuid) -> Result<Option<Session>, Closed> {
        let found = self.inner.find(session_id).await.expect(SURE);
        if self.is_late {
            self.done.fetch_add(1, Ordering::SeqCst);
            pass(&self.after).await?;
        }
        Ok(found)
    }

    async fn rotate(&self, attempt: &RotationAttempt) -> Result<Rotation, Closed> {
        Ok(self.inner.rotate(attempt).await.expect(SURE))
    }

    async fn touch(&self, session_id: Uuid, now: Timestamp, idle_until: Timestamp) -> Result<(), Closed> {
        self.inner.touch(session_id, now, idle_until).await.expect(SURE);
        Ok(())
    }

    async fn list(&self, member_id: Uuid, now: Timestamp) -> Result<Vec<Session>, Closed> {
        Ok(self.inner.list(member_id, now).await.expect(SURE))
    }

    async fn purge(&self, before: Timestamp) -> Result<u64, Closed> {
        Ok(self.inner.purge(before).await.expect(SURE))
    }

    async fn load_keys(&self) -> Result<Option<KeyDocument>, Closed> {
        Ok(self.inner.load_keys().await.expect(SURE))
    }

    async fn store_keys(&self, keys: &KeyDocument) -> Result<bool, Closed> {
        Ok(self.inner.store_keys(keys).await.expect(SURE))
    }
}

/// A process in which a session is being ended.
struct Dying {
    vault: Slow,
    logout: JoinHandle<Result<bool, Error>>,
}

impl Dying {
    /// Begins to end a session, and gets as far as the vault, which is not asked yet.
    async fn begin(house: &House, tokens: &Tokens) -> Self {
        let vault = Slow::on(&house.vault);
        let dying = House::open(vault.clone(), house.place.clone(), Settings::default(), START).await;
        let sessions: Sessions<Slow> = dying.sessions;
        // Known here, as to a request of its own: otherwise the vault would have to say whose it is.
        sessions.check(tokens.access_token.expose_secret(), START).await.expect("the session is open");
        let session_id = tokens.session_id;
        let logout = TaskTracker::new().spawn(async move { sessions.logout(session_id, START).await });
        wait_until("the vault is asked", PATIENCE, async || vault.begun.load(Ordering::SeqCst) == 1).await;
        Self { vault, logout }
    }

    /// Lets the vault do it; the process dies before it hears so.
    async fn die_after_the_commit(self) {
        self.vault.before.add_permits(1);
        wait_until("the vault has done it", PATIENCE, async || self.vault.done.load(Ordering::SeqCst) == 1)
            .await;
        self.logout.abort();
        assert!(self.logout.await.expect_err("it died").is_cancelled());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_whose_process_dies_before_it_can_tell_is_noticed_after_five_seconds() {
    let house = House::at(Place::shared().await).await;
    let tokens = house.sign_in(ADA, START).await;
    house.check(&tokens, START).await.expect("the session is open");
    Dying::begin(&house, &tokens).await.die_after_the_commit().await;
    assert!(is!(house.check(&tokens, START + secs(5)).await, Error::Revoked));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_is_done_does_not_hide_one_whose_process_dies() {
    let house = House::at(Place::shared().await).await;
    let (lost, told, last) =
        (house.sign_in(ADA, START).await, house.sign_in(ADA, START).await, house.sign_in(ADA, START).await);
    // The one that dies announces its end first, then others do, and theirs are done before it goes on.
    let dying = Dying::begin(&house, &lost).await;
    let slow = Dying::begin(&house, &last).await;
    house.logout(&told, START).await;
    slow.vault.after.add_permits(1);
    slow.vault.before.add_permits(1);
    assert!(slow.logout.await.expect("it lives").expect(SURE));
    // Somebody asks meanwhile, and would leave the vault's answer with Redis.
    house.check(&lost, START + secs(6)).await.expect("it has not ended yet");
    dying.die_after_the_commit().await;
    assert!(is!(house.check(&lost, START + secs(12)).await, Error::Revoked));
    for tokens in [&told, &last] {
        assert!(is!(house.check(tokens, START).await, Error::Revoked));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_vault_did_not_end_has_not_ended_anywhere() {
    let house = House::at(Place::shared().await).await;
    let tokens = house.sign_in(ADA, START).await;
    let failing = Dying::begin(&house, &tokens).await;
    failing.vault.before.close();
    assert!(failing.logout.await.expect("it lives").is_err());
    house.check(&tokens, START + secs(6)).await.expect("the session is open");
    house.another_process(START).await.check(&tokens, START).await.expect("the session is open");
    house.refresh(&tokens, START + secs(6)).await.expect("the session is open");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_the_vault_that_comes_late_changes_nothing_in_redis() {
    for ends in [false, true] {
        let house = House::at(Place::shared().await).await;
        let tokens = house.sign_in(ADA, START).await;
        let vault = Slow { is_late: true, ..Slow::on(&house.vault) };
        // It always asks the vault.
        let settings = Settings { confirm_every: secs(0), ..Settings::default() };
        let late = House::open(vault.clone(), house.place.clone(), settings, START).await;
        let asked = tokens.clone();
        let check = TaskTracker::new().spawn(async move { late.check(&asked, START).await });
        wait_until("the vault has found it", PATIENCE, async || vault.done.load(Ordering::SeqCst) == 1).await;
        match ends {
            false => drop(house.refresh(&tokens, START).await.expect("it is the current token")),
            true => house.logout(&tokens, START).await,
        }
        let names = async || {
            let keys = house.place.server().keys(&house.place.prefix).await;
            keys.into_iter().map(|key| key.name).collect::<BTreeSet<_>>()
        };
        let before = names().await;
        vault.after.add_permits(1);
        check.await.expect("it lives").expect("the vault found it open");
        assert_eq!(names().await, before);
    }
}
