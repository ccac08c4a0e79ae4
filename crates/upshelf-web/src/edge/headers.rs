use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;

use crate::web::Web;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
     connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// A page that shows a mail in a frame.
const POLICY_OF_FRAMING: &str = "default-src 'none'; style-src 'self'; img-src 'self'; frame-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// What is in the frame: nothing runs, nothing is loaded, nothing is sent, and it belongs to no site.
const POLICY_OF_FRAMED: &str =
    "sandbox; default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'";
const PERMISSIONS: &str = "camera=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=()";

/// About as many headers as a reply gets here.
const MORE: usize = 12;

/// How a reply has to do with frames, where it has: put among its extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frames {
    /// It holds one, with another reply of this site.
    Holds,
    /// It is shown in one, on a page of this site.
    IsIn,
}

/// Tells browsers what a reply must not do.
pub(super) fn secure(web: &Web, reply: &mut Response) {
    // It has no content that could do anything.
    if reply.status() == StatusCode::SWITCHING_PROTOCOLS {
        return;
    }
    let frames = reply.extensions_mut().remove::<Frames>();
    let headers = reply.headers_mut();
    headers.reserve(MORE);
    let mut set =
        |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    let (policy, framing) = match frames {
        None => (POLICY, "DENY"),
        Some(Frames::Holds) => (POLICY_OF_FRAMING, "DENY"),
        Some(Frames::IsIn) => (POLICY_OF_FRAMED, "SAMEORIGIN"),
    };
    set(CONTENT_SECURITY_POLICY, policy);
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(X_FRAME_OPTIONS, framing);
    set(REFERRER_POLICY, "strict-origin-when-cross-origin");
    set(HeaderName::from_static("permissions-policy"), PERMISSIONS);
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    if web.settings().is_https() {
        set(STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    keep_fresh(headers);
}

/// What nobody said may be kept is asked for again each time.
fn keep_fresh(headers: &mut HeaderMap) {
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-cache"));
}
