//! Walking along the links of the shelf, politely: each host is asked by one at a time, at the probe's pace.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use upshelf_catalog::{Catalog, CheckLinks, LinkNoted, LinkSight};
use upshelf_probe::{Probe, Sight, Unclear};
use upshelf_queue::{BoxError, Context, Job as _, Outcome};
use upshelf_store::ResourceId;
use url::Url;

/// How often a walk begins; most find little to do.
pub(crate) const PERIOD: Duration = Duration::from_secs(600);

/// How long a walk takes at most: less than its job may.
const WALK: Duration = Duration::from_secs(480);

/// For how long no other process walks: longer than the job may take, so that a walk which is cut short for its pauses still has
/// the way to itself.
const LEASE: Duration = CheckLinks::TIMEOUT.saturating_add(Duration::from_secs(60));
const _: () = {
    assert!(WALK.as_secs() < CheckLinks::TIMEOUT.as_secs(), "a walk ends before its job is cut short");
    assert!(LEASE.as_secs() > CheckLinks::TIMEOUT.as_secs(), "nobody else walks while its job may run");
};

/// How many hosts are asked side by side.
const HOSTS: usize = 8;

/// The most links that one walk looks at.
const LINKS: u32 = 20_000;

/// How the links of the shelf are looked at.
#[derive(Clone, Debug)]
pub struct LinkCheck {
    /// How long after a look the next one at the same link is due.
    pub every: Duration,
    /// Who asks, and at what pace.
    pub probe: Probe,
}

/// What a walk has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// Links that are there.
    pub alive: usize,
    /// Links that were gone this time.
    pub gone: usize,
    /// Links of which nothing can be said.
    pub unclear: usize,
    /// What was suggested.
    pub suggested: usize,
}

impl fmt::Display for Walked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Walked { alive, gone, unclear, suggested } = self;
        write!(f, "{alive} links there, {gone} gone, {unclear} unclear, {suggested} suggestions")
    }
}

impl LinkCheck {
    /// Walks along the links that are due, for eight minutes at most. Each look is noted by itself: what is not reached, or
    /// cut short, is due the next time.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn walk(&self, catalog: &Catalog) -> upshelf_catalog::Result<Walked> {
        let end = Instant::now() + WALK;
        let mut hosts: BTreeMap<String, Vec<(ResourceId, String)>> = BTreeMap::new();
        for (resource, url) in catalog.due_links(self.every, LINKS).await? {
            let host = Url::parse(&url).ok().and_then(|url| url.host_str().map(str::to_owned));
            hosts.entry(host.unwrap_or_default()).or_default().push((resource, url));
        }
        let walks = hosts.into_values().map(|links| self.visit(catalog, links, end));
        let walked: Vec<_> = futures_util::stream::iter(walks).buffer_unordered(HOSTS).collect().await;
        walked.into_iter().try_fold(Walked::default(), |sum, one| {
            let one = one?;
            Ok(Walked {
                alive: sum.alive + one.alive,
                gone: sum.gone + one.gone,
                unclear: sum.unclear + one.unclear,
                suggested: sum.suggested + one.suggested,
            })
        })
    }

    /// Looks at the links of one host, one after the other.
    async fn visit(
        &self,
        catalog: &Catalog,
        links: Vec<(ResourceId, String)>,
        end: Instant,
    ) -> upshelf_catalog::Result<Walked> {
        let mut walked = Walked::default();
        for (resource, url) in links {
            if Instant::now() >= end || self.probe.is_to_be_left_alone(&url) {
                break;
            }
            let sight = self.look(&url).await;
            let sight = match sight {
                Sight::Alive { moved_to } => {
                    walked.alive += 1;
                    LinkSight::Alive { moved_to: moved_to.map(String::from) }
                }
                Sight::Gone(why) => {
                    walked.gone += 1;
                    LinkSight::Gone(why.to_string())
                }
                Sight::Unclear(why) => {
                    walked.unclear += 1;
                    LinkSight::Unclear(why.to_string())
                }
            };
            if let LinkNoted::Suggested(_) | LinkNoted::Backed(_) =
                catalog.note_link(resource, &url, &sight).await?
            {
                walked.suggested += 1;
            }
        }
        Ok(walked)
    }

    /// Looks twice where the first look finds no page: only what both times is gone is gone.
    async fn look(&self, url: &str) -> Sight {
        let first = self.probe.look(url).await;
        // Also where a redirect led to a server that wants to be left alone: its own would be asked again for nothing.
        let is_enough = matches!(
            first,
            Sight::Alive { .. }
                | Sight::Unclear(Unclear::NotAllowed | Unclear::LeftAlone | Unclear::Status(429))
        );
        if is_enough || self.probe.is_to_be_left_alone(url) {
            return first;
        }
        match (first, self.probe.look(url).await) {
            (Sight::Unclear(why), Sight::Gone(_) | Sight::Unclear(Unclear::LeftAlone)) => Sight::Unclear(why),
            (_, second) => second,
        }
    }
}

/// Looks at links that are due. Idempotent: each look is noted by itself, and one process walks at a time. It stops at once
/// when the workers close: nobody need wait for a walk that can go on any time.
pub(crate) async fn run(
    catalog: Catalog,
    links: Option<LinkCheck>,
    closing: CancellationToken,
    context: Context,
) -> Result<Outcome, BoxError> {
    let Some(links) = links else { return Ok(Outcome::Done) };
    if !catalog.begin_link_walk(LEASE).await? {
        return Ok(Outcome::Done);
    }
    let walked = tokio::select! {
        walked = links.walk(&catalog) => Some(walked),
        () = context.cancellation.cancelled() => None,
        () = closing.cancelled() => None,
    };
    catalog.end_link_walk().await?;
    match walked {
        Some(walked) => context.log(walked?.to_string()),
        None => context.log("cut short; the next walk goes on from there"),
    }
    Ok(Outcome::Done)
}
