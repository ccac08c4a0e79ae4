use anyhow::Result;
use upshelf_store::{Finding, Standing, WatchKind, WatchLevel};
use upshelf_testkit::contract;

use crate::fixture::Fixture;

async fn faults(f: &Fixture, repair: bool) -> Vec<(&'static str, i64)> {
    let findings = f.store.check(repair).await.expect("the check runs");
    let faults: Vec<Finding> = findings.into_iter().filter(|finding| finding.count > 0).collect();
    assert!(faults.iter().all(|finding| finding.repaired == repair), "{faults:?}");
    faults.into_iter().map(|finding| (finding.what, finding.count)).collect()
}

/// Checks that one fault is found, stays when it is only looked for, and goes when it is mended.
async fn one_fault(f: &Fixture, what: &'static str, count: i64) {
    for repair in [false, true] {
        assert_eq!(faults(f, repair).await, [(what, count)]);
    }
    assert_eq!(faults(f, false).await, []);
}

contract! {
    parts { sqlite => Fixture::sqlite().await, postgres => Fixture::postgres().await }

    async fn a_library_in_use_has_no_faults(f: &Fixture) -> Result<()> {
        let ada = f.member("Ada").await;
        let gone = f.resource("https://example.org/1", "Gone").await;
        let id = f.described("https://example.org/2", "Node.js", "ﷺ and C++").await;
        f.suggestion(ada).await;
        let mut tx = f.write().await;
        tx.add_tags(&[(id, "js".to_owned(), "JS".to_owned())], f.now()).await?;
        tx.put_texts(&[id]).await?;
        tx.put_watch(ada, WatchKind::Resource, gone.0, WatchLevel::Watching, f.now()).await?;
        tx.commit().await?;
        assert_eq!(faults(f, false).await, []);
        f.removed(gone).await;
        one_fault(f, "words that no text has", 1).await;
        Ok(())
    }

    async fn a_wrong_standing_is_counted_anew_as_a_new_version(f: &Fixture) -> Result<()> {
        let ada = f.member("Ada").await;
        let id = f.suggestion(ada).await;
        f.sabotage("INSERT INTO votes (suggestion_id, member_id, value, void, cast_at)
            SELECT s.id, m.id, 1, FALSE, 0 FROM suggestions s CROSS JOIN members m").await;
        one_fault(f, "standings that differ from their votes", 1).await;
        let standing = f.read().await.find_standing(id).await?;
        assert_eq!(standing, Some(Standing { up: 1, down: 0, score: 1, version: 1 }));
        Ok(())
    }

    async fn search_texts_are_compared_with_the_library(f: &Fixture) -> Result<()> {
        let id = f.resource("https://example.org/1", "Old").await;
        f.sabotage("UPDATE resources SET title = 'Old old'").await;
        one_fault(f, "search texts that are missing or outdated", 1).await;
        f.sabotage("DELETE FROM resource_texts").await;
        one_fault(f, "search texts that are missing or outdated", 1).await;
        assert_eq!(f.read().await.search("old", 5).await?, [id]);

        f.sabotage("DELETE FROM search_words").await;
        one_fault(f, "words that search does not know", 1).await;
        assert_eq!(f.read().await.search("xold", 5).await?, [id]);

        f.sabotage("UPDATE resources SET status = 'removed'").await;
        assert_eq!(faults(f, true).await, [("search texts of removed resources", 1), ("words that no text has", 1)]);
        assert_eq!(faults(f, false).await, []);
        Ok(())
    }

    async fn orphaned_rows_are_removed(f: &Fixture) -> Result<()> {
        let ada = f.member("Ada").await;
        let mut tx = f.write().await;
        tx.put_watch(ada, WatchKind::Suggestion, f.clock.id(), WatchLevel::Watching, f.now()).await?;
        tx.commit().await?;
        one_fault(f, "watches of what does not exist", 1).await;
        f.sabotage("INSERT INTO tags (slug, label, created_at) VALUES ('a', 'A', 0), ('b', 'B', 0)").await;
        one_fault(f, "tags that no resource carries", 2).await;
        Ok(())
    }

    async fn an_inbox_never_gives_a_number_twice_after_a_repair(f: &Fixture) -> Result<()> {
        f.member("Ada").await;
        f.sabotage("INSERT INTO notices (member_id, seq, kind, event_key, payload, created_at)
            SELECT id, 7, 'k', 'e', '{}', 0 FROM members").await;
        one_fault(f, "inboxes whose counter lags behind", 1).await;
        Ok(())
    }

    async fn a_damaged_index_of_words_is_rebuilt(f: &Fixture) -> Result<()> {
        let id = f.resource("https://example.org/1", "Word").await;
        if f.is_sqlite() {
            f.sabotage("INSERT INTO resource_words (resource_words) VALUES ('delete-all')").await;
            assert!(f.read().await.search("word", 5).await?.is_empty());
            one_fault(f, "faults of the index of words", 1).await;
        }
        assert_eq!(f.read().await.search("word", 5).await?, [id]);
        Ok(())
    }
}
