//! What search reads: one folded text per live resource, and every word of them once.

use std::collections::{BTreeSet, HashMap, HashSet};

use sqlx::QueryBuilder;

use crate::database::on;
use crate::error::During;
use crate::fold::fold;
use crate::{ResourceId, Result, Tx};

const MOST_TITLE_CHARS: usize = 300;
const MOST_BODY_CHARS: usize = 8_000;

/// So many resources at once are an import.
const MANY: usize = 500;

/// Longer runs of letters are not words, but data, or sentences of a script without spaces.
pub(crate) const MOST_WORD_CHARS: usize = 64;

/// The searchable text of one resource, folded.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Text {
    pub(crate) resource_id: ResourceId,
    pub(crate) title: String,
    pub(crate) body: String,
}

impl Text {
    fn new(resource_id: ResourceId, title: &str, description: &str, tags: &[(String, String)]) -> Text {
        let title = fold_start(title, MOST_TITLE_CHARS);
        let mut body = fold_start(description, MOST_BODY_CHARS);
        for (slug, label) in tags {
            for tag in BTreeSet::from([fold(slug), fold(label)]) {
                push_word(&mut body, &tag);
            }
        }
        // "node js" finds "Node.js" and "NodeJS", too.
        if title.split(' ').chain(body.split(' ')).any(|word| word.len() > 2 && word.ends_with("js")) {
            push_word(&mut body, "js");
        }
        Text { resource_id, title, body }
    }

    /// The words that may be meant when somebody errs.
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        let words = self.title.split(' ').chain(self.body.split(' '));
        words.filter(|word| !word.is_empty() && word.chars().nth(MOST_WORD_CHARS).is_none())
    }
}

/// Folds the start of a text. Cut twice: folding can make one letter many.
fn fold_start(text: &str, most_chars: usize) -> String {
    let folded = fold(&text.chars().take(most_chars).collect::<String>());
    let end = folded.char_indices().nth(most_chars).map_or(folded.len(), |(end, _)| end);
    folded[..end].trim_end().to_owned()
}

fn push_word(text: &mut String, word: &str) {
    if !text.is_empty() && !word.is_empty() {
        text.push(' ');
    }
    text.push_str(word);
}

impl Tx {
    /// Brings what search knows of these resources up to date with the library: the live ones are found by what they
    /// are now, all others no longer. To be called in the transaction that added, changed, tagged or removed them.
    pub async fn put_texts(&mut self, resources: &[ResourceId]) -> Result<()> {
        let mut words = BTreeSet::new();
        for chunk in resources.chunks(500) {
            let texts = self.compose_texts(chunk).await?;
            let live: HashSet<ResourceId> = texts.iter().map(|text| text.resource_id).collect();
            let gone: Vec<ResourceId> = chunk.iter().copied().filter(|id| !live.contains(id)).collect();
            self.write_texts(&texts).await?;
            self.delete_texts(&gone).await?;
            words.extend(texts.iter().flat_map(Text::words).map(str::to_owned));
        }
        self.add_words(&words).await?;
        if resources.len() >= MANY {
            self.analyze().await?;
        }
        Ok(())
    }

    /// Lets PostgreSQL plan by what the tables hold now, not by what they held before an import, until it notices by
    /// itself a minute later.
    async fn analyze(&mut self) -> Result<()> {
        if let Tx::Postgres(tx) = self {
            sqlx::query("ANALYZE resources, resource_texts, search_words")
                .execute(&mut **tx)
                .await
                .during("gather statistics")?;
        }
        Ok(())
    }

    /// Makes the texts of those among these resources that are live.
    pub(crate) async fn compose_texts(&mut self, resources: &[ResourceId]) -> Result<Vec<Text>> {
        if resources.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<(ResourceId, String, String)> = on!(self, db => {
            let mut sql =
                QueryBuilder::new("SELECT id, title, description FROM resources WHERE status = 'live' AND id IN (");
            let mut list = sql.separated(", ");
            for id in resources {
                list.push_bind(id);
            }
            sql.push(")");
            sql.build_query_as().persistent(false).fetch_all(db).await
        })
        .during("read resources to index")?;
        let tagged: Vec<(ResourceId, String, String)> = on!(self, db => {
            let mut sql = QueryBuilder::new(
                "SELECT rt.resource_id, t.slug, t.label FROM resource_tags rt JOIN tags t ON t.slug = rt.tag
                    WHERE rt.resource_id IN (",
            );
            let mut list = sql.separated(", ");
            for id in resources {
                list.push_bind(id);
            }
            sql.push(") ORDER BY t.slug");
            sql.build_query_as().persistent(false).fetch_all(db).await
        })
        .during("read tags to index")?;
        let mut tags: HashMap<ResourceId, Vec<(String, String)>> = HashMap::new();
        for (resource, slug, label) in tagged {
            tags.entry(resource).or_default().push((slug, label));
        }
        let tags_of = |id| tags.get(id).map_or(&[] as &[_], Vec::as_slice);
        Ok(rows
            .iter()
            .map(|(id, title, description)| Text::new(*id, title, description, tags_of(id)))
            .collect())
    }

    async fn write_texts(&mut self, texts: &[Text]) -> Result<()> {
        if texts.is_empty() {
            return Ok(());
        }
        on!(self, db => {
            let mut sql = QueryBuilder::new("INSERT INTO resource_texts (resource_id, title, body) ");
            sql.push_values(texts, |mut row, text| {
                row.push_bind(text.resource_id).push_bind(&text.title).push_bind(&text.body);
            });
            sql.push(
                " ON CONFLICT (resource_id) DO UPDATE SET title = excluded.title, body = excluded.body
                WHERE resource_texts.title <> excluded.title OR resource_texts.body <> excluded.body",
            );
            sql.build().persistent(false).execute(db).await.map(|_| ())
        })
        .during("write search texts")
    }

    async fn delete_texts(&mut self, resources: &[ResourceId]) -> Result<()> {
        const SQL: &str = "DELETE FROM resource_texts WHERE resource_id = $1";
        for id in resources {
            on!(self, db => sqlx::query(SQL).bind(id).execute(db).await.map(|_| ()))
                .during("delete a search text")?;
        }
        Ok(())
    }

    /// Adds words that search may offer; always in their order, so that two writers never wait for each other.
    pub(crate) async fn add_words(&mut self, words: &BTreeSet<String>) -> Result<()> {
        let words: Vec<&String> = words.iter().collect();
        for chunk in words.chunks(5_000) {
            on!(self, db => {
                let mut sql = QueryBuilder::new("INSERT INTO search_words (word) ");
                sql.push_values(chunk, |mut row, word| {
                    row.push_bind(*word);
                });
                sql.push(" ON CONFLICT (word) DO NOTHING");
                sql.build().persistent(false).execute(db).await.map(|_| ())
            })
            .during("add words")?;
        }
        Ok(())
    }
}
