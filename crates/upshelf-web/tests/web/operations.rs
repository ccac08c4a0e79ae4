//! For those who run the site.

use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::json;
use tower::ServiceExt;
use upshelf_store::Role;
use upshelf_web::{Metrics, metrics_router};

use crate::app::App;

#[tokio::test]
async fn the_site_says_how_it_is_doing() {
    let app = App::open().await;
    assert_eq!(app.anon().get("/healthz").await.done(200), json!({"status": "up"}));
    let ready = app.anon().get("/readyz").await.done(200);
    assert_eq!(ready, json!({"status": "up", "parts": {"database": "up", "queue": "up", "live": "up"}}));
    app.anon().get("/metrics").await.refused(404, "not_found");
}

#[tokio::test]
async fn without_its_database_the_site_is_alive_and_not_ready() {
    let app = App::open().await;
    app.web.catalog().store().close().await;
    app.anon().get("/healthz").await.done(200);
    let ready = app.anon().get("/readyz").await.done(503);
    assert_eq!(ready["status"], "down");
    assert_eq!(ready["parts"]["database"], "down");
    app.anon().get("/api/v1/log").await.refused(500, "internal");
}

#[tokio::test]
async fn metrics_count_requests_by_route_and_queues_by_state() {
    let metrics = Metrics::install().expect("nothing else counts in this process");
    let app = App::open().await;
    app.anon().get("/api/v1/resources/00000000-0000-7000-8000-000000000000").await.refused(404, "not_found");
    app.anon().get("/api/v1/made/up").await.refused(404, "not_found");
    let door = metrics_router(metrics, app.web.clone());
    let scrape = Request::get("/metrics").body(Body::empty()).expect("a request");
    let reply = door.oneshot(scrape).await.expect("a reply");
    let text = to_bytes(reply.into_body(), usize::MAX).await.expect("its body").to_vec();
    let text = String::from_utf8(text).expect("text");
    let count = r#"http_requests_total{method="GET",route="/api/v1/resources/{id}",status="404"}"#;
    assert!(text.contains(count), "{text}");
    assert!(
        text.contains(r#"route="none""#) && !text.contains("made/up"),
        "paths must not make labels without end"
    );
    assert!(text.contains(r#"queue_jobs{queue="auto-approval",state="waiting"} 0"#), "{text}");
    assert!(text.contains(r#"queue_oldest_waiting_seconds{queue="email"} 0"#), "{text}");
    assert!(text.contains(r#"queue_is_paused{queue="email"} 0"#), "{text}");
    assert!(text.contains("http_request_duration_seconds_bucket"), "{text}");
    assert!(text.contains(r#"cache_reads_total{from="memory"}"#), "{text}");
    assert!(!text.contains("shared_part_up"), "nothing is shared here");
}

#[tokio::test]
async fn an_admin_looks_after_the_queues() {
    let app = App::open().await;
    let admin = app.officer("ada", Role::Admin).await;
    let queues = admin.get("/api/v1/admin/queues").await.done(200);
    let names: Vec<_> =
        queues["items"].as_array().expect("a list").iter().map(|queue| queue["name"].clone()).collect();
    assert_eq!(names, ["auto-approval", "notifications", "analytics", "email", "cleanup"]);
    let path = "/api/v1/admin/queues/notifications";
    assert_eq!(admin.post(&format!("{path}/pause"), json!(null)).await.done(200)["is_paused"], true);
    assert_eq!(admin.post(&format!("{path}/resume"), json!(null)).await.done(200)["is_paused"], false);
    assert_eq!(admin.get(path).await.done(200)["name"], "notifications");
    admin.get("/api/v1/admin/queues/none").await.refused(404, "not_found");
    assert_eq!(admin.post(&format!("{path}/promote"), json!(null)).await.done(200)["jobs"], 0);
    for job in ["4711", "none", "%22"] {
        admin.post(&format!("{path}/jobs/{job}/promote"), json!(null)).await.refused(404, "not_found");
    }
    app.shelve().await;
    let jobs = admin.get(&format!("{path}/jobs?state=waiting&limit=1")).await.done(200);
    assert!(jobs["items"].is_array());
    assert_eq!(admin.post(&format!("{path}/clean"), json!({"state": "failed"})).await.done(200)["jobs"], 0);
    assert_eq!(admin.post(&format!("{path}/retry-failed"), json!(null)).await.done(200)["jobs"], 0);
    admin.get("/api/v1/admin/queues/none/jobs").await.refused(404, "not_found");
    admin.get(&format!("{path}/jobs?cursor=bad")).await.refused(422, "invalid");
}

#[tokio::test]
async fn the_page_of_queues_does_what_its_buttons_say() {
    let app = App::open().await;
    let admin = app.officer("ada", Role::Admin).await;
    let act = async |act: &str| {
        let body = format!("queue=email&act={act}").into_bytes();
        let kind = Some("application/x-www-form-urlencoded");
        admin.send(axum::http::Method::POST, "/admin/queues", kind, body).await
    };
    for (word, badge) in
        [("pause", true), ("promote", true), ("resume", false), ("retry", false), ("clean", false)]
    {
        let done = act(word).await;
        assert_eq!(
            (done.status.as_u16(), done.header("location")),
            (303, "/admin/queues?done=saved"),
            "{word}: {done}"
        );
        let page = admin.get("/admin/queues").await.text();
        assert_eq!(page.contains(">paused</span>"), badge, "{word}: {page}");
    }
    act("explode").await.refused(422, "invalid");
    app.member("mia").await.get("/admin/queues").await.refused(403, "not_allowed");
}

#[tokio::test]
async fn what_is_not_known_of_a_queue_breaks_no_scrape_and_is_not_made_up() {
    let app = App::open().await;
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let text = {
        let _here = metrics::set_default_local_recorder(&recorder);
        app.web.catalog().store().close().await;
        let metrics = Metrics::of(recorder.handle());
        let door = metrics_router(metrics, app.web.clone());
        let scrape = Request::get("/metrics").body(Body::empty()).expect("a request");
        let reply = door.oneshot(scrape).await.expect("a reply");
        assert_eq!(reply.status().as_u16(), 200);
        String::from_utf8(to_bytes(reply.into_body(), usize::MAX).await.expect("its body").to_vec())
    };
    let text = text.expect("text");
    assert!(text.contains(r#"queue_jobs{queue="email",state="failed"} NaN"#), "{text}");
}

#[tokio::test]
async fn a_list_goes_in_and_comes_out_the_same() {
    let app = App::open().await;
    let admin = app.officer("ada", Role::Admin).await;
    let list = b"# Tools\r\n\r\n## Saws\r\n\r\n- [Fret](https://fret.example.org) - Thin.\r\n".to_vec();
    let send = async |query: &str| {
        admin
            .send(axum::http::Method::POST, &format!("/api/v1/admin/import?{query}"), None, list.clone())
            .await
            .done(200)
    };
    assert_eq!(send("dry_run=true").await["added"], 1);
    assert_eq!(app.anon().get("/api/v1/resources").await.done(200)["items"], json!([]));
    assert_eq!(send("").await["added"], 1);
    assert_eq!(send("").await["added"], 0);
    let out = admin.get("/api/v1/admin/export?format=markdown").await;
    assert_eq!(out.body, list);
    assert!(out.header("content-disposition").starts_with("attachment; filename=\""), "{out}");
    for (format, kind) in [("netscape", "text/html"), ("json", "application/json"), ("csv", "text/csv")] {
        let out = admin.get(&format!("/api/v1/admin/export?format={format}")).await;
        assert!(out.status.is_success() && out.header("content-type").starts_with(kind), "{format}: {out}");
    }
}
