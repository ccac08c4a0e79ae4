//! An empty library on either engine, with a clock that the test moves.

use std::any::Any;
use std::path::{Path, PathBuf};
use std::time::Duration;

use upshelf_store::{
    ChangedResource, Changes, Clock, Json, MemberId, NewMember, NewResource, Page, PageRequest, Pools,
    ResourceId, ResourceStatus, Role, Standing, Store, Suggestion, SuggestionId, SuggestionKind,
    SuggestionStatus, Time, Tx,
};
use upshelf_testkit::{HandClock, Postgres, temp_dir};

/// An empty library and what it stands on.
pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) hand: HandClock,
    file: PathBuf,
    /// The folder or the database, which goes away with the fixture.
    pub(crate) place: Box<dyn Any + Send + Sync>,
}

impl Fixture {
    pub(crate) async fn sqlite() -> Fixture {
        let folder = temp_dir();
        let file = folder.path().join("upshelf.db");
        Fixture { file: file.clone(), ..Fixture::open(&Store::sqlite_url(&file), Box::new(folder)).await }
    }

    pub(crate) async fn postgres() -> Fixture {
        let database = Postgres::shared().await.database().await;
        let url = database.url.clone();
        Fixture::open(&url, Box::new(database)).await
    }

    async fn open(url: &str, place: Box<dyn Any + Send + Sync>) -> Fixture {
        let store = Store::open(url).await.expect("an empty database opens");
        let hand = HandClock::default();
        let clock = Clock::from_fn({
            let hand = hand.clone();
            move || hand.now()
        });
        Fixture { store, clock, hand, file: PathBuf::new(), place }
    }

    /// The file of a library in SQLite.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    /// Adds a member with this name.
    pub(crate) async fn member(&self, name: &str) -> MemberId {
        let id = self.clock.id();
        let member = NewMember {
            id,
            username: name.to_owned(),
            username_key: name.to_lowercase(),
            email: format!("{name}@example.org"),
            email_key: format!("{}@example.org", name.to_lowercase()),
            role: Role::Member,
            password_hash: "$argon2id$unused".to_owned(),
            joined_at: self.now(),
        };
        let mut tx = self.store.write().await.expect("a transaction begins");
        tx.add_member(&member).await.expect("the name is free");
        tx.commit().await.expect("a commit succeeds");
        id
    }

    /// Adds a live resource and lets search know.
    pub(crate) async fn resource(&self, url: &str, title: &str) -> ResourceId {
        self.described(url, title, "").await
    }

    /// Adds a live resource with a description and lets search know.
    pub(crate) async fn described(&self, url: &str, title: &str, description: &str) -> ResourceId {
        let id = self.clock.id();
        let mut tx = self.write().await;
        let new = NewResource {
            id,
            url: url.to_owned(),
            url_key: url.to_owned(),
            title: title.to_owned(),
            description: description.to_owned(),
            added_by: None,
            added_at: self.now(),
        };
        tx.add_resources(&[new]).await.expect("the URL is free");
        tx.put_texts(&[id]).await.expect("a text can be put");
        tx.commit().await.expect("a commit succeeds");
        id
    }

    /// Takes a resource off the shelf.
    pub(crate) async fn removed(&self, id: ResourceId) {
        let mut tx = self.write().await;
        let resource = tx.find_resource(id).await.expect("an answer").expect("the resource is there");
        let changed = ChangedResource {
            url_key: resource.url.clone(),
            url: resource.url,
            title: resource.title,
            description: resource.description,
            status: ResourceStatus::Removed,
        };
        tx.change_resource(id, &changed, self.now()).await.expect("a change succeeds");
        tx.put_texts(&[id]).await.expect("a text can be put");
        tx.commit().await.expect("a commit succeeds");
    }

    /// Adds an open suggestion about nothing in particular.
    pub(crate) async fn suggestion(&self, author: MemberId) -> SuggestionId {
        let id = self.clock.id();
        let new = Suggestion {
            id,
            kind: SuggestionKind::Add,
            status: SuggestionStatus::Open,
            author_id: author,
            resource_id: None,
            base_version: None,
            url_key: None,
            changes: Json(Changes::default()),
            before: Json(Changes::default()),
            reason: "because".to_owned(),
            evidence: None,
            standing: Standing::default(),
            objection: None,
            objection_by: None,
            opened_at: self.now(),
            approving_until: None,
            decided_at: None,
            decided_by: None,
            decision_reason: None,
        };
        let mut tx = self.write().await;
        tx.add_suggestion(&new).await.expect("a suggestion can be added");
        tx.commit().await.expect("a commit succeeds");
        id
    }

    pub(crate) async fn write(&self) -> Tx {
        self.store.write().await.expect("a transaction begins")
    }

    pub(crate) async fn read(&self) -> Tx {
        self.store.read().await.expect("a transaction begins")
    }

    /// Moves the clock on.
    pub(crate) fn pass(&self, seconds: u64) -> Time {
        self.hand.advance(Duration::from_secs(seconds)).into()
    }

    /// Does to the database what the store never would.
    pub(crate) async fn sabotage(&self, sql: &'static str) {
        match self.store.pools() {
            Pools::Sqlite { write, .. } => sqlx::raw_sql(sql).execute(write).await.map(|_| ()),
            Pools::Postgres(pool) => sqlx::raw_sql(sql).execute(pool).await.map(|_| ()),
        }
        .expect("the statement runs");
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self.store.pools(), Pools::Sqlite { .. })
    }
}

/// Asks for a list page by page, and gives all of it; no page is longer than `limit`.
pub(crate) async fn pages<T>(
    limit: u32,
    mut list: impl AsyncFnMut(&PageRequest) -> upshelf_store::Result<Page<T>>,
) -> Vec<T> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let page = list(&PageRequest::new(limit, cursor)).await.expect("a page is listed");
        assert!(page.items.len() <= limit as usize);
        all.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return all;
        }
    }
}
