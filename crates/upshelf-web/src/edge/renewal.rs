use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, SET_COOKIE, USER_AGENT};
use secrecy::ExposeSecret;
use upshelf_session::Device;

use crate::cookies::{self, Renewed, SetCookies};
use crate::extract::{ClientIp, Notes};
use crate::web::Web;

/// Exchanges the refresh cookie of a browser whose access cookie has run out, so that nobody has to sign in again
/// before the session ends. Pages that ask at once all get the same new tokens.
pub(super) async fn renew(web: &Web, mut request: Request) -> Request {
    let headers = request.headers();
    if headers.contains_key(AUTHORIZATION) || cookies::has_access(web, headers) {
        return request;
    }
    let Some(token) = cookies::refresh_token(web, headers) else { return request };
    let ClientIp(ip) = ClientIp::of(request.extensions(), headers, &web.settings().trusted_proxies);
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    let device = Device::new(Some(ip), agent);
    // Apart: every request is as large as this, and few come here.
    let lines = match Box::pin(web.refresh(token, &device)).await {
        Ok(tokens) => {
            let renewed = Renewed(tokens.access_token.expose_secret().to_owned());
            let lines = SetCookies::signed_in(web, &tokens).lines();
            request.extensions_mut().insert(renewed);
            lines
        }
        Err(error) if error.is_refusal() => SetCookies::signed_out(web).lines(),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "could not renew a session");
            return request;
        }
    };
    for line in lines {
        Notes::leave(request.extensions(), SET_COOKIE, line);
    }
    request
}
