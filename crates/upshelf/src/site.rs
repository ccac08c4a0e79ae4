//! Wiring: the parts of one site, opened together and closed together.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upshelf_bus::Bus;
use upshelf_cache::Cache;
use upshelf_catalog::{Catalog, Services};
use upshelf_queue::Queue;
use upshelf_redis::Redis;
use upshelf_session::Sessions;
use upshelf_store::{Clock, Pools, Role as MemberRole, Store};
use upshelf_tally::Tally;
use upshelf_throttle::Throttle;

use crate::config::{Config, Role};

/// How long closing may take.
const CLOSING: Duration = Duration::from_secs(30);

/// An open site.
pub(crate) struct Site {
    pub(crate) store: Store,
    pub(crate) catalog: Catalog,
    pub(crate) sessions: Arc<Sessions<Store>>,
    pub(crate) tracker: TaskTracker,
    pub(crate) closing: CancellationToken,
    /// Through which all processes share, where there is one.
    pub(crate) redis: Option<Redis>,
    pub(crate) services: Services,
    /// The code that makes the first admin, while there is none.
    pub(crate) set_up_code: Option<String>,
}

impl Site {
    /// Opens the site, making the data folder and the database where they are missing.
    pub(crate) async fn open(config: &Config) -> Result<Site> {
        if let Some(folder) = config.database_file().as_deref().and_then(std::path::Path::parent) {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("could not make the data folder {}", folder.display()))?;
        }
        let store = Store::open(&config.database()).await.context("could not open the database")?;
        let clock = Clock::system();
        let (tracker, closing) = (TaskTracker::new(), CancellationToken::new());
        let redis = config.redis.settings().map(|redis| Redis::open(redis, &tracker, closing.clone()));
        let (pools, alone) = match store.pools() {
            Pools::Sqlite { write, read } => {
                (upshelf_queue::Pools::Sqlite { write: write.clone(), read: read.clone() }, true)
            }
            Pools::Postgres(pool) => (upshelf_queue::Pools::Postgres(pool.clone()), false),
        };
        let queue = match &redis {
            Some(redis) => Queue::shared(pools, config.queues(alone), redis),
            None => Queue::local(pools, config.queues(alone)),
        }
        .context("could not open the queue")?;
        queue.migrate().await.context("could not make the queue's tables")?;
        let set_up_code = set_up_code(config, &store).await?;
        let cache = Cache::builder().cascade(upshelf_catalog::cascade());
        let cache = match &redis {
            Some(redis) => {
                cache.shared(redis).l1_cap(config.redis.cache_recheck).max_stale(config.redis.cache_max_stale)
            }
            None => cache,
        }
        .build();
        let bus = redis.as_ref().map_or_else(Bus::local, Bus::shared);
        let services = Services {
            store: store.clone(),
            clock: clock.clone(),
            tally: redis.as_ref().map_or_else(Tally::local, Tally::shared),
            bus,
            cache,
            queue,
            tracker: tracker.clone(),
        };
        let settings = upshelf_catalog::Settings {
            rules: config.rules(),
            alone: alone && config.role == Role::All,
            votes_per_commit: config.votes_per_commit,
            set_up_code: set_up_code.clone(),
            public_url: config.public_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned()),
            ..upshelf_catalog::Settings::default()
        };
        let catalog = Catalog::open(services.clone(), settings);
        let (now, settings) = (clock.now().timestamp(), config.sessions());
        let sessions = match &redis {
            Some(redis) => Sessions::open_shared(store.clone(), settings, redis, now).await,
            None => Sessions::open(store.clone(), settings, now).await,
        }
        .context("could not open the sessions")?;
        Ok(Site {
            store,
            catalog,
            sessions: Arc::new(sessions),
            tracker,
            closing,
            redis,
            services,
            set_up_code,
        })
    }

    /// Lets go of everything, in order: what runs in the background ends before the database is closed.
    pub(crate) async fn close(self) {
        let Site { store, catalog, sessions, tracker, closing, redis, services, .. } = self;
        services.cache.close().await;
        closing.cancel();
        // The task behind the shared commits of votes ends with the last catalog.
        drop((catalog, sessions, services, redis));
        tracker.close();
        if tokio::time::timeout(CLOSING, tracker.wait()).await.is_err() {
            tracing::warn!("background tasks did not end in time");
        }
        store.close().await;
    }
}

/// Keeps the limits' share of an outage at one of as many as there are processes, those known or more.
pub(crate) async fn keep_count(
    throttle: Arc<Throttle>,
    cache: Cache,
    known: NonZeroU32,
    closing: CancellationToken,
) {
    let mut every = tokio::time::interval(Duration::from_secs(1));
    while closing.run_until_cancelled(every.tick()).await.is_some() {
        let heard = u32::try_from(cache.processes()).unwrap_or(u32::MAX);
        throttle.set_processes(NonZeroU32::new(heard).map_or(known, |heard| heard.max(known)));
    }
}

/// The code asked for at set-up: the configured one, or one made now; none once there is an admin.
async fn set_up_code(config: &Config, store: &Store) -> Result<Option<String>> {
    use secrecy::ExposeSecret as _;
    let (_, admins) = store.read().await?.count_members(MemberRole::Admin).await?;
    if admins > 0 {
        return Ok(None);
    }
    Ok(Some(match &config.setup_code {
        Some(code) => code.expose_secret().to_owned(),
        None => upshelf_catalog::new_set_up_code(),
    }))
}

/// Notices when another process (an import on the command line, say) changed the library, and forgets what is cached; loads
/// what Redis should hold and does not.
pub(crate) async fn keep_up_with_others(catalog: Catalog, closing: CancellationToken) {
    let mut every = tokio::time::interval(Duration::from_secs(1));
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while closing.run_until_cancelled(every.tick()).await.is_some() {
        if let Err(error) = catalog.notice_others().await {
            tracing::debug!(error = &error as &dyn std::error::Error, "could not look for changes of others");
        }
        if let Err(error) = catalog.keep_top().await {
            tracing::debug!(error = &error as &dyn std::error::Error, "could not load the top list");
        }
    }
}
