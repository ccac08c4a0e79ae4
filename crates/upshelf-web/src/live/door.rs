//! How one comes in: by WebSocket, or with an `EventSource`.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, UPGRADE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};
use upshelf_catalog::VOTES_CHANNEL;
use upshelf_live::{Code, Refused, Welcome};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::house::{MOST_SHOWN, Pass, SiteHouse, Visitor};
use crate::cookies;
use crate::edge::is_own_origin;
use crate::extract::{Caller, Limited, MaybeMember, Query};
use crate::limits::Connect;
use crate::problem::{Problem, Result};
use crate::serve::Place;
use crate::web::Web;

/// The way in for WebSocket; it is no operation of the API.
pub(crate) fn router() -> Router<Web> {
    Router::new().route("/connection/websocket", get(websocket))
}

/// The way in for `EventSource`.
pub(crate) fn described() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(events))
}

async fn websocket(_: Limited<Connect>, State(web): State<Web>, request: Request) -> Result<Response> {
    let (mut parts, body) = request.into_parts();
    let known = known(&web, &mut parts).await?;
    // It keeps its place among the connections of its address.
    let place = parts.extensions.remove::<Place>();
    let reply = web.live().upgrade(Request::from_parts(parts, body), known, place);
    if reply.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(reply.map(|()| Body::empty()));
    }
    let problem =
        Problem::new(reply.status(), "not_a_websocket", "This address is for WebSocket connections.");
    Err(problem.with_header(UPGRADE, HeaderValue::from_static("websocket")))
}

/// Finds out who comes, as far as the request tells; a token may follow.
async fn known(web: &Web, parts: &mut axum::http::request::Parts) -> Result<Welcome<Visitor>> {
    // A browser sends cookies for any page's script, and says whose page it is (ASVS 4.4.2).
    let is_by_cookie = !parts.headers.contains_key(AUTHORIZATION) && cookies::has_any(web, &parts.headers);
    if is_by_cookie && !is_from_here(web, &parts.headers) {
        return Err(Problem::forbidden("cross_site", "This request does not come from this site."));
    }
    match Caller::of(parts, web).await? {
        Caller::Refused(problem) => Err(problem),
        caller => Ok(welcome(web, &caller)),
    }
}

fn is_from_here(web: &Web, headers: &HeaderMap) -> bool {
    let origin = headers.get(axum::http::header::ORIGIN).and_then(|origin| origin.to_str().ok());
    origin.is_some_and(|origin| is_own_origin(web, headers, origin))
}

fn welcome(web: &Web, caller: &Caller) -> Welcome<Visitor> {
    let house: &SiteHouse = web.live().house();
    match caller {
        Caller::Member(member, proof) => house.welcome(member.id, Pass::of(member, proof)),
        Caller::Nobody | Caller::Refused(_) => house.welcome_anybody(),
    }
}

/// What to watch.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EventsQuery {
    /// The channels, with commas: `suggestions:votes`, `notifications:{memberId}`, `resource:updates:{resourceId}`.
    #[param(min_length = 1, example = "suggestions:votes")]
    channels: String,
    /// The suggestions whose votes are wanted, with commas, at most 200; all that are open without it.
    filter: Option<String>,
    /// The `id` of the last event seen, where the header `Last-Event-ID` cannot be set.
    last_event_id: Option<String>,
}

/// Sends what happens, as it happens
///
/// A stream of Server-Sent Events. The first one, `subscribed`, says `recovered`: for all channels together, and for each
/// of them; `true` where all that was missed since the last event follows. Every other event is a message
/// `{"channel": …, "pub": {"data": …, "offset": …}}`. The `id` of an event is the position in all channels.
#[utoipa::path(get, path = "/events", tag = "Live", params(EventsQuery,
    ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event seen; browsers send it by themselves.")),
    responses(
    (status = 200, description = "The stream.", content_type = "text/event-stream", body = String),
    (status = 401, description = "`not_signed_in`: a channel is a member's."),
    (status = 403, description = "`channel_forbidden`: a channel is another member's."),
    (status = 404, description = "`channel_not_found`: there is no such channel."),
))]
async fn events(
    _: Limited<Connect>,
    State(web): State<Web>,
    MaybeMember(member): MaybeMember,
    headers: HeaderMap,
    Query(query): Query<EventsQuery>,
) -> Result<Response> {
    let house = web.live().house();
    let mut welcome = match &member {
        Some(member) => house.welcome(member.id, Pass::of(member, &member.proof)),
        None => house.welcome_anybody(),
    };
    welcome.channels.clear();
    let is_member = welcome.visitor.is_member();
    let data = match &query.filter {
        Some(filter) => {
            json!({ "filter": filter.split(',').filter(|id| !id.is_empty()).collect::<Vec<_>>() })
        }
        None => Value::Null,
    };
    let wished = query.channels.split(',').map(str::trim).filter(|name| !name.is_empty());
    let channels: Vec<(String, Value)> = wished
        .map(|name| (name.to_owned(), if name == VOTES_CHANNEL { data.clone() } else { Value::Null }))
        .collect();
    if channels.is_empty() {
        return Err(Problem::invalid("channels", "It names at least one channel."));
    }
    let header = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let position = header.or(query.last_event_id.as_deref()).filter(|id| !id.is_empty());
    let events = web.live().events(welcome, &channels, position).await;
    let events = events.map_err(|refused| problem(refused, is_member))?;
    let head = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    Ok((head, Body::new(events)).into_response())
}

fn problem(Refused { channel, code }: Refused, is_member: bool) -> Problem {
    match code {
        Code::PermissionDenied | Code::Unauthorized if !is_member => {
            Problem::unauthorized("not_signed_in", "Sign in first.")
        }
        Code::PermissionDenied | Code::Unauthorized => {
            Problem::forbidden("channel_forbidden", format!("{channel:?} is not yours to watch."))
        }
        Code::UnknownChannel => Problem::new(
            StatusCode::NOT_FOUND,
            "channel_not_found",
            format!("There is no channel {channel:?}."),
        ),
        Code::LimitExceeded if channel == VOTES_CHANNEL => {
            Problem::invalid("filter", format!("It names at most {MOST_SHOWN} suggestions."))
        }
        Code::LimitExceeded => Problem::invalid("channels", "Those are too many channels."),
        Code::AlreadySubscribed => Problem::invalid("channels", format!("{channel:?} stands there twice.")),
        Code::BadRequest if channel == VOTES_CHANNEL => {
            Problem::invalid("filter", "It names suggestions by their ids.")
        }
        Code::BadRequest => Problem::invalid("channels", "The name of a channel is too long."),
        Code::TooManyRequests
        | Code::Internal
        | Code::MethodNotFound
        | Code::NotAvailable
        | Code::TokenExpired
        | Code::Expired
        | Code::UnrecoverablePosition => {
            Problem::unavailable("channel_unavailable", "A channel cannot be watched at the moment.")
        }
    }
}
