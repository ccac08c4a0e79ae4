//! The description of the API: made of the handlers, completed with what holds for all of them.

use std::sync::LazyLock;

use askama::Template;
use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use bytes::Bytes;
use upshelf_store::{ResourceSort, SuggestionKind, SuggestionSort, SuggestionStatus};
use utoipa::openapi::path::{HttpMethod, Operation, Parameter, ParameterIn};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{ContentBuilder, Info, License, OpenApi, Ref, RefOr, Response};
use utoipa_axum::router::OpenApiRouter;

use crate::problem::{MEDIA_TYPE, Problem, Report, Result};
use crate::web::Web;
use crate::{api, edge, feeds, operations};

const DESCRIPTION: &str = "A library that a community curates by voting.\n\n\
Every error is an RFC 9457 problem with a `code` for programs. Lists take `limit` and `cursor` and reply with `items` and \
`next_cursor`. What is read carries an `ETag` and honours `If-None-Match`. Unsafe requests take an `Idempotency-Key`; a \
reply that holds a secret is never kept, so such a request is done again. Sign in with `Authorization: Bearer …` (an access \
token, or an API key `ups_…`), or with the site's cookies; requests with cookies must come from the site itself. \
Replies say in `RateLimit-Policy` and `RateLimit` what is left of a limit. An operation's `x-role` says who may: \
`anyone`, `member`, `curator` or `admin`.";

/// Describes the API (OpenAPI 3.1).
pub fn openapi() -> OpenApi {
    let (_, mut document) = described().split_for_parts();
    complete(&mut document);
    document
}

/// The routes that the document describes.
pub(crate) fn described() -> OpenApiRouter<Web> {
    OpenApiRouter::new().nest("/api/v1", api::router()).merge(feeds::router()).merge(operations::router())
}

/// The document itself, and a page to read it.
pub(crate) fn router() -> Router<Web> {
    static DOCUMENT: LazyLock<(Bytes, HeaderValue)> = LazyLock::new(|| {
        let text = openapi().to_json().expect("the document is plain JSON");
        let tag = edge::strong(text.as_bytes());
        (Bytes::from(text), tag)
    });
    let document = || async {
        let (text, tag) = DOCUMENT.clone();
        ([(CONTENT_TYPE, HeaderValue::from_static("application/json")), (ETAG, tag)], text).into_response()
    };
    Router::new()
        .route("/openapi.json", get(document).layer(axum::middleware::from_fn(edge::etag)))
        .route("/docs", get(|| async { docs().map(Html) }))
        .route("/docs.css", get(|| async { ([(CONTENT_TYPE, "text/css")], include_str!("docs.css")) }))
}

/// Which roles an operation's `x-role` may name.
const ROLE: &str = "x-role";

fn complete(document: &mut OpenApi) {
    document.info = Info::builder()
        .title("Upshelf")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(License::builder().name("MIT OR Apache-2.0").build()))
        .build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    let cookie = ApiKey::Cookie(ApiKeyValue::with_description(
        "__Host-upshelf-access",
        "Set by the site's own forms; `upshelf-access` where the site is on plain HTTP.",
    ));
    components.add_security_scheme("cookie", SecurityScheme::ApiKey(cookie));
    add_schema::<Report>(document);
    // The queries' words: only bodies bring their schemas along by themselves.
    add_schema::<ResourceSort>(document);
    add_schema::<SuggestionSort>(document);
    add_schema::<SuggestionKind>(document);
    add_schema::<SuggestionStatus>(document);
    add_schema::<api::FileFormat>(document);
    add_schema::<api::Whose>(document);
    for (path, item) in &mut document.paths.paths {
        let operations = [
            (HttpMethod::Get, &mut item.get),
            (HttpMethod::Put, &mut item.put),
            (HttpMethod::Post, &mut item.post),
            (HttpMethod::Delete, &mut item.delete),
            (HttpMethod::Patch, &mut item.patch),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                complete_operation(path, &method, operation);
            }
        }
    }
}

fn add_schema<T: utoipa::ToSchema>(document: &mut OpenApi) {
    let mut schemas = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut schemas);
    document.components.get_or_insert_default().schemas.extend(schemas);
}

/// Adds what the door does for every operation of a kind.
fn complete_operation(path: &str, method: &HttpMethod, operation: &mut Operation) {
    let role = operation
        .extensions
        .as_ref()
        .and_then(|extensions| extensions.get(ROLE))
        .and_then(|role| role.as_str())
        .unwrap_or("anyone")
        .to_owned();
    operation.extensions.get_or_insert_default().insert(ROLE.to_owned(), role.clone().into());
    let in_api = path.starts_with("/api/v1");
    operation.operation_id = Some(operation_id(path, method));
    let is_unsafe = *method != HttpMethod::Get;
    let parameters = operation.parameters.as_deref().unwrap_or_default();
    let is_query =
        |one: &RefOr<Parameter>| matches!(one, RefOr::T(one) if one.parameter_in == ParameterIn::Query);
    let has_query = parameters.iter().any(is_query);
    let has_path = path.contains('{');
    let body = operation.request_body.as_ref();
    let is_json = matches!(body, Some(RefOr::T(body)) if body.content.keys().eq(["application/json"]));

    let mut refusals: Vec<(&str, &str)> = Vec::new();
    if in_api {
        let mut security =
            vec![SecurityRequirement::new("bearer", [""; 0]), SecurityRequirement::new("cookie", [""; 0])];
        if role == "anyone" {
            security.insert(0, SecurityRequirement::default());
        }
        operation.security = Some(security);
        refusals.push(("401", "Nobody is signed in, or what was sent to sign in does not hold."));
        refusals.push(("403", "Whoever is signed in may not, or the request comes from another site."));
        refusals.push(("429", "Too often; `Retry-After` says when it goes on."));
    }
    if has_path {
        refusals.push(("404", "There is no such thing."));
    }
    if has_query {
        refusals.push(("422", "A value cannot be taken; `errors` says which."));
    }
    if has_path || has_query {
        refusals.push(("414", "The address is too long."));
    }
    if is_unsafe {
        refusals.push(("400", "The request cannot be read."));
        refusals.push(("408", "The body came too slowly."));
        refusals.push(("409", "The first request with this `Idempotency-Key` is still running."));
        refusals.push(("413", "The body is too large."));
        refusals.push((
            "422",
            "A value cannot be taken; `errors` says which. Or the `Idempotency-Key` was used before.",
        ));
    }
    if is_json {
        refusals.push(("415", "The body is of another media type."));
    }
    refusals.push(("500", "Something went wrong on our side."));
    refusals.push(("503", "Not now; `Retry-After` says when."));
    if !is_unsafe {
        refusals.push(("304", "It is what `If-None-Match` names."));
    }
    for (status, description) in refusals {
        operation
            .responses
            .responses
            .entry(status.to_owned())
            .or_insert_with(|| RefOr::T(Response::new(description)));
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.as_str() >= "400"
            && response.content.is_empty()
        {
            let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
            response.content.insert(MEDIA_TYPE.to_owned(), problem.into());
        }
    }
}

/// Names an operation as its request is written: `put_suggestions_id_vote`.
fn operation_id(path: &str, method: &HttpMethod) -> String {
    let words = path.trim_start_matches("/api/v1").split(|c: char| !c.is_ascii_alphanumeric());
    let words = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_");
    let method = match method {
        HttpMethod::Get => "get",
        HttpMethod::Put => "put",
        HttpMethod::Post => "post",
        HttpMethod::Delete => "delete",
        HttpMethod::Patch => "patch",
        HttpMethod::Options | HttpMethod::Head | HttpMethod::Trace => "other",
    };
    format!("{method}_{words}")
}

#[derive(Template)]
#[template(path = "docs.html")]
struct Docs {
    groups: Vec<Group>,
}

struct Group {
    name: String,
    operations: Vec<Line>,
}

struct Line {
    method: &'static str,
    path: String,
    summary: String,
    description: String,
    role: String,
    answers: Vec<(String, String)>,
}

fn docs() -> Result<String> {
    let document = openapi();
    let mut groups: Vec<Group> = Vec::new();
    for (path, item) in document.paths.paths {
        let operations = [
            ("GET", item.get),
            ("POST", item.post),
            ("PUT", item.put),
            ("PATCH", item.patch),
            ("DELETE", item.delete),
        ];
        for (method, operation) in operations {
            let Some(operation) = operation else { continue };
            let name = operation.tags.as_deref().and_then(|tags| tags.first().cloned()).unwrap_or_default();
            let line = line(method, path.clone(), operation);
            match groups.iter_mut().find(|group| group.name == name) {
                Some(group) => group.operations.push(line),
                None => groups.push(Group { name, operations: vec![line] }),
            }
        }
    }
    Docs { groups }.render().map_err(Problem::internal)
}

fn line(method: &'static str, path: String, operation: Operation) -> Line {
    let answers = operation.responses.responses.into_iter().map(|(status, response)| match response {
        RefOr::T(response) => (status, response.description),
        RefOr::Ref(_) => (status, String::new()),
    });
    let role = operation
        .extensions
        .as_ref()
        .and_then(|extensions| extensions.get(ROLE)?.as_str().map(str::to_owned));
    Line {
        method,
        path,
        summary: operation.summary.unwrap_or_default(),
        description: operation.description.unwrap_or_default(),
        role: role.unwrap_or_default(),
        answers: answers.collect(),
    }
}
