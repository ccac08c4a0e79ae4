//! Keys with which programs sign in: shown once, kept as a hash.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use upshelf_store::{ApiKey, ApiKeyId, Member, MemberId, NewApiKey, Page, PageRequest, Role, Scope};

use crate::moderation::admins_only;
use crate::news::{KEYS_CHANNEL, KeysNews};
use crate::texts::KeyName;
use crate::views::ApiKeyView;
use crate::{Catalog, Refusal, Result};

/// How every token of an API key begins, so that people and scanners of leaked secrets know it.
pub const API_KEY_PREFIX: &str = "ups_";

/// What an API key may do: a wider scope includes the narrower ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// Says whether the key may do what takes this scope.
    pub fn may(&self, scope: Scope) -> bool {
        self.0.iter().any(|held| *held >= scope)
    }
}

impl Catalog {
    /// Makes an API key that signs in as `admin`; the token is told now and never again.
    pub async fn add_api_key(
        &self,
        admin: &Member,
        name: &str,
        scopes: &[Scope],
    ) -> Result<(ApiKeyView, String)> {
        admins_only(admin)?;
        let name = KeyName::try_from(name).map_err(|fault| Refusal::Invalid(vec![fault]))?;
        let mut scopes = scopes.to_vec();
        scopes.sort();
        scopes.dedup();
        if scopes.is_empty() {
            return Err(Refusal::invalid("scopes", "It needs at least one.").into());
        }
        let mut secret = [0; 32];
        rand::fill(&mut secret).expect("the system's randomness does not run out");
        let token = format!("{API_KEY_PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
        let new = NewApiKey {
            id: self.clock().id(),
            member_id: admin.id,
            name: name.into_string(),
            token_hash: hash(&token),
            scopes,
            created_at: self.clock().now(),
        };
        let mut tx = self.store().write().await?;
        tx.add_api_key(&new).await?;
        tx.commit().await?;
        let view = ApiKeyView {
            id: new.id,
            member_id: new.member_id,
            name: new.name,
            scopes: new.scopes,
            created_at: new.created_at,
            last_used_at: None,
            revoked_at: None,
        };
        Ok((view, token))
    }

    /// Finds whom a token signs in, by which key, and what it may do; `None` for one that is unknown, taken back, or of somebody shut
    /// out.
    pub async fn find_api_key(&self, token: &str) -> Result<Option<(Member, ApiKeyId, Scopes)>> {
        if !token.starts_with(API_KEY_PREFIX) {
            return Ok(None);
        }
        let mut tx = self.store().read().await?;
        let Some(key) = tx.find_api_key(&hash(token)).await? else { return Ok(None) };
        // Not as members are known by sight: what they are now is what the key is held to from here on.
        let member = tx.find_member(key.member_id).await?.filter(|member| member.banned_at.is_none());
        let Some(member) = member else { return Ok(None) };
        drop(tx);
        let now = self.clock().now();
        if key.last_used_at.is_none_or(|last| now.since(last) >= Duration::from_secs(60)) {
            let mut tx = self.store().write().await?;
            tx.touch_api_key(key.id, now).await?;
            tx.commit().await?;
        }
        Ok(Some((member, key.id, Scopes(key.scopes.0))))
    }

    /// Says whether a key still lets in whom it let in as a `role`: it was not taken back, and they are neither shut out
    /// nor less than that by now.
    pub async fn does_api_key_hold(&self, id: ApiKeyId, role: Role) -> Result<bool> {
        let mut tx = self.store().read().await?;
        let Some(owner) = tx.find_api_key_owner(id).await? else { return Ok(false) };
        let member = tx.find_member(owner).await?;
        Ok(member.is_some_and(|member| member.banned_at.is_none() && member.role >= role))
    }

    /// Tells all processes that what came in by a member's keys is to be looked at again.
    pub(crate) async fn publish_keys(&self, member_id: MemberId) {
        let told = self.bus().publish_json(KEYS_CHANNEL, &KeysNews { member_id }).await;
        told.expect("an id is plain JSON");
    }

    /// Lists API keys, newest first, those taken back included.
    pub async fn api_keys(&self, admin: &Member, page: &PageRequest) -> Result<Page<ApiKeyView>> {
        admins_only(admin)?;
        Ok(self.store().read().await?.list_api_keys(page).await?.map(ApiKeyView::from))
    }

    /// Takes an API key back; from now on it signs in nobody.
    pub async fn revoke_api_key(&self, admin: &Member, id: ApiKeyId) -> Result<()> {
        admins_only(admin)?;
        let mut tx = self.store().write().await?;
        let owner = tx.revoke_api_key(id, self.clock().now()).await?;
        let owner = owner.ok_or(Refusal::NotFound("API key"))?;
        tx.commit().await?;
        self.publish_keys(owner).await;
        Ok(())
    }
}

/// A token has 256 bits of chance: one plain hash is enough.
fn hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes()))
}

impl From<ApiKey> for ApiKeyView {
    fn from(key: ApiKey) -> ApiKeyView {
        ApiKeyView {
            id: key.id,
            member_id: key.member_id,
            name: key.name,
            scopes: key.scopes.0,
            created_at: key.created_at,
            last_used_at: key.last_used_at,
            revoked_at: key.revoked_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wider_scope_includes_the_narrower_ones() {
        let write = Scopes(vec![Scope::Write]);
        assert!(write.may(Scope::Read) && write.may(Scope::Write) && !write.may(Scope::Admin));
        assert!(!Scopes(vec![]).may(Scope::Read));
    }
}
