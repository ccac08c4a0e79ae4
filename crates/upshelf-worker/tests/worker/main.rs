//! The five queues at work, on both engines: what is committed is done, once, by handlers that nobody calls by hand.

mod links;
mod mails;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use secrecy::SecretString;
use tokio_util::task::TaskTracker;
use upshelf_bus::Bus;
use upshelf_cache::Cache;
use upshelf_catalog::{
    Catalog, ImportRequest, NewAccount, NewSuggestion, PasswordSettings, Rules, Services, Settings,
    SuggestionView, cascade,
};
use upshelf_queue::{Broker, Queue, QueueSettings, State};
use upshelf_session::Sessions;
use upshelf_store::{
    Changes, Clock, Member, PageRequest, Pools, ResourceFilter, ResourceId, ResourceSort, Role, Side, Store,
    SuggestionKind, SuggestionStatus,
};
use upshelf_tally::Tally;
use upshelf_testkit::{HandClock, Postgres, contract, temp_dir, wait_until};
use upshelf_worker::{LinkCheck, Mail, Workers};

const LIMIT: Duration = Duration::from_secs(20);
const LIST: &str =
    "# Things\n\n## One\n\n- [A](https://a.example) - Is A.\n- [B](https://b.example) - Is B.\n";

/// No way out for mails.
fn no_mail() -> Mail {
    Mail { smtp_url: None, folder: None, from: "Shelf <shelf@example.org>".to_owned() }
}

struct Site {
    catalog: Catalog,
    /// Where the test sets the time.
    hand: Option<HandClock>,
    sessions: Arc<Sessions<Store>>,
    _place: Box<dyn Any + Send + Sync>,
}

impl Site {
    async fn sqlite() -> Site {
        Site::sqlite_at(None).await
    }

    async fn sqlite_by_hand() -> Site {
        Site::sqlite_at(Some(HandClock::default())).await
    }

    async fn sqlite_at(hand: Option<HandClock>) -> Site {
        let folder = temp_dir();
        Site::open(&Store::sqlite_url(&folder.path().join("upshelf.db")), Box::new(folder), hand).await
    }

    async fn postgres() -> Site {
        Site::postgres_at(None).await
    }

    async fn postgres_by_hand() -> Site {
        Site::postgres_at(Some(HandClock::default())).await
    }

    async fn postgres_at(hand: Option<HandClock>) -> Site {
        let database = Postgres::shared().await.database().await;
        let url = database.url.clone();
        Site::open(&url, Box::new(database), hand).await
    }

    async fn open(url: &str, place: Box<dyn Any + Send + Sync>, hand: Option<HandClock>) -> Site {
        let store = Store::open(url).await.expect("an empty database opens");
        let pools = match store.pools() {
            Pools::Sqlite { write, read } => {
                upshelf_queue::Pools::Sqlite { write: write.clone(), read: read.clone() }
            }
            Pools::Postgres(pool) => upshelf_queue::Pools::Postgres(pool.clone()),
        };
        let unhurried = QueueSettings { rate: None, ..QueueSettings::default() };
        let settings = upshelf_queue::Settings { default: unhurried, ..upshelf_queue::Settings::default() };
        let queue = Queue::local(pools, settings).expect("the settings are in range");
        queue.migrate().await.expect("the queue's tables can be made");
        let clock = match hand.clone() {
            Some(hand) => Clock::from_fn(move || hand.now()),
            None => Clock::system(),
        };
        let services = Services {
            store: store.clone(),
            clock: clock.clone(),
            tally: Tally::local(),
            bus: Bus::local(),
            cache: Cache::builder().cascade(cascade()).build(),
            queue,
            tracker: TaskTracker::new(),
        };
        let rules = Rules { score: 2, min_open: Duration::ZERO, delay: Duration::ZERO, ..Rules::default() };
        let settings = Settings {
            rules,
            passwords: PasswordSettings { memory: 64, passes: 1, ..PasswordSettings::default() },
            public_url: Some("https://shelf.example.org".to_owned()),
            ..Settings::default()
        };
        let catalog = Catalog::open(services, settings);
        let sessions = Sessions::open(store, upshelf_session::Settings::default(), clock.now().timestamp())
            .await
            .expect("the sessions open");
        Site { catalog, hand, sessions: Arc::new(sessions), _place: place }
    }

    async fn work(&self, smtp_url: Option<&str>) -> Workers {
        self.work_with(Mail { smtp_url: smtp_url.map(SecretString::from), ..no_mail() }).await
    }

    async fn work_with(&self, mail: Mail) -> Workers {
        self.work_on(mail, None).await
    }

    async fn work_on(&self, mail: Mail, links: Option<LinkCheck>) -> Workers {
        upshelf_worker::start(self.catalog.clone(), self.sessions.clone(), mail, links)
            .await
            .expect("the workers start")
    }

    async fn member(&self, name: &str) -> Member {
        self.officer(name, Role::Member).await
    }

    async fn officer(&self, name: &str, role: Role) -> Member {
        let account = NewAccount {
            username: name.to_owned(),
            email: format!("{name}@example.org"),
            password: "fjord-anvil-93".to_owned(),
        };
        self.catalog.create_member(account, role).await.expect("the name is free")
    }

    async fn shelve(&self) -> Vec<ResourceId> {
        self.catalog
            .import(LIST.as_bytes().to_vec(), &ImportRequest::default())
            .await
            .expect("the list is good");
        let page = PageRequest::first(10);
        let found = self.catalog.resources(&ResourceFilter::default(), ResourceSort::Name, &page).await;
        found.expect("a list").items.into_iter().map(|resource| resource.id).collect()
    }

    async fn edit(&self, author: &Member, resource: ResourceId) -> SuggestionView {
        let new = NewSuggestion {
            kind: SuggestionKind::Edit,
            resource_id: Some(resource),
            base_version: None,
            changes: Changes { description: Some("Is better.".to_owned()), ..Changes::default() },
            reason: String::new(),
        };
        self.catalog.propose(author, new).await.expect("the edit is good")
    }

    async fn unread(&self, member: &Member) -> i64 {
        self.catalog.unread(member).await.expect("an answer")
    }

    /// Waits until no queue has anything left to do.
    async fn idle(&self) {
        wait_until("the queues are idle", LIMIT, async || {
            for queue in ["auto-approval", "notifications", "analytics", "email", "cleanup"] {
                let stats = self.catalog.queue().stats(queue).await.expect("an answer");
                if stats.waiting + stats.active + stats.prioritized + stats.delayed > 0 {
                    return false;
                }
            }
            true
        })
        .await;
    }

    /// How many mails have not left.
    async fn unsent(&self) -> usize {
        let mut tx = self.catalog.store().read().await.expect("a transaction begins");
        tx.list_waiting_mails(None, 99).await.expect("a list").len()
    }

    async fn failed(&self, queue: &str) -> usize {
        self.catalog.queue().jobs(queue, State::Failed, None, 100).await.expect("a page").jobs.len()
    }
}

contract! {
    parts { sqlite => Site::sqlite().await, postgres => Site::postgres().await }

    async fn votes_are_followed_by_the_change_and_its_notices(site: &Site) -> Result<()> {
        let workers = site.work(None).await;
        let (ada, bob, eve) = (site.member("ada").await, site.member("bob").await, site.member("eve").await);
        let shelved = site.shelve().await;
        let edit = site.edit(&ada, shelved[0]).await;
        for voter in [&bob, &eve] {
            site.catalog.vote(voter, edit.id, Some(Side::Up), None).await?;
        }
        wait_until("the edit is applied", LIMIT, async || {
            site.catalog.suggestion(edit.id, None).await.expect("an answer").status == SuggestionStatus::Approved
        })
        .await;
        assert_eq!(site.catalog.resource(shelved[0]).await?.description, "Is better.");
        wait_until("everybody is told", LIMIT, async || {
            site.unread(&ada).await > 0 && site.unread(&bob).await > 0 && site.unread(&eve).await > 0
        })
        .await;
        site.idle().await;
        for queue in ["auto-approval", "notifications", "analytics", "email", "cleanup"] {
            assert_eq!(site.failed(queue).await, 0, "{queue}");
        }
        workers.close(LIMIT).await
    }

    async fn views_are_handed_over_and_add_up(site: &Site) -> Result<()> {
        let shelved = site.shelve().await;
        let workers = site.work(None).await;
        for _ in 0..3 {
            site.catalog.count_view(shelved[0]);
        }
        site.catalog.flush_counts().await?;
        wait_until("the views are counted", LIMIT, async || {
            let analytics = site.catalog.analytics(1).await.expect("an answer");
            analytics.days.iter().map(|day| day.views).sum::<i64>() == 3
        })
        .await;
        workers.close(LIMIT).await
    }

    async fn what_is_counted_when_the_program_closes_is_not_lost(site: &Site) -> Result<()> {
        let shelved = site.shelve().await;
        let workers = site.work(None).await;
        site.idle().await;
        site.catalog.count_view(shelved[0]);
        workers.close(LIMIT).await?;
        let again = site.work(None).await;
        wait_until("the view is counted", LIMIT, async || {
            site.catalog.analytics(1).await.expect("an answer").days.iter().any(|day| day.views == 1)
        })
        .await;
        again.close(LIMIT).await
    }

    async fn what_was_put_away_is_told_in_the_jobs_log(site: &Site) -> Result<()> {
        let workers = site.work(None).await;
        wait_until("the cleaning is done", LIMIT, async || {
            let jobs = site.catalog.queue().jobs("cleanup", State::Completed, None, 99).await.expect("a page").jobs;
            let told = jobs.iter().find(|job| job.name == "clean-up").map(|job| job.log.join("\n"));
            told.is_some_and(|told| told.contains("0 sessions, 0 finished jobs removed"))
        })
        .await;
        workers.close(LIMIT).await
    }
}
