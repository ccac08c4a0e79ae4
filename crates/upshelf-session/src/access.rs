//! Access tokens: JSON Web Tokens for access (RFC 9068), signed with Ed25519 (RFC 8037).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, Header, Validation, decode, encode};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::Error;
use crate::ring::{Key, Ring};

const TYPE: &str = "at+jwt";
const ALGORITHM: &str = "EdDSA";
/// Longer than any token we make; nothing longer is looked at.
const LONGEST: usize = 2048;
/// How far the clocks of two processes may be apart.
pub(crate) const LEEWAY: SignedDuration = SignedDuration::from_secs(30);

/// Who makes a request, as its access token and its session say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The member. What they may do is not part of a token: look it up, so that it is never out of date.
    pub member_id: Uuid,
    /// The session, for signing out and for marking the current device.
    pub session_id: Uuid,
    /// When the member last proved who they are: sensitive acts ask for a recent time.
    pub auth_time: Timestamp,
    /// When the access token ends.
    pub expires_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) aud: String,
    #[serde(rename = "sub")]
    pub(crate) member_id: Uuid,
    #[serde(rename = "sid")]
    pub(crate) session_id: Uuid,
    pub(crate) jti: String,
    pub(crate) iat: i64,
    pub(crate) exp: i64,
    pub(crate) auth_time: i64,
}

/// What an access token says, once it is known to be ours.
#[derive(Clone, Copy)]
pub(crate) struct Verified {
    pub(crate) member_id: Uuid,
    pub(crate) session_id: Uuid,
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    /// When its key stops being accepted, if that is known.
    pub(crate) key_until: Option<Timestamp>,
}

/// The only header that we write, and so the only one that we read. Any other member (`jku`, `jwk`, `x5u`, `crit`, …)
/// is a request to trust something that the token brings along.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OurHeader {
    alg: String,
    typ: String,
    kid: String,
}

pub(crate) fn sign(key: &Key, claims: &Claims) -> Result<SecretString, Error> {
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some(TYPE.to_owned());
    header.kid = Some(key.kid().to_owned());
    encode(&header, claims, &key.encoding).map(SecretString::from).map_err(Error::keys)
}

/// Reads the name of the key that a token asks for, without trusting anything else in it.
pub(crate) fn key_id(token: &str) -> Result<String, Error> {
    if token.len() > LONGEST {
        return Err(Error::Invalid);
    }
    let (header, _) = token.split_once('.').ok_or(Error::Invalid)?;
    let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| Error::Invalid)?;
    let header: OurHeader = serde_json::from_slice(&header).map_err(|_| Error::Invalid)?;
    if header.alg != ALGORITHM || header.typ != TYPE {
        return Err(Error::Invalid);
    }
    Ok(header.kid)
}

/// Checks signature, issuer and audience; the times are left to [`Verified::check_times`].
pub(crate) struct Verifier {
    validation: Validation,
}

impl Verifier {
    pub(crate) fn new(issuer: &str, audience: &str) -> Self {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // The library would ask the system's clock; ours is an argument.
        validation.validate_exp = false;
        Self { validation }
    }

    pub(crate) fn verify(
        &self,
        token: &str,
        kid: &str,
        ring: &Ring,
        now: Timestamp,
    ) -> Result<Verified, Error> {
        let key = ring.find(kid, now).ok_or(Error::Invalid)?;
        let claims =
            decode::<Claims>(token, &key.decoding, &self.validation).map_err(|_| Error::Invalid)?.claims;
        let instant = |second| Timestamp::from_second(second).map_err(|_| Error::Invalid);
        Ok(Verified {
            member_id: claims.member_id,
            session_id: claims.session_id,
            issued_at: instant(claims.iat)?,
            expires_at: instant(claims.exp)?,
            key_until: key.accepted_until(),
        })
    }
}

impl Verified {
    pub(crate) fn check_times(&self, now: Timestamp) -> Result<(), Error> {
        if now >= self.expires_at {
            return Err(Error::Expired);
        }
        let key_has_ended = self.key_until.is_some_and(|until| now >= until);
        if key_has_ended || self.issued_at.duration_since(now) > LEEWAY {
            return Err(Error::Invalid);
        }
        Ok(())
    }
}
