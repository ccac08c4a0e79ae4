//! The document says what is true, and what is kept of it is up to date.

use std::collections::BTreeSet;
use std::path::Path;

use crate::app::{App, operations};

#[test]
fn the_kept_document_is_the_one_of_this_program() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let now = upshelf_web::openapi().to_pretty_json().expect("plain JSON") + "\n";
    if std::fs::read_to_string(&file).is_ok_and(|kept| kept == now) {
        return;
    }
    std::fs::create_dir_all(file.parent().expect("it lies in a folder")).expect("the folder can be made");
    std::fs::write(&file, now).expect("it can be written");
    panic!("docs/openapi.json was out of date and has been written anew: read the change, and commit it");
}

#[test]
fn every_operation_says_what_it_does_and_every_error_is_a_problem() {
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations() {
        assert!(
            operation.summary.as_deref().is_some_and(|text| !text.is_empty()),
            "{method} {path} says nothing"
        );
        let id = operation.operation_id.clone().expect("it has an id");
        assert!(names.insert(id.clone()), "two operations are called {id}");
        for (status, response) in &operation.responses.responses {
            let utoipa::openapi::RefOr::T(response) = response else {
                panic!("{method} {path} {status} refers")
            };
            assert!(!response.description.is_empty(), "{method} {path} {status}");
            if status.as_str() >= "400" && !(path == "/readyz" && status == "503") {
                assert!(
                    response.content.contains_key("application/problem+json"),
                    "{method} {path} {status}"
                );
            }
        }
    }
    assert!(names.len() > 60, "only {} operations", names.len());
}

#[test]
fn every_schema_that_is_named_is_there() {
    let document = serde_json::to_value(upshelf_web::openapi()).expect("plain JSON");
    let text = document.to_string();
    let named: BTreeSet<&str> =
        text.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let missing: Vec<_> =
        named.iter().filter(|name| document["components"]["schemas"].get(name).is_none()).collect();
    assert!(named.len() > 20 && missing.is_empty(), "{missing:?}");
}

#[test]
fn every_route_of_the_design_is_there() {
    let design = [
        "POST /auth/register",
        "POST /auth/login",
        "POST /auth/refresh",
        "POST /auth/logout",
        "POST /auth/logout-all",
        "GET /auth/me",
        "GET /auth/sessions",
        "DELETE /auth/sessions/{id}",
        "POST /auth/password",
        "POST /setup",
        "GET /categories",
        "GET /tags",
        "GET /resources",
        "GET /resources/popular",
        "GET /resources/{id}",
        "GET /resources/{id}/history",
        "GET /search",
        "GET /collections",
        "POST /collections",
        "GET /collections/{id}",
        "PATCH /collections/{id}",
        "DELETE /collections/{id}",
        "PUT /collections/{id}/resources/{resource_id}",
        "DELETE /collections/{id}/resources/{resource_id}",
        "GET /profiles/{username}",
        "PATCH /profiles/me",
        "POST /suggestions",
        "GET /suggestions",
        "GET /suggestions/top",
        "GET /suggestions/{id}",
        "PUT /suggestions/{id}/vote",
        "DELETE /suggestions/{id}/vote",
        "GET /suggestions/{id}/vote",
        "GET /suggestions/{id}/votes",
        "POST /suggestions/{id}/withdraw",
        "GET /suggestions/{id}/comments",
        "POST /suggestions/{id}/comments",
        "POST /suggestions/{id}/approve",
        "POST /suggestions/{id}/reject",
        "POST /suggestions/{id}/stop",
        "POST /resources/{id}/revert",
        "GET /log",
        "GET /notifications",
        "GET /notifications/unread-count",
        "POST /notifications/read",
        "GET /notifications/preferences",
        "PUT /notifications/preferences",
        "PUT /watches/{kind}/{id}",
        "DELETE /watches/{kind}/{id}",
        "POST /admin/import",
        "GET /admin/export",
        "GET /admin/queues",
        "GET /admin/queues/{name}/jobs",
        "POST /admin/queues/{name}/pause",
        "POST /admin/queues/{name}/resume",
        "POST /admin/queues/{name}/clean",
        "POST /admin/queues/{name}/retry-failed",
        "GET /admin/members",
        "POST /admin/members",
        "GET /admin/analytics",
        "GET /admin/api-keys",
        "POST /admin/api-keys",
        "DELETE /admin/api-keys/{id}",
    ];
    let known: BTreeSet<String> = operations()
        .map(|(method, path, _)| format!("{method} {}", path.trim_start_matches("/api/v1")))
        .collect();
    let missing: Vec<_> = design.iter().filter(|route| !known.contains(**route)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    for route in ["GET /feeds/resources.atom", "GET /healthz", "GET /readyz", "GET /.well-known/jwks.json"] {
        assert!(known.contains(route), "{route}");
    }
}

#[tokio::test]
async fn the_document_and_its_page_are_served() {
    let app = App::open().await;
    let document = app.anon().get("/openapi.json").await;
    assert_eq!(document.header("content-type"), "application/json");
    let json = document.done(200);
    assert!(
        json["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")),
        "{}",
        json["openapi"]
    );
    let again = app.anon().header("if-none-match", document.header("etag")).get("/openapi.json").await;
    assert_eq!(again.status.as_u16(), 304);
    let page = app.anon().get("/docs").await;
    assert_eq!(page.status.as_u16(), 200);
    let text = page.text();
    assert!(text.contains("/api/v1/suggestions/{id}/vote"), "{text}");
    assert!(
        !text.contains("<script") && !text.contains("style="),
        "the page needs no script and no inline style"
    );
}
