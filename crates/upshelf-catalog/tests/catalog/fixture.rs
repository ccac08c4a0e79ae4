//! A whole catalog over an empty library, with a clock that the test moves.

use std::any::Any;
use std::time::Duration;

use upshelf_bus::Bus;
use upshelf_cache::Cache;
use upshelf_catalog::{
    Catalog, ImportRequest, NewAccount, NewSuggestion, PasswordSettings, Refusal, Services, Settings,
    SuggestionView, cascade,
};
use upshelf_queue::{Broker, JobId, Pools, Queue, State};
use upshelf_store::{Changes, Clock, Member, MemberId, ResourceId, Role, Store, SuggestionKind};
use upshelf_tally::Tally;
use upshelf_testkit::{HandClock, Postgres, temp_dir};

/// A good password for everybody.
pub(crate) const PASSWORD: &str = "fjord-anvil-93";

/// The code that makes the first admin.
pub(crate) const SET_UP_CODE: &str = "open-sesame";

/// What the library holds when a test asks for it.
const LIST: &str = "# Weaving

## Looms

- [Jacquard](https://jacquard.example.org) - Patterns from punched cards.
- [Spinning Jenny](https://jenny.example.org) - Eight spindles at once.

## Yarn

### Wool

- [Merino](https://merino.example.org) - Soft.
";

/// A catalog and what it stands on.
pub(crate) struct Site {
    pub(crate) catalog: Catalog,
    pub(crate) hand: HandClock,
    services: Services,
    /// The folder or the database, which goes away with the site.
    _place: Box<dyn Any + Send + Sync>,
}

impl Site {
    pub(crate) async fn sqlite() -> Site {
        let folder = temp_dir();
        let url = Store::sqlite_url(&folder.path().join("upshelf.db"));
        Site::open(&url, Box::new(folder)).await
    }

    pub(crate) async fn postgres() -> Site {
        let database = Postgres::shared().await.database().await;
        let url = database.url.clone();
        Site::open(&url, Box::new(database)).await
    }

    async fn open(url: &str, place: Box<dyn Any + Send + Sync>) -> Site {
        let store = Store::open(url).await.expect("an empty database opens");
        let pools = match store.pools() {
            upshelf_store::Pools::Sqlite { write, read } => {
                Pools::Sqlite { write: write.clone(), read: read.clone() }
            }
            upshelf_store::Pools::Postgres(pool) => Pools::Postgres(pool.clone()),
        };
        let queue =
            Queue::local(pools, upshelf_queue::Settings::default()).expect("the defaults are in range");
        queue.migrate().await.expect("the queue's tables can be made");
        let hand = HandClock::default();
        let clock = Clock::from_fn({
            let hand = hand.clone();
            move || hand.now()
        });
        let services = Services {
            store,
            clock,
            tally: Tally::local(),
            bus: Bus::local(),
            cache: Cache::builder().cascade(cascade()).build(),
            queue,
            tracker: tokio_util::task::TaskTracker::new(),
        };
        let catalog = Catalog::open(services.clone(), Site::settings());
        Site { catalog, hand, services, _place: place }
    }

    pub(crate) fn settings() -> Settings {
        Settings {
            set_up_code: Some(SET_UP_CODE.to_owned()),
            passwords: PasswordSettings { memory: 64, passes: 1, ..PasswordSettings::default() },
            public_url: Some("https://shelf.example.org/".to_owned()),
            ..Settings::default()
        }
    }

    /// Opens the same library anew, as another process would, with settings of its own.
    pub(crate) fn reopened(&self, settings: Settings) -> Catalog {
        let cache = Cache::builder().cascade(cascade()).build();
        Catalog::open(Services { cache, ..self.services.clone() }, settings)
    }

    /// Makes a member with this name.
    pub(crate) async fn member(&self, name: &str) -> Member {
        self.catalog.register(account(name)).await.expect("the name is free")
    }

    /// Makes a member with this name and a role.
    pub(crate) async fn officer(&self, name: &str, role: Role) -> Member {
        self.catalog.create_member(account(name), role).await.expect("the name is free")
    }

    /// Makes the same member as the database has them now.
    pub(crate) async fn again(&self, id: MemberId) -> Member {
        self.catalog.find_member(id).await.expect("an answer").expect("the member is there")
    }

    /// Puts three resources onto the shelf: Jacquard, Spinning Jenny and Merino.
    pub(crate) async fn shelve(&self) -> Vec<ResourceId> {
        let request = ImportRequest { file_name: "README.md".to_owned(), ..ImportRequest::default() };
        self.catalog.import(LIST.as_bytes().to_vec(), &request).await.expect("the list is good");
        let sort = upshelf_store::ResourceSort::Name;
        let page = upshelf_store::PageRequest::first(10);
        let found = self.catalog.resources(&Default::default(), sort, &page).await.expect("a list");
        let ids: Vec<_> = found.items.iter().map(|resource| resource.id).collect();
        assert_eq!(ids.len(), 3);
        // By name: Jacquard, Merino, Spinning Jenny.
        vec![ids[0], ids[2], ids[1]]
    }

    /// Suggests other words for a resource.
    pub(crate) async fn edit(&self, author: &Member, resource: ResourceId) -> SuggestionView {
        let changes = Changes { description: Some("Patterns.".to_owned()), ..Changes::default() };
        let new = NewSuggestion {
            kind: SuggestionKind::Edit,
            resource_id: Some(resource),
            base_version: None,
            changes,
            reason: String::new(),
        };
        self.catalog.propose(author, new).await.expect("the edit is good")
    }

    /// The payloads of the jobs of a queue that are due, oldest first.
    pub(crate) async fn due(&self, queue: &str) -> Vec<(String, serde_json::Value)> {
        self.jobs(queue).await.into_iter().map(|(_, name, payload)| (name, payload)).collect()
    }

    async fn jobs(&self, queue: &str) -> Vec<(JobId, String, serde_json::Value)> {
        let page =
            self.catalog.queue().jobs(queue, State::Waiting, None, 1_000).await.expect("a list of jobs");
        let payload = |json: &str| serde_json::from_str(json).expect("payloads are JSON");
        // A page has the newest first.
        page.jobs.into_iter().rev().map(|job| (job.id, job.name, payload(job.payload.get()))).collect()
    }

    /// Does the job about notices that is due first, as a worker would; gives how many notices are new, or none without
    /// a job.
    pub(crate) async fn deliver_next(&self, catalog: &Catalog) -> Option<usize> {
        let (id, name, payload) = self.jobs("notifications").await.into_iter().next()?;
        let new = match name.as_str() {
            "notify" => catalog.deliver(&serde_json::from_value(payload).expect("its own payload")).await,
            "notify-comment" => {
                catalog.deliver_comment(&serde_json::from_value(payload).expect("its own payload")).await
            }
            "notify-votes" => {
                catalog.deliver_votes(&serde_json::from_value(payload).expect("its own payload")).await
            }
            other => panic!("no job of the queue is called {other}"),
        };
        self.catalog.queue().remove(id).await.expect("a job can be removed");
        Some(new.expect("notices can be handed out"))
    }

    /// Does every job about notices, as a worker would; gives how many notices are new.
    pub(crate) async fn deliver_all(&self) -> usize {
        let mut new = 0;
        while let Some(more) = self.deliver_next(&self.catalog).await {
            new += more;
        }
        new
    }

    /// Moves the clock on.
    pub(crate) fn pass(&self, duration: Duration) {
        self.hand.advance(duration);
    }
}

/// An account for this name with everybody's password.
pub(crate) fn account(name: &str) -> NewAccount {
    NewAccount {
        username: name.to_owned(),
        email: format!("{name}@example.org"),
        password: PASSWORD.to_owned(),
    }
}

/// The refusal that a call was answered with.
pub(crate) fn refusal<T: std::fmt::Debug>(result: upshelf_catalog::Result<T>) -> Refusal {
    match result {
        Err(upshelf_catalog::Error::Refused(refusal)) => refusal,
        other => panic!("this is no refusal: {other:?}"),
    }
}
