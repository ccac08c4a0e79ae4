//! Problems as pages, when it is a browser that asks.

use askama::Template;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HOST, REFERER};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use url::{Url, form_urlencoded};

use crate::extract::MaybeMember;
use crate::pages::frame::{Frame, local};
use crate::pages::page_as;
use crate::problem::{Problem, explain};
use crate::web::Web;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    frame: Frame,
    status: u16,
    title: &'static str,
    detail: String,
}

/// Shows problems in the site's look, and asks who is not signed in to sign in; programs get the problem as it is.
pub(crate) async fn look(State(web): State<Web>, request: Request, next: Next) -> Response {
    if !is_for_a_browser(&request) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    // Found out once per request: the handler asks for the same.
    let viewer =
        MaybeMember::from_request_parts(&mut parts, &web).await.ok().and_then(|MaybeMember(member)| member);
    let (method, uri) = (parts.method.clone(), parts.uri.clone());
    let back = came_from(&parts.headers);
    let reply = explain(next.run(Request::from_parts(parts, body)).await);
    let Some(problem) = reply.extensions().get::<Problem>().cloned() else { return reply };
    if matches!(problem.code(), "not_signed_in" | "sign_in_again") {
        return to_sign_in(&method, &uri, back.as_deref());
    }
    let frame = Frame::new(viewer, 0, &uri, web.catalog().clock().now());
    let (parts, _) = reply.into_parts();
    let Ok(mut page) = page_as(parts.status, &draw(frame, &problem)) else { return problem.into_response() };
    let mut headers = parts.headers;
    headers.remove(CONTENT_TYPE);
    headers.remove(CONTENT_LENGTH);
    page.headers_mut().extend(headers);
    // The edge logs it and names the request.
    page.extensions_mut().insert(problem);
    page
}

fn draw(frame: Frame, problem: &Problem) -> ErrorPage {
    let title = match problem.status() {
        StatusCode::NOT_FOUND => "Not on this shelf",
        StatusCode::FORBIDDEN => "Not for you",
        StatusCode::TOO_MANY_REQUESTS => "A little slower, please",
        status if status.is_server_error() => "Something went wrong on our side",
        _ => "That did not work",
    };
    let detail = match problem.errors() {
        [] => problem.detail().to_owned(),
        errors => errors.iter().map(|error| error.detail.as_str()).collect::<Vec<_>>().join(" "),
    };
    ErrorPage { frame, status: problem.status().as_u16(), title, detail }
}

fn is_for_a_browser(request: &Request) -> bool {
    let path = request.uri().path();
    let is_page =
        !["/api/", "/assets/", "/feeds/", "/connection/"].iter().any(|start| path.starts_with(start));
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    is_page && accept.contains("text/html")
}

/// The page that somebody was on, as far as it is one of this site.
fn came_from(headers: &HeaderMap) -> Option<String> {
    let referer = Url::parse(headers.get(REFERER)?.to_str().ok()?).ok()?;
    let host = headers.get(HOST)?.to_str().ok()?;
    let own = match referer.port() {
        Some(port) => format!("{}:{port}", referer.host_str()?),
        None => referer.host_str()?.to_owned(),
    };
    (own == host).then(|| referer[url::Position::BeforePath..url::Position::AfterQuery].to_owned())
}

fn to_sign_in(method: &Method, uri: &Uri, back: Option<&str>) -> Response {
    let next = match method.is_safe() {
        true => uri.path_and_query().map_or("/", |path| path.as_str()),
        false => back.unwrap_or("/"),
    };
    let next: String = form_urlencoded::byte_serialize(local(next).as_bytes()).collect();
    Redirect::to(&format!("/sign-in?next={next}")).into_response()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_a_page_of_this_site_is_gone_back_to() {
        let from = |referer: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static("shelf.example:7700"));
            headers.insert(REFERER, HeaderValue::from_static(referer));
            came_from(&headers)
        };
        assert_eq!(
            from("http://shelf.example:7700/suggestions?sort=new#x").as_deref(),
            Some("/suggestions?sort=new")
        );
        assert_eq!(from("http://evil.example/suggestions"), None);
        assert_eq!(from("not a url"), None);
    }
}
