//! How long a search takes among 12,000 resources, by kind of query, on both engines.

use std::any::Any;
use std::sync::OnceLock;

use tokio::runtime::Runtime;
use upshelf_store::{Clock, NewResource, Store};
use upshelf_testkit::{Postgres, temp_dir};

const RESOURCES: usize = 12_000;

const QUERIES: [&str; 10] = [
    "a",
    "st",
    "kale",
    "kalemo",
    "resource 777",
    "kalemo rusita",
    "kalmeo",
    "xkalemo",
    "rusiat vokadu terimo",
    "there is nothing of this kind in here at all",
];

fn main() {
    divan::main();
}

struct Shelf {
    runtime: Runtime,
    store: Store,
    _place: Box<dyn Any + Send + Sync>,
}

fn sqlite() -> &'static Shelf {
    static SHELF: OnceLock<Shelf> = OnceLock::new();
    SHELF.get_or_init(|| {
        let runtime = Runtime::new().expect("a runtime can be made");
        let folder = temp_dir();
        let store = runtime.block_on(filled(&Store::sqlite_url(&folder.path().join("upshelf.db"))));
        Shelf { runtime, store, _place: Box::new(folder) }
    })
}

fn postgres() -> &'static Shelf {
    static SHELF: OnceLock<Shelf> = OnceLock::new();
    SHELF.get_or_init(|| {
        let runtime = Runtime::new().expect("a runtime can be made");
        let (store, database) = runtime.block_on(async {
            let database = Postgres::shared().await.database().await;
            (filled(&database.url).await, database)
        });
        Shelf { runtime, store, _place: Box::new(database) }
    })
}

/// Fills a library with titles of 2 to 4 words and descriptions of 12 from a vocabulary of 25,000, the first ones of
/// which are the most used, as in real languages.
async fn filled(url: &str) -> Store {
    let store = Store::open(url).await.expect("an empty database opens");
    let clock = Clock::system();
    let mut chance = Chance(7);
    let words: Vec<String> = (0..25_000).map(|_| chance.word()).collect();
    let new: Vec<NewResource> = (0..RESOURCES)
        .map(|i| NewResource {
            id: clock.id(),
            url: format!("https://example.org/{i}"),
            url_key: format!("example.org/{i}"),
            title: format!("Resource {i} {}", chance.text(&words, 2 + i % 3)),
            description: chance.text(&words, 12),
            added_by: None,
            added_at: clock.now(),
        })
        .collect();
    let ids: Vec<_> = new.iter().map(|new| new.id).collect();
    let mut tx = store.write().await.expect("a transaction begins");
    tx.add_resources(&new).await.expect("the URLs are free");
    tx.put_texts(&ids).await.expect("texts can be put");
    tx.commit().await.expect("a commit succeeds");
    store
}

/// The same numbers in every run (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }

    fn word(&mut self) -> String {
        let consonants = b"bdfgklmnprstvz";
        let vowels = b"aeiou";
        (0..2 + self.below(3))
            .flat_map(|_| [consonants[self.below(consonants.len())], vowels[self.below(vowels.len())]])
            .map(char::from)
            .collect()
    }

    fn text(&mut self, words: &[String], length: usize) -> String {
        let text: Vec<&str> = (0..length)
            .map(|_| {
                let end = 1 + self.below(words.len());
                let end = 1 + self.below(end);
                words[self.below(end)].as_str()
            })
            .collect();
        text.join(" ")
    }
}

fn search(bencher: divan::Bencher, shelf: &Shelf, query: &str) {
    bencher.bench_local(|| {
        shelf.runtime.block_on(async {
            let mut tx = shelf.store.read().await.expect("a transaction begins");
            tx.search(query, 20).await.expect("an answer")
        })
    });
}

#[divan::bench(args = QUERIES, sample_count = 200, sample_size = 1)]
fn on_sqlite(bencher: divan::Bencher, query: &str) {
    search(bencher, sqlite(), query);
}

#[divan::bench(args = QUERIES, sample_count = 200, sample_size = 1)]
fn on_postgres(bencher: divan::Bencher, query: &str) {
    search(bencher, postgres(), query);
}
