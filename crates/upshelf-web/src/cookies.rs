//! The site's own sign-in: cookies that no script reads.

use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponseParts, ResponseParts};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use upshelf_session::Tokens;

use crate::web::Web;

/// An access token that was renewed while the request came in.
#[derive(Clone)]
pub(crate) struct Renewed(pub(crate) String);

/// `__Host-` binds a cookie to TLS and this host; browsers refuse the prefix on plain HTTP, as on one's own machine.
fn access_name(web: &Web) -> &'static str {
    if web.settings().is_https() { "__Host-upshelf-access" } else { "upshelf-access" }
}

fn refresh_name(web: &Web) -> &'static str {
    if web.settings().is_https() { "__Host-upshelf-refresh" } else { "upshelf-refresh" }
}

/// Finds the access token that the site's cookie carries.
pub(crate) fn access_token(web: &Web, parts: &Parts) -> Option<String> {
    match parts.extensions.get::<Renewed>() {
        Some(Renewed(token)) => Some(token.clone()),
        None => find(&parts.headers, access_name(web)).map(str::to_owned),
    }
}

/// Finds the refresh token that the site's cookie carries.
pub(crate) fn refresh_token<'a>(web: &Web, headers: &'a HeaderMap) -> Option<&'a str> {
    find(headers, refresh_name(web))
}

/// Says whether a request carries the site's sign-in.
pub(crate) fn has_any(web: &Web, headers: &HeaderMap) -> bool {
    has_access(web, headers) || refresh_token(web, headers).is_some()
}

/// Says whether a request carries the site's access token.
pub(crate) fn has_access(web: &Web, headers: &HeaderMap) -> bool {
    find(headers, access_name(web)).is_some()
}

fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut cookies =
        lines.flat_map(|line| line.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    cookies.find(|(found, value)| *found == name && !value.is_empty()).map(|(_, value)| value)
}

/// The `Set-Cookie` lines that sign a browser in or out; add them to a reply as one of its parts.
pub(crate) struct SetCookies([HeaderValue; 2]);

impl SetCookies {
    /// Signs in.
    pub(crate) fn signed_in(web: &Web, tokens: &Tokens) -> SetCookies {
        let (access, refresh) = (tokens.access_token.expose_secret(), tokens.refresh_token.expose_secret());
        SetCookies([
            line(web, access_name(web), access, seconds_until(web.now(), tokens.access_expires_at)),
            line(web, refresh_name(web), refresh, seconds_until(web.now(), tokens.refresh_expires_at)),
        ])
    }

    /// Signs out.
    pub(crate) fn signed_out(web: &Web) -> SetCookies {
        SetCookies([line(web, access_name(web), "", 0), line(web, refresh_name(web), "", 0)])
    }

    /// The lines.
    pub(crate) fn lines(self) -> [HeaderValue; 2] {
        self.0
    }
}

impl IntoResponseParts for SetCookies {
    type Error = std::convert::Infallible;

    fn into_response_parts(self, mut reply: ResponseParts) -> Result<ResponseParts, Self::Error> {
        for line in self.0 {
            reply.headers_mut().append(SET_COOKIE, line);
        }
        Ok(reply)
    }
}

fn seconds_until(now: Timestamp, end: Timestamp) -> i64 {
    end.duration_since(now).as_secs().max(0)
}

fn line(web: &Web, name: &str, value: &str, max_age: i64) -> HeaderValue {
    let secure = if web.settings().is_https() { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}");
    let mut line = HeaderValue::try_from(text).expect("tokens are made of letters, digits, '.', '_' and '-'");
    line.set_sensitive(true);
    line
}
