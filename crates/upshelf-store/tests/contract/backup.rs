use std::path::Path;

use anyhow::Result;
use upshelf_store::{Error, Store};
use upshelf_testkit::{contract, temp_dir};

use crate::fixture::Fixture;

fn reason(result: upshelf_store::Result<()>) -> String {
    match result {
        Err(Error::Backup(reason)) => reason,
        other => panic!("a backup error was expected, not {other:?}"),
    }
}

async fn titles(library: &Path, query: &str) -> Result<Vec<String>> {
    let store = Store::open(&Store::sqlite_url(library)).await?;
    let mut tx = store.read().await?;
    let ids = tx.search(query, 9).await?;
    let titles = tx.list_resources_of(&ids).await?.into_iter().map(|found| found.title).collect();
    drop(tx);
    store.close().await;
    Ok(titles)
}

contract! {
    parts { sqlite => Fixture::sqlite().await }

    async fn a_copy_of_a_library_in_use_is_a_whole_library(f: &Fixture) -> Result<()> {
        let folder = temp_dir();
        let (copy, library) = (folder.path().join("copy.db"), folder.path().join("library.db"));
        f.resource("https://example.org/1", "Before").await;
        // A write that is under way is not part of the copy, and does not stop it.
        let mut tx = f.write().await;
        tx.put_setting("half", "written").await?;
        f.store.backup(&copy).await?;
        tx.commit().await?;
        f.resource("https://example.org/2", "Before, but later").await;

        Store::restore(&copy, &library, false).await?;
        assert_eq!(titles(&library, "before").await?, ["Before"]);
        let store = Store::open(&Store::sqlite_url(&library)).await?;
        assert_eq!(store.read().await?.find_setting("half").await?, None);
        assert!(store.check(false).await?.iter().all(|finding| finding.count == 0));
        store.close().await;
        let left: Vec<_> = std::fs::read_dir(folder.path())?.map(|entry| entry.map(|e| e.file_name())).collect::<Result<_, _>>()?;
        assert_eq!(left.len(), 2, "{left:?}");
        Ok(())
    }

    async fn a_library_that_was_put_back_lives_another_life(f: &Fixture) -> Result<()> {
        let folder = temp_dir();
        let (copy, library) = (folder.path().join("copy.db"), folder.path().join("library.db"));
        let mut tx = f.write().await;
        tx.begin_life("first").await?;
        tx.commit().await?;
        f.store.backup(&copy).await?;
        assert_eq!(f.read().await.find_life().await?.as_deref(), Some("first"), "a backup changes nothing");
        Store::restore(&copy, &library, false).await?;
        let store = Store::open(&Store::sqlite_url(&library)).await?;
        assert_eq!(store.read().await?.find_life().await?, None);
        store.close().await;
        Ok(())
    }

    async fn nothing_is_overwritten_unless_forced(f: &Fixture) -> Result<()> {
        let folder = temp_dir();
        let (copy, library) = (folder.path().join("copy.db"), folder.path().join("library.db"));
        f.resource("https://example.org/1", "First").await;
        f.store.backup(&copy).await?;
        assert!(reason(f.store.backup(&copy).await).ends_with("exists already"));
        Store::restore(&copy, &library, false).await?;

        let open = Store::open(&Store::sqlite_url(&library)).await?;
        open.write().await?.put_setting("a", "b").await?;
        assert!(reason(Store::restore(&copy, &library, false).await).ends_with("already"));
        assert!(reason(Store::restore(&copy, &library, true).await).ends_with("is in use"));
        open.close().await;
        f.resource("https://example.org/2", "First and second").await;
        let newer = folder.path().join("newer.db");
        f.store.backup(&newer).await?;
        Store::restore(&newer, &library, true).await?;
        assert_eq!(titles(&library, "first").await?, ["First", "First and second"]);
        Ok(())
    }

    async fn only_a_whole_library_that_we_know_is_restored(f: &Fixture) -> Result<()> {
        let folder = temp_dir();
        let file = |name: &str| folder.path().join(name);
        let library = file("library.db");
        std::fs::write(file("text.db"), "no database at all, though long enough to be looked at. ".repeat(50))?;
        assert!(reason(Store::restore(&file("text.db"), &library, false).await).ends_with("not a library of Upshelf"));

        for i in 0..50 {
            f.described(&format!("https://example.org/{i}"), "Title", &"word ".repeat(500)).await;
        }
        f.store.backup(&file("damaged.db")).await?;
        let mut bytes = std::fs::read(file("damaged.db"))?;
        let half = bytes.len() / 2;
        bytes[half..].fill(0xAB);
        std::fs::write(file("damaged.db"), bytes)?;
        let damaged = reason(Store::restore(&file("damaged.db"), &library, false).await);
        assert!(damaged.ends_with("is damaged"), "{damaged}");

        f.sabotage("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
            VALUES (9999, 'from the future', TRUE, x'00', 0)").await;
        f.store.backup(&file("newer.db")).await?;
        let newer = reason(Store::restore(&file("newer.db"), &library, false).await);
        assert!(newer.ends_with("newer than this program"));
        assert!(Store::restore(&file("missing.db"), &library, false).await.is_err());
        assert!(!library.exists() && !file("missing.db").exists());
        Ok(())
    }
}

contract! {
    parts { postgres => Fixture::postgres().await }

    async fn a_library_in_postgres_is_left_to_its_own_tools(f: &Fixture) {
        let folder = temp_dir();
        assert!(reason(f.store.backup(&folder.path().join("copy.db")).await).contains("pg_dump"));
    }
}
