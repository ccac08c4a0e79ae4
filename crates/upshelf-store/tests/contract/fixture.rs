//! An empty library on either engine, with a clock that the test moves.

use std::any::Any;

use upshelf_store::{Clock, MemberId, NewMember, ResourceId, Role, Store, SuggestionId, Time};
use upshelf_testkit::{HandClock, Postgres, temp_dir};
use uuid::Uuid;

/// An empty library and what it stands on.
pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) hand: HandClock,
    /// The folder or the database, which goes away with the fixture.
    _place: Box<dyn Any + Send + Sync>,
}

impl Fixture {
    pub(crate) async fn sqlite() -> Fixture {
        let folder = temp_dir();
        let url = Store::sqlite_url(&folder.path().join("upshelf.db"));
        Fixture::open(&url, Box::new(folder)).await
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
        Fixture { store, clock, hand, _place: place }
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
