//! A vault with one process on it, and a member or two.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use upshelf_session::{Device, Error, Identity, MemoryVault, Sessions, Settings, Tokens};
use uuid::Uuid;

pub(crate) const ADA: Uuid = Uuid::from_u128(0xada);
pub(crate) const BOB: Uuid = Uuid::from_u128(0xb0b);
pub(crate) const START: Timestamp = Timestamp::constant(1_767_600_000, 0);

pub(crate) struct House {
    pub(crate) vault: Arc<MemoryVault>,
    pub(crate) sessions: Sessions<Arc<MemoryVault>>,
}

impl House {
    pub(crate) async fn new(settings: Settings) -> Self {
        Self::over(Arc::default(), settings, START).await
    }

    pub(crate) async fn over(vault: Arc<MemoryVault>, settings: Settings, now: Timestamp) -> Self {
        let sessions = Sessions::open(vault.clone(), settings, now).await.expect("memory does not fail");
        Self { vault, sessions }
    }

    /// A second process on the same vault.
    pub(crate) async fn another_process(&self, now: Timestamp) -> Self {
        Self::over(self.vault.clone(), Settings::default(), now).await
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
