//! Keys that the site makes for itself, once, and keeps in its database.

use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::sync::OnceCell;
use upshelf_store::Store;

use crate::Result;

/// A key for HMAC-SHA256, the same in every process on the database.
pub(crate) struct SiteKey {
    setting: &'static str,
    key: OnceCell<hmac::Key>,
}

impl SiteKey {
    /// The key under this setting.
    pub(crate) const fn new(setting: &'static str) -> SiteKey {
        SiteKey { setting, key: OnceCell::const_new() }
    }

    /// Gives the key, and makes it when it is asked for the first time. Never while holding a transaction.
    pub(crate) async fn get(&self, store: &Store) -> Result<&hmac::Key> {
        self.key
            .get_or_try_init(|| async {
                let mut fresh = [0; 32];
                rand::fill(&mut fresh).expect("the system's randomness does not run out");
                let mut tx = store.write().await?;
                let kept = tx.keep_setting(self.setting, &URL_SAFE_NO_PAD.encode(fresh)).await?;
                tx.commit().await?;
                Ok(hmac::Key::new(hmac::HMAC_SHA256, kept.as_bytes()))
            })
            .await
    }
}
