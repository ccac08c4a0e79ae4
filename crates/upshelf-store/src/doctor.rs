//! What can be wrong in a library, found and mended.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;
use sqlx::QueryBuilder;

use crate::database::on;
use crate::error::During;
use crate::search_texts::Text;
use crate::{ResourceId, Result, Store, SuggestionId, Tx};

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked for.
    pub what: &'static str,
    /// How many there are; zero when all is well.
    pub count: i64,
    /// Whether they were mended.
    pub repaired: bool,
}

/// Rows that refer to what is not there any more: how to count and how to delete them.
const ORPHANS: [(&str, &str, &str); 3] = [
    (
        "places of removed resources",
        "SELECT COUNT(*) FROM placements WHERE resource_id IN (SELECT id FROM resources WHERE status <> 'live')",
        "DELETE FROM placements WHERE resource_id IN (SELECT id FROM resources WHERE status <> 'live')",
    ),
    (
        "tags that no resource carries",
        "SELECT COUNT(*) FROM tags t WHERE NOT EXISTS (SELECT 1 FROM resource_tags rt WHERE rt.tag = t.slug)",
        "DELETE FROM tags WHERE NOT EXISTS (SELECT 1 FROM resource_tags rt WHERE rt.tag = tags.slug)",
    ),
    (
        "watches of what does not exist",
        "SELECT COUNT(*) FROM watches WHERE target_id NOT IN
            (SELECT id FROM resources UNION ALL SELECT id FROM categories UNION ALL SELECT id FROM suggestions)",
        "DELETE FROM watches WHERE target_id NOT IN
            (SELECT id FROM resources UNION ALL SELECT id FROM categories UNION ALL SELECT id FROM suggestions)",
    ),
];

impl Store {
    /// Looks for everything that should not be, in one transaction, and mends it if `repair` says so. Gives one finding
    /// per check, those without a fault too.
    pub async fn check(&self, repair: bool) -> Result<Vec<Finding>> {
        // Also for looking only: FTS5 checks its index in a statement that counts as a write.
        let mut tx = self.write().await?;
        let mut findings = tx.check_sqlite().await?;
        findings.push(tx.check_standings(repair).await?);
        findings.push(tx.check_index(repair).await?);
        findings.extend(tx.check_texts(repair).await?);
        for (what, count, delete) in ORPHANS {
            findings.push(tx.check_rows(what, count, delete, repair).await?);
        }
        findings.push(
            tx.check_rows(
                "inboxes whose counter lags behind",
                "SELECT COUNT(*) FROM members m
                    WHERE notice_seq < (SELECT COALESCE(MAX(n.seq), 0) FROM notices n WHERE n.member_id = m.id)",
                "UPDATE members SET notice_seq = (SELECT MAX(n.seq) FROM notices n WHERE n.member_id = members.id)
                    WHERE notice_seq < (SELECT COALESCE(MAX(n.seq), 0) FROM notices n WHERE n.member_id = members.id)",
                repair,
            )
            .await?,
        );
        if repair {
            tx.commit().await?;
        }
        Ok(findings)
    }
}

fn finding(what: &'static str, count: usize, repair: bool) -> Finding {
    Finding { what, count: i64::try_from(count).unwrap_or(i64::MAX), repaired: repair && count > 0 }
}

impl Tx {
    async fn check_rows(
        &mut self,
        what: &'static str,
        count: &'static str,
        mend: &'static str,
        repair: bool,
    ) -> Result<Finding> {
        let count: i64 = on!(self, db => sqlx::query_scalar(count).fetch_one(db).await).during(what)?;
        if repair && count > 0 {
            on!(self, db => sqlx::query(mend).execute(db).await.map(|_| ())).during(what)?;
        }
        Ok(Finding { what, count, repaired: repair && count > 0 })
    }

    /// What only a copy from before can mend.
    async fn check_sqlite(&mut self) -> Result<Vec<Finding>> {
        let Tx::Sqlite(tx) = self else { return Ok(Vec::new()) };
        let damage: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check")
            .fetch_all(&mut **tx)
            .await
            .during("check the file")?;
        let damage = damage.iter().filter(|line| *line != "ok").count();
        let dangling =
            sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut **tx).await.during("check references")?;
        Ok(vec![
            finding("damaged pages of the file", damage, false),
            finding("rows that refer to nothing", dangling.len(), false),
        ])
    }

    async fn check_standings(&mut self, repair: bool) -> Result<Finding> {
        const WRONG: &str = "SELECT s.id FROM suggestions s
            LEFT JOIN (SELECT suggestion_id, COUNT(CASE WHEN value = 1 THEN 1 END) AS up,
                    COUNT(CASE WHEN value = -1 THEN 1 END) AS down
                FROM votes WHERE NOT void GROUP BY suggestion_id) v ON v.suggestion_id = s.id
            WHERE s.up <> COALESCE(v.up, 0) OR s.down <> COALESCE(v.down, 0) OR s.score <> s.up - s.down
            ORDER BY s.id";
        let wrong: Vec<SuggestionId> = on!(self, db => sqlx::query_scalar(WRONG).fetch_all(db).await)
            .during("compare standings with votes")?;
        if repair {
            for id in &wrong {
                // Held first, so that no vote comes between counting and writing.
                if self.lock_suggestion(*id).await?.is_some() {
                    self.recount(*id).await?;
                }
            }
        }
        Ok(finding("standings that differ from their votes", wrong.len(), repair))
    }

    async fn check_index(&mut self, repair: bool) -> Result<Finding> {
        const WHAT: &str = "faults of the index of words";
        const CHECK: &str = "INSERT INTO resource_words (resource_words, rank) VALUES ('integrity-check', 1)";
        const REBUILD: &str = "INSERT INTO resource_words (resource_words) VALUES ('rebuild')";
        /// SQLITE_CORRUPT_VTAB
        const CORRUPT: &str = "267";
        // PostgreSQL keeps its index in step itself.
        let Tx::Sqlite(tx) = self else { return Ok(finding(WHAT, 0, repair)) };
        let Err(error) = sqlx::query(CHECK).execute(&mut **tx).await else {
            return Ok(finding(WHAT, 0, repair));
        };
        if error.as_database_error().and_then(|error| error.code()).as_deref() != Some(CORRUPT) {
            return Err(error).during("check the index of words");
        }
        if repair {
            sqlx::query(REBUILD).execute(&mut **tx).await.during("rebuild the index of words")?;
        }
        Ok(finding(WHAT, 1, repair))
    }

    async fn check_texts(&mut self, repair: bool) -> Result<[Finding; 4]> {
        const LIVE: &str = "SELECT id FROM resources WHERE status = 'live'";
        const SUPERFLUOUS: &str = "SELECT t.resource_id FROM resource_texts t
            JOIN resources r ON r.id = t.resource_id WHERE r.status <> 'live'";
        const WORDS: &str = "SELECT word FROM search_words";
        let live: Vec<ResourceId> =
            on!(self, db => sqlx::query_scalar(LIVE).fetch_all(db).await).during("list live resources")?;
        let mut wrong = Vec::new();
        let mut words = BTreeSet::new();
        for chunk in live.chunks(500) {
            let stored = self.stored_texts(chunk).await?;
            for text in self.compose_texts(chunk).await? {
                words.extend(text.words().map(str::to_owned));
                if stored.get(&text.resource_id) != Some(&text) {
                    wrong.push(text.resource_id);
                }
            }
        }
        let superfluous: Vec<ResourceId> =
            on!(self, db => sqlx::query_scalar(SUPERFLUOUS).fetch_all(db).await)
                .during("find superfluous texts")?;
        let known: Vec<String> = on!(self, db => sqlx::query_scalar(WORDS).fetch_all(db).await)
            .during("read the words of the library")?;
        let known: BTreeSet<String> = known.into_iter().collect();
        let missing: BTreeSet<String> = words.difference(&known).cloned().collect();
        let unused: Vec<&String> = known.difference(&words).collect();
        if repair {
            self.put_texts(&wrong).await?;
            self.put_texts(&superfluous).await?;
            self.add_words(&missing).await?;
            self.remove_words(&unused).await?;
        }
        Ok([
            finding("search texts that are missing or outdated", wrong.len(), repair),
            finding("search texts of removed resources", superfluous.len(), repair),
            finding("words that search does not know", missing.len(), repair),
            finding("words that no text has", unused.len(), repair),
        ])
    }

    async fn stored_texts(&mut self, resources: &[ResourceId]) -> Result<HashMap<ResourceId, Text>> {
        let texts: Vec<Text> = on!(self, db => {
            let mut sql =
                QueryBuilder::new("SELECT resource_id, title, body FROM resource_texts WHERE resource_id IN (");
            let mut list = sql.separated(", ");
            for id in resources {
                list.push_bind(id);
            }
            sql.push(")");
            sql.build_query_as().persistent(false).fetch_all(db).await
        })
        .during("read search texts")?;
        Ok(texts.into_iter().map(|text| (text.resource_id, text)).collect())
    }

    async fn remove_words(&mut self, words: &[&String]) -> Result<()> {
        for chunk in words.chunks(5_000) {
            on!(self, db => {
                let mut sql = QueryBuilder::new("DELETE FROM search_words WHERE word IN (");
                let mut list = sql.separated(", ");
                for word in chunk {
                    list.push_bind(*word);
                }
                sql.push(")");
                sql.build().persistent(false).execute(db).await.map(|_| ())
            })
            .during("remove words")?;
        }
        Ok(())
    }
}
