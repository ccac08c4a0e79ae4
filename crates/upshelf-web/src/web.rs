use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upshelf_catalog::{Catalog, CategoryTree, ResourceView};
use upshelf_live::Live;
use upshelf_session::{self as session, Device, Reason, Sessions, Tokens};
use upshelf_store::{Member, MemberId, Store, Tag};
use upshelf_throttle::Throttle;

use crate::kept::Kept;
use crate::live::{self, SiteHouse};
use crate::operations::SharedParts;
use crate::problem::Problem;
use crate::settings::Settings;

/// What the door stands on. Cheap to clone.
#[derive(Clone)]
pub struct Web(Arc<Inner>);

struct Inner {
    parts: Parts,
    settings: Settings,
    live: Live<SiteHouse>,
    written: Lists,
}

/// The lists that everybody reads, written.
#[derive(Default)]
pub(crate) struct Lists {
    pub(crate) popular: Kept<Vec<ResourceView>>,
    pub(crate) categories: Kept<CategoryTree>,
    pub(crate) tags: Kept<Vec<Tag>>,
}

/// What [`Web`] is made of.
#[derive(Clone)]
pub struct Parts {
    /// What members can do.
    pub catalog: Catalog,
    /// Who is signed in.
    pub sessions: Arc<Sessions<Store>>,
    /// How often is too often.
    pub throttle: Arc<Throttle>,
    /// Waits for what outlives its request when the program closes.
    pub tracker: TaskTracker,
    /// Cancelled when the program closes: live connections end then.
    pub closing: CancellationToken,
    /// How the parts are doing that all processes share through Redis; none where it is not used.
    pub shared: Option<Pulse>,
}

/// Takes the pulse of the parts that all processes share.
pub type Pulse = Arc<dyn Fn() -> SharedParts + Send + Sync>;

impl Web {
    /// Puts the parts together, and begins what goes on in the background. Must be called on a runtime of tokio.
    pub fn new(parts: Parts, settings: Settings) -> Web {
        let live = live::open(&parts, &settings);
        Web(Arc::new(Inner { parts, settings, live, written: Lists::default() }))
    }

    /// What members can do.
    pub fn catalog(&self) -> &Catalog {
        &self.0.parts.catalog
    }

    /// Who is signed in.
    pub fn sessions(&self) -> &Sessions<Store> {
        &self.0.parts.sessions
    }

    /// How the shared parts are doing.
    pub(crate) fn shared(&self) -> Option<SharedParts> {
        self.0.parts.shared.as_ref().map(|pulse| pulse())
    }

    /// What the site has set.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn live(&self) -> &Live<SiteHouse> {
        &self.0.live
    }

    pub(crate) fn throttle(&self) -> &Throttle {
        &self.0.parts.throttle
    }

    pub(crate) fn tracker(&self) -> &TaskTracker {
        &self.0.parts.tracker
    }

    /// Shuts a member out, and ends their sessions.
    pub(crate) async fn ban(&self, admin: &Member, id: MemberId, reason: &str) -> Result<Member, Problem> {
        let member = self.catalog().ban(admin, id, reason).await?;
        self.sessions().logout_all(id.0, None, Reason::Banned, self.now()).await?;
        Ok(member)
    }

    /// Exchanges a refresh token for the next pair. Whose token was copied is told.
    pub(crate) async fn refresh(&self, token: &str, device: &Device) -> Result<Tokens, session::Error> {
        let refreshed = self.sessions().refresh(token, device, self.now()).await;
        if let Err(session::Error::Reused { member_id, session_id }) = &refreshed {
            let text = "A sign-in of yours was used from two places at once, so it has ended. Change your password if \
                        that was not you.";
            let told =
                self.catalog().tell_of_security(MemberId(*member_id), &session_id.to_string(), text).await;
            if let Err(error) = told {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "could not tell a member of a copied token"
                );
            }
        }
        refreshed
    }

    pub(crate) fn written(&self) -> &Lists {
        &self.0.written
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.catalog().clock().now().timestamp()
    }
}

impl std::fmt::Debug for Web {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Web").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}
