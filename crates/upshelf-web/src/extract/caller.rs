use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use jiff::SignedDuration;
use upshelf_catalog::{API_KEY_PREFIX, Refusal, Scopes};
use upshelf_session::Identity;
use upshelf_store::{self as store, ApiKeyId, MemberId, Role, Scope};

use crate::cookies;
use crate::problem::{Problem, Result};
use crate::web::Web;

/// Who makes a request, found out once per request by whoever asks first.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// Nobody signed in.
    Nobody,
    /// A member.
    Member(Arc<store::Member>, Proof),
    /// Somebody whose credentials do not hold.
    Refused(Problem),
}

/// How a member proved who they are.
#[derive(Clone, Debug)]
pub(crate) enum Proof {
    /// With the token of a session.
    Session(Identity),
    /// With this API key of these scopes.
    Key(ApiKeyId, Scopes),
}

impl Caller {
    /// Finds out who makes a request.
    pub(crate) async fn of(parts: &mut Parts, web: &Web) -> Result<Caller> {
        if let Some(known) = parts.extensions.get::<Caller>() {
            return Ok(known.clone());
        }
        let caller = find(parts, web).await?;
        parts.extensions.insert(caller.clone());
        Ok(caller)
    }

    /// Names the member, if it is one.
    pub(crate) fn member_id(&self) -> Option<MemberId> {
        match self {
            Caller::Member(member, _) => Some(member.id),
            Caller::Nobody | Caller::Refused(_) => None,
        }
    }
}

async fn find(parts: &Parts, web: &Web) -> Result<Caller> {
    let Some(header) = parts.headers.get(AUTHORIZATION) else {
        let Some(token) = cookies::access_token(web, parts) else { return Ok(Caller::Nobody) };
        // A cookie is sent without being asked for, so a stale one must not shut anybody out.
        return Ok(match by_session(&token, web).await? {
            Caller::Refused(_) => Caller::Nobody,
            caller => caller,
        });
    };
    let bearer = header.to_str().ok().and_then(|text| text.split_once(' '));
    match bearer {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => match token.trim() {
            key if key.starts_with(API_KEY_PREFIX) => by_key(key, parts, web).await,
            token => by_session(token, web).await,
        },
        _ => Ok(Caller::Refused(Problem::unauthorized(
            "token_invalid",
            "Sign in with \"Authorization: Bearer …\".",
        ))),
    }
}

async fn by_session(token: &str, web: &Web) -> Result<Caller> {
    let identity = match web.sessions().check(token, web.now()).await {
        Ok(identity) => identity,
        Err(error) if error.is_refusal() => return Ok(Caller::Refused(error.into())),
        Err(error) => return Err(error.into()),
    };
    let member = web.catalog().find_member(MemberId(identity.member_id)).await?;
    Ok(admit(member, Proof::Session(identity)))
}

async fn by_key(key: &str, parts: &Parts, web: &Web) -> Result<Caller> {
    let Some((member, id, scopes)) = web.catalog().find_api_key(key).await? else {
        return Ok(Caller::Refused(Problem::unauthorized("token_invalid", "The API key is not valid.")));
    };
    if !scopes.may(if parts.method.is_safe() { Scope::Read } else { Scope::Write }) {
        return Ok(Caller::Refused(Problem::forbidden("scope_missing", "This API key may only read.")));
    }
    Ok(admit(Some(member), Proof::Key(id, scopes)))
}

fn admit(member: Option<impl Into<Arc<store::Member>>>, proof: Proof) -> Caller {
    match member.map(Into::into) {
        None => {
            Caller::Refused(Problem::unauthorized("token_invalid", "The account does not exist any more."))
        }
        Some(member) if member.banned_at.is_some() => Caller::Refused(Refusal::Banned.into()),
        Some(member) => Caller::Member(member, proof),
    }
}

/// Whoever it is; credentials that do not hold are refused, none are fine.
pub(crate) struct MaybeMember(pub(crate) Option<Member>);

impl MaybeMember {
    /// The member, as the catalog asks for one.
    pub(crate) fn as_deref(&self) -> Option<&store::Member> {
        self.0.as_deref()
    }
}

impl FromRequestParts<Web> for MaybeMember {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<MaybeMember> {
        match Caller::of(parts, web).await? {
            Caller::Nobody => Ok(MaybeMember(None)),
            Caller::Member(member, proof) => Ok(MaybeMember(Some(Member { member, proof }))),
            Caller::Refused(problem) => Err(problem),
        }
    }
}

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    member: Arc<store::Member>,
    /// How they proved who they are.
    pub(crate) proof: Proof,
}

impl Deref for Member {
    type Target = store::Member;

    fn deref(&self) -> &store::Member {
        &self.member
    }
}

impl FromRequestParts<Web> for Member {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Member> {
        let MaybeMember(member) = MaybeMember::from_request_parts(parts, web).await?;
        member.ok_or_else(|| Problem::unauthorized("not_signed_in", "Sign in first."))
    }
}

/// A curator or an admin.
pub(crate) struct Curator(pub(crate) Member);

impl FromRequestParts<Web> for Curator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Curator> {
        let member = Member::from_request_parts(parts, web).await?;
        match member.role {
            Role::Curator | Role::Admin => Ok(Curator(member)),
            Role::Member => Err(Refusal::NotAllowed("curator").into()),
        }
    }
}

/// An admin; with an API key, one that has the scope.
pub(crate) struct Admin(pub(crate) Member);

impl FromRequestParts<Web> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Admin> {
        let member = Member::from_request_parts(parts, web).await?;
        if member.role != Role::Admin {
            return Err(Refusal::NotAllowed("admin").into());
        }
        match &member.proof {
            Proof::Key(_, scopes) if !scopes.may(Scope::Admin) => {
                Err(Problem::forbidden("scope_missing", "This API key has no scope \"admin\"."))
            }
            _ => Ok(Admin(member)),
        }
    }
}

/// A member's session; an API key has none.
pub(crate) struct Session(pub(crate) Identity);

impl FromRequestParts<Web> for Session {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Session> {
        match Member::from_request_parts(parts, web).await?.proof {
            Proof::Session(identity) => Ok(Session(identity)),
            Proof::Key(..) => {
                Err(Problem::forbidden("session_needed", "This takes a sign-in, not an API key."))
            }
        }
    }
}

/// Somebody who proved who they are a short while ago: what sensitive acts ask for.
pub(crate) struct Recent;

impl FromRequestParts<Web> for Recent {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Recent> {
        let Session(identity) = Session::from_request_parts(parts, web).await?;
        let limit = SignedDuration::try_from(web.settings().recent_sign_in).unwrap_or(SignedDuration::MAX);
        if web.now().duration_since(identity.auth_time) <= limit {
            return Ok(Recent);
        }
        Err(Problem::forbidden("sign_in_again", "This takes a fresh sign-in; sign in again."))
    }
}
