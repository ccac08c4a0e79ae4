//! How a process follows the key ring of its vault.

use std::sync::{Arc, RwLock};

use jiff::{SignedDuration, Timestamp};

use crate::access::LEEWAY;
use crate::error::Error;
use crate::ring::Ring;
use crate::vault::Vault;

/// How old a process's view of the ring may be when it signs.
const SIGNING_AGE: SignedDuration = SignedDuration::from_secs(60);
/// How often a token with an unknown key may make us look for a newer ring.
const UNKNOWN_KEY_AGE: SignedDuration = SignedDuration::from_secs(5);

/// The newest ring that this process has seen.
pub(crate) struct Keys {
    ring: RwLock<Arc<Ring>>,
}

impl Keys {
    /// Loads the ring of a vault; the first process to come makes it.
    pub(crate) async fn open<V: Vault>(vault: &V, now: Timestamp) -> Result<Self, Error> {
        Ok(Self { ring: RwLock::new(Arc::new(load(vault, now).await?)) })
    }

    pub(crate) fn known(&self) -> Arc<Ring> {
        self.ring.read().expect("no code panics while it holds this lock").clone()
    }

    pub(crate) async fn to_sign<V: Vault>(&self, vault: &V, now: Timestamp) -> Result<Arc<Ring>, Error> {
        self.no_older_than(SIGNING_AGE, vault, now).await
    }

    /// To be asked when the known ring does not know a token's key.
    pub(crate) async fn to_verify<V: Vault>(&self, vault: &V, now: Timestamp) -> Result<Arc<Ring>, Error> {
        self.no_older_than(UNKNOWN_KEY_AGE, vault, now).await
    }

    /// Lets the next key follow if the active one has signed for `life`, and says whether it had.
    pub(crate) async fn rotate<V: Vault>(
        &self,
        vault: &V,
        now: Timestamp,
        access_ttl: SignedDuration,
        life: SignedDuration,
    ) -> Result<bool, Error> {
        let current = self.no_older_than(SignedDuration::ZERO, vault, now).await?;
        if !current.is_due(now, life) {
            return Ok(false);
        }
        // Another process may sign with the old key for a while after this, and its clock may be off.
        let overlap = access_ttl.saturating_add(SIGNING_AGE + LEEWAY);
        // When another process was quicker, its ring is as new as ours would have been.
        vault.store_keys(&current.rotated(now, overlap)?).await.map_err(Error::vault)?;
        self.no_older_than(SignedDuration::ZERO, vault, now).await?;
        Ok(true)
    }

    async fn no_older_than<V: Vault>(
        &self,
        age: SignedDuration,
        vault: &V,
        now: Timestamp,
    ) -> Result<Arc<Ring>, Error> {
        let known = self.known();
        // The absolute value, because a clock that was set back must not make a ring look young for ever.
        if now.duration_since(known.loaded_at).abs() < age {
            return Ok(known);
        }
        let loaded = Arc::new(load(vault, now).await?);
        let mut ring = self.ring.write().expect("no code panics while it holds this lock");
        if loaded.version >= ring.version {
            *ring = loaded;
        }
        Ok(ring.clone())
    }
}

async fn load<V: Vault>(vault: &V, now: Timestamp) -> Result<Ring, Error> {
    if let Some(stored) = vault.load_keys().await.map_err(Error::vault)? {
        return Ring::read(&stored, now);
    }
    let first = Ring::first(now)?;
    if vault.store_keys(&first).await.map_err(Error::vault)? {
        return Ring::read(&first, now);
    }
    let stored = vault.load_keys().await.map_err(Error::vault)?;
    Ring::read(&stored.ok_or_else(|| Error::keys("the vault refuses a key ring and has none"))?, now)
}
