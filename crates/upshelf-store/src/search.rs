//! Full-text search: as you type, accents folded, small typing errors forgiven.
//!
//! The engines find candidates (FTS5, tsvector), Rust ranks them, so that both rank alike. A typing error is forgiven by
//! looking for near words among those that the library has (`search_words`), and then for these.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::{Duration, Instant};

use crate::database::on;
use crate::error::During;
use crate::fold::fold;
use crate::near::{Near, mask};
use crate::search_texts::MOST_WORD_CHARS;
use crate::{ResourceId, Result, Tx};

const MOST_HITS: usize = 50;
const MOST_CHARS: usize = 256;
const MOST_TERMS: usize = 10;

/// How many candidates are ranked: more match only what is too short to mean something.
const CANDIDATES: usize = 300;

/// How long a [`Vocabulary`] is believed.
const VOCABULARY_LASTS: Duration = Duration::from_secs(10);

/// The words of the library, kept for a few seconds between searches. Only the forgiving of errors depends on it.
#[derive(Debug, Default)]
pub struct Vocabulary(Mutex<Option<(Instant, Arc<str>)>>);

impl Vocabulary {
    async fn words(&self, tx: &mut Tx) -> Result<Arc<str>> {
        const SQL: &str = "SELECT string_agg(word, ' ') FROM search_words";
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, words)) = known.filter(|(read, _)| read.elapsed() < VOCABULARY_LASTS) {
            return Ok(words);
        }
        let read = Instant::now();
        let words: Option<String> = on!(tx, db => sqlx::query_scalar(SQL).fetch_one(db).await)
            .during("read the words of the library")?;
        let words: Arc<str> = words.unwrap_or_default().into();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((read, words.clone()));
        Ok(words)
    }
}

/// A term of a query, with the words that it may stand for and what each costs.
struct Term {
    text: String,
    near: HashMap<String, usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Title,
    All,
}

#[derive(sqlx::FromRow)]
struct Hit {
    resource_id: ResourceId,
    title: String,
    body: String,
    popularity: i64,
}

impl Tx {
    /// Finds up to `limit` (at most 50) live resources, best first: all terms must begin a word. Exact titles come
    /// first, titles before descriptions and tags, the popular before others. Where that finds fewer than `limit`,
    /// near words (one error in four letters, two in eight) and words with the term inside follow: in titles only, or
    /// anywhere if nothing else was found. Any input will do.
    pub async fn search(&mut self, query: &str, limit: u32) -> Result<Vec<ResourceId>> {
        self.search_knowing(&Vocabulary::default(), query, limit).await
    }

    /// Does the same as [`search`](Self::search), faster for one that keeps the library's words between searches.
    pub async fn search_knowing(
        &mut self,
        vocabulary: &Vocabulary,
        query: &str,
        limit: u32,
    ) -> Result<Vec<ResourceId>> {
        let limit = MOST_HITS.min(limit as usize);
        let query = fold(&query.chars().take(MOST_CHARS).collect::<String>());
        let mut terms: Vec<Term> = Vec::new();
        for text in query.split(' ').filter(|text| !text.is_empty()).take(MOST_TERMS) {
            let text: String = text.chars().take(MOST_WORD_CHARS).collect();
            if terms.iter().all(|term| term.text != text) {
                terms.push(Term { text, near: HashMap::new() });
            }
        }
        if terms.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }

        let mut hits = self.find_hits(&terms, Within::Title).await?;
        if hits.len() == CANDIDATES {
            hits.extend(self.find_titled(&query).await?);
        }
        if hits.len() < limit {
            hits.extend(self.find_hits(&terms, Within::All).await?);
        }
        let mut found = ranked(hits, &query, &terms);
        if found.len() < limit && self.forgive(vocabulary, &mut terms, !found.is_empty()).await? {
            let within = if found.is_empty() { Within::All } else { Within::Title };
            found.extend(ranked(self.find_hits(&terms, within).await?, &query, &terms));
        }
        let mut seen = HashSet::new();
        found.retain(|id| seen.insert(*id));
        found.truncate(limit);
        Ok(found)
    }

    async fn find_hits(&mut self, terms: &[Term], within: Within) -> Result<Vec<Hit>> {
        // The start of a long description is enough to rank it.
        const SQLITE: &str = "SELECT t.resource_id, t.title, substr(t.body, 1, 1000) AS body, r.popularity
            FROM resource_words CROSS JOIN resource_texts t ON t.id = resource_words.rowid
                CROSS JOIN resources r ON r.id = t.resource_id
            WHERE resource_words MATCH $1 AND r.status = 'live' LIMIT $2";
        // Fenced, because PostgreSQL without fresh statistics would walk through all live resources instead.
        const POSTGRES: &str = "WITH hits AS MATERIALIZED (
                SELECT resource_id, title, substr(body, 1, 1000) AS body FROM resource_texts
                WHERE words @@ CAST($1 AS TSQUERY) LIMIT $2)
            SELECT h.resource_id, h.title, h.body, r.popularity FROM hits h
                JOIN resources r ON r.id = h.resource_id WHERE r.status = 'live'";
        let (sql, expression) = match self {
            Tx::Sqlite(_) => (SQLITE, fts5(terms, within)),
            Tx::Postgres(_) => (POSTGRES, tsquery(terms, within)),
        };
        on!(self, db => sqlx::query_as(sql).bind(expression).bind(CANDIDATES as i64).fetch_all(db).await)
            .during("search")
    }

    /// Finds titles that begin with the query: among too many candidates they may have been missed.
    async fn find_titled(&mut self, query: &str) -> Result<Vec<Hit>> {
        const SQL: &str = "SELECT t.resource_id, t.title, '' AS body, r.popularity
            FROM resource_texts t JOIN resources r ON r.id = t.resource_id
            WHERE t.title >= $1 AND t.title < $2 AND r.status = 'live' ORDER BY t.title LIMIT $3";
        on!(self, db => sqlx::query_as(SQL)
            .bind(query)
            .bind(format!("{query}\u{10FFFF}"))
            .bind(MOST_HITS as i64)
            .fetch_all(db)
            .await)
        .during("search titles")
    }

    /// Finds for each term the words of the library that may have been meant. False when there are none.
    async fn forgive(
        &mut self,
        vocabulary: &Vocabulary,
        terms: &mut [Term],
        same_start: bool,
    ) -> Result<bool> {
        let mut near: Vec<Near> = terms.iter().map(|term| Near::new(&term.text, same_start)).collect();
        let forgiving = near.iter().filter(|near| near.is_forgiving());
        let Some(shortest) = forgiving.map(Near::shortest).min() else { return Ok(false) };
        let words = vocabulary.words(self).await?;
        // Bytes are at least as many as letters: what is dropped is too short by any count.
        for word in words.split(' ').filter(|word| word.len() >= shortest) {
            let mask = mask(word);
            for near in &mut near {
                near.look(word, mask);
            }
        }
        for (term, near) in terms.iter_mut().zip(near) {
            term.near = near.into_words();
        }
        Ok(terms.iter().any(|term| !term.near.is_empty()))
    }
}

/// Asks FTS5 for all terms. Folded words have no quotes in them, and quoted words are never operators.
fn fts5(terms: &[Term], within: Within) -> String {
    let mut expression = String::from(if within == Within::Title { "title : (" } else { "(" });
    for (i, term) in terms.iter().enumerate() {
        expression.push_str(if i > 0 { " AND (" } else { "(" });
        let _ = write!(expression, "\"{}\"*", term.text);
        for word in term.near.keys() {
            let _ = write!(expression, " OR \"{word}\"");
        }
        expression.push(')');
    }
    expression.push(')');
    expression
}

/// Asks PostgreSQL for all terms; titles have weight A.
fn tsquery(terms: &[Term], within: Within) -> String {
    let (prefix, whole) = if within == Within::Title { (":*A", ":A") } else { (":*", "") };
    let mut expression = String::new();
    for (i, term) in terms.iter().enumerate() {
        expression.push_str(if i > 0 { " & (" } else { "(" });
        let _ = write!(expression, "'{}'{prefix}", term.text);
        for word in term.near.keys() {
            let _ = write!(expression, " | '{word}'{whole}");
        }
        expression.push(')');
    }
    expression
}

fn ranked(hits: Vec<Hit>, query: &str, terms: &[Term]) -> Vec<ResourceId> {
    let mut hits: Vec<_> = hits
        .into_iter()
        .map(|hit| {
            let standing = rank(&hit, query, terms);
            (standing, Reverse(hit.popularity), hit.title.len(), hit.title, hit.resource_id)
        })
        .collect();
    hits.sort_unstable();
    hits.into_iter().map(|(.., id)| id).collect()
}

/// Typing errors first, then how well the title fits, then how many terms only the rest of the text has.
fn rank(hit: &Hit, query: &str, terms: &[Term]) -> (usize, u8, usize) {
    let (mut errors, mut elsewhere, mut whole) = (0, 0, true);
    for term in terms {
        let title = cost(&hit.title, term);
        let best =
            if title == Some(0) { title } else { title.into_iter().chain(cost(&hit.body, term)).min() };
        errors += best.unwrap_or(0);
        elsewhere += usize::from(title != best || title.is_none());
        whole &= hit.title.split(' ').any(|word| word == term.text);
    }
    let fit = match hit.title.strip_prefix(query) {
        Some("") => 0,
        Some(rest) if rest.starts_with(' ') => 1,
        Some(_) => 2,
        None if whole => 3,
        None => 4,
    };
    (errors, fit, elsewhere)
}

/// What it costs to find the term in this text: nothing where a word begins with it.
fn cost(text: &str, term: &Term) -> Option<usize> {
    text.split(' ')
        .filter_map(|word| if word.starts_with(&term.text) { Some(0) } else { term.near.get(word).copied() })
        .min()
}
