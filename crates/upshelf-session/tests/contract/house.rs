//! A vault with one process on it, and a member or two.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use upshelf_session::{Device, Error, Identity, MemoryVault, Sessions, Settings, Tokens, Vault};
use uuid::Uuid;

use crate::place::Place;

pub(crate) const ADA: Uuid = Uuid::from_u128(0xada);
pub(crate) const BOB: Uuid = Uuid::from_u128(0xb0b);
pub(crate) const START: Timestamp = Timestamp::constant(1_767_600_000, 0);

pub(crate) struct House<V = Arc<MemoryVault>> {
    pub(crate) vault: V,
    pub(crate) sessions: Sessions<V>,
    pub(crate) place: Arc<Place>,
}

impl House {
    pub(crate) async fn new(settings: Settings) -> Self {
        Self::open(Arc::default(), Place::alone(), settings, START).await
    }

    /// At a place where there may be other processes.
    pub(crate) async fn at(place: Place) -> Self {
        Self::open(Arc::default(), Arc::new(place), Settings::default(), START).await
    }

    /// The same vault at the same place, opened in another way.
    pub(crate) async fn with(self, settings: Settings) -> Self {
        Self::open(self.vault, self.place, settings, START).await
    }
}

impl<V: Vault + Clone> House<V> {
    pub(crate) async fn open(vault: V, place: Arc<Place>, settings: Settings, now: Timestamp) -> Self {
        let sessions = match place.connect().await {
            None => Sessions::open(vault.clone(), settings, now).await,
            Some(redis) => {
                let sessions = Sessions::open_shared(vault.clone(), settings, &redis, now).await;
                place.wait_for_listeners().await;
                sessions
            }
        };
        Self { vault, sessions: sessions.expect("memory does not fail"), place }
    }

    /// A second process on the same vault.
    pub(crate) async fn another_process(&self, now: Timestamp) -> Self {
        Self::open(self.vault.clone(), self.place.clone(), Settings::default(), now).await
    }

    pub(crate) async fn sign_in(&self, member_id: Uuid, now: Timestamp) -> Tokens {
        self.sessions.start(member_id, &phone(), now).await.expect("memory does not fail")
    }

    pub(crate) async fn check(&self, tokens: &Tokens, now: Timestamp) -> Result<Identity, Error> {
        self.sessions.check(tokens.access_token.expose_secret(), now).await
    }

    pub(crate) async fn refresh(&self, tokens: &Tokens, now: Timestamp) -> Result<Tokens, Error> {
        self.sessions.refresh(tokens.refresh_token.expose_secret(), &phone(), now).await
    }

    pub(crate) async fn logout(&self, tokens: &Tokens, now: Timestamp) {
        let was_open = self.sessions.logout(tokens.session_id, now).await.expect("memory does not fail");
        assert!(was_open);
    }
}

pub(crate) fn phone() -> Device {
    Device::new(Some([192, 0, 2, 7].into()), Some("A phone"))
}

pub(crate) fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

pub(crate) fn secs(secs: i64) -> SignedDuration {
    SignedDuration::from_secs(secs)
}

macro_rules! is {
    ($result:expr, $error:pat) => {
        matches!($result, Err($error))
    };
}
pub(crate) use is;
