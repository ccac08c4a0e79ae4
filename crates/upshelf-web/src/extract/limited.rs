use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use upshelf_throttle::{Fields, Subject};

use crate::extract::{Caller, ClientIp, Notes};
use crate::limits::Limit;
use crate::problem::{Problem, Result};
use crate::web::Web;

static RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
static RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Says that an endpoint may be asked as often as `L` allows: the member, or the address of who is not signed in.
///
/// It stands first, so that refused requests cost next to nothing.
pub(crate) struct Limited<L>(PhantomData<L>);

impl<L: Limit> FromRequestParts<Web> for Limited<L> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Limited<L>> {
        let member = if L::BY_ADDRESS { None } else { Caller::of(parts, web).await?.member_id() };
        let subject = match member {
            Some(id) => Subject::member(id),
            None => {
                let ClientIp(ip) =
                    ClientIp::of(&parts.extensions, &parts.headers, &web.settings().trusted_proxies);
                Subject::ip(ip)
            }
        };
        let verdict = web.throttle().take(&subject, &web.settings().limits.of::<L>(), 1).await;
        let Some(Fields { policy, limit, retry_after }) = verdict.fields() else {
            return Ok(Limited(PhantomData));
        };
        Notes::leave(&parts.extensions, RATE_LIMIT_POLICY.clone(), plain(policy));
        Notes::leave(&parts.extensions, RATE_LIMIT.clone(), plain(limit));
        if verdict.is_allowed {
            return Ok(Limited(PhantomData));
        }
        let seconds = retry_after.unwrap_or_else(|| "1".to_owned());
        let detail = format!("That was too often; it goes on in {seconds} s.");
        Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail)
            .with_header(header::RETRY_AFTER, plain(seconds)))
    }
}

fn plain(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("policies have plain names, and the rest is digits")
}
