//! Refresh tokens: their text, their hash, and the sealing of a successor under the token it replaces.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::zeroize::Zeroize;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use uuid::Uuid;

const PREFIX: &str = "rt1.";
const SECRET_LEN: usize = 32;
const SEAL_PURPOSE: &[u8] = b"session refresh successor 1";

/// `rt1.<session>.<32 random bytes, base64url>`.
#[derive(Debug)]
pub(crate) struct RefreshToken {
    pub(crate) session_id: Uuid,
    secret: SecretBox<[u8; SECRET_LEN]>,
}

impl RefreshToken {
    pub(crate) fn random(session_id: Uuid) -> Result<Self, Unspecified> {
        let mut secret = Box::new([0; SECRET_LEN]);
        rand::fill(&mut *secret)?;
        Ok(Self { session_id, secret: SecretBox::new(secret) })
    }

    /// Reads the one spelling of a token; every other spelling is somebody's invention.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (session, secret) = text.strip_prefix(PREFIX)?.split_once('.')?;
        let session_id = Uuid::try_parse(session).ok()?;
        let mut bytes = Box::new([0; SECRET_LEN]);
        // One byte more than needed, because the decoder asks for room in multiples of its block.
        let mut decoded = [0; SECRET_LEN + 1];
        let length = URL_SAFE_NO_PAD.decode_slice(secret, &mut decoded).ok()?;
        if length != SECRET_LEN || session_id.hyphenated().to_string() != session {
            return None;
        }
        bytes.copy_from_slice(&decoded[..SECRET_LEN]);
        decoded.zeroize();
        Some(Self { session_id, secret: SecretBox::new(bytes) })
    }

    pub(crate) fn text(&self) -> SecretString {
        let secret = URL_SAFE_NO_PAD.encode(self.secret.expose_secret());
        SecretString::from(format!("{PREFIX}{}.{secret}", self.session_id.hyphenated()))
    }

    pub(crate) fn hash(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, self.text().expose_secret().as_bytes()))
    }

    /// Encrypts `successor` so that only who holds this token can read it.
    pub(crate) fn seal(&self, successor: &Self) -> Result<Vec<u8>, Unspecified> {
        let mut sealed = successor.secret.expose_secret().to_vec();
        let nonce = self.sealing_key()?.seal_in_place_append_tag(self.bound_to(), &mut sealed)?;
        sealed.extend_from_slice(nonce.as_ref());
        Ok(sealed)
    }

    /// Decrypts what [`seal`](Self::seal) made; `None` for anything else.
    pub(crate) fn unseal(&self, sealed: &[u8]) -> Option<Self> {
        let (sealed, nonce) = sealed.split_at_checked(sealed.len().checked_sub(NONCE_LEN)?)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut opened = sealed.to_vec();
        let secret = self.sealing_key().ok()?.open_in_place(nonce, self.bound_to(), &mut opened).ok()?;
        let secret = SecretBox::new(Box::new(<[u8; SECRET_LEN]>::try_from(&*secret).ok()?));
        opened.zeroize();
        Some(Self { session_id: self.session_id, secret })
    }

    fn sealing_key(&self) -> Result<RandomizedNonceKey, Unspecified> {
        let salt = Salt::new(HKDF_SHA256, self.session_id.as_bytes());
        let mut key = [0; 32];
        salt.extract(self.secret.expose_secret()).expand(&[SEAL_PURPOSE], HKDF_SHA256)?.fill(&mut key)?;
        let sealing = RandomizedNonceKey::new(&AES_256_GCM, &key);
        key.zeroize();
        sealing
    }

    fn bound_to(&self) -> Aad<[u8; 16]> {
        Aad::from(*self.session_id.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> RefreshToken {
        RefreshToken::random(Uuid::from_u128(7)).expect("this machine gives randomness")
    }

    #[test]
    fn a_token_is_read_back_from_its_text() {
        let made = token();
        let read = RefreshToken::parse(made.text().expose_secret()).expect("it is our own spelling");
        assert_eq!(read.hash(), made.hash());
        assert_eq!(read.session_id, made.session_id);
    }

    #[test]
    fn only_the_replaced_token_opens_its_successor() {
        let (replaced, successor) = (token(), token());
        let sealed = replaced.seal(&successor).expect("sealing works");
        assert_eq!(replaced.unseal(&sealed).expect("it is the right key").hash(), successor.hash());
        assert!(token().unseal(&sealed).is_none());
        for at in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[at] ^= 1;
            assert!(replaced.unseal(&bent).is_none(), "byte {at} is not protected");
            assert!(replaced.unseal(&sealed[..at]).is_none());
        }
    }

    #[test]
    fn a_second_spelling_of_a_token_is_no_token() {
        let text = token().text().expose_secret().to_owned();
        let spellings = [
            text.replace('-', ""),
            text.replacen("rt1.", "rt1.urn:uuid:", 1),
            text.to_uppercase(),
            format!("{text}="),
            format!("{text} "),
            format!("{text}AA"),
            text[..text.len() - 1].to_owned(),
            text.replacen("rt1", "rt2", 1),
            "rt1..".to_owned(),
            String::new(),
        ];
        for spelling in spellings {
            assert!(RefreshToken::parse(&spelling).is_none(), "{spelling} was read as a token");
        }
    }

    #[test]
    fn a_token_does_not_print_itself() {
        let token = token();
        let printed = format!("{token:?} {:?}", token.text());
        let text = token.text();
        let (_, secret) = text.expose_secret().rsplit_once('.').expect("it has three parts");
        assert!(!printed.contains(secret));
    }
}
