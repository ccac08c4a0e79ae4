//! Accounts and sessions.

use std::net::IpAddr;

use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, StatusCode};
use axum::response::IntoResponse;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use upshelf_catalog::NewAccount;
use upshelf_session::{Device, Reason, Tokens};
use upshelf_store::{self as store, MemberId, Page, Time};
use upshelf_throttle::{Adjustment, Subject};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::extract::{ClientIp, Id, Json, Limited, Member, Session, UserAgent};
use crate::limits::{ACCOUNT, Login, Read, Refresh, Register, Write};
use crate::problem::{Problem, Result};
use crate::web::Web;

pub(super) fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(login))
        .routes(routes!(refresh))
        .routes(routes!(logout))
        .routes(routes!(logout_all))
        .routes(routes!(me))
        .routes(routes!(list_sessions))
        .routes(routes!(end_session))
        .routes(routes!(change_password))
}

/// A member who has just signed in.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignedIn {
    /// The member.
    member: store::Member,
    /// To be sent with each request as `Authorization: Bearer …`.
    access_token: String,
    /// Buys the next pair of tokens, once.
    refresh_token: String,
    /// When the access token ends.
    access_expires_at: Time,
    /// When the session ends, however often it is refreshed.
    refresh_expires_at: Time,
}

impl SignedIn {
    pub(super) fn new(member: store::Member, tokens: &Tokens) -> SignedIn {
        SignedIn {
            member,
            access_token: tokens.access_token.expose_secret().to_owned(),
            refresh_token: tokens.refresh_token.expose_secret().to_owned(),
            access_expires_at: tokens.access_expires_at.into(),
            refresh_expires_at: tokens.refresh_expires_at.into(),
        }
    }

    /// A reply that nobody keeps.
    pub(super) fn reply(self, status: StatusCode) -> impl IntoResponse {
        (status, [(CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(self))
    }
}

/// Starts a session.
pub(crate) async fn begin(web: &Web, member: MemberId, ip: IpAddr, agent: Option<&str>) -> Result<Tokens> {
    Ok(web.sessions().start(member.0, &Device::new(Some(ip), agent), web.now()).await?)
}

/// An account to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Registration {
    /// 2 to 32 letters, digits, `_`, `-` or `.`.
    username: String,
    /// Where the site may write to.
    email: String,
    /// 12 to 128 characters.
    password: String,
}

/// Makes an account and signs it in
#[utoipa::path(post, path = "/auth/register", tag = "Accounts", request_body = Registration, responses(
    (status = 201, body = SignedIn, description = "The account is made."),
    (status = 409, description = "`username_taken` or `email_taken`."),
))]
async fn register(
    _: Limited<Register>,
    State(web): State<Web>,
    ClientIp(ip): ClientIp,
    UserAgent(agent): UserAgent,
    Json(Registration { username, email, password }): Json<Registration>,
) -> Result<impl IntoResponse> {
    let member = web.catalog().register(NewAccount { username, email, password }).await?;
    let tokens = begin(&web, member.id, ip, agent.as_deref()).await?;
    Ok(SignedIn::new(member, &tokens).reply(StatusCode::CREATED))
}

/// Who somebody says they are.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Credentials {
    /// The username or the mail address.
    login: String,
    /// The password.
    password: String,
}

/// Signs in
///
/// An unknown member and a wrong password are answered alike, in the same time.
#[utoipa::path(post, path = "/auth/login", tag = "Accounts", request_body = Credentials, responses(
    (status = 200, body = SignedIn, description = "Signed in."),
    (status = 401, description = "`login_failed`: no such member, or not their password."),
))]
async fn login(
    _: Limited<Login>,
    State(web): State<Web>,
    ClientIp(ip): ClientIp,
    UserAgent(agent): UserAgent,
    Json(Credentials { login, password }): Json<Credentials>,
) -> Result<impl IntoResponse> {
    let (member, tokens) = sign_in(&web, &login, &password, ip, agent.as_deref()).await?;
    Ok(SignedIn::new(member, &tokens).reply(StatusCode::OK))
}

/// Checks a password and starts a session. After several failures the answers for that account come slowly, to
/// everybody; nobody is locked out by what strangers try.
pub(crate) async fn sign_in(
    web: &Web,
    login: &str,
    password: &str,
    ip: IpAddr,
    agent: Option<&str>,
) -> Result<(store::Member, Tokens)> {
    let account = Subject::other("account", login.trim().to_lowercase());
    let policy = web.settings().limits.policy(ACCOUNT);
    let tried = web.throttle().peek(&account, &[policy], 1).await;
    tokio::time::sleep(tried.retry_after().min(web.settings().slow_down)).await;
    let Some(member) = web.catalog().login(login, password).await? else {
        web.throttle().adjust(&account, policy, Adjustment::Penalty(1)).await;
        return Err(Problem::unauthorized(
            "login_failed",
            "There is no such member, or this is not their password.",
        ));
    };
    web.throttle().forget(&account).await;
    let tokens = begin(web, member.id, ip, agent).await?;
    Ok((member, tokens))
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RefreshRequest {
    /// The token that came with the last sign-in or refresh.
    refresh_token: String,
}

/// Exchanges a refresh token for the next pair of tokens
///
/// Within 30 seconds the replaced token gives the same successor again. After that it ends the session
/// (`token_reused`): somebody has copied it.
#[utoipa::path(post, path = "/auth/refresh", tag = "Accounts", request_body = RefreshRequest, responses(
    (status = 200, body = SignedIn, description = "The next pair."),
))]
async fn refresh(
    _: Limited<Refresh>,
    State(web): State<Web>,
    ClientIp(ip): ClientIp,
    UserAgent(agent): UserAgent,
    Json(RefreshRequest { refresh_token }): Json<RefreshRequest>,
) -> Result<impl IntoResponse> {
    let device = Device::new(Some(ip), agent.as_deref());
    let tokens = web.refresh(&refresh_token, &device).await?;
    let member = web.catalog().find_member(MemberId(tokens.member_id)).await?;
    let member = member.filter(|member| member.banned_at.is_none());
    let member = member.ok_or_else(|| Problem::unauthorized("session_ended", "The session has ended."))?;
    Ok(SignedIn::new(member, &tokens).reply(StatusCode::OK))
}

/// Signs out
#[utoipa::path(post, path = "/auth/logout", tag = "Accounts", extensions(("x-role" = json!("member"))), responses(
    (status = 204, description = "This session has ended."),
))]
async fn logout(_: Limited<Write>, State(web): State<Web>, Session(identity): Session) -> Result<StatusCode> {
    web.sessions().logout(identity.session_id, web.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Signs out everywhere
#[utoipa::path(post, path = "/auth/logout-all", tag = "Accounts", extensions(("x-role" = json!("member"))), responses(
    (status = 204, description = "All sessions have ended."),
))]
async fn logout_all(
    _: Limited<Write>,
    State(web): State<Web>,
    Session(identity): Session,
) -> Result<StatusCode> {
    web.sessions().logout_all(identity.member_id, None, Reason::LogoutAll, web.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Says who is signed in
#[utoipa::path(get, path = "/auth/me", tag = "Accounts", extensions(("x-role" = json!("member"))), responses(
    (status = 200, body = store::Member, description = "The member."),
))]
async fn me(_: Limited<Read>, member: Member) -> Json<store::Member> {
    Json((*member).clone())
}

/// One sign-in on one device.
#[derive(Serialize, ToSchema)]
struct SessionView {
    /// Names the session, to end it.
    id: Uuid,
    /// Whether it is the one that asks.
    current: bool,
    /// The address it was last refreshed from.
    ip: Option<String>,
    /// What the browser or program calls itself.
    user_agent: Option<String>,
    /// When it began.
    created_at: Time,
    /// When it was last used, to the quarter of an hour.
    last_seen_at: Time,
    /// When it ends at the latest.
    expires_at: Time,
}

/// Lists the devices on which one is signed in
#[utoipa::path(get, path = "/auth/sessions", tag = "Accounts", extensions(("x-role" = json!("member"))), responses(
    (status = 200, body = Page<SessionView>, description = "The open sessions, last used first."),
))]
async fn list_sessions(
    _: Limited<Read>,
    State(web): State<Web>,
    Session(identity): Session,
) -> Result<Json<Page<SessionView>>> {
    let open = web.sessions().list(identity.member_id, web.now()).await?;
    let items = open.into_iter().map(|session| SessionView {
        id: session.session_id,
        current: session.session_id == identity.session_id,
        ip: session.device.ip.map(|ip| ip.to_string()),
        user_agent: session.device.user_agent,
        created_at: session.created_at.into(),
        last_seen_at: session.last_seen_at.into(),
        expires_at: session.expires_at.into(),
    });
    Ok(Json(Page { items: items.collect(), next_cursor: None }))
}

/// Signs out on another device
#[utoipa::path(delete, path = "/auth/sessions/{id}", tag = "Accounts", params(("id" = Uuid, Path, description = "The session.")),
    extensions(("x-role" = json!("member"))), responses((status = 204, description = "The session has ended.")))]
async fn end_session(
    _: Limited<Write>,
    State(web): State<Web>,
    Session(identity): Session,
    Id(id): Id<Uuid>,
) -> Result<StatusCode> {
    match web.sessions().revoke(identity.member_id, id, web.now()).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("session")),
    }
}

/// A change of password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordChange {
    /// The password up to now.
    current_password: String,
    /// 12 to 128 characters.
    new_password: String,
}

/// Changes the password, and signs out everywhere else
#[utoipa::path(post, path = "/auth/password", tag = "Accounts", request_body = PasswordChange,
    extensions(("x-role" = json!("member"))), responses(
    (status = 204, description = "The password is changed; all other sessions have ended."),
    (status = 403, description = "`wrong_password`: the current password is not right."),
))]
async fn change_password(
    _: Limited<Login>,
    State(web): State<Web>,
    member: Member,
    Session(identity): Session,
    Json(PasswordChange { current_password, new_password }): Json<PasswordChange>,
) -> Result<StatusCode> {
    web.catalog().change_password(&member, &current_password, &new_password).await?;
    let mine = Some(identity.session_id);
    web.sessions().logout_all(identity.member_id, mine, Reason::Password, web.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
