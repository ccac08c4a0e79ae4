use std::sync::Arc;

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use upshelf_redis::Redis;
use uuid::{Builder, Uuid};

use crate::access::{self, Claims, Identity, Verified, Verifier};
use crate::ends::Ends;
use crate::error::Error;
use crate::keys::Keys;
use crate::local::{Local, Mark, Standing};
use crate::refresh::RefreshToken;
use crate::ring::Ring;
use crate::rows::{Device, Ending, Reason, Rotation, RotationAttempt, Session, Target};
use crate::settings::{Settings, end_of};
use crate::shared::{Answer, Open, Shared, Ticket};
use crate::tokens::{OpenSession, Tokens};
use crate::vault::Vault;

/// Everybody's sessions: starts, checks, refreshes and ends them.
///
/// It is meant to be shared (`Arc`); the time is always an argument.
pub struct Sessions<V> {
    vault: V,
    local: Arc<Local>,
    shared: Option<Shared>,
    keys: Keys,
    verifier: Verifier,
    settings: Settings,
}

impl<V: Vault> Sessions<V> {
    /// Opens the sessions of a vault; the first to open it makes the signing keys.
    pub async fn open(vault: V, settings: Settings, now: Timestamp) -> Result<Self, Error> {
        Ok(Self {
            keys: Keys::open(&vault, now).await?,
            local: Arc::new(Local::new(settings.remembered, settings.trust_ttl)),
            shared: None,
            verifier: Verifier::new(&settings.issuer, &settings.audience),
            vault,
            settings,
        })
    }

    /// Opens them as one of many processes with one vault, which tell each other through `redis`. Its tasks run under the
    /// tracker of that handle, and end with it.
    ///
    /// While Redis is away, this is what [`open`](Self::open) gives.
    pub async fn open_shared(
        vault: V,
        settings: Settings,
        redis: &Redis,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let sessions = Self::open(vault, settings, now).await?;
        let shared = Shared::new(redis, &sessions.settings, &sessions.local);
        Ok(Self { shared: Some(shared), ..sessions })
    }

    /// Starts a session for a member who has just proved who they are.
    pub async fn start(&self, member_id: Uuid, device: &Device, now: Timestamp) -> Result<Tokens, Error> {
        let ring = self.keys.to_sign(&self.vault, now).await?;
        let session_id = Builder::from_random_bytes(random()?).into_uuid();
        let refresh = RefreshToken::random(session_id).map_err(Error::keys)?;
        let session = Session {
            id: session_id,
            member_id,
            created_at: now,
            auth_time: now,
            last_seen_at: now,
            expires_at: end_of(self.settings.refresh_ttl, now),
            idle_until: end_of(self.settings.idle_ttl, now),
            device: device.clone(),
            current_hash: refresh.hash(),
            previous: None,
            revoked: None,
        };
        let ticket = match &self.shared {
            Some(shared) => shared.ticket(member_id, session_id).await,
            None => None,
        };
        self.vault.insert(&session).await.map_err(Error::vault)?;
        self.bring_back(ticket, &session, now).await;
        self.tokens(&session, &refresh, &ring, now)
    }

    /// Checks an access token and that its session is open, asking Redis or the vault at most every
    /// [`Settings::trust_ttl`]. A revocation made through this value is seen at once.
    pub async fn check(&self, access_token: &str, now: Timestamp) -> Result<Identity, Error> {
        let token = self.verify(access_token, now).await?;
        let standing = match self.local.recall(token.session_id, now) {
            Some(standing) => standing,
            // Apart: every request is as large as this, and few come here.
            None => Box::pin(self.look_up(token.member_id, token.session_id, now)).await?,
        };
        identify(&token, standing, now)
    }

    /// Checks as [`check`](Self::check) does, but always asks the vault: for acts that must not be five seconds late.
    pub async fn check_strictly(&self, access_token: &str, now: Timestamp) -> Result<Identity, Error> {
        let token = self.verify(access_token, now).await?;
        let mark = self.local.mark(token.session_id);
        identify(&token, self.ask(token.session_id, mark, None, now).await?, now)
    }

    /// Says whether a session is still open that a token was checked for before: for who stays connected.
    pub async fn is_open(&self, identity: &Identity, now: Timestamp) -> Result<bool, Error> {
        let standing = match self.local.recall(identity.session_id, now) {
            Some(standing) => standing,
            None => Box::pin(self.look_up(identity.member_id, identity.session_id, now)).await?,
        };
        Ok(match standing {
            Standing::Open { member_id, expires_at, idle_until, .. } => {
                member_id == identity.member_id && now < expires_at && now < idle_until
            }
            Standing::Revoked | Standing::Unknown => false,
        })
    }

    /// Tells from now on which sessions may have ended, here or in another process.
    ///
    /// While [`is_degraded`](Self::is_degraded), others cannot tell: then who wants to know asks
    /// [`is_open`](Self::is_open) every few seconds.
    pub fn ends(&self) -> Ends {
        Ends::of(&self.local)
    }

    /// Exchanges a refresh token for the next pair.
    ///
    /// Who presents the replaced token again within [`Settings::reuse_grace`] gets the same successor; a token that
    /// is neither current nor just replaced ends the session with [`Error::Reused`].
    pub async fn refresh(
        &self,
        refresh_token: &str,
        device: &Device,
        now: Timestamp,
    ) -> Result<Tokens, Error> {
        let presented = RefreshToken::parse(refresh_token).ok_or(Error::Invalid)?;
        let ring = self.keys.to_sign(&self.vault, now).await?;
        let successor = RefreshToken::random(presented.session_id).map_err(Error::keys)?;
        let attempt = RotationAttempt {
            session_id: presented.session_id,
            presented_hash: presented.hash(),
            successor_hash: successor.hash(),
            sealed_successor: presented.seal(&successor).map_err(Error::keys)?,
            device: device.clone(),
            now,
            idle_until: end_of(self.settings.idle_ttl, now),
        };
        match self.vault.rotate(&attempt).await.map_err(Error::vault)? {
            Rotation::Done(session) => {
                if let Some(shared) = &self.shared {
                    shared.rotated(&attempt.presented_hash, &session, now).await;
                }
                self.tokens(&session, &successor, &ring, now)
            }
            Rotation::Refused(None) => Err(Error::Invalid),
            Rotation::Refused(Some(session)) => {
                let successor = self.successor_again(&session, &presented, &attempt, now).await?;
                self.tokens(&session, &successor, &ring, now)
            }
        }
    }

    /// Ends a session at its own wish, and says whether it was still open.
    pub async fn logout(&self, session_id: Uuid, now: Timestamp) -> Result<bool, Error> {
        let owner = match (&self.shared, self.local.owner_of(session_id)) {
            (Some(_), None) => {
                self.vault.find(session_id).await.map_err(Error::vault)?.map(|session| session.member_id)
            }
            (_, known) => known,
        };
        Ok(!self.end(Target::Session(session_id), owner, Reason::Logout, now).await?.is_empty())
    }

    /// Ends all sessions of a member, but for one if given, and returns those that it ended.
    pub async fn logout_all(
        &self,
        member_id: Uuid,
        except: Option<Uuid>,
        reason: Reason,
        now: Timestamp,
    ) -> Result<Vec<Uuid>, Error> {
        self.end(Target::Member { member_id, except }, Some(member_id), reason, now).await
    }

    /// Ends one of a member's own sessions from another device; `false` when the member has no such open session.
    pub async fn revoke(&self, member_id: Uuid, session_id: Uuid, now: Timestamp) -> Result<bool, Error> {
        let target = Target::SessionOf { session_id, member_id };
        let ended = self.end(target, Some(member_id), Reason::Device, now).await?;
        Ok(!ended.is_empty())
    }

    /// Lists the open sessions of a member, last used first.
    pub async fn list(&self, member_id: Uuid, now: Timestamp) -> Result<Vec<OpenSession>, Error> {
        let open = self.vault.list(member_id, now).await.map_err(Error::vault)?;
        Ok(open
            .into_iter()
            .map(|session| OpenSession {
                session_id: session.id,
                device: session.device,
                created_at: session.created_at,
                last_seen_at: session.last_seen_at,
                expires_at: session.expires_at,
            })
            .collect())
    }

    /// Says whether this process asks the vault for everything, and hears of ends only after five seconds, although it should
    /// not: Redis is away.
    pub fn is_degraded(&self) -> bool {
        self.shared.as_ref().is_some_and(Shared::is_degraded)
    }

    /// Forgets what this process believes about a session: for news of a revocation that another process made.
    pub fn forget(&self, session_id: Uuid) {
        self.local.forget(session_id);
    }

    /// Deletes sessions that ended before `before`, and returns how many: for the cleanup job.
    pub async fn purge(&self, before: Timestamp) -> Result<u64, Error> {
        self.vault.purge(before).await.map_err(Error::vault)
    }

    /// Gives the public keys that tokens may be signed with, as a JWK set.
    pub async fn jwks(&self, now: Timestamp) -> Result<Value, Error> {
        Ok(self.keys.to_sign(&self.vault, now).await?.jwks(now))
    }

    /// Lets the next key sign from now on. Tokens of the key before stay valid until they would have ended anyway.
    pub async fn rotate_keys(&self, now: Timestamp) -> Result<(), Error> {
        self.keys.rotate(&self.vault, now, self.settings.access_ttl, SignedDuration::MIN).await.map(drop)
    }

    /// Rotates the keys if the active one has signed for [`Settings::key_life`], and says whether it was due: for a
    /// periodic job.
    pub async fn rotate_keys_if_due(&self, now: Timestamp) -> Result<bool, Error> {
        self.keys.rotate(&self.vault, now, self.settings.access_ttl, self.settings.key_life).await
    }

    async fn verify(&self, token: &str, now: Timestamp) -> Result<Verified, Error> {
        let mut ring = self.keys.known();
        let digest = Local::digest(token);
        if let Some(verified) = self.local.verified(&digest, ring.version) {
            verified.check_times(now)?;
            return Ok(verified);
        }
        let kid = access::key_id(token)?;
        if ring.find(&kid, now).is_none() {
            ring = self.keys.to_verify(&self.vault, now).await?;
        }
        let verified = self.verifier.verify(token, &kid, &ring, now)?;
        verified.check_times(now)?;
        self.local.remember_verified(digest, verified, ring.version);
        Ok(verified)
    }

    /// Asks Redis, if there is one, and the vault if Redis does not know for sure.
    async fn look_up(&self, member_id: Uuid, session_id: Uuid, now: Timestamp) -> Result<Standing, Error> {
        let mark = self.local.mark(session_id);
        let answer = match &self.shared {
            Some(shared) => shared.look_up(member_id, session_id).await,
            None => Answer::Ask(None),
        };
        let standing = match answer {
            Answer::Open(open, _) if self.is_enough(&open, now) => open.standing,
            Answer::Revoked => Standing::Revoked,
            Answer::Open(_, ticket) => return self.ask(session_id, mark, Some(ticket), now).await,
            Answer::Ask(ticket) => return self.ask(session_id, mark, ticket, now).await,
        };
        metrics::counter!("session_look_ups_total", "answered_by" => "redis").increment(1);
        self.local.remember(session_id, standing, now, mark);
        Ok(standing)
    }

    /// Says whether there is nothing to tell the vault, nor to learn from it, about a session that is open.
    fn is_enough(&self, open: &Open, now: Timestamp) -> bool {
        let Standing::Open { expires_at, idle_until, .. } = open.standing else { return false };
        // One that seems to be over may have been used meanwhile.
        now < expires_at
            && now < idle_until
            && now.duration_since(open.last_seen_at) < self.settings.touch_every
    }

    /// Asks the vault about a session, and tells it now and then that the session is in use.
    async fn ask(
        &self,
        session_id: Uuid,
        mark: Mark,
        ticket: Option<Ticket>,
        now: Timestamp,
    ) -> Result<Standing, Error> {
        let mut session = self.vault.find(session_id).await.map_err(Error::vault)?;
        metrics::counter!("session_look_ups_total", "answered_by" => "vault").increment(1);
        if let Some(session) = &mut session {
            self.touch(session, now).await;
            self.bring_back(ticket, session, now).await;
        }
        let standing = Standing::from(session.as_ref());
        self.local.remember(session_id, standing, now, mark);
        Ok(standing)
    }

    async fn touch(&self, session: &mut Session, now: Timestamp) {
        let is_open = session.revoked.is_none() && now < session.expires_at && now < session.idle_until;
        if !is_open || now.duration_since(session.last_seen_at) < self.settings.touch_every {
            return;
        }
        let idle_until = end_of(self.settings.idle_ttl, now);
        match self.vault.touch(session.id, now, idle_until).await {
            Ok(()) => {
                session.last_seen_at = now;
                session.idle_until = session.idle_until.max(idle_until);
            }
            // The request itself is fine; the next one tries again.
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "could not note the use of a session"
            ),
        }
    }

    async fn bring_back(&self, ticket: Option<Ticket>, session: &Session, now: Timestamp) {
        if let (Some(shared), Some(ticket)) = (&self.shared, ticket) {
            shared.fill(ticket, session, now).await;
        }
    }

    /// Decides about a refresh token that is not the current one.
    async fn successor_again(
        &self,
        session: &Session,
        presented: &RefreshToken,
        attempt: &RotationAttempt,
        now: Timestamp,
    ) -> Result<RefreshToken, Error> {
        if session.revoked.is_some() {
            return Err(Error::Revoked);
        }
        if now >= session.expires_at || now >= session.idle_until {
            return Err(Error::Expired);
        }
        let just_replaced = session.previous.as_ref().filter(|previous| {
            previous.hash == attempt.presented_hash
                && now.duration_since(previous.rotated_at) <= self.settings.reuse_grace
        });
        if let Some(previous) = just_replaced
            && let Some(successor) = presented.unseal(&previous.sealed_successor)
        {
            return Ok(successor);
        }
        let target = Target::Session(session.id);
        let ended = self.end(target, Some(session.member_id), Reason::Reuse, now).await?;
        Err(match ended.is_empty() {
            true => Error::Revoked,
            false => Error::Reused { member_id: session.member_id, session_id: session.id },
        })
    }

    /// Ends sessions: first in the vault, then in this process, then in Redis, which tells the others. Without an owner
    /// there is no such session.
    async fn end(
        &self,
        target: Target,
        owner: Option<Uuid>,
        reason: Reason,
        now: Timestamp,
    ) -> Result<Vec<Uuid>, Error> {
        let shared = self.shared.as_ref().zip(owner);
        let closing = match shared {
            Some((shared, owner)) => Some((shared, shared.close(owner).await)),
            None => None,
        };
        let ended = self.vault.revoke(target, Ending { at: now, reason }).await.map_err(Error::vault)?;
        ended.iter().for_each(|session_id| self.local.forget(*session_id));
        if let Some((shared, closing)) = closing {
            shared.end(closing, &ended).await;
        }
        Ok(ended)
    }

    fn tokens(
        &self,
        session: &Session,
        refresh: &RefreshToken,
        ring: &Ring,
        now: Timestamp,
    ) -> Result<Tokens, Error> {
        let exp = end_of(self.settings.access_ttl, now).min(session.expires_at).as_second();
        let claims = Claims {
            iss: self.settings.issuer.clone(),
            aud: self.settings.audience.clone(),
            member_id: session.member_id,
            session_id: session.id,
            jti: URL_SAFE_NO_PAD.encode(random()?),
            iat: now.as_second(),
            exp,
            auth_time: session.auth_time.as_second(),
        };
        Ok(Tokens {
            member_id: session.member_id,
            session_id: session.id,
            access_token: access::sign(ring.active(), &claims)?,
            refresh_token: refresh.text(),
            access_expires_at: Timestamp::from_second(exp).expect("it was a time a moment ago"),
            refresh_expires_at: session.expires_at,
        })
    }
}

fn identify(token: &Verified, standing: Standing, now: Timestamp) -> Result<Identity, Error> {
    match standing {
        Standing::Unknown => Err(Error::Invalid),
        Standing::Revoked => Err(Error::Revoked),
        Standing::Open { member_id, .. } if member_id != token.member_id => Err(Error::Invalid),
        Standing::Open { expires_at, idle_until, .. } if now >= expires_at || now >= idle_until => {
            Err(Error::Expired)
        }
        Standing::Open { member_id, auth_time, .. } => {
            Ok(Identity { member_id, session_id: token.session_id, auth_time, expires_at: token.expires_at })
        }
    }
}

fn random() -> Result<[u8; 16], Error> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(Error::keys)?;
    Ok(bytes)
}
