//! Feeds, and that text from people is text in them.

use serde_json::json;
use upshelf_catalog::ImportRequest;

use crate::app::App;

#[tokio::test]
async fn feeds_list_what_is_new() {
    let app = App::open().await;
    app.shelve().await;
    let feed = app.anon().get("/feeds/resources.atom").await;
    assert_eq!(feed.status.as_u16(), 200);
    assert_eq!(feed.header("content-type"), "application/atom+xml; charset=utf-8");
    let text = feed.text();
    assert!(text.starts_with("<?xml"), "{text}");
    assert_eq!(text.matches("<entry>").count(), 3, "{text}");
    assert!(text.contains("https://jacquard.example.org"), "{text}");
    let categories = app.anon().get("/api/v1/categories").await.done(200);
    let slug = categories["items"].to_string();
    let slug =
        slug.split("\"slug\":\"").find(|part| part.starts_with("wool")).expect("a category named Wool");
    let slug = slug.split('"').next().expect("it ends");
    let wool = app.anon().get(&format!("/feeds/categories/{slug}.atom")).await;
    assert_eq!(wool.text().matches("<entry>").count(), 1, "{}", wool.text());
    app.anon().get("/feeds/categories/none.atom").await.refused(404, "not_found");
    app.anon().get("/feeds/categories/wool").await.refused(404, "not_found");
    let known = app.anon().header("if-none-match", feed.header("etag")).get("/feeds/resources.atom").await;
    assert_eq!(known.status.as_u16(), 304);
}

#[tokio::test]
async fn text_from_people_is_inert_in_feeds() {
    let app = App::open().await;
    let list = "# T\n\n## A\n\n- [a <script>alert(1)</script> &](https://a.example/?x=1&y=%3C) - <img src=x onerror=alert(2)> ]]> \u{b}&amp;\n";
    let request = ImportRequest { list: Some("t".to_owned()), ..ImportRequest::default() };
    app.web.catalog().import(list.as_bytes().to_vec(), &request).await.expect("it is a list");
    let mia = app.member("mia").await;
    let change =
        json!({"url": "https://b.example", "title": "<b>b</b>", "description": "", "category_ids": []});
    let evil = json!({"kind": "add", "changes": change, "reason": "</summary><script>alert(3)</script>"});
    mia.post("/api/v1/suggestions", evil).await;
    for path in ["/feeds/resources.atom", "/feeds/suggestions.atom"] {
        let text = app.anon().get(path).await.text();
        assert!(
            !text.contains("<script") && !text.contains("<img") && !text.contains("<b>"),
            "{path}: {text}"
        );
        assert!(!text.contains('\u{b}'), "{path} holds a character that XML cannot");
        assert!(
            !text
                .replace("&#38;", "")
                .replace("&#60;", "")
                .replace("&#62;", "")
                .replace("&#34;", "")
                .replace("&#39;", "")
                .contains('&'),
            "{path}: {text}"
        );
    }
    let text = app.anon().get("/feeds/resources.atom").await.text();
    assert!(text.contains("alert(1)"), "the words are still there: {text}");
}
