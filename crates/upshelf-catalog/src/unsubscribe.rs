//! Switching a kind of mail off from the mail itself, without signing in (RFC 2369, RFC 8058).
//!
//! A link names a member and a kind of mail under the site's signature, so nobody can make one up, and it can do one thing
//! only: switch that kind off for that member. It stays good, however often it is used.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use upshelf_store::MemberId;
use uuid::Uuid;

use crate::{Catalog, NoticeKind, Result};

/// The setting that holds the key.
pub(crate) const KEY: &str = "unsubscribe_key";

/// The word for the daily mail.
const DIGEST: &str = "digest";

/// Bytes of a member's id, and of the signature: 128 bits cannot be guessed.
const PART: usize = 16;

/// What a link switches off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailKind {
    /// Mails that tell one kind of event at once.
    Event(NoticeKind),
    /// The daily mail.
    Digest,
}

impl MailKind {
    fn as_str(self) -> &'static str {
        match self {
            MailKind::Event(kind) => kind.as_str(),
            MailKind::Digest => DIGEST,
        }
    }

    fn find(word: &str) -> Option<MailKind> {
        match word {
            DIGEST => Some(MailKind::Digest),
            word => NoticeKind::find(word).map(MailKind::Event).filter(|kind| kind.can_be_off()),
        }
    }

    /// Whether members may do without: not where it concerns the safety of their accounts.
    fn can_be_off(self) -> bool {
        self != MailKind::Event(NoticeKind::Security)
    }
}

/// Makes the links of a site.
pub(crate) struct Links {
    key: hmac::Key,
    site: Option<String>,
}

impl Links {
    /// The link that switches these mails off; none where nobody knows how the site is reached, or where the mails always
    /// come.
    pub(crate) fn url(&self, member: MemberId, kind: MailKind) -> Option<String> {
        let site = self.site.as_deref().filter(|_| kind.can_be_off())?;
        Some(format!("{}/unsubscribe/{}", site.trim_end_matches('/'), token(&self.key, member, kind)))
    }
}

impl Catalog {
    /// Gives what makes links. Never while holding a transaction.
    pub(crate) async fn unsubscribe_links(&self) -> Result<Links> {
        let key = self.inner.unsubscribe_key.get(self.store()).await?.clone();
        Ok(Links { key, site: self.settings().public_url.clone() })
    }

    /// Says which mails the link with this token switches off, and touches nothing; `None` when the site made no such link.
    pub async fn find_unsubscribe(&self, token: &str) -> Result<Option<MailKind>> {
        Ok(self.read_token(token).await?.map(|(_, kind)| kind))
    }

    /// Switches off the mails that a link's token names, and nothing else; says which. `None` when the site made no such
    /// link, or the member is gone.
    pub async fn unsubscribe(&self, token: &str) -> Result<Option<MailKind>> {
        let Some((member, kind)) = self.read_token(token).await? else { return Ok(None) };
        let mut tx = self.store().write().await?;
        if tx.find_member(member).await?.is_none() {
            return Ok(None);
        }
        match kind {
            MailKind::Event(kind) => tx.switch_mails_off(member, kind.as_str()).await?,
            MailKind::Digest => tx.switch_digests_off(member).await?,
        }
        tx.commit().await?;
        Ok(Some(kind))
    }

    async fn read_token(&self, token: &str) -> Result<Option<(MemberId, MailKind)>> {
        Ok(read(self.inner.unsubscribe_key.get(self.store()).await?, token))
    }
}

/// What is signed. An id has a fixed length, so no two pairs read the same.
fn signed(member: MemberId, kind: MailKind) -> Vec<u8> {
    [member.0.as_bytes(), kind.as_str().as_bytes()].concat()
}

fn token(key: &hmac::Key, member: MemberId, kind: MailKind) -> String {
    let tag = hmac::sign(key, &signed(member, kind));
    let bytes = [member.0.as_bytes(), &tag.as_ref()[..PART], kind.as_str().as_bytes()].concat();
    URL_SAFE_NO_PAD.encode(bytes)
}

fn read(key: &hmac::Key, token: &str) -> Option<(MemberId, MailKind)> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (member, rest) = bytes.split_at_checked(PART)?;
    let (tag, word) = rest.split_at_checked(PART)?;
    let member = MemberId(Uuid::from_slice(member).ok()?);
    let kind = MailKind::find(std::str::from_utf8(word).ok()?)?;
    let right = hmac::sign(key, &signed(member, kind));
    aws_lc_rs::constant_time::verify_slices_are_equal(tag, &right.as_ref()[..PART]).ok()?;
    Some((member, kind))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes())
    }

    fn member(number: u128) -> MemberId {
        Uuid::from_u128(number).into()
    }

    fn kinds() -> impl Iterator<Item = MailKind> {
        NoticeKind::ALL.into_iter().map(MailKind::Event).chain([MailKind::Digest])
    }

    #[test]
    fn a_link_names_its_member_and_kind_and_only_the_site_can_make_one() {
        for kind in kinds().filter(|kind| kind.can_be_off()) {
            let token = token(&key("ours"), member(7), kind);
            assert_eq!(read(&key("ours"), &token), Some((member(7), kind)));
            assert_eq!(read(&key("theirs"), &token), None);
        }
    }

    #[test]
    fn there_is_no_link_against_mails_about_the_safety_of_an_account() {
        let links = Links { key: key("ours"), site: Some("https://shelf.example.org/".to_owned()) };
        let security = MailKind::Event(NoticeKind::Security);
        assert_eq!(links.url(member(7), security), None);
        assert_eq!(read(&key("ours"), &token(&key("ours"), member(7), security)), None);
        let url = links.url(member(7), MailKind::Digest).expect("a link");
        assert!(url.starts_with("https://shelf.example.org/unsubscribe/"), "{url}");
        assert_eq!(Links { site: None, ..links }.url(member(7), MailKind::Digest), None);
    }

    proptest! {
        #[test]
        fn a_link_that_was_changed_anywhere_is_none(at in 0..64_usize, to in any::<u8>()) {
            let token = token(&key("ours"), member(7), MailKind::Event(NoticeKind::Approved));
            let mut bytes = URL_SAFE_NO_PAD.decode(&token).expect("it is base64url");
            let at = at % bytes.len();
            prop_assume!(bytes[at] != to);
            bytes[at] = to;
            prop_assert_eq!(read(&key("ours"), &URL_SAFE_NO_PAD.encode(&bytes)), None);
            prop_assert_eq!(read(&key("ours"), &token[..token.len() - 1 - at % 8]), None);
        }
    }
}
