use anyhow::Result;
use upshelf_store::{Counts, ResourceId};
use upshelf_testkit::contract;

use crate::fixture::Fixture;

async fn found(f: &Fixture, query: &str) -> Vec<ResourceId> {
    f.read().await.search(query, 20).await.unwrap_or_else(|error| panic!("{query:?}: {error:?}"))
}

contract! {
    parts { sqlite => Fixture::sqlite().await, postgres => Fixture::postgres().await }

    async fn words_are_found_as_they_are_typed(f: &Fixture) {
        let tokio = f.described("https://tokio.rs", "Tokio", "A runtime for asynchronous programs").await;
        for query in ["t", "tok", "tokio", "TOKIO run", "asynch", "programs tokio"] {
            assert_eq!(found(f, query).await, [tokio], "{query}");
        }
        for query in ["", "  ", "+-*", "tokio python", "kio"] {
            assert!(found(f, query).await.is_empty(), "{query}");
        }
    }

    async fn accents_and_case_do_not_matter(f: &Fixture) {
        let school = f.described("https://example.org/1", "École", "En français, ß und Øre").await;
        for query in ["francais", "FRANÇAIS", "ecole", "e\u{301}cole", "ss ore"] {
            assert_eq!(found(f, query).await, [school], "{query}");
        }
    }

    async fn names_with_punctuation_are_found(f: &Fixture) {
        let mut ids = Vec::new();
        for title in ["C++", "C#", "F#", ".NET", "Node.js"] {
            ids.push(f.resource(&format!("https://example.org/{title}"), title).await);
        }
        for (query, id) in [
            ("c++", ids[0]),
            ("C#", ids[1]),
            ("f#", ids[2]),
            (".net", ids[3]),
            ("dotnet", ids[3]),
            ("node.js", ids[4]),
            ("nodejs", ids[4]),
            ("node js", ids[4]),
            ("node", ids[4]),
        ] {
            assert_eq!(found(f, query).await, [id], "{query}");
        }
    }

    async fn exact_titles_stand_before_titles_and_titles_before_descriptions(f: &Fixture) {
        let body = f.described("https://example.org/1", "Axum", "For rust").await;
        let word = f.resource("https://example.org/2", "A book about Rust").await;
        let longer = f.resource("https://example.org/3", "Rustic").await;
        let start = f.resource("https://example.org/4", "Rust by Example").await;
        let exact = f.resource("https://example.org/5", "Rust").await;
        assert_eq!(found(f, "rust").await, [exact, start, longer, word, body]);
        assert_eq!(f.read().await.search("rust", 2).await.expect("an answer"), [exact, start]);
        assert!(f.read().await.search("rust", 0).await.expect("an answer").is_empty());
    }

    async fn the_popular_stand_before_others_that_fit_as_well(f: &Fixture) -> Result<()> {
        let quiet = f.resource("https://example.org/1", "Rust one").await;
        let loud = f.resource("https://example.org/2", "Rust two").await;
        let mut tx = f.write().await;
        tx.add_counts(&[(loud, 10, Counts { views: 3, ..Counts::default() })]).await?;
        tx.recount_popularity(10).await?;
        tx.commit().await?;
        assert_eq!(found(f, "rust").await, [loud, quiet]);
        Ok(())
    }

    async fn small_typing_errors_are_forgiven(f: &Fixture) {
        let kubernetes = f.described("https://example.org/1", "Kubernetes", "Runs containers").await;
        let django = f.described("https://example.org/2", "Django", "A framework for the web").await;
        f.resource("https://example.org/3", "Go").await;
        for query in ["kuberntes", "kubrentes", "kubre", "Kuberentes contaners"] {
            assert_eq!(found(f, query).await, [kubernetes], "{query}");
        }
        for query in ["djnago", "jango", "djanggo", "framewrok web", "dajngo"] {
            assert_eq!(found(f, query).await, [django], "{query}");
        }
        for query in ["og", "xyzzy", "kubxxxtes"] {
            assert!(found(f, query).await.is_empty(), "{query}");
        }
    }

    async fn what_was_typed_stands_before_what_may_have_been_meant(f: &Fixture) {
        let near = f.resource("https://example.org/1", "Retch").await;
        let inside = f.resource("https://example.org/2", "Stretch").await;
        let exact = f.described("https://example.org/3", "Something", "retch").await;
        let far = f.described("https://example.org/4", "Other", "fetch, retsch").await;
        let hits = found(f, "retch").await;
        assert_eq!(hits, [near, exact, inside], "{far} has a near word in its description only");
        assert_eq!(found(f, "javascrpt").await, []);
    }

    async fn the_inside_of_a_word_is_found(f: &Fixture) {
        let library = f.resource("https://example.org/1", "学校図書館").await;
        let script = f.resource("https://example.org/2", "JavaScript").await;
        assert_eq!(found(f, "図書").await, [library]);
        assert_eq!(found(f, "script").await, [script]);
    }

    async fn tags_are_searched_by_slug_and_label(f: &Fixture) -> Result<()> {
        let id = f.resource("https://example.org/1", "Boost").await;
        let mut tx = f.write().await;
        tx.add_tags(&[(id, "cpp".to_owned(), "C++".to_owned())], f.now()).await?;
        tx.put_texts(&[id]).await?;
        tx.commit().await?;
        assert_eq!(found(f, "cpp").await, [id]);
        assert_eq!(found(f, "c++").await, [id]);
        Ok(())
    }

    async fn a_changed_or_removed_resource_is_found_by_what_it_is_now(f: &Fixture) -> Result<()> {
        let id = f.resource("https://example.org/1", "Before").await;
        f.sabotage("UPDATE resources SET title = 'After'").await;
        let mut tx = f.write().await;
        tx.put_texts(&[id]).await?;
        tx.commit().await?;
        assert!(found(f, "before").await.is_empty());
        assert_eq!(found(f, "after").await, [id]);
        f.removed(id).await;
        assert!(found(f, "after").await.is_empty());
        assert!(found(f, "afetr").await.is_empty());
        Ok(())
    }

    async fn a_resource_that_was_removed_without_a_word_is_not_shown(f: &Fixture) {
        let id = f.resource("https://example.org/1", "Ghost").await;
        f.sabotage("UPDATE resources SET status = 'removed'").await;
        assert_ne!(found(f, "ghost").await, [id]);
    }

    async fn no_input_breaks_the_search(f: &Fixture) {
        let id = f.resource("https://example.org/1", "NEAR and OR").await;
        assert_eq!(found(f, "near AND or").await, [id]);
        let long = "ﷺ".repeat(10_000);
        let wide = "㌖".repeat(300);
        let many = "a b c d e f g h i j k l m n o p ".repeat(50);
        for query in [
            "\"", "'", "\0", "near\0", "a\" OR \"b", "' OR 1=1 --", "NEAR(", "title:", "*", "^near", "{title} : x",
            "near*", "!near & |", "(near", "near:*A", "<->", "\\", "\\'", "%_%", "\u{10FFFF}", "\u{202E}near",
            "🦀🦀", "1e5 0x1F -5 .5", &long, &wide, &many,
        ] {
            found(f, query).await;
        }
    }

    async fn no_text_breaks_the_index(f: &Fixture) {
        let wide = "㌖".repeat(400);
        let long = "x".repeat(100_000);
        let words = (0..20_000).map(|i| format!("word{i} ")).collect::<String>();
        for (i, text) in ["", "🦀", "\"'\\:*&|!()", &wide, &long, &words].iter().enumerate() {
            let id = f.described(&format!("https://example.org/{i}"), &format!("Same {}", text.chars().take(300).collect::<String>()), text).await;
            assert!(found(f, "same").await.contains(&id));
        }
    }

    async fn exact_titles_are_found_among_many_candidates(f: &Fixture) -> Result<()> {
        let mut ids = Vec::new();
        let mut tx = f.write().await;
        let new: Vec<_> = (0..1_000)
            .map(|i| upshelf_store::NewResource {
                id: f.clock.id(),
                url: i.to_string(),
                url_key: i.to_string(),
                title: if i == 777 { "R".to_owned() } else { format!("Rx{i} resource") },
                description: String::new(),
                added_by: None,
                added_at: f.now(),
            })
            .collect();
        ids.extend(new.iter().map(|new| new.id));
        tx.add_resources(&new).await?;
        tx.put_texts(&ids).await?;
        tx.commit().await?;
        let hits = found(f, "r").await;
        assert_eq!((hits[0], hits.len()), (ids[777], 20));
        Ok(())
    }
}
