//! The names of keys: the design note's, with hashes in place of tokens.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use upshelf_redis::Keys;
use uuid::Uuid;

/// Names the keys of members; all of one member lie in one slot.
pub(super) struct Names(Keys);

/// What stands for a session in Redis: nobody can guess an id from it, and so nobody can end a session by it.
pub(super) fn hash(session_id: Uuid) -> String {
    let text = session_id.hyphenated().to_string();
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

impl Names {
    pub(super) fn of(keys: Keys) -> Self {
        Self(keys)
    }

    pub(super) fn is_cluster(&self) -> bool {
        self.0.is_tagged()
    }

    pub(super) fn session(&self, member_id: Uuid, session_id: Uuid) -> String {
        self.within("session", member_id, &hash(session_id))
    }

    /// By the token's hash, as the vault knows it.
    pub(super) fn refresh(&self, member_id: Uuid, hash: &str) -> String {
        self.within("refresh", member_id, hash)
    }

    pub(super) fn sessions_of(&self, member_id: Uuid) -> String {
        self.of_member("user:sessions", member_id)
    }

    /// A session's hash has no colon, so no session is taken for a mark.
    pub(super) fn mark(&self, member_id: Uuid) -> String {
        self.of_member("session:mark", member_id)
    }

    pub(super) fn channel(&self) -> String {
        self.0.name("upshelf:sessions")
    }

    fn of_member(&self, kind: &str, member_id: Uuid) -> String {
        self.0.name(format_args!("{kind}:{}", self.0.tag(&member_id.to_string())))
    }

    /// Only a cluster needs to be told whose it is.
    fn within(&self, kind: &str, member_id: Uuid, hash: &str) -> String {
        match self.0.is_tagged() {
            true => self.0.name(format_args!("{kind}:{}:{hash}", self.0.tag(&member_id.to_string()))),
            false => self.0.name(format_args!("{kind}:{hash}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: Uuid = Uuid::from_u128(0xada);
    const SESSION: Uuid = Uuid::from_u128(7);

    #[test]
    fn keys_are_the_notes_and_in_a_cluster_those_of_a_member_share_a_slot() {
        // printf %s 00000000-0000-0000-0000-000000000007 | openssl sha256 -binary | basenc --base64url
        let of_session = "DSWlGke39II4i9RCRkDn5TdB9Dea_rJIkV6YO4KK_nM";
        let uid = "00000000-0000-0000-0000-000000000ada";
        let all = |names: Names| {
            [
                names.session(ADA, SESSION),
                names.refresh(ADA, "h"),
                names.sessions_of(ADA),
                names.mark(ADA),
                names.channel(),
            ]
        };
        assert_eq!(
            all(Names::of(Keys::new("", false))),
            [
                format!("session:{of_session}"),
                "refresh:h".to_owned(),
                format!("user:sessions:{uid}"),
                format!("session:mark:{uid}"),
                "upshelf:sessions".to_owned(),
            ]
        );
        assert_eq!(
            all(Names::of(Keys::new("a:", true))),
            [
                format!("a:session:{{{uid}}}:{of_session}"),
                format!("a:refresh:{{{uid}}}:h"),
                format!("a:user:sessions:{{{uid}}}"),
                format!("a:session:mark:{{{uid}}}"),
                "a:upshelf:sessions".to_owned(),
            ]
        );
    }
}
