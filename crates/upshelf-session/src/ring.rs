//! The key ring: which keys sign access tokens, which are still accepted, and how they follow each other.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{DecodingKey, EncodingKey};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::Error;
use crate::rows::KeyDocument;
use crate::settings::end_of;

/// One version of the key ring: exactly one active key, one that comes next, and retired ones.
///
/// The next key is published before it signs, so that no verifier meets a token whose key it has never seen.
pub(crate) struct Ring {
    pub(crate) version: u64,
    pub(crate) loaded_at: Timestamp,
    keys: Vec<Key>,
}

pub(crate) struct Key {
    stored: StoredKey,
    pub(crate) encoding: EncodingKey,
    pub(crate) decoding: DecodingKey,
}

#[derive(Serialize, Deserialize)]
struct StoredRing {
    keys: Vec<StoredKey>,
}

#[derive(Clone, Serialize, Deserialize)]
struct StoredKey {
    /// RFC 7638 thumbprint of the public key.
    kid: String,
    /// The public key, base64url.
    x: String,
    /// The private key as PKCS#8, base64url.
    pkcs8: SecretText,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
    Next,
    Active { since: Timestamp },
    Retired { until: Timestamp },
}

/// A text that is stored, but not printed.
#[derive(Clone, Deserialize)]
struct SecretText(#[serde(deserialize_with = "secret_text")] SecretString);

fn secret_text<'de, D: serde::Deserializer<'de>>(from: D) -> Result<SecretString, D::Error> {
    String::deserialize(from).map(SecretString::from)
}

impl Serialize for SecretText {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0.expose_secret())
    }
}

impl Key {
    fn open(stored: StoredKey) -> Result<Self, Error> {
        let pkcs8 = URL_SAFE_NO_PAD.decode(stored.pkcs8.0.expose_secret()).map_err(Error::keys)?;
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(Error::keys)?;
        if URL_SAFE_NO_PAD.encode(pair.public_key()) != stored.x || thumbprint(&stored.x) != stored.kid {
            return Err(Error::keys("a stored key does not belong to its id"));
        }
        let decoding = DecodingKey::from_ed_components(&stored.x).map_err(Error::keys)?;
        Ok(Self { encoding: EncodingKey::from_ed_der(&pkcs8), decoding, stored })
    }

    pub(crate) fn kid(&self) -> &str {
        &self.stored.kid
    }

    /// Until when tokens of this key are accepted; `None` while that is not limited.
    pub(crate) fn accepted_until(&self) -> Option<Timestamp> {
        match self.stored.stage {
            Stage::Next | Stage::Active { .. } => None,
            Stage::Retired { until } => Some(until),
        }
    }

    fn is_accepted(&self, now: Timestamp) -> bool {
        self.accepted_until().is_none_or(|until| now < until)
    }
}

impl StoredKey {
    fn generate(stage: Stage) -> Result<Self, Error> {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(Error::keys)?;
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).map_err(Error::keys)?;
        let x = URL_SAFE_NO_PAD.encode(pair.public_key());
        let pkcs8 = SecretText(SecretString::from(URL_SAFE_NO_PAD.encode(pkcs8.as_ref())));
        Ok(Self { kid: thumbprint(&x), x, pkcs8, stage })
    }
}

/// Names a public key by the digest of its required members in lexical order (RFC 7638, RFC 8037 appendix A.3).
fn thumbprint(x: &str) -> String {
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()))
}

impl Ring {
    /// Makes the first ring of a vault.
    pub(crate) fn first(now: Timestamp) -> Result<KeyDocument, Error> {
        write(1, vec![StoredKey::generate(Stage::Active { since: now })?, StoredKey::generate(Stage::Next)?])
    }

    pub(crate) fn read(from: &KeyDocument, now: Timestamp) -> Result<Self, Error> {
        let stored: StoredRing = serde_json::from_str(from.document.expose_secret())
            .map_err(|error| Error::keys(error.to_string()))?;
        let keys = stored.keys.into_iter().map(Key::open).collect::<Result<Vec<_>, _>>()?;
        let count = |wanted: fn(&Stage) -> bool| keys.iter().filter(|key| wanted(&key.stored.stage)).count();
        let (active, next) =
            (count(|stage| matches!(stage, Stage::Active { .. })), count(|stage| *stage == Stage::Next));
        if (active, next) != (1, 1) {
            return Err(Error::keys("the key ring needs one active key and one that comes next"));
        }
        Ok(Self { version: from.version, loaded_at: now, keys })
    }

    /// Makes the ring that follows this one; the key that signed until `now` is accepted for `overlap` more.
    pub(crate) fn rotated(&self, now: Timestamp, overlap: SignedDuration) -> Result<KeyDocument, Error> {
        let mut keys = vec![StoredKey::generate(Stage::Next)?];
        keys.extend(self.keys.iter().filter(|key| key.is_accepted(now)).map(|key| {
            let stage = match key.stored.stage {
                Stage::Next => Stage::Active { since: now },
                Stage::Active { .. } => Stage::Retired { until: end_of(overlap, now) },
                retired @ Stage::Retired { .. } => retired,
            };
            StoredKey { stage, ..key.stored.clone() }
        }));
        write(self.version + 1, keys)
    }

    pub(crate) fn active(&self) -> &Key {
        let mut keys = self.keys.iter();
        keys.find(|key| matches!(key.stored.stage, Stage::Active { .. }))
            .expect("read checks that there is one")
    }

    pub(crate) fn is_due(&self, now: Timestamp, life: SignedDuration) -> bool {
        matches!(self.active().stored.stage, Stage::Active { since } if now.duration_since(since) >= life)
    }

    /// Finds a key whose tokens are accepted at `now`.
    pub(crate) fn find(&self, kid: &str, now: Timestamp) -> Option<&Key> {
        self.keys.iter().find(|key| key.kid() == kid && key.is_accepted(now))
    }

    /// Lists the accepted public keys as a JWK set (RFC 7517, RFC 8037).
    pub(crate) fn jwks(&self, now: Timestamp) -> Value {
        let accepted = self.keys.iter().filter(|key| key.is_accepted(now)).map(|key| {
            let StoredKey { kid, x, .. } = &key.stored;
            json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid, "x": x})
        });
        json!({ "keys": accepted.collect::<Vec<_>>() })
    }
}

fn write(version: u64, keys: Vec<StoredKey>) -> Result<KeyDocument, Error> {
    let document =
        serde_json::to_string(&StoredRing { keys }).map_err(|error| Error::keys(error.to_string()))?;
    Ok(KeyDocument { version, document: SecretString::from(document) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thumbprint_is_that_of_rfc_8037() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        assert_eq!(thumbprint(x), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn keys_become_active_then_retired_then_gone() {
        let hour = SignedDuration::from_hours(1);
        let start = Timestamp::UNIX_EPOCH;
        let first = Ring::read(&Ring::first(start).expect("keys"), start).expect("a ring");
        let signs_first = first.active().kid().to_owned();
        let second = Ring::read(&first.rotated(start, hour).expect("keys"), start).expect("a ring");
        assert!(
            first.find(second.active().kid(), start).is_some(),
            "the next key was known before it signed"
        );
        assert!(second.find(&signs_first, start + hour - SignedDuration::from_nanos(1)).is_some());
        assert!(second.find(&signs_first, start + hour).is_none());
        let third = Ring::read(&second.rotated(start + hour, hour).expect("keys"), start).expect("a ring");
        assert_eq!(third.jwks(start + hour)["keys"].as_array().map(Vec::len), Some(3));
        assert!(!third.jwks(start)["keys"].to_string().contains(&signs_first));
    }

    #[test]
    fn a_bent_key_is_not_taken_for_a_key() {
        let made = Ring::first(Timestamp::UNIX_EPOCH).expect("keys");
        let document = made.document.expose_secret().replacen(r#""x":""#, r#""x":"A"#, 1);
        let bent = KeyDocument { document: SecretString::from(document), ..made };
        assert!(matches!(Ring::read(&bent, Timestamp::UNIX_EPOCH), Err(Error::Keys(_))));
    }
}
