//! What members can do, and the rules: suggestions, votes, approval, lists, accounts.
//!
//! [`Catalog`] is the one door to the library for requests and jobs alike. It asks the rules ([`Rules::judge`], a pure
//! function that explains itself), writes through the store, and only after the commit tells the live parts: the tally,
//! the bus, the cache. What must happen later is a job, committed with its cause.
//!
//! A refusal by the rules is a [`Refusal`], which is an answer and no failure; everything else in [`Error`] is one.

mod accounts;
mod agreement;
mod analytics;
mod announce;
mod api_keys;
mod approval;
mod audience;
mod cleanup;
mod collections;
mod comments;
mod delivery;
mod error;
mod export;
mod faces;
mod fan_out;
mod import;
mod invalidation;
mod jobs;
mod letter;
mod library;
mod links;
mod lists;
mod log;
mod mails;
mod meter;
mod moderation;
mod names;
mod new_password;
mod news;
mod notices;
mod origin;
mod passwords;
mod profiles;
mod proposal;
mod proposing;
mod queues;
mod regions;
mod revert;
mod rules;
mod set_up_code;
mod shelf;
mod site_key;
mod slugs;
mod suggestions;
mod texts;
mod unsubscribe;
mod views;
mod votes;
mod watches;
mod wording;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64};

use tokio_util::task::TaskTracker;
use upshelf_bus::Bus;
use upshelf_cache::Cache;
use upshelf_queue::Queue;
use upshelf_store::{Ballots, Clock, Store, SuggestionId, Vocabulary};
use upshelf_tally::Tally;

pub use accounts::NewAccount;
pub use agreement::NO_ANSWER;
pub use analytics::MAX_DAYS;
pub use api_keys::{API_KEY_PREFIX, Scopes};
pub use cleanup::CleanedUp;
pub use collections::{CollectionWish, CollectionsOf, MAX_COLLECTION_ITEMS, MAX_COLLECTIONS};
pub use error::{Error, Fault, Refusal, Result};
pub use export::Export;
pub use import::{ImportReport, ImportRequest, preview};
pub use invalidation::cascade;
pub use jobs::{
    AutoApproval, CheckLinks, CleanUp, CountUse, Invalidate, Notify, NotifyComment, NotifyVotes, QUEUES,
    ReconcileStandings, RecountPopularity, SendMail, SweepApprovals, TellOfVotes, WriteDigests,
};
pub use links::{LinkNoted, LinkSight};
pub use mails::{HeldMail, Taking};
pub use meter::Use;
pub use names::{Email, Username, fold_name};
pub use new_password::NewPassword;
pub use news::{
    Change, ChangeNews, InboxNews, Listener, News, StandingNews, Topic, VOTES_CHANNEL, changes_channel,
    count_news, notices_channel,
};
pub use notices::NoticeKind;
pub use passwords::PasswordSettings;
pub use profiles::ProfileChanges;
pub use proposal::{MAX_CATEGORIES, MAX_DESCRIPTION, MAX_REASON, MAX_TAG, MAX_TAGS, MAX_TITLE, MAX_URL};
pub use queues::parse_job_id;
pub use regions::CategoryTree;
pub use rules::{Condition, Facts, Rules, Verdict, wilson_lower_bound};
pub use set_up_code::new_set_up_code;
pub use suggestions::{NewSuggestion, ResourceRef, SuggestionView};
pub use texts::{About, Bio, Body, DisplayName, Faults, KeyName, Reason, Title};
pub use unsubscribe::MailKind;
pub use views::{
    AnalyticsView, ApiKeyView, CategoryNode, CategoryRef, CollectionPage, CollectionView, CommentView,
    DayView, HistoryCause, HistoryEntry, Interest, NoticePayload, NoticeView, Person, ProfileView,
    ResourceView, SuggestionRef, UsedResource, VotesTold,
};
pub use votes::{VoteView, may_vote};

/// The library with everything that members can do. Cheap to clone.
#[derive(Clone)]
pub struct Catalog {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) services: Services,
    pub(crate) settings: Settings,
    pub(crate) ballots: Ballots,
    pub(crate) passwords: passwords::Passwords,
    pub(crate) faces: faces::Faces,
    pub(crate) meter: meter::Meter,
    pub(crate) regions: regions::Regions,
    pub(crate) origin_key: site_key::SiteKey,
    pub(crate) unsubscribe_key: site_key::SiteKey,
    pub(crate) has_admin: AtomicBool,
    /// The number of the last change that this process has noticed.
    pub(crate) noticed: AtomicI64,
    pub(crate) vocabulary: Vocabulary,
}

/// What the catalog stands on.
#[derive(Clone)]
pub struct Services {
    /// The source of truth.
    pub store: Store,
    /// The time, and new ids.
    pub clock: Clock,
    /// Live counts of votes.
    pub tally: Tally<SuggestionId>,
    /// Publications to whoever listens.
    pub bus: Bus,
    /// What is read more often than it changes; built with [`cascade`].
    pub cache: Cache,
    /// Jobs, committed with their cause.
    pub queue: Queue,
    /// Waits for background tasks when the program closes.
    pub tracker: TaskTracker,
}

/// What a site can set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// When suggestions are approved without a curator.
    pub rules: Rules,
    /// The code that makes the first admin; without it, nobody can be made through the site.
    pub set_up_code: Option<String>,
    /// Whether no other process serves or works this library. Then live counts and what is cached are believed; else
    /// only where processes share them.
    pub alone: bool,
    /// The most votes that one commit may share.
    pub votes_per_commit: usize,
    /// The most members who are told of something in one commit.
    pub notices_per_commit: usize,
    /// How passwords are hashed.
    pub passwords: PasswordSettings,
    /// Where people reach the site, for links in mails.
    pub public_url: Option<String>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            rules: Rules::default(),
            set_up_code: None,
            alone: true,
            votes_per_commit: 1_000,
            notices_per_commit: 500,
            passwords: PasswordSettings::default(),
            public_url: None,
        }
    }
}

impl Catalog {
    /// Opens the catalog; its background tasks run under the tracker of `services`.
    pub fn open(services: Services, settings: Settings) -> Catalog {
        let teller = Arc::new(votes::Teller { services: services.clone(), rules: settings.rules.clone() });
        let ballots =
            Ballots::open(services.store.clone(), teller, settings.votes_per_commit, &services.tracker);
        let inner = Inner {
            passwords: passwords::Passwords::new(settings.passwords, services.tracker.clone()),
            faces: faces::Faces::new(),
            meter: meter::Meter::default(),
            regions: regions::Regions::new(&services.cache),
            origin_key: site_key::SiteKey::new(origin::KEY),
            unsubscribe_key: site_key::SiteKey::new(unsubscribe::KEY),
            has_admin: AtomicBool::new(false),
            noticed: AtomicI64::new(0),
            vocabulary: Vocabulary::default(),
            services,
            settings,
            ballots,
        };
        Catalog { inner: Arc::new(inner) }
    }

    /// The source of truth.
    pub fn store(&self) -> &Store {
        &self.inner.services.store
    }

    /// The time, and new ids.
    pub fn clock(&self) -> &Clock {
        &self.inner.services.clock
    }

    /// The jobs.
    pub fn queue(&self) -> &Queue {
        &self.inner.services.queue
    }

    /// The publications.
    pub fn bus(&self) -> &Bus {
        &self.inner.services.bus
    }

    /// What the site has set.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    pub(crate) fn tally(&self) -> &Tally<SuggestionId> {
        &self.inner.services.tally
    }
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalog").finish_non_exhaustive()
    }
}
